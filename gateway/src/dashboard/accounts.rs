//! An account with what the gate knows of its money, and its defaults for everybody in it.

use std::sync::Arc;

use axum::extract::State;
use ledger::gate::Amounts;
use schemas::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::money::UsdText;
use super::preferences::{UpdatePrivacy, check_model, set};
use super::{Dashboard, Member};
use crate::control::account::{Account, AccountStatus};
use crate::control::services::Services;
use crate::http::envelope::{Data, JsonBody, given};
use crate::http::error::ApiError;
use crate::routing::{DataCollection, RoutingPreferences, RoutingStrategy};
use crate::signin::SignedIn;

/// An account as its members see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AppAccountView)]
pub struct AccountView {
    id: String,
    name: String,
    /// What the ledger booked.
    #[schema(value_type = String)]
    balance: UsdText,
    /// Settled and not booked yet.
    #[schema(value_type = String)]
    pending: UsdText,
    /// Reserved by running requests.
    #[schema(value_type = String)]
    held: UsdText,
    #[schema(value_type = String)]
    available: UsdText,
    currency: &'static str,
    #[schema(value_type = String)]
    status: AccountStatus,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// What all its keys together may ask; `null` is no limit.
    rpm: Option<u32>,
    tpm: Option<u64>,
    concurrency: Option<u32>,
    /// Where requests to free models are limited, and one account is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    free_tier: Option<FreeTierView>,
}

/// What an account uses of its requests to free models.
#[derive(Debug, Serialize, ToSchema)]
pub struct FreeTierView {
    /// Of the running UTC day.
    requests_today: u32,
    limit_per_day: u32,
    limit_per_minute: u32,
}

impl FreeTierView {
    async fn of(services: &Services, account: AccountId, now: Timestamp) -> Result<Option<Self>, ApiError> {
        let Some(allowance) = services.free_tier().allowance(&services.ledger, account).await else { return Ok(None) };
        Ok(Some(Self {
            requests_today: services.gate.free_requests(now, account).await?,
            limit_per_day: allowance.limits.requests_per_day,
            limit_per_minute: allowance.limits.requests_per_minute,
        }))
    }
}

impl AccountView {
    pub async fn of(services: &Services, account: Account) -> Result<Self, ApiError> {
        let amounts: Amounts = services.gate.amounts(account.id).await?;
        Ok(Self {
            id: account.id.to_string(),
            name: account.name,
            balance: UsdText(amounts.posted),
            pending: UsdText(amounts.pending),
            held: UsdText(amounts.held),
            available: UsdText(amounts.available()),
            currency: "USD",
            status: account.status,
            created_at: account.created_at,
            rpm: account.limits.requests_per_minute,
            tpm: account.limits.tokens_per_minute,
            concurrency: account.limits.concurrency,
            free_tier: None,
        })
    }
}

/// The account of a member's path; it is there, because somebody belongs to it or asked as the platform.
pub async fn known_account(dashboard: &Dashboard, member: Member) -> Result<Account, ApiError> {
    let known = dashboard.services.control.store().account(member.account_id).await?;
    known.ok_or_else(|| ApiError::not_found("There is no such account, or you do not belong to it."))
}

/// An account and its money.
#[utoipa::path(get, path = "/api/app/accounts/{account}", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = Data<AccountView>), (status = 401), (status = 404)))]
pub async fn get_app_account(State(dashboard): State<Arc<Dashboard>>, member: Member) -> Result<Data<AccountView>, ApiError> {
    let account = known_account(&dashboard, member).await?;
    let free_tier = FreeTierView::of(&dashboard.services, member.account_id, Timestamp::now()).await?;
    Ok(Data { data: AccountView { free_tier, ..AccountView::of(&dashboard.services, account).await? } })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AppUpdateAccount)]
pub struct UpdateAccount {
    name: String,
}

/// Renames an account.
#[utoipa::path(patch, path = "/api/app/accounts/{account}", tag = "accounts", params(("account" = String, Path)),
    request_body = UpdateAccount, responses((status = 200, body = Data<AccountView>), (status = 400), (status = 403)))]
pub async fn update_app_account(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<UpdateAccount>,
) -> Result<Data<AccountView>, ApiError> {
    let account = dashboard.services.control.rename_account(&signed_in.act(), member.account_id, &body.name).await?;
    Ok(Data { data: AccountView::of(&dashboard.services, account).await? })
}

/// What an account sets for everybody's requests; `null` is not set.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountPreferencesView {
    default_model: Option<String>,
    #[schema(value_type = Option<String>)]
    routing_strategy: Option<RoutingStrategy>,
    privacy: AccountPrivacy,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AccountPrivacy {
    #[schema(value_type = Option<String>)]
    data_collection: Option<DataCollection>,
    zdr: Option<bool>,
}

impl From<RoutingPreferences> for AccountPreferencesView {
    fn from(preferences: RoutingPreferences) -> Self {
        Self {
            default_model: preferences.default_model,
            routing_strategy: preferences.routing_strategy,
            privacy: AccountPrivacy { data_collection: preferences.data_collection, zdr: preferences.zdr },
        }
    }
}

/// What an account sets for everybody's requests.
#[utoipa::path(get, path = "/api/app/accounts/{account}/preferences", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = Data<AccountPreferencesView>), (status = 404)))]
pub async fn get_account_preferences(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
) -> Result<Data<AccountPreferencesView>, ApiError> {
    let preferences = dashboard.services.control.store().account_preferences(member.account_id).await?;
    Ok(Data { data: preferences.into() })
}

/// Absent fields stay as they are; `null` takes a choice back.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAccountPreferences {
    #[serde(default, deserialize_with = "given")]
    default_model: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    routing_strategy: Option<Option<RoutingStrategy>>,
    #[serde(default)]
    privacy: UpdatePrivacy,
}

/// Sets what applies to requests whose key and whose key's maker say nothing; privacy only ever tightens.
#[utoipa::path(patch, path = "/api/app/accounts/{account}/preferences", tag = "accounts", params(("account" = String, Path)),
    request_body = UpdateAccountPreferences, responses((status = 200, body = Data<AccountPreferencesView>), (status = 400), (status = 403)))]
pub async fn update_account_preferences(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<UpdateAccountPreferences>,
) -> Result<Data<AccountPreferencesView>, ApiError> {
    check_model(&dashboard, body.default_model.as_ref().and_then(Option::as_ref))?;
    let change = move |preferences: &mut RoutingPreferences| {
        set(&mut preferences.default_model, body.default_model);
        set(&mut preferences.routing_strategy, body.routing_strategy);
        body.privacy.apply(preferences);
    };
    let preferences = dashboard.services.control.change_account_preferences(&signed_in.act(), member.account_id, change).await?;
    Ok(Data { data: preferences.into() })
}
