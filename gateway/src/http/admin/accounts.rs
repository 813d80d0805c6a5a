//! Accounts with what the gate knows of their money.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use ledger::gate::{Amounts, BalanceGate, GateError};
use schemas::{AccountId, Timestamp, UsdNumber};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::control::account::{Account, AccountChange, AccountStatus};
use crate::control::services::Services;
use crate::control::store::StoreError;
use crate::http::caller::{Administrator, PlatformAdministrator};
use crate::http::envelope::{Data, DataPage, JsonBody, UrlPath, UrlQuery, created, given};
use crate::http::error::ApiError;

const PAGE_ACCOUNTS_DEFAULT: u32 = 100;
const PAGE_ACCOUNTS_MAX: u32 = 1_000;

/// An account as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    id: String,
    name: String,
    /// What the ledger booked.
    balance: UsdNumber,
    pending: UsdNumber,
    held: UsdNumber,
    available: UsdNumber,
    currency: &'static str,
    status: AccountStatus,
    created_at: Timestamp,
    /// Of all its keys together; `null` is no limit.
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u64>,
    concurrency: Option<u32>,
}

impl AccountView {
    async fn of(gate: &BalanceGate, account: Account) -> Result<Self, GateError> {
        let amounts: Amounts = gate.amounts(account.id).await?;
        Ok(Self {
            id: account.id.to_string(),
            name: account.name,
            balance: UsdNumber(amounts.posted),
            pending: UsdNumber(amounts.pending),
            held: UsdNumber(amounts.held),
            available: UsdNumber(amounts.available()),
            currency: "USD",
            status: account.status,
            created_at: account.created_at,
            requests_per_minute: account.limits.requests_per_minute,
            tokens_per_minute: account.limits.tokens_per_minute,
            concurrency: account.limits.concurrency,
        })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    cursor: Option<AccountId>,
    limit: Option<u32>,
}

/// Accounts with their money.
#[utoipa::path(get, path = "/admin/accounts", tag = "administration", params(ListQuery), security(("key" = [])),
    responses((status = 200, body = DataPage<AccountView>)))]
pub async fn list_accounts(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlQuery(query): UrlQuery<ListQuery>,
) -> Result<DataPage<AccountView>, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_ACCOUNTS_DEFAULT).clamp(1, PAGE_ACCOUNTS_MAX);
    let accounts = match administrator.accounts() {
        None => services.control.store().accounts_page(query.cursor, limit).await?,
        Some(own) => services.control.store().account(own).await?.into_iter().collect(),
    };
    let full = accounts.len() == usize::try_from(limit).unwrap_or(usize::MAX) && administrator.is_platform();
    let next_cursor = accounts.last().filter(|_| full).map(|account| account.id.to_string());
    let mut data = Vec::with_capacity(accounts.len());
    for account in accounts {
        data.push(AccountView::of(&services.gate, account).await?);
    }
    Ok(DataPage { data, next_cursor })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAccount {
    name: String,
}

/// Makes an account without money.
#[utoipa::path(post, path = "/admin/accounts", tag = "administration", request_body = CreateAccount, security(("key" = [])),
    responses((status = 201, body = Data<AccountView>)))]
pub async fn create_account(
    PlatformAdministrator(administrator): PlatformAdministrator,
    State(services): State<Arc<Services>>,
    JsonBody(body): JsonBody<CreateAccount>,
) -> Result<Response, ApiError> {
    let account = services.control.create_account(&administrator.act(), &body.name).await?;
    services.announce().await;
    Ok(created(AccountView::of(&services.gate, account).await?))
}

/// One account with its money.
#[utoipa::path(get, path = "/admin/accounts/{id}", tag = "administration", params(("id" = String, Path)), security(("key" = [])),
    responses((status = 200, body = Data<AccountView>)))]
pub async fn get_account(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
) -> Result<Data<AccountView>, ApiError> {
    let account = known_account(&administrator, &services, &id).await?;
    Ok(Data { data: AccountView::of(&services.gate, account).await? })
}

/// Absent fields stay as they are; `null` lifts a limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAccount {
    status: Option<AccountStatus>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    requests_per_minute: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    tokens_per_minute: Option<Option<u64>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    concurrency: Option<Option<u32>>,
}

/// Suspends, closes or reactivates an account, and limits what all its keys together may ask; its balance stays.
#[utoipa::path(patch, path = "/admin/accounts/{id}", tag = "administration", params(("id" = String, Path)), request_body = UpdateAccount, security(("key" = [])),
    responses((status = 200, body = Data<AccountView>)))]
pub async fn update_account(
    PlatformAdministrator(administrator): PlatformAdministrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
    JsonBody(body): JsonBody<UpdateAccount>,
) -> Result<Data<AccountView>, ApiError> {
    let account = known_account(&administrator, &services, &id).await?;
    if account.id == administrator.0.account_id() && body.status.is_some_and(|status| status != AccountStatus::Active) {
        return Err(ApiError::conflict("A key cannot suspend or close its own account; use another management key."));
    }
    let change = AccountChange {
        name: None,
        status: body.status,
        requests_per_minute: body.requests_per_minute,
        tokens_per_minute: body.tokens_per_minute,
        concurrency: body.concurrency,
    };
    let account = services.control.change_account(&administrator.act(), account.id, change).await?;
    Ok(Data { data: AccountView::of(&services.gate, account).await? })
}

/// The account of a path, if there is one and the key reaches it.
pub async fn known_account(administrator: &Administrator, services: &Services, id: &str) -> Result<Account, ApiError> {
    let missing = || ApiError::from(StoreError::Missing { what: "account", name: id.to_owned() });
    let id: AccountId = id.parse().map_err(|_| missing())?;
    administrator.account(Some(id))?;
    services.control.store().account(id).await?.ok_or_else(missing)
}
