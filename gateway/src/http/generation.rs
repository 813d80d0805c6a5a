//! `/generation?id=`: what became of one request, readable at once.
//!
//! The gate keeps the terminal event of recent requests, so the record is there before analytics have it.
//! A request of another account does not exist as far as the caller can tell.

use std::sync::Arc;

use axum::extract::State;
use projector::UsageRow;
use schemas::{AccountId, Event, NanoUsd, RequestId, Timestamp, TokenKind, UsdNumber};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::datasets::app_id;
use super::envelope::{Data, UrlQuery};
use super::error::ApiError;
use crate::control::Catalog;
use crate::control::services::Services;

/// OpenRouter's word for a request that was bound to no region.
const DATA_REGION: &str = "global";

pub fn routes() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::new().routes(routes!(get_generation))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct GenerationParameters {
    /// The generation: `gen-…`.
    #[param(required)]
    id: Option<String>,
}

/// What became of one request: model, tokens, cost, timings, attempts.
#[utoipa::path(get, path = "/generation", tag = "generations", params(GenerationParameters), security(("key" = [])),
    responses((status = 200, body = Data<Generation>)))]
async fn get_generation(
    caller: Caller,
    State(services): State<Arc<Services>>,
    UrlQuery(query): UrlQuery<GenerationParameters>,
) -> Result<Data<Generation>, ApiError> {
    let id = query.id.ok_or_else(|| ApiError::bad_request("id", "`id` is missing: /generation?id=gen-…"))?;
    let missing = || ApiError::not_found(format!("Generation {id} not found"));
    let request: RequestId = id.parse().map_err(|_| missing())?;
    let row = find_generation(&services, request).await?.filter(|row| caller.reaches(row.account_id)).ok_or_else(missing)?;
    Ok(Data { data: Generation::of(row, &caller.catalog) })
}

/// The gate's record, else the one in analytics.
pub async fn find_generation(services: &Services, request: RequestId) -> Result<Option<UsageRow>, ApiError> {
    if let Some(bytes) = services.gate.generation(request).await? {
        let event = Event::decode(&bytes).map_err(ApiError::internal)?;
        if let Some(row) = UsageRow::from_event(0, event).map_err(ApiError::internal)? {
            return Ok(Some(row));
        }
    }
    Ok(services.analytics.generation(request).await?)
}

/// A stable id of an endpoint that does not tell the channel's name.
pub fn endpoint_id(channel: &str, model: &str) -> String {
    let digest = Sha256::digest(format!("{channel}\n{model}").as_bytes());
    hex::encode(&digest[..16])
}

/// OpenRouter's record of one request.
#[derive(Debug, Serialize, ToSchema)]
struct Generation {
    #[schema(value_type = RequestId)]
    id: RequestIdText,
    upstream_id: Option<String>,
    request_id: Option<String>,
    /// The client's name for the conversation: `session_id`, or the header `X-Session-Id`.
    session_id: Option<String>,
    api_type: String,
    model: String,
    provider_name: Option<String>,
    provider_responses: Vec<ProviderResponse>,
    router: Option<String>,
    preset_id: Option<String>,
    /// As `/datasets/app-rankings` numbers the app.
    app_id: Option<u64>,
    /// The account.
    workspace_id: Option<AccountId>,
    /// Scheme and host of the app.
    origin: String,
    http_referer: Option<String>,
    /// The client's program: the header `User-Agent`.
    user_agent: Option<String>,
    /// The client's name for whoever it asked for: `user`.
    external_user: Option<String>,
    streamed: bool,
    cancelled: bool,
    finish_reason: Option<String>,
    native_finish_reason: Option<String>,
    created_at: Timestamp,
    /// To the first token.
    latency: Option<u64>,
    /// From the first token to the end.
    generation_time: Option<u64>,
    moderation_latency: Option<u64>,
    tokens_prompt: u64,
    tokens_completion: u64,
    native_tokens_prompt: u64,
    native_tokens_completion: u64,
    native_tokens_reasoning: u64,
    native_tokens_cached: u64,
    native_tokens_completion_images: u64,
    num_media_prompt: Option<u64>,
    num_media_completion: Option<u64>,
    num_input_audio_prompt: Option<u64>,
    num_search_results: Option<u64>,
    num_fetches: Option<u64>,
    usage: UsdNumber,
    total_cost: UsdNumber,
    upstream_inference_cost: Option<UsdNumber>,
    cache_discount: Option<UsdNumber>,
    is_byok: bool,
    service_tier: Option<String>,
    /// Always `global`: nothing is bound to a region.
    data_region: &'static str,
    web_search_engine: Option<String>,
    response_cache_source_id: Option<String>,
    // Ours: how sure the numbers are, and how the request ended.
    usage_source: &'static str,
    status: &'static str,
    http_status: Option<u16>,
    error_type: Option<String>,
    price_version: Option<String>,
}

#[derive(Debug)]
struct RequestIdText(RequestId);

impl Serialize for RequestIdText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Debug, Serialize, ToSchema)]
struct ProviderResponse {
    endpoint_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    is_byok: bool,
    latency: u64,
    model_permaslug: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_name: Option<String>,
    status: Option<u16>,
}

impl Generation {
    fn of(row: UsageRow, catalog: &Catalog) -> Self {
        let charge = UsdNumber(row.charge_nanos);
        let usage = &row.usage;
        Self {
            id: RequestIdText(row.request_id),
            provider_responses: provider_responses(&row, catalog),
            cache_discount: cache_discount(&row).map(UsdNumber),
            request_id: None,
            session_id: row.session_id,
            router: None,
            preset_id: None,
            app_id: row.app_url.as_deref().map(app_id),
            workspace_id: Some(row.account_id),
            origin: row.app_url.as_deref().map(origin).unwrap_or_default(),
            user_agent: row.user_agent,
            external_user: row.external_user,
            streamed: row.streamed,
            cancelled: row.cancelled,
            created_at: row.admitted_at,
            latency: row.ttft_ms.or(Some(row.duration_ms)),
            generation_time: Some(row.duration_ms.saturating_sub(row.ttft_ms.unwrap_or(0))),
            moderation_latency: None,
            tokens_prompt: usage.prompt_tokens(),
            tokens_completion: usage.completion_tokens(),
            native_tokens_prompt: usage.prompt_tokens(),
            native_tokens_completion: usage.completion_tokens(),
            native_tokens_reasoning: usage.reasoning,
            native_tokens_cached: usage.cache_read,
            native_tokens_completion_images: usage.image_output,
            num_media_prompt: None,
            num_media_completion: None,
            num_input_audio_prompt: None,
            num_search_results: None,
            num_fetches: None,
            usage: charge,
            total_cost: charge,
            // Not ours to tell what the provider charges us; for requests without a key of their own it equals the cost.
            upstream_inference_cost: Some(charge),
            is_byok: false,
            service_tier: None,
            data_region: DATA_REGION,
            web_search_engine: None,
            response_cache_source_id: None,
            usage_source: usage.source.as_str(),
            status: row.status.as_str(),
            http_status: row.http_status,
            upstream_id: row.upstream_id,
            api_type: row.api_type,
            model: row.model,
            provider_name: Some(row.provider).filter(|name| !name.is_empty()),
            http_referer: row.app_url,
            finish_reason: row.finish_reason,
            native_finish_reason: row.native_finish_reason,
            error_type: row.error_type,
            price_version: row.price_version,
        }
    }
}

/// Scheme and host of an address; what is no address as it is.
fn origin(address: &str) -> String {
    match address.parse::<http::Uri>() {
        Ok(uri) if uri.scheme().is_some() && uri.authority().is_some() => {
            let (scheme, authority) = (uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", http::uri::Authority::as_str));
            format!("{scheme}://{authority}")
        }
        _ => address.to_owned(),
    }
}

fn provider_responses(row: &UsageRow, catalog: &Catalog) -> Vec<ProviderResponse> {
    let provider_name = |channel: &str| {
        let known = catalog.channels().iter().find(|known| *known.name == *channel).map(|known| known.provider_name.to_string());
        if channel == row.channel { Some(row.provider.clone()) } else { known }
    };
    row.attempts
        .iter()
        .map(|attempt| ProviderResponse {
            endpoint_id: endpoint_id(&attempt.channel, &attempt.model),
            id: row.upstream_id.clone().filter(|_| attempt.channel == row.channel && attempt.outcome == "ok"),
            is_byok: false,
            latency: attempt.duration_ms,
            model_permaslug: attempt.model.clone(),
            provider_name: provider_name(&attempt.channel),
            status: attempt.status,
        })
        .collect()
}

/// What caching saved against the uncached price (negative where writing cost more), where the charge says
/// what that price was.
fn cache_discount(row: &UsageRow) -> Option<NanoUsd> {
    let uncached = row.cost_lines.iter().find(|line| line.kind == TokenKind::UncachedInput)?.price_picos.picos();
    let cached = [TokenKind::CacheRead, TokenKind::CacheWrite5m, TokenKind::CacheWrite1h];
    let lines: Vec<_> = row.cost_lines.iter().filter(|line| cached.contains(&line.kind)).collect();
    let saved = lines.iter().map(|line| i128::from(uncached - line.price_picos.picos()) * i128::from(line.quantity)).sum();
    if lines.is_empty() { None } else { NanoUsd::from_picos_half_even(saved).ok().map(|(saved, _)| saved) }
}
