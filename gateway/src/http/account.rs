//! What a key may know of itself and of its account: `/key`, `/credits`, `/activity`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use ledger::gate::Amounts;
use projector::{ActivityQuery, ActivityRow};
use schemas::{AccountId, Day, KeyId, NanoUsd, Timestamp, UsdNumber};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::{Administrator, Caller};
use super::datasets::refuse_unkept;
use super::envelope::{Data, UrlQuery};
use super::error::ApiError;
use super::generation::endpoint_id;
use super::keys::{KeyUsage, limit_remaining};
use crate::control::key::{KeyHash, LimitReset};
use crate::control::services::Services;

/// Days `/activity` looks back.
const ACTIVITY_DAYS: i32 = 30;

pub fn routes() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::new()
        .routes(routes!(get_current_key))
        .routes(routes!(get_credits))
        .routes(routes!(get_activity))
        // OpenRouter's older name of it.
        .route("/auth/key", get(get_current_key))
}

/// Stands for no limit where an integer has to stand; every client's integers hold it.
const UNLIMITED: u32 = i32::MAX.unsigned_abs();

#[derive(Debug, Serialize, ToSchema)]
struct CurrentKey {
    label: String,
    name: String,
    limit: Option<UsdNumber>,
    limit_remaining: Option<UsdNumber>,
    limit_reset: Option<LimitReset>,
    include_byok_in_limit: bool,
    #[serde(flatten)]
    usage: KeyUsage,
    /// Nothing was ever paid in.
    is_free_tier: bool,
    is_management_key: bool,
    is_provisioning_key: bool,
    expires_at: Option<Timestamp>,
    creator_user_id: Option<String>,
    workspace_id: Option<String>,
    organization_id: Option<String>,
    account_id: String,
    #[schema(value_type = Vec<String>)]
    allowed_data_regions: [&'static str; 0],
    free_model_daily_requests: FreeDailyRequests,
    rate_limit: DeprecatedRateLimit,
}

/// What is used of a UTC day's requests to free models, by all keys of the account. Where they have no limit, nothing is
/// counted and `limit` is 2,147,483,647: OpenRouter's clients accept no `null` here.
#[derive(Debug, Serialize, ToSchema)]
struct FreeDailyRequests {
    used: u32,
    limit: u32,
    remaining: u32,
}

#[derive(Debug, Serialize, ToSchema)]
struct DeprecatedRateLimit {
    requests: i64,
    interval: &'static str,
    note: &'static str,
}

/// The key that asks: its limit, what is left of it, what it spent.
#[utoipa::path(get, path = "/key", tag = "keys", security(("key" = [])), responses((status = 200, body = Data<CurrentKey>)))]
async fn get_current_key(caller: Caller, State(services): State<Arc<Services>>) -> Result<Data<CurrentKey>, ApiError> {
    let key = &caller.key.record;
    let spend = services.gate.key_spend(caller.now, key.id).await?;
    let totals = services.ledger.account_totals(key.account_id).await?;
    Ok(Data {
        data: CurrentKey {
            label: key.label.clone(),
            name: key.name.clone(),
            limit: key.limit_nanos.map(UsdNumber),
            limit_remaining: limit_remaining(key, &spend),
            limit_reset: key.limit_reset,
            include_byok_in_limit: key.include_byok_in_limit,
            usage: KeyUsage::of(&spend),
            is_free_tier: totals.credits <= NanoUsd::ZERO,
            is_management_key: caller.key.is_management(),
            is_provisioning_key: caller.key.is_management(),
            expires_at: key.expires_at,
            creator_user_id: key.creator_user_id.map(|user| user.to_string()),
            workspace_id: Some(key.account_id.to_string()),
            organization_id: None,
            account_id: key.account_id.to_string(),
            allowed_data_regions: [],
            free_model_daily_requests: free_daily_requests(&services, key.account_id, caller.now).await?,
            rate_limit: DeprecatedRateLimit { requests: -1, interval: "10s", note: "This field is deprecated and safe to ignore." },
        },
    })
}

async fn free_daily_requests(services: &Services, account: AccountId, now: Timestamp) -> Result<FreeDailyRequests, ApiError> {
    let (used, limit) = match services.free_tier().allowance(&services.ledger, account).await {
        Some(allowance) => (services.gate.free_requests(now, account).await?, allowance.limits.requests_per_day),
        None => (0, UNLIMITED),
    };
    Ok(FreeDailyRequests { used, limit, remaining: limit.saturating_sub(used) })
}

#[derive(Debug, Serialize, ToSchema)]
struct Credits {
    total_credits: UsdNumber,
    total_usage: UsdNumber,
}

/// Credits are what the ledger booked; usage is what they exceed the balance by, so that a charge counts
/// from the moment it is settled, before it is booked, and never twice.
#[utoipa::path(get, path = "/credits", tag = "accounts", security(("key" = [])), responses((status = 200, body = Data<Credits>)))]
async fn get_credits(caller: Caller, State(services): State<Arc<Services>>) -> Result<Data<Credits>, ApiError> {
    let account = caller.account_id();
    let totals = services.ledger.account_totals(account).await?;
    let amounts: Amounts = services.gate.amounts(account).await?;
    let total_usage = totals.credits.saturating_sub(amounts.settled_balance());
    Ok(Data { data: Credits { total_credits: UsdNumber(totals.credits), total_usage: UsdNumber(total_usage) } })
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ActivityParameters {
    date: Option<Day>,
    #[param(value_type = Option<String>)]
    api_key_hash: Option<KeyHash>,
    account_id: Option<AccountId>,
    /// Not kept here: refused.
    user_id: Option<String>,
    /// The account, as `/keys` names it.
    workspace_id: Option<AccountId>,
    /// Not kept here: refused.
    group_by: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ActivityItem {
    date: Day,
    model: String,
    model_permaslug: String,
    endpoint_id: String,
    provider_name: String,
    usage: UsdNumber,
    byok_usage_inference: UsdNumber,
    requests: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
}

impl From<ActivityRow> for ActivityItem {
    fn from(row: ActivityRow) -> Self {
        Self {
            date: row.date,
            endpoint_id: endpoint_id(&row.channel, &row.model),
            model_permaslug: row.model.clone(),
            model: row.model,
            provider_name: row.provider_name,
            usage: UsdNumber(row.usage),
            byok_usage_inference: UsdNumber(NanoUsd::ZERO),
            requests: row.requests,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            reasoning_tokens: row.reasoning_tokens,
        }
    }
}

/// The last 30 completed UTC days, or one day of them or today.
#[utoipa::path(get, path = "/activity", tag = "generations", params(ActivityParameters), security(("key" = [])),
    responses((status = 200, body = Data<Vec<ActivityItem>>)))]
async fn get_activity(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlQuery(query): UrlQuery<ActivityParameters>,
) -> Result<Data<Vec<ActivityItem>>, ApiError> {
    refuse_unkept(&[("user_id", &query.user_id), ("group_by", &query.group_by)])?;
    let today = administrator.0.now.day();
    let oldest = today.plus(-ACTIVITY_DAYS);
    let (from, to) = match query.date {
        None => (oldest, today.plus(-1)),
        Some(date) if (oldest..=today).contains(&date) => (date, date),
        Some(_) => return Err(ApiError::bad_request("date", format!("`date` must be one of the last {ACTIVITY_DAYS} days (UTC)"))),
    };
    let account = match query.account_id.or(query.workspace_id) {
        Some(account) => Some(administrator.account(Some(account))?),
        None => administrator.accounts(),
    };
    let key = query.api_key_hash.map(|hash| known_key(&administrator, &hash)).transpose()?;
    let rows = services.analytics.activity(ActivityQuery { account, key, from, to }).await?;
    Ok(Data { data: rows.into_iter().map(ActivityItem::from).collect() })
}

fn known_key(administrator: &Administrator, hash: &KeyHash) -> Result<KeyId, ApiError> {
    let key = administrator.0.catalog.key(hash).filter(|key| administrator.0.reaches(key.account_id()));
    key.map(|key| key.record.id).ok_or_else(|| ApiError::not_found(format!("There is no key `{hash}`.")))
}
