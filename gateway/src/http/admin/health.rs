//! How a channel does: its breaker, its keys, what its attempts and checks came to lately, over all gateways.

use std::sync::Arc;

use axum::extract::State;
use projector::histogram::Percentiles;
use schemas::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::channels::known_channel;
use crate::control::catalog::{Catalog, Channel, Endpoint};
use crate::control::endpoint_stats::EndpointStats;
use crate::control::services::Services;
use crate::control::store::StoredChannel;
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, UrlPath};
use crate::http::error::ApiError;
use crate::routing::health::{BreakerState, Counts, HealthStatus, Window};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Disabled,
    /// Nothing was sent there yet.
    Unknown,
    Healthy,
    Degraded,
    Unhealthy,
}

/// A channel's health in one word and everything behind it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelHealth {
    status: Status,
    consecutive_failures: u32,
    last_check_at: Option<Timestamp>,
    last_success_at: Option<Timestamp>,
    last_failure_at: Option<Timestamp>,
    breaker: BreakerView,
    /// Its provider asked to wait until then.
    cooling_until: Option<Timestamp>,
    requests_in_flight: u32,
    keys: Vec<KeyView>,
    last_5m: WindowView,
    last_30m: WindowView,
    last_1d: WindowView,
}

#[derive(Debug, Serialize, ToSchema)]
struct BreakerView {
    state: BreakerState,
    open_until: Option<Timestamp>,
    /// Attempts under way that decide whether it closes.
    probes: u32,
}

/// A key by its fingerprint: the beginning of its SHA-256.
#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    fingerprint: String,
    /// `usable`, `cooling` or `refused`.
    status: &'static str,
    until: Option<Timestamp>,
}

/// Attempts by how they ended, and what those took that succeeded.
#[derive(Debug, Default, Serialize, ToSchema)]
struct WindowView {
    success: u64,
    error: u64,
    rate_limited: u64,
    /// The client's fault or choice.
    not_counted: u64,
    /// From 0 to 1; absent without attempts that count.
    success_rate: Option<f64>,
    /// Percent; absent below a hundred attempts.
    uptime: Option<f64>,
    average_latency_ms: Option<f64>,
    average_time_to_first_token_ms: Option<f64>,
    /// Tokens a second.
    throughput: Option<f64>,
}

/// Fewer attempts say nothing about uptime.
const UPTIME_ATTEMPTS_MIN: u64 = 100;

impl WindowView {
    fn of(counts: &Counts) -> Self {
        let mean = |sum: u64, count: u64| (count > 0).then(|| sum as f64 / count as f64);
        let success_rate = mean(counts.success, counts.counted());
        Self {
            success: counts.success,
            error: counts.error,
            rate_limited: counts.rate_limited,
            not_counted: counts.not_counted,
            success_rate,
            uptime: success_rate.filter(|_| counts.counted() >= UPTIME_ATTEMPTS_MIN).map(|rate| rate * 100.0),
            average_latency_ms: mean(counts.latency_ms, counts.success),
            average_time_to_first_token_ms: mean(counts.ttft_ms, counts.ttft_count),
            throughput: mean(counts.output_tokens * 1_000, counts.generation_ms),
        }
    }
}

fn counts(endpoints: &[&Arc<Endpoint>], window: Window, now: Timestamp) -> Counts {
    let mut sum = Counts::default();
    endpoints.iter().for_each(|endpoint| sum.add(&endpoint.state.counts(window, now)));
    sum
}

/// The endpoints that a channel offers now.
fn endpoints_of<'a>(catalog: &'a Catalog, stored: &StoredChannel) -> Vec<&'a Arc<Endpoint>> {
    let all = catalog.models().iter().flat_map(|model| &model.endpoints);
    all.filter(|endpoint| endpoint.channel.id == stored.id).collect()
}

pub fn channel_health(stored: &StoredChannel, catalog: &Catalog, now: Timestamp) -> ChannelHealth {
    let endpoints = endpoints_of(catalog, stored);
    let window = |window| WindowView::of(&counts(&endpoints, window, now));
    let channel = catalog.channels().iter().find(|channel| channel.id == stored.id);
    let state = channel.map(|channel| &channel.state);
    ChannelHealth {
        status: channel.map_or(Status::Disabled, |channel| status(channel, &counts(&endpoints, Window::FiveMinutes, now), now)),
        consecutive_failures: state.map_or(0, |state| state.breaker.consecutive_failures()),
        last_check_at: state.and_then(|state| state.last_check_at()),
        last_success_at: state.and_then(|state| state.last_success_at()),
        last_failure_at: state.and_then(|state| state.last_failure_at()),
        breaker: BreakerView {
            state: state.map_or(BreakerState::Closed, |state| state.breaker.state(now)),
            open_until: state.and_then(|state| state.breaker.open_until()),
            probes: state.map_or(0, |state| state.breaker.probes()),
        },
        cooling_until: state.and_then(|state| state.cool_until()).filter(|until| *until > now),
        requests_in_flight: state.map_or(0, |state| state.in_flight()),
        keys: channel.map(|channel| channel.keys.iter().map(|key| key_view(&key.state, now)).collect()).unwrap_or_default(),
        last_5m: window(Window::FiveMinutes),
        last_30m: window(Window::ThirtyMinutes),
        last_1d: window(Window::Day),
    }
}

fn status(channel: &Channel, counts: &Counts, now: Timestamp) -> Status {
    let was_tried = channel.state.last_success_at().is_some() || channel.state.last_failure_at().is_some();
    if !was_tried && counts.counted() == 0 {
        return Status::Unknown;
    }
    match crate::control::board::judge(channel, counts, now) {
        HealthStatus::Healthy => Status::Healthy,
        HealthStatus::Degraded => Status::Degraded,
        HealthStatus::Unhealthy => Status::Unhealthy,
    }
}

fn key_view(key: &crate::routing::health::KeyState, now: Timestamp) -> KeyView {
    let cooling = key.cool_until().filter(|until| *until > now);
    let (status, until) = match cooling {
        _ if key.is_refused(now) => ("refused", key.refused_until()),
        Some(until) => ("cooling", Some(until)),
        None => ("usable", None),
    };
    KeyView { fingerprint: key.fingerprint.to_string(), status, until }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct HealthView {
    id: String,
    name: String,
    #[serde(flatten)]
    channel: ChannelHealth,
    models: Vec<ModelHealth>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ModelHealth {
    id: String,
    status: HealthStatus,
    /// Its provider does not have it.
    is_missing: bool,
    expected_time_to_first_token_ms: Option<f64>,
    last_5m: WindowView,
    last_30m: WindowView,
    last_1d: WindowView,
    /// Milliseconds to the first token.
    #[schema(value_type = Option<crate::http::catalog::PercentilesView>)]
    latency_last_30m: Option<Percentiles>,
    /// Tokens per second.
    #[schema(value_type = Option<crate::http::catalog::PercentilesView>)]
    throughput_last_30m: Option<Percentiles>,
}

/// How a channel and each of its models did lately.
#[utoipa::path(get, path = "/admin/channels/{id}/health", tag = "administration", params(("id" = String, Path)), security(("key" = [])),
    responses((status = 200, body = Data<HealthView>)))]
pub async fn get_channel_health(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    UrlPath(id): UrlPath<String>,
) -> Result<Data<HealthView>, ApiError> {
    let stored = known_channel(&administrator, &services, &id).await?;
    let now = administrator.0.now;
    let stats = EndpointStats::compute(&services.analytics, now).await?;
    let name = stored.spec.name.as_str();
    let catalog = services.control.catalog_full();
    let models = endpoints_of(&catalog, &stored).into_iter().map(|endpoint| {
        let window = |window| WindowView::of(&endpoint.state.counts(window, now));
        let expected = endpoint.state.expected_ttft_ms(now);
        ModelHealth {
            id: endpoint.model.to_string(),
            status: endpoint.state.status(),
            is_missing: endpoint.state.breaker.state(now) != BreakerState::Closed,
            expected_time_to_first_token_ms: (expected > 0.0).then_some(expected),
            last_5m: window(Window::FiveMinutes),
            last_30m: window(Window::ThirtyMinutes),
            last_1d: window(Window::Day),
            latency_last_30m: stats.latency_ms(name, &endpoint.model),
            throughput_last_30m: stats.throughput_tokens_per_second(name, &endpoint.model),
        }
    });
    let models = models.collect();
    let channel = channel_health(&stored, &catalog, now);
    Ok(Data { data: HealthView { id: stored.id.to_string(), name: name.to_owned(), channel, models } })
}
