//! How a model did over time, endpoint by endpoint, and who calls it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use projector::endpoint::{EndpointAttempts, EndpointSpeed};
use projector::{Dimension, Interval, UsageQuery};
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ranking::{RankingKind, by_subject, rank};
use super::rankings::AppView;
use super::{of_days, usage};
use crate::control::Catalog;
use crate::dashboard::Dashboard;
use crate::http::catalog::ModelEndpointsView;
use crate::http::envelope::{Data, UrlPath, UrlQuery};
use crate::http::error::ApiError;

const HOUR_MICROS: i64 = 3_600_000_000;
const APPS_MAX: usize = 50;
const APPS_DAYS: i32 = 30;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Percent of attempts that were answered.
    Uptime,
    /// Milliseconds to the first token, the median. The same as `time_to_first_token`.
    Latency,
    /// Tokens per second, the median.
    Throughput,
    TimeToFirstToken,
    Tokens,
    Requests,
    Errors,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
pub enum Range {
    #[default]
    #[serde(rename = "1d")]
    Day,
    #[serde(rename = "7d")]
    Week,
    #[serde(rename = "30d")]
    Month,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ModelSeriesQuery {
    #[param(inline)]
    metric: Metric,
    #[serde(default)]
    #[param(inline)]
    range: Range,
}

/// Points without a gap; `null` where nothing was measured.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelSeries {
    interval: &'static str,
    points: Vec<Point>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Point {
    at: Timestamp,
    /// By the name of who serves, where the metric is an endpoint's.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoints: Option<BTreeMap<String, Option<f64>>>,
    /// Where the metric is the model's.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<u64>,
}

impl Range {
    /// Start, end and length of a point, in hours.
    fn window(self, now: Timestamp) -> (Timestamp, Timestamp, i64) {
        let (points, hours) = match self {
            Self::Day => (24, 1),
            Self::Week => (168, 1),
            Self::Month => (30, 24),
        };
        let length = hours * HOUR_MICROS;
        let end = now.plus_micros(length - now.micros().rem_euclid(length));
        (end.plus_micros(-points * length), end, length)
    }
}

/// The endpoints of a model and how fast they are, as `/api/v1/models/{author}/{slug}/endpoints` tells callers with a key.
#[utoipa::path(get, path = "/api/app/models/{author}/{slug}/endpoints", tag = "statistics",
    params(("author" = String, Path), ("slug" = String, Path)), responses((status = 200, body = Data<ModelEndpointsView>)))]
pub async fn list_measured_endpoints(
    State(dashboard): State<Arc<Dashboard>>,
    UrlPath((author, slug)): UrlPath<(String, String)>,
) -> Result<Data<ModelEndpointsView>, ApiError> {
    let catalog = dashboard.services.control.catalog_full();
    let id = known(&catalog, &author, &slug)?;
    let model = catalog.model(&id).ok_or_else(|| ApiError::not_found(format!("There is no model `{id}`.")))?;
    let stats = dashboard.services.endpoint_stats(Timestamp::now()).await?;
    Ok(Data { data: ModelEndpointsView::of(model, &stats, true) })
}

/// How a model did over time: uptime, latency and throughput by endpoint, or its usage.
#[utoipa::path(get, path = "/api/app/models/{author}/{slug}/series", tag = "statistics",
    params(("author" = String, Path), ("slug" = String, Path), ModelSeriesQuery), responses((status = 200, body = Data<ModelSeries>)))]
pub async fn get_model_series(
    State(dashboard): State<Arc<Dashboard>>,
    UrlPath((author, slug)): UrlPath<(String, String)>,
    UrlQuery(query): UrlQuery<ModelSeriesQuery>,
) -> Result<Data<ModelSeries>, ApiError> {
    let (catalog, now) = (dashboard.services.control.catalog_full(), Timestamp::now());
    let model = known(&catalog, &author, &slug)?;
    let (from, to, length) = query.range.window(now);
    let starts = (0..).map(|place| from.plus_micros(place * length)).take_while(|start| *start < to);
    let points = match query.metric {
        Metric::Tokens | Metric::Requests | Metric::Errors => {
            let interval = if query.range == Range::Month { Interval::Day } else { Interval::Hour };
            let by = vec![Dimension::Time];
            let usage = UsageQuery { model: Some(model), ..UsageQuery::new(interval, from, to, by) };
            let groups = dashboard.services.usage.recent(&dashboard.services.analytics, usage, now).await?;
            let value = |at| {
                groups.iter().find(|group| group.at == Some(at)).map_or(0, |group| match query.metric {
                    Metric::Tokens => group.totals.tokens(),
                    Metric::Requests => group.totals.requests,
                    _ => group.totals.errors,
                })
            };
            starts.map(|at| Point { at, endpoints: None, value: Some(value(at)) }).collect()
        }
        metric => {
            let hours = dashboard.services.usage.endpoint_hours(&dashboard.services.analytics, model, (from, to), now).await?;
            let mut endpoints = BTreeMap::<String, BTreeMap<Timestamp, (EndpointAttempts, EndpointSpeed)>>::new();
            for hour in hours.iter() {
                let at = hour.hour.plus_micros(-hour.hour.micros().rem_euclid(length));
                let name = public_name(&catalog, &hour.attempts.channel);
                let (attempts, speed) = endpoints.entry(name).or_default().entry(at).or_default();
                attempts.success_count += hour.attempts.success_count;
                attempts.error_count += hour.attempts.error_count;
                attempts.rate_limited_count += hour.attempts.rate_limited_count;
                speed.ttft.merge(&hour.speed.ttft);
                speed.throughput.merge(&hour.speed.throughput);
            }
            let measured = |at, points: &BTreeMap<_, _>| points.get(&at).and_then(|point| measure(metric, point));
            let at_point = |at| endpoints.iter().map(|(name, points)| (name.clone(), measured(at, points))).collect();
            starts.map(|at| Point { at, endpoints: Some(at_point(at)), value: None }).collect()
        }
    };
    let interval = if query.range == Range::Month { "day" } else { "hour" };
    Ok(Data { data: ModelSeries { interval, points } })
}

fn measure(metric: Metric, (attempts, speed): &(EndpointAttempts, EndpointSpeed)) -> Option<f64> {
    match metric {
        Metric::Uptime => {
            let counted = attempts.success_count + attempts.error_count;
            (counted > 0).then(|| attempts.success_count as f64 * 100.0 / counted as f64)
        }
        Metric::Throughput => speed.throughput_tokens_per_second().map(|percentiles| percentiles.p50),
        _ => speed.ttft_ms().map(|percentiles| percentiles.p50),
    }
}

/// Channels are named by those who run the gateway; the public is told who is behind them.
fn public_name(catalog: &Catalog, channel: &str) -> String {
    let known = catalog.channels().iter().find(|known| *known.name == *channel);
    known.map_or_else(|| "former endpoints".to_owned(), |channel| channel.provider_name.to_string())
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ModelApp {
    rank: u64,
    app: AppView,
    tokens: u64,
    requests: u64,
    share: f64,
}

/// The apps that used a model most in the last thirty days.
#[utoipa::path(get, path = "/api/app/models/{author}/{slug}/apps", tag = "statistics",
    params(("author" = String, Path), ("slug" = String, Path)), responses((status = 200, body = Data<Vec<ModelApp>>)))]
pub async fn list_model_apps(
    State(dashboard): State<Arc<Dashboard>>,
    UrlPath((author, slug)): UrlPath<(String, String)>,
) -> Result<Data<Vec<ModelApp>>, ApiError> {
    let now = Timestamp::now();
    let model = known(&dashboard.services.control.catalog_full(), &author, &slug)?;
    let days = (now.day().plus(1 - APPS_DAYS), now.day().plus(1));
    let of_model = UsageQuery { model: Some(model), ..of_days(days, Dimension::App) };
    let groups = usage(&dashboard, of_model, now).await?;
    let totals = by_subject(&groups);
    let mut places = rank(RankingKind::Tokens, &totals, &BTreeMap::new());
    places.truncate(APPS_MAX);
    let names: Vec<&str> = places.iter().map(|place| place.subject.as_str()).collect();
    let titles = dashboard.services.analytics.app_titles(&names).await?;
    let apps = places.iter().map(|place| {
        let used = totals.get(place.subject.as_str()).copied().unwrap_or_default();
        let app = AppView::titled(&place.subject, &titles);
        ModelApp { rank: place.rank, app, tokens: used.tokens(), requests: used.requests, share: place.share }
    });
    Ok(Data { data: apps.collect() })
}

fn known(catalog: &Catalog, author: &str, slug: &str) -> Result<String, ApiError> {
    let id = format!("{author}/{slug}");
    match catalog.model(&id) {
        Some(model) => Ok(model.id.to_string()),
        None => Err(ApiError::not_found(format!("There is no model `{id}`."))),
    }
}
