//! An account's requests: a list, and everything about one.

use std::sync::Arc;

use axum::extract::State;
use ledger::apply::TransactionKind;
use ledger::store::TransactionQuery;
use projector::{GenerationQuery, Status, UsageRow};
use schemas::{KeyId, NanoUsd, RequestId, Timestamp, TokenKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::statistics::AppView;
use super::{Dashboard, Member};
use crate::control::Catalog;
use crate::control::key::KeyHash;
use crate::http::envelope::{Data, DataPage, UrlPath, UrlQuery};
use crate::http::error::ApiError;
use crate::http::generation::{endpoint_id, find_generation};
use crate::signin::SignedIn;

const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 200;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct GenerationsQuery {
    model: Option<String>,
    /// The hash of a key.
    #[param(value_type = Option<String>)]
    key: Option<KeyHash>,
    /// `ok`, `error`, `cancelled`, `released` or `expired`.
    status: Option<String>,
    /// The calling app's address, else its title.
    app: Option<String>,
    /// Admitted at or after.
    from: Option<Timestamp>,
    /// Admitted before.
    to: Option<Timestamp>,
    cursor: Option<String>,
    /// 1 to 200; 50 unless said.
    limit: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct GenerationRow {
    #[schema(value_type = RequestId)]
    id: String,
    account_id: String,
    created_at: Timestamp,
    model: String,
    /// An opaque id of who served.
    endpoint: Option<String>,
    provider: Option<String>,
    key: Option<GenerationKey>,
    app: Option<AppView>,
    status: &'static str,
    finish_reason: Option<String>,
    streamed: bool,
    tokens: Tokens,
    /// Decimal text in USD.
    cost: String,
    latency_ms: u64,
    time_to_first_token_ms: Option<u64>,
    tokens_per_second: Option<f64>,
    error_type: Option<String>,
}

/// `hash` is null for a key that is gone.
#[derive(Debug, Serialize, ToSchema)]
pub struct GenerationKey {
    hash: Option<String>,
    name: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Tokens {
    prompt: u64,
    completion: u64,
    reasoning: u64,
    cached: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct GenerationDetail {
    #[serde(flatten)]
    row: GenerationRow,
    /// What the charge is made of; empty where nothing was charged.
    cost_lines: Vec<CostLineView>,
    attempts: Vec<AttemptView>,
    timings: Timings,
    usage: UsageView,
    transaction_id: Option<String>,
    route: Route,
    http_status: Option<u16>,
    native_finish_reason: Option<String>,
    price_version: Option<String>,
    upstream_id: Option<String>,
    /// The client's name for the conversation.
    session_id: Option<String>,
    /// The client's name for whoever it asked for.
    external_user: Option<String>,
    /// The client's program.
    user_agent: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CostLineView {
    #[schema(value_type = String)]
    kind: TokenKind,
    quantity: u64,
    /// Decimal text in USD for one unit.
    unit_price: String,
    /// Decimal text in USD.
    amount: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// An opaque id of the endpoint.
    endpoint: String,
    channel: String,
    model: String,
    /// Of the upstream; null when none came.
    status: Option<u16>,
    error: Option<String>,
    latency_ms: u64,
    /// Of the attempt that answered.
    time_to_first_token_ms: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Timings {
    admitted_at: Timestamp,
    ended_at: Timestamp,
    time_to_first_token_ms: Option<u64>,
    generation_ms: u64,
    total_ms: u64,
}

/// Tokens as they were measured, each counted once.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsageView {
    source: &'static str,
    uncached_input: u64,
    cache_read: u64,
    cache_write_5m: u64,
    cache_write_1h: u64,
    image_input: u64,
    audio_input: u64,
    text_output: u64,
    reasoning: u64,
    image_output: u64,
    audio_output: u64,
    tool_calls: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Route {
    requested_model: String,
    api_type: String,
}

impl GenerationRow {
    pub fn of(row: &UsageRow, catalog: &Catalog) -> Self {
        let app = row.app_url.as_deref().or(row.app_title.as_deref()).map(AppView::of);
        let title = row.app_title.clone().filter(|_| row.app_url.is_some());
        let completion = row.usage.completion_tokens();
        Self {
            id: row.request_id.to_string(),
            account_id: row.account_id.to_string(),
            created_at: row.admitted_at,
            model: if row.model.is_empty() { row.model_requested.clone() } else { row.model.clone() },
            endpoint: Some(endpoint_id(&row.channel, &row.model)).filter(|_| !row.channel.is_empty()),
            provider: Some(row.provider.clone()).filter(|name| !name.is_empty()),
            key: row.key_id.map(|id| key_of(catalog, id)),
            app: app.map(|app| AppView { name: title.unwrap_or(app.name), url: app.url }),
            status: row.status.as_str(),
            finish_reason: row.finish_reason.clone(),
            streamed: row.streamed,
            tokens: Tokens { prompt: row.usage.prompt_tokens(), completion, reasoning: row.usage.reasoning, cached: row.usage.cache_read },
            cost: row.charge_nanos.to_string(),
            latency_ms: row.duration_ms,
            time_to_first_token_ms: row.ttft_ms,
            tokens_per_second: (row.duration_ms > 0 && completion > 0).then(|| completion as f64 * 1_000.0 / row.duration_ms as f64),
            error_type: row.error_type.clone(),
        }
    }
}

fn key_of(catalog: &Catalog, id: KeyId) -> GenerationKey {
    match catalog.keys().find(|key| key.record.id == id) {
        Some(key) => GenerationKey { hash: Some(key.record.hash.to_string()), name: key.record.name.clone() },
        None => GenerationKey { hash: None, name: id.to_string() },
    }
}

/// An account's requests, newest first.
#[utoipa::path(get, path = "/api/app/accounts/{account}/generations", tag = "generations", params(("account" = String, Path), GenerationsQuery),
    responses((status = 200, body = DataPage<GenerationRow>)))]
pub async fn list_generations(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    UrlQuery(query): UrlQuery<GenerationsQuery>,
) -> Result<DataPage<GenerationRow>, ApiError> {
    let catalog = dashboard.services.control.catalog_full();
    let known_key = |hash: KeyHash| {
        let key = catalog.key(&hash).filter(|key| key.account_id() == member.account_id);
        key.map(|key| key.record.id).ok_or_else(|| ApiError::bad_request("key", "`key` is no key of this account"))
    };
    let known_status = |word: String| {
        let problem =
            || ApiError::bad_request("status", format!("`status`: `{word}` is not one of ok, error, cancelled, released, expired"));
        Status::parse(&word).ok_or_else(problem)
    };
    let wanted = GenerationQuery {
        account: Some(member.account_id),
        key: query.key.map(known_key).transpose()?,
        model: query.model,
        status: query.status.map(known_status).transpose()?,
        app: query.app,
        from: query.from,
        to: query.to,
        cursor: query.cursor,
        limit: query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX),
    };
    let page = dashboard.services.analytics.generations(wanted).await?;
    Ok(DataPage { data: page.items.iter().map(|row| GenerationRow::of(row, &catalog)).collect(), next_cursor: page.next_cursor })
}

/// Everything about one request of an account of the person who asks.
#[utoipa::path(get, path = "/api/app/generations/{id}", tag = "generations", params(("id" = String, Path)),
    responses((status = 200, body = Data<GenerationDetail>), (status = 404)))]
pub async fn get_app_generation(
    State(dashboard): State<Arc<Dashboard>>,
    signed_in: SignedIn,
    UrlPath(id): UrlPath<String>,
) -> Result<Data<GenerationDetail>, ApiError> {
    let missing = || ApiError::not_found(format!("There is no generation `{id}` of yours."));
    let request: RequestId = id.parse().map_err(|_| missing())?;
    let row = find_generation(&dashboard.services, request).await?.ok_or_else(missing)?;
    let is_theirs = signed_in.role(row.account_id).is_some_and(|role| !matches!(role, crate::control::people::Role::Analyst));
    if !is_theirs && !signed_in.user.is_platform_admin {
        return Err(missing());
    }
    let transaction_id = transaction_of(&dashboard, &row).await?;
    Ok(Data { data: detail(&row, &dashboard.services.control.catalog_full(), transaction_id) })
}

/// The booking of a request's charge: it bears the time of the same event.
async fn transaction_of(dashboard: &Dashboard, row: &UsageRow) -> Result<Option<String>, ApiError> {
    if row.charge_nanos == NanoUsd::ZERO {
        return Ok(None);
    }
    let query = TransactionQuery {
        account: Some(row.account_id),
        kinds: vec![TransactionKind::Usage],
        from: Some(row.ended_at),
        to: Some(row.ended_at.plus_micros(1)),
        limit: 1_000,
        ..TransactionQuery::default()
    };
    let page = dashboard.services.ledger.transactions(query).await?;
    Ok(page.items.into_iter().find(|transaction| transaction.request_id == Some(row.request_id)).map(|transaction| transaction.id))
}

fn detail(row: &UsageRow, catalog: &Catalog, transaction_id: Option<String>) -> GenerationDetail {
    let usage = &row.usage;
    let line = |line: &schemas::CostLine| CostLineView {
        kind: line.kind,
        quantity: line.quantity,
        unit_price: line.price_picos.per_unit_text(),
        amount: line.amount_nanos.to_string(),
    };
    let attempt = |attempt: &schemas::event::Attempt| AttemptView {
        endpoint: endpoint_id(&attempt.channel, &attempt.model),
        channel: attempt.channel.clone(),
        model: attempt.model.clone(),
        status: attempt.status,
        error: Some(attempt.outcome.clone()).filter(|outcome| outcome != "ok"),
        latency_ms: attempt.duration_ms,
        time_to_first_token_ms: row.ttft_ms.filter(|_| attempt.outcome == "ok"),
    };
    GenerationDetail {
        cost_lines: row.cost_lines.iter().map(line).collect(),
        attempts: row.attempts.iter().map(attempt).collect(),
        timings: Timings {
            admitted_at: row.admitted_at,
            ended_at: row.ended_at,
            time_to_first_token_ms: row.ttft_ms,
            generation_ms: row.duration_ms.saturating_sub(row.ttft_ms.unwrap_or(0)),
            total_ms: row.duration_ms,
        },
        usage: UsageView {
            source: usage.source.as_str(),
            uncached_input: usage.uncached_input,
            cache_read: usage.cache_read,
            cache_write_5m: usage.cache_write_5m,
            cache_write_1h: usage.cache_write_1h,
            image_input: usage.image_input,
            audio_input: usage.audio_input,
            text_output: usage.text_output,
            reasoning: usage.reasoning,
            image_output: usage.image_output,
            audio_output: usage.audio_output,
            tool_calls: usage.tool_calls,
        },
        transaction_id,
        route: Route { requested_model: row.model_requested.clone(), api_type: row.api_type.clone() },
        http_status: row.http_status,
        native_finish_reason: row.native_finish_reason.clone(),
        price_version: row.price_version.clone(),
        upstream_id: row.upstream_id.clone(),
        session_id: row.session_id.clone(),
        external_user: row.external_user.clone(),
        user_agent: row.user_agent.clone(),
        row: GenerationRow::of(row, catalog),
    }
}
