//! What everybody used: rankings, shares, series. Nothing here tells one account from another.
//!
//! All figures are sums of exact integers over `usage_daily` and `usage_hourly` (stale buckets from requests); what is
//! derived from them, [`ranking`] computes in one place. Equals are ordered by name, so that an answer never depends on
//! chance. Start at [`routes`].

mod models;
mod overview;
mod period;
mod ranking;
mod rankings;

use std::sync::Arc;

use projector::{Dimension, Interval, UsageGroup, UsageQuery};
use schemas::{Day, Timestamp};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Dashboard;
use crate::http::error::ApiError;

pub use rankings::AppView;

pub fn routes() -> OpenApiRouter<Arc<Dashboard>> {
    OpenApiRouter::default()
        .routes(routes!(overview::get_overview))
        .routes(routes!(rankings::list_rankings))
        .routes(routes!(rankings::export_rankings))
        .routes(routes!(rankings::list_author_rankings))
        .routes(routes!(rankings::list_app_rankings))
        .routes(routes!(rankings::get_ranking_series))
        .routes(routes!(models::list_measured_endpoints))
        .routes(routes!(models::get_model_series))
        .routes(routes!(models::list_model_apps))
}

/// Usage of all customers on the days from `from` to before `to`.
fn of_days((from, to): (Day, Day), by: Dimension) -> UsageQuery {
    UsageQuery::new(Interval::Day, from.start(), to.start(), vec![by])
}

async fn usage(dashboard: &Dashboard, query: UsageQuery, now: Timestamp) -> Result<Arc<Vec<UsageGroup>>, ApiError> {
    Ok(dashboard.services.usage.recent(&dashboard.services.analytics, query, now).await?)
}
