//! One tiny real request through a channel, for an operator who wants to know whether it works.
//!
//! Nobody is charged and nothing is booked: the answer says what it would have cost. The operator is told the
//! upstream's own words, which customers never are.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use schemas::{UsdNumber, charge};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::channels::known_channel;
use crate::control::catalog::Endpoint;
use crate::control::services::Services;
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, UrlPath};
use crate::http::error::ApiError;
use crate::metering::{embeddings_usage_json, usage_json};
use crate::providers::probe::{Probed, ask, cheapest};
use crate::providers::{AttemptError, ChannelClients, demo};
use crate::routing::health::observe;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From sending to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How it went.
#[derive(Debug, Serialize, ToSchema)]
pub struct Probe {
    pub ok: bool,
    pub channel: String,
    pub model: String,
    pub upstream: String,
    pub latency_ms: u64,
    /// What the model said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub usage: Option<Box<RawValue>>,
    /// What a customer would have been charged, and what the provider charges us, in USD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<UsdNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<UsdNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ProbeError>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ProbeError {
    pub message: String,
    pub error_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider_code: Option<String>,
}

/// One tiny request through a channel.
#[utoipa::path(post, path = "/admin/channels/{id}/test", tag = "administration", params(("id" = String, Path)), security(("key" = [])),
    responses((status = 200, body = Data<Probe>)))]
pub async fn test_channel(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
) -> Result<Data<Probe>, ApiError> {
    let channel = known_channel(&administrator, &services, &id).await?;
    // As it is now: another process may have changed it a moment ago.
    services.control.reload().await?;
    let catalog = services.control.catalog();
    let endpoints = catalog.models().iter().flat_map(|model| &model.endpoints).filter(|endpoint| endpoint.channel.id == channel.id);
    let endpoint = cheapest(endpoints).ok_or_else(|| ApiError::conflict("The channel is disabled, or offers no model that is enabled."))?;
    let clients = ChannelClients::new(CONNECT_TIMEOUT, demo::Pace::default()).with_private(services.routing().allow_private);
    let started = Instant::now();
    let asked = tokio::time::timeout(TIMEOUT, ask(&clients, endpoint, 0, TIMEOUT)).await;
    let latency_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let asked = asked.unwrap_or_else(|_| Err(AttemptError::timeout("the provider's answer did not arrive in time")));
    if asked.is_ok() {
        observe::proved(endpoint, 0, administrator.0.now);
    }
    Ok(Data { data: report(endpoint, latency_ms, asked) })
}

fn report(endpoint: &Endpoint, latency_ms: u64, asked: Result<Probed, AttemptError>) -> Probe {
    let mut probe = Probe {
        ok: asked.is_ok(),
        channel: endpoint.channel.name.to_string(),
        model: endpoint.model.to_string(),
        upstream: endpoint.upstream.to_string(),
        latency_ms,
        answer: None,
        usage: None,
        charge: None,
        cost: None,
        error: None,
    };
    match asked {
        Ok(answer) => {
            probe.answer = Some(answer.said);
            if let Some(usage) = answer.usage
                && let Ok(charged) = charge(&endpoint.price.table, &usage)
            {
                let json = if endpoint.embeds { embeddings_usage_json(&usage, &charged) } else { usage_json(&usage, &charged) };
                probe.usage = RawValue::from_string(json).ok();
                probe.charge = Some(UsdNumber(charged.total));
                probe.cost = charge(&endpoint.cost, &usage).ok().map(|cost| UsdNumber(cost.total));
            }
        }
        Err(error) => {
            probe.error = Some(ProbeError {
                message: error.message,
                error_type: error.error_type.as_str(),
                status: error.upstream_status,
                provider_code: error.provider_code,
            });
        }
    }
    probe
}
