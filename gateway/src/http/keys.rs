//! `/keys`: what a management key does with keys. A key is shown once, in the answer that made it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use ledger::gate::{BalanceGate, GateError, KeySpend};
use schemas::{AccountId, KeyId, NanoUsd, Timestamp, UsdNumber, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Administrator;
use super::envelope::{Data, DataPage, JsonBody, UrlPath, UrlQuery, UsdAmount, given};
use super::error::ApiError;
use crate::control::key::{ApiKey, KeyHash, KeyKind, KeyScope, LimitReset, mint_key};
use crate::control::services::Services;
use crate::control::store::{KeyQuery, StoreError};
use crate::dashboard::paging::page_of;

/// Keys on one page, as OpenRouter gives them.
const PAGE_KEYS: u32 = 100;

pub fn routes() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::new().routes(routes!(list_keys, create_key)).routes(routes!(get_key, update_key, delete_key))
}

/// A key as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    #[schema(value_type = String)]
    hash: KeyHash,
    name: String,
    label: String,
    disabled: bool,
    limit: Option<UsdNumber>,
    limit_remaining: Option<UsdNumber>,
    limit_reset: Option<LimitReset>,
    include_byok_in_limit: bool,
    #[serde(flatten)]
    usage: KeyUsage,
    created_at: Timestamp,
    updated_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    creator_user_id: Option<String>,
    /// Not known here: always `null`.
    #[schema(value_type = Option<String>)]
    external_user: Option<()>,
    /// The account: it is the only space that a key can be in.
    workspace_id: String,
    account_id: String,
    kind: KeyKind,
    scope: KeyScope,
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u64>,
    concurrency: Option<u32>,
    allowed_models: Option<Vec<String>>,
}

/// What a key spent, booked or not; requests still running do not count.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyUsage {
    usage: UsdNumber,
    usage_daily: UsdNumber,
    usage_weekly: UsdNumber,
    usage_monthly: UsdNumber,
    byok_usage: UsdNumber,
    byok_usage_daily: UsdNumber,
    byok_usage_weekly: UsdNumber,
    byok_usage_monthly: UsdNumber,
}

impl KeyUsage {
    pub fn of(spend: &KeySpend) -> Self {
        let none = UsdNumber(NanoUsd::ZERO);
        Self {
            usage: UsdNumber(spend.total),
            usage_daily: UsdNumber(spend.daily),
            usage_weekly: UsdNumber(spend.weekly),
            usage_monthly: UsdNumber(spend.monthly),
            byok_usage: none,
            byok_usage_daily: none,
            byok_usage_weekly: none,
            byok_usage_monthly: none,
        }
    }
}

/// What is left of a key's limit in its window; never below zero.
pub fn limit_remaining(key: &ApiKey, spend: &KeySpend) -> Option<UsdNumber> {
    let spent = match key.limit_reset {
        None => spend.total,
        Some(LimitReset::Daily) => spend.daily,
        Some(LimitReset::Weekly) => spend.weekly,
        Some(LimitReset::Monthly) => spend.monthly,
    };
    key.limit_nanos.map(|limit| UsdNumber(limit.saturating_sub(spent).max(NanoUsd::ZERO)))
}

async fn view(gate: &BalanceGate, key: ApiKey, last_used_at: Option<Timestamp>, now: Timestamp) -> Result<KeyView, GateError> {
    let spend = gate.key_spend(now, key.id).await?;
    Ok(written(key, last_used_at, spend))
}

fn written(key: ApiKey, last_used_at: Option<Timestamp>, spend: KeySpend) -> KeyView {
    KeyView {
        limit: key.limit_nanos.map(UsdNumber),
        limit_remaining: limit_remaining(&key, &spend),
        usage: KeyUsage::of(&spend),
        hash: key.hash,
        name: key.name,
        label: key.label,
        disabled: key.disabled,
        limit_reset: key.limit_reset,
        include_byok_in_limit: key.include_byok_in_limit,
        created_at: key.created_at,
        updated_at: key.updated_at,
        last_used_at: last_used_at.or(key.last_used_at),
        expires_at: key.expires_at,
        creator_user_id: key.creator_user_id.map(|user| user.to_string()),
        external_user: None,
        workspace_id: key.account_id.to_string(),
        account_id: key.account_id.to_string(),
        kind: key.kind,
        scope: key.scope,
        requests_per_minute: key.requests_per_minute,
        tokens_per_minute: key.tokens_per_minute,
        concurrency: key.concurrency,
        allowed_models: key.allowed_models,
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// So many keys are passed over, as OpenRouter counts. What is made or removed between two pages moves them; `cursor` does not.
    #[serde(default)]
    offset: u32,
    /// `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<KeyId>,
    #[serde(default)]
    include_disabled: bool,
    /// Also by OpenRouter's name for it, `workspace_id`.
    #[serde(alias = "workspace_id")]
    account_id: Option<AccountId>,
}

/// Keys, a hundred a page.
#[utoipa::path(get, path = "/keys", tag = "keys", params(ListQuery), security(("key" = [])), responses((status = 200, body = DataPage<KeyView>)))]
async fn list_keys(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlQuery(query): UrlQuery<ListQuery>,
) -> Result<DataPage<KeyView>, ApiError> {
    let account = match query.account_id {
        Some(account) => Some(administrator.account(Some(account))?),
        None => administrator.accounts(),
    };
    let scope = if administrator.is_platform() { None } else { Some(KeyScope::Account) };
    let ListQuery { offset, cursor, include_disabled, .. } = query;
    let page = KeyQuery { account, scope, creator: None, include_disabled, before: cursor, offset, limit: PAGE_KEYS + 1 };
    let (keys, next_cursor) = page_of(services.control.store().keys_page(page).await?, PAGE_KEYS, |key| key.id.to_string());
    let mut data = Vec::with_capacity(keys.len());
    for key in keys {
        let last_used_at = administrator.0.catalog.key(&key.hash).and_then(|key| key.last_used_at());
        data.push(view(&services.gate, key, last_used_at, administrator.0.now).await?);
    }
    Ok(DataPage { data, next_cursor })
}

/// One key, by its hash.
#[utoipa::path(get, path = "/keys/{hash}", tag = "keys", params(("hash" = String, Path)), security(("key" = [])),
    responses((status = 200, body = Data<KeyView>)))]
async fn get_key(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(hash): UrlPath<String>,
) -> Result<Data<KeyView>, ApiError> {
    let (_, key) = reachable(&administrator, &hash)?;
    let last_used_at = administrator.0.catalog.key(&key.hash).and_then(|key| key.last_used_at());
    Ok(Data { data: view(&services.gate, key, last_used_at, administrator.0.now).await? })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    name: String,
    #[schema(value_type = Option<f64>)]
    limit: Option<UsdAmount>,
    limit_reset: Option<LimitReset>,
    expires_at: Option<Timestamp>,
    #[serde(default)]
    include_byok_in_limit: bool,
    creator_user_id: Option<UserId>,
    /// Also by OpenRouter's name for it, `workspace_id`.
    #[serde(alias = "workspace_id")]
    account_id: Option<AccountId>,
    kind: Option<KeyKind>,
    scope: Option<KeyScope>,
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u64>,
    concurrency: Option<u32>,
    allowed_models: Option<Vec<String>>,
}

#[derive(Serialize, ToSchema)]
struct CreatedKey {
    data: KeyView,
    key: String,
}

/// Makes a key. The answer is the only place where it is told.
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = CreateKey, security(("key" = [])),
    responses((status = 201, body = CreatedKey)))]
async fn create_key(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    JsonBody(body): JsonBody<CreateKey>,
) -> Result<Response, ApiError> {
    let account = administrator.account(body.account_id)?;
    let (kind, scope) = (body.kind.unwrap_or(KeyKind::Inference), body.scope.unwrap_or(KeyScope::Account));
    if scope == KeyScope::Platform {
        administrator.platform()?;
    }
    if let Some(creator) = body.creator_user_id {
        check_creator(&services, creator, account).await?;
    }
    let secret = mint_key().map_err(ApiError::internal)?;
    let key = ApiKey {
        limit_nanos: body.limit.map(|limit| limit.0),
        limit_reset: body.limit_reset,
        expires_at: body.expires_at,
        include_byok_in_limit: body.include_byok_in_limit,
        creator_user_id: body.creator_user_id,
        requests_per_minute: body.requests_per_minute,
        tokens_per_minute: body.tokens_per_minute,
        concurrency: body.concurrency,
        allowed_models: body.allowed_models,
        ..ApiKey::new(&secret, account, body.name, kind, scope, administrator.0.now)
    };
    let key = services.control.create_key(&administrator.act(), key).await?;
    // The gate is not asked what a new key spent: whatever is away, its text must be told.
    let data = written(key, None, KeySpend::default());
    let answer = CreatedKey { data, key: secret.expose().to_owned() };
    Ok(axum::response::IntoResponse::into_response((StatusCode::CREATED, Json(answer))))
}

/// 400 unless somebody belongs to an account. Whether they are anybody elsewhere is not told.
async fn check_creator(services: &Services, creator: UserId, account: AccountId) -> Result<(), ApiError> {
    if services.control.store().accounts_of(creator).await?.iter().any(|member| member.id == account) {
        return Ok(());
    }
    Err(ApiError::bad_request("creator_user_id", "`creator_user_id` must be a member of the key's account"))
}

/// Absent fields stay as they are; `null` lifts a limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct UpdateKey {
    name: Option<String>,
    disabled: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>)]
    limit: Option<Option<UsdAmount>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<LimitReset>)]
    limit_reset: Option<Option<LimitReset>>,
    include_byok_in_limit: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    requests_per_minute: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    tokens_per_minute: Option<Option<u64>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    concurrency: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    allowed_models: Option<Option<Vec<String>>>,
}

impl UpdateKey {
    fn apply(self, key: &mut ApiKey) {
        fn set<T>(field: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *field = value;
            }
        }
        set(&mut key.name, self.name);
        set(&mut key.disabled, self.disabled);
        set(&mut key.limit_nanos, self.limit.map(|limit| limit.map(|amount| amount.0)));
        set(&mut key.limit_reset, self.limit_reset);
        set(&mut key.include_byok_in_limit, self.include_byok_in_limit);
        set(&mut key.requests_per_minute, self.requests_per_minute);
        set(&mut key.tokens_per_minute, self.tokens_per_minute);
        set(&mut key.concurrency, self.concurrency);
        set(&mut key.allowed_models, self.allowed_models);
    }
}

/// Changes a key; every gateway knows within a second.
#[utoipa::path(patch, path = "/keys/{hash}", tag = "keys", params(("hash" = String, Path)), request_body = UpdateKey, security(("key" = [])),
    responses((status = 200, body = Data<KeyView>)))]
async fn update_key(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(hash): UrlPath<String>,
    JsonBody(body): JsonBody<UpdateKey>,
) -> Result<Data<KeyView>, ApiError> {
    let (hash, _) = reachable(&administrator, &hash)?;
    if body.disabled == Some(true) {
        refuse_own(&administrator, &hash, "disable")?;
    }
    let key = services.control.change_key(&administrator.act(), &hash, |key| body.apply(key)).await?;
    // The change is made: a gate that is away must not let it look refused. What is left is not told then.
    let Ok(spend) = services.gate.key_spend(administrator.0.now, key.id).await else {
        return Ok(Data { data: KeyView { limit_remaining: None, ..written(key, None, KeySpend::default()) } });
    };
    Ok(Data { data: written(key, None, spend) })
}

#[derive(Debug, Serialize, ToSchema)]
struct Deleted {
    deleted: bool,
}

/// Ends a key for ever.
#[utoipa::path(delete, path = "/keys/{hash}", tag = "keys", params(("hash" = String, Path)), security(("key" = [])),
    responses((status = 200, body = Deleted)))]
async fn delete_key(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(hash): UrlPath<String>,
) -> Result<Json<Deleted>, ApiError> {
    let (hash, _) = reachable(&administrator, &hash)?;
    refuse_own(&administrator, &hash, "delete")?;
    services.control.delete_key(&administrator.act(), &hash).await?;
    Ok(Json(Deleted { deleted: true }))
}

/// The key of a hash, if this administrator may know of it; else there is none.
fn reachable(administrator: &Administrator, hash: &str) -> Result<(KeyHash, ApiKey), ApiError> {
    let missing = || ApiError::from(StoreError::Missing { what: "key", name: hash.to_owned() });
    let parsed: KeyHash = hash.parse().map_err(|_| missing())?;
    let key = administrator.0.catalog.key(&parsed).map(|key| key.record.clone());
    key.filter(|key| administrator.0.reaches(key.account_id) && may_touch(administrator, key)).map(|key| (parsed, key)).ok_or_else(missing)
}

/// The administrator of one account has no power over keys of the platform that happen to belong to it.
fn may_touch(administrator: &Administrator, key: &ApiKey) -> bool {
    key.scope == KeyScope::Account || administrator.is_platform()
}

/// Nobody locks themselves out by a slip.
fn refuse_own(administrator: &Administrator, hash: &KeyHash, verb: &str) -> Result<(), ApiError> {
    if administrator.0.key.record.hash == *hash {
        return Err(ApiError::conflict(format!("A key cannot {verb} itself; use another management key.")));
    }
    Ok(())
}
