//! Ad-hoc analytics for management keys: `/analytics/meta` says what can be asked, `/analytics/query` answers.
//!
//! Owns the words of the API ([`vocabulary`]), the checks of a question ([`question`]) and the shape of an answer. Figures are
//! the projector's exact sums; a key of an account sees that account only. Every question is bounded before it is
//! asked: in days, groups, filters, rows and seconds.

mod question;
mod vocabulary;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use projector::{Dimension as Stored, Interval, UsageGroup};
use schemas::{NanoUsd, UsdNumber};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::question::{AnalyticsQuestion, Question};
use self::vocabulary::{Dimension, GRANULARITIES, METRICS, Metric, OPERATORS};
use super::caller::Administrator;
use super::envelope::{Data, JsonBody};
use super::error::{ApiError, ErrorType};
use crate::control::catalog::Catalog;
use crate::control::services::Services;

/// A question that takes longer, waiting for its turn included, is given up.
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);

pub fn routes() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::new().routes(routes!(get_analytics_meta)).routes(routes!(query_analytics))
}

/// What `/analytics/query` understands.
#[derive(Debug, Serialize, ToSchema)]
struct AnalyticsMeta {
    metrics: Vec<MetricView>,
    dimensions: Vec<NamedView>,
    granularities: Vec<NamedView>,
    operators: Vec<OperatorView>,
}

/// A figure that can be asked for.
#[derive(Debug, Serialize, ToSchema)]
struct MetricView {
    name: &'static str,
    display_label: &'static str,
    /// `number`, `currency` (USD) or `percent` (a fraction of one).
    display_format: &'static str,
    /// A quotient: rows of it cannot be added.
    is_rate: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct NamedView {
    name: &'static str,
    display_label: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct OperatorView {
    name: &'static str,
    /// `scalar` or `array`.
    value_type: &'static str,
}

/// Metrics, dimensions, granularities and operators that `/analytics/query` understands.
#[utoipa::path(get, path = "/analytics/meta", tag = "analytics", security(("key" = [])), responses((status = 200, body = Data<AnalyticsMeta>)))]
async fn get_analytics_meta(administrator: Administrator) -> Data<AnalyticsMeta> {
    let metric = |metric: &Metric| MetricView {
        name: metric.name(),
        display_label: metric.label(),
        display_format: metric.format(),
        is_rate: metric.is_rate(),
    };
    let dimensions = Dimension::open_to(administrator.is_platform());
    let data = AnalyticsMeta {
        metrics: METRICS.iter().map(metric).collect(),
        dimensions: dimensions.map(|dimension| NamedView { name: dimension.name(), display_label: dimension.label() }).collect(),
        granularities: GRANULARITIES.into_iter().map(|(name, display_label, _)| NamedView { name, display_label }).collect(),
        operators: OPERATORS.into_iter().map(|(name, value_type, _)| OperatorView { name, value_type }).collect(),
    };
    Data { data }
}

/// One row: the values of the dimensions that were asked for, `date` where there is a granularity, and the metrics.
type AnalyticsRow = BTreeMap<&'static str, Cell>;

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
enum Cell {
    Text(String),
    Count(u64),
    Usd(UsdNumber),
    Rate(Option<f64>),
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
struct AnalyticsAnswer {
    /// Rows of what was asked for.
    #[schema(value_type = Vec<Object>)]
    data: Vec<AnalyticsRow>,
    metadata: AnalyticsMetadata,
    /// What was understood otherwise than it may have been meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct AnalyticsMetadata {
    query_time_ms: u64,
    row_count: usize,
    /// Rows were left out for `limit`, `group_limit` or the bound on groups.
    truncated: bool,
}

/// Usage by the dimensions, granularity and filters asked for. Exact: what is in it, the ledger books.
#[utoipa::path(post, path = "/analytics/query", tag = "analytics", request_body = AnalyticsQuestion, security(("key" = [])),
    responses((status = 200, body = Data<AnalyticsAnswer>)))]
async fn query_analytics(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    JsonBody(body): JsonBody<AnalyticsQuestion>,
) -> Result<Data<AnalyticsAnswer>, ApiError> {
    let begin = Instant::now();
    let question = Question::read(body, &administrator)?;
    let asked = services.usage.exact(&services.analytics, &question.usage);
    let groups = match tokio::time::timeout(QUERY_TIMEOUT, asked).await {
        Ok(groups) => groups?,
        Err(_) => {
            let message = "The question took longer than analytics may; ask for fewer days or dimensions.";
            return Err(ApiError::new(ErrorType::Timeout, message));
        }
    };
    let were_groups_cut = groups.len() >= projector::usage::GROUPS_MAX as usize;
    let with_row = |group: UsageGroup| {
        let row = row(&group, &question, &administrator.0.catalog);
        (group, row)
    };
    let mut rows: Vec<(UsageGroup, AnalyticsRow)> = groups.into_iter().map(with_row).collect();
    question.sort(&mut rows);
    let found = rows.len();
    let data = question.cut(rows);
    let truncated = were_groups_cut || data.len() < found;
    let metadata = AnalyticsMetadata {
        query_time_ms: u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX),
        row_count: data.len(),
        truncated,
    };
    let mut warnings = question.warnings;
    if were_groups_cut {
        warnings.push(format!("only the {} groups with the most tokens were looked at", projector::usage::GROUPS_MAX));
    }
    Ok(Data { data: AnalyticsAnswer { data, metadata, warnings } })
}

fn row(group: &UsageGroup, question: &Question, catalog: &Catalog) -> AnalyticsRow {
    let mut row = AnalyticsRow::new();
    if let Some(at) = group.at {
        let date = if question.usage.interval == Interval::Hour { at.to_string() } else { at.day().to_string() };
        row.insert("date", Cell::Text(date));
    }
    for (dimension, value) in question.dimensions.iter().zip(&group.values) {
        row.insert(dimension.name(), Cell::Text(dimension.told(value, catalog)));
    }
    for metric in &question.metrics {
        row.insert(metric.name(), metric.cell(&group.totals));
    }
    row
}

/// Orders cells of one column; those without a value come first.
fn compare(one: Option<&Cell>, other: Option<&Cell>) -> std::cmp::Ordering {
    match (one, other) {
        (Some(Cell::Text(one)), Some(Cell::Text(other))) => one.cmp(other),
        (Some(Cell::Count(one)), Some(Cell::Count(other))) => one.cmp(other),
        (Some(Cell::Usd(UsdNumber(one))), Some(Cell::Usd(UsdNumber(other)))) => NanoUsd::cmp(one, other),
        (Some(Cell::Rate(one)), Some(Cell::Rate(other))) => one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal),
        _ => std::cmp::Ordering::Equal,
    }
}

/// Of one of ours, as the projector knows it.
const fn stored(dimension: Dimension) -> Stored {
    match dimension {
        Dimension::Model => Stored::Model,
        Dimension::Author => Stored::Author,
        Dimension::Provider => Stored::Provider,
        Dimension::Channel => Stored::Channel,
        Dimension::ApiKey => Stored::Key,
        Dimension::App => Stored::App,
        Dimension::Account => Stored::Account,
    }
}
