//! The keys of an account. A key is shown once, in the answer that made it; members see and change those they made.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::future::try_join_all;
use http::StatusCode;
use ledger::gate::KeySpend;
use projector::ActivityQuery;
use schemas::{Day, KeyId, NanoUsd, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::money::UsdText;
use super::paging::{page_limit, page_of};
use super::preferences::{check_model, set};
use super::{Dashboard, Member};
use crate::control::key::{ApiKey, KeyHash, KeyKind, KeyScope, LimitReset, mint_key};
use crate::control::people::Role;
use crate::control::store::KeyQuery;
use crate::http::envelope::{Data, DataPage, JsonBody, UrlPath, UrlQuery, UsdAmount, given};
use crate::http::error::ApiError;
use crate::routing::RoutingPreferences;
use crate::signin::SignedIn;

/// Days of a key's series, today included.
const SERIES_DAYS: i32 = 30;
/// Series that are asked for at once.
const SERIES_AT_ONCE: usize = 8;

/// A key as the web app shows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppKey {
    #[schema(value_type = String)]
    hash: KeyHash,
    name: String,
    label: String,
    #[schema(value_type = String)]
    kind: KeyKind,
    disabled: bool,
    #[schema(value_type = Option<String>)]
    limit: Option<UsdText>,
    #[schema(value_type = Option<String>)]
    limit_remaining: Option<UsdText>,
    #[schema(value_type = Option<String>)]
    limit_reset: Option<LimitReset>,
    include_byok_in_limit: bool,
    #[schema(value_type = String)]
    usage: UsdText,
    #[schema(value_type = String)]
    usage_daily: UsdText,
    #[schema(value_type = String)]
    usage_weekly: UsdText,
    #[schema(value_type = String)]
    usage_monthly: UsdText,
    rpm: Option<u32>,
    tpm: Option<u64>,
    concurrency: Option<u32>,
    allowed_models: Option<Vec<String>>,
    #[schema(value_type = Object)]
    preferences: RoutingPreferences,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    updated_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    creator: Option<Creator>,
    /// The last 30 days that had any, oldest first.
    usage_daily_series: Vec<KeyDay>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Creator {
    user_id: String,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct KeyDay {
    #[schema(value_type = String, format = Date)]
    date: Day,
    #[schema(value_type = String)]
    spend: UsdText,
    requests: u64,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedAppKey {
    #[serde(flatten)]
    shown: AppKey,
    /// The key itself, this once.
    key: String,
}

async fn view(dashboard: &Dashboard, key: ApiKey, names: &[(UserId, String)], now: Timestamp) -> Result<AppKey, ApiError> {
    let spend = dashboard.services.gate.key_spend(now, key.id).await?;
    let series = series(dashboard, &key, now).await?;
    Ok(written(dashboard, key, names, (spend, series)))
}

/// The same of a key that was just changed. The change is made: what nobody can tell now (the balance gate or statistics are away) is
/// left out, so that nobody takes it for refused.
async fn view_of_changed(dashboard: &Dashboard, key: ApiKey, names: &[(UserId, String)], now: Timestamp) -> AppKey {
    let series = series(dashboard, &key, now).await.unwrap_or_default();
    match dashboard.services.gate.key_spend(now, key.id).await {
        Ok(spend) => written(dashboard, key, names, (spend, series)),
        Err(_) => AppKey { limit_remaining: None, ..written(dashboard, key, names, (KeySpend::default(), series)) },
    }
}

fn written(dashboard: &Dashboard, key: ApiKey, names: &[(UserId, String)], (spend, series): (KeySpend, Vec<KeyDay>)) -> AppKey {
    let spent = match key.limit_reset {
        None => spend.total,
        Some(LimitReset::Daily) => spend.daily,
        Some(LimitReset::Weekly) => spend.weekly,
        Some(LimitReset::Monthly) => spend.monthly,
    };
    let last_used_at = dashboard.services.control.catalog().key(&key.hash).and_then(|key| key.last_used_at());
    let name_of = |id: UserId| names.iter().find(|(known, _)| *known == id).map(|(_, name)| name.clone()).unwrap_or_default();
    AppKey {
        limit: key.limit_nanos.map(UsdText),
        limit_remaining: key.limit_nanos.map(|limit| UsdText(limit.saturating_sub(spent).max(NanoUsd::ZERO))),
        usage: UsdText(spend.total),
        usage_daily: UsdText(spend.daily),
        usage_weekly: UsdText(spend.weekly),
        usage_monthly: UsdText(spend.monthly),
        creator: key.creator_user_id.map(|id| Creator { user_id: id.to_string(), name: name_of(id) }),
        usage_daily_series: series,
        hash: key.hash,
        name: key.name,
        label: key.label,
        kind: key.kind,
        disabled: key.disabled,
        limit_reset: key.limit_reset,
        include_byok_in_limit: key.include_byok_in_limit,
        rpm: key.requests_per_minute,
        tpm: key.tokens_per_minute,
        concurrency: key.concurrency,
        allowed_models: key.allowed_models,
        preferences: key.preferences.unwrap_or_default(),
        expires_at: key.expires_at,
        created_at: key.created_at,
        updated_at: key.updated_at,
        last_used_at: last_used_at.or(key.last_used_at),
    }
}

/// What a key did on each of the last days.
async fn series(dashboard: &Dashboard, key: &ApiKey, now: Timestamp) -> Result<Vec<KeyDay>, ApiError> {
    let today = now.day();
    let query = ActivityQuery { account: Some(key.account_id), key: Some(key.id), from: today.plus(1 - SERIES_DAYS), to: today };
    let mut days: Vec<KeyDay> = Vec::new();
    let mut rows = dashboard.services.analytics.activity(query).await?;
    rows.sort_by_key(|row| row.date);
    for row in rows {
        match days.last_mut() {
            Some(day) if day.date == row.date => {
                day.spend = UsdText(day.spend.0.saturating_add(row.usage));
                day.requests += row.requests;
            }
            _ => days.push(KeyDay { date: row.date, spend: UsdText(row.usage), requests: row.requests }),
        }
    }
    Ok(days)
}

#[derive(Debug, Deserialize)]
pub struct ListQuery {
    cursor: Option<KeyId>,
    limit: Option<u32>,
}

/// The keys of an account, newest first.
#[utoipa::path(get, path = "/api/app/accounts/{account}/keys", tag = "keys",
    params(("account" = String, Path), ("cursor" = Option<String>, Query), ("limit" = Option<u32>, Query)),
    responses((status = 200, body = DataPage<AppKey>), (status = 403), (status = 404)))]
pub async fn list_app_keys(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    UrlQuery(query): UrlQuery<ListQuery>,
) -> Result<DataPage<AppKey>, ApiError> {
    let limit = page_limit(query.limit)?;
    let store = dashboard.services.control.store();
    let creator = sees_only_own(member, &signed_in).then_some(signed_in.user.id);
    let page = KeyQuery {
        account: Some(member.account_id),
        scope: Some(KeyScope::Account),
        creator,
        include_disabled: true,
        before: query.cursor,
        offset: 0,
        limit: limit + 1,
    };
    let (keys, next_cursor) = page_of(store.keys_page(page).await?, limit, |key| key.id.to_string());
    let names = store.user_names(member.account_id).await?;
    let mut data = Vec::with_capacity(keys.len());
    for some in keys.chunks(SERIES_AT_ONCE) {
        let views: Vec<_> = some.iter().map(|key| view(&dashboard, key.clone(), &names, signed_in.now)).collect();
        data.extend(try_join_all(views).await?);
    }
    Ok(DataPage { data, next_cursor })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAppKey {
    name: String,
    #[schema(value_type = Option<String>)]
    limit: Option<UsdAmount>,
    #[schema(value_type = Option<String>)]
    limit_reset: Option<LimitReset>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    include_byok_in_limit: bool,
    /// `management` for keys that administer the account; for owners and admins.
    #[schema(value_type = Option<String>)]
    kind: Option<KeyKind>,
    rpm: Option<u32>,
    tpm: Option<u64>,
    concurrency: Option<u32>,
    allowed_models: Option<Vec<String>>,
    #[schema(value_type = Option<Object>)]
    preferences: Option<RoutingPreferences>,
}

/// Makes a key; the answer is the only place that shows it.
#[utoipa::path(post, path = "/api/app/accounts/{account}/keys", tag = "keys", params(("account" = String, Path)),
    request_body = CreateAppKey, responses((status = 201, body = Data<CreatedAppKey>), (status = 400), (status = 403)))]
pub async fn create_app_key(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<CreateAppKey>,
) -> Result<Response, ApiError> {
    let kind = body.kind.unwrap_or(KeyKind::Inference);
    if kind == KeyKind::Management && !matches!(member.role, Some(Role::Owner | Role::Admin)) {
        return Err(ApiError::permission_denied("Only owners and admins of the account make management keys.").with_param("kind"));
    }
    check_model(&dashboard, body.preferences.as_ref().and_then(|preferences| preferences.default_model.as_ref()))?;
    let secret = mint_key().map_err(ApiError::internal)?;
    let key = ApiKey {
        limit_nanos: body.limit.map(|limit| limit.0),
        limit_reset: body.limit_reset,
        expires_at: body.expires_at,
        include_byok_in_limit: body.include_byok_in_limit,
        creator_user_id: Some(signed_in.user.id),
        requests_per_minute: body.rpm,
        tokens_per_minute: body.tpm,
        concurrency: body.concurrency,
        allowed_models: body.allowed_models,
        preferences: body.preferences,
        ..ApiKey::new(&secret, member.account_id, body.name, kind, KeyScope::Account, signed_in.now)
    };
    let key = dashboard.services.control.create_key(&signed_in.act(), key).await?;
    let names = [(signed_in.user.id, signed_in.user.name.clone())];
    // Nobody is asked what a new key spent: whatever is away, its text must be told.
    let shown = written(&dashboard, key, &names, (KeySpend::default(), Vec::new()));
    let data = CreatedAppKey { shown, key: secret.expose().to_owned() };
    Ok((StatusCode::CREATED, Json(Data { data })).into_response())
}

/// One key.
#[utoipa::path(get, path = "/api/app/accounts/{account}/keys/{hash}", tag = "keys",
    params(("account" = String, Path), ("hash" = String, Path)), responses((status = 200, body = Data<AppKey>), (status = 404)))]
pub async fn get_app_key(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    UrlPath((_account, hash)): UrlPath<(String, String)>,
) -> Result<Data<AppKey>, ApiError> {
    let key = reachable(&dashboard, member, &signed_in, &hash)?;
    let names = dashboard.services.control.store().user_names(member.account_id).await?;
    Ok(Data { data: view(&dashboard, key, &names, signed_in.now).await? })
}

/// Absent fields stay as they are; `null` lifts a limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAppKey {
    name: Option<String>,
    disabled: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    limit: Option<Option<UsdAmount>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    limit_reset: Option<Option<LimitReset>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Option<Timestamp>>,
    include_byok_in_limit: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    rpm: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    tpm: Option<Option<u64>>,
    #[serde(default, deserialize_with = "given")]
    concurrency: Option<Option<u32>>,
    #[serde(default, deserialize_with = "given")]
    allowed_models: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Object>)]
    preferences: Option<Option<RoutingPreferences>>,
}

impl UpdateAppKey {
    fn apply(self, key: &mut ApiKey) {
        set(&mut key.name, self.name);
        set(&mut key.disabled, self.disabled);
        set(&mut key.limit_nanos, self.limit.map(|limit| limit.map(|amount| amount.0)));
        set(&mut key.limit_reset, self.limit_reset);
        set(&mut key.expires_at, self.expires_at);
        set(&mut key.include_byok_in_limit, self.include_byok_in_limit);
        set(&mut key.requests_per_minute, self.rpm);
        set(&mut key.tokens_per_minute, self.tpm);
        set(&mut key.concurrency, self.concurrency);
        set(&mut key.allowed_models, self.allowed_models);
        set(&mut key.preferences, self.preferences);
    }
}

/// Changes what a key may do; every gateway follows within a second.
#[utoipa::path(patch, path = "/api/app/accounts/{account}/keys/{hash}", tag = "keys",
    params(("account" = String, Path), ("hash" = String, Path)), request_body = UpdateAppKey,
    responses((status = 200, body = Data<AppKey>), (status = 400), (status = 403), (status = 404)))]
pub async fn update_app_key(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    UrlPath((_account, hash)): UrlPath<(String, String)>,
    JsonBody(body): JsonBody<UpdateAppKey>,
) -> Result<Data<AppKey>, ApiError> {
    let key = reachable(&dashboard, member, &signed_in, &hash)?;
    let model = body.preferences.as_ref().and_then(Option::as_ref).and_then(|preferences| preferences.default_model.as_ref());
    check_model(&dashboard, model)?;
    if body.expires_at.flatten().is_some_and(|expires_at| expires_at <= signed_in.now) {
        return Err(ApiError::bad_request("expires_at", "`expires_at` must be in the future; disable the key to end it now"));
    }
    let control = &dashboard.services.control;
    let key = control.change_key(&signed_in.act(), &key.hash, |key| body.apply(key)).await?;
    let names = control.store().user_names(member.account_id).await.unwrap_or_default();
    Ok(Data { data: view_of_changed(&dashboard, key, &names, signed_in.now).await })
}

/// Ends a key for good.
#[utoipa::path(delete, path = "/api/app/accounts/{account}/keys/{hash}", tag = "keys",
    params(("account" = String, Path), ("hash" = String, Path)), responses((status = 204), (status = 403), (status = 404)))]
pub async fn delete_app_key(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    UrlPath((_account, hash)): UrlPath<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let key = reachable(&dashboard, member, &signed_in, &hash)?;
    dashboard.services.control.delete_key(&signed_in.act(), &key.hash).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A plain member sees the keys they made themselves; who administers the platform is more than a member.
fn sees_only_own(member: Member, signed_in: &SignedIn) -> bool {
    member.role == Some(Role::Member) && !signed_in.user.is_platform_admin
}

/// The key of a hash, if it is the account's and its asker may know of it; else there is none.
fn reachable(dashboard: &Dashboard, member: Member, signed_in: &SignedIn, hash: &str) -> Result<ApiKey, ApiError> {
    let missing = || ApiError::not_found("There is no such key in this account.");
    let hash: KeyHash = hash.parse().map_err(|_| missing())?;
    let key = dashboard.services.control.catalog().key(&hash).map(|key| key.record.clone()).ok_or_else(missing)?;
    let is_theirs = !sees_only_own(member, signed_in) || key.creator_user_id == Some(signed_in.user.id);
    let is_here = key.account_id == member.account_id && key.scope == KeyScope::Account;
    if is_here && is_theirs { Ok(key) } else { Err(missing()) }
}
