//! Who is used most: models, their authors, the apps that call.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use projector::{Dimension, UsageGroup, UsageQuery};
use schemas::{NanoUsd, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::period::{Days, Period, bounds, days};
use super::ranking::{Place, RankingKind, by_subject, rank};
use super::{of_days, usage};
use crate::dashboard::Dashboard;
use crate::http::envelope::{Data, UrlQuery};
use crate::http::error::ApiError;

const PLACES_DEFAULT: usize = 50;
const PLACES_MAX: usize = 200;
/// Periods of one series at most.
const SERIES_PERIODS_MAX: u32 = 60;
const SERIES_TOP_MAX: u32 = 50;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RankingQuery {
    #[serde(default)]
    #[param(inline)]
    period: Period,
    #[serde(default)]
    #[param(inline)]
    kind: RankingKind,
    /// 1 to 200; 50 unless said.
    limit: Option<usize>,
}

/// A ranking, and the days it is of.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ranking<T> {
    data: Vec<T>,
    period: Days,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RankedModel {
    rank: u64,
    model: String,
    author: String,
    /// A count, or decimal text in USD where spend is ranked.
    #[schema(value_type = Object)]
    value: Value,
    share: f64,
    change: Option<f64>,
    previous_rank: Option<u64>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RankedAuthor {
    rank: u64,
    author: String,
    /// A count, or decimal text in USD where spend is ranked.
    #[schema(value_type = Object)]
    value: Value,
    share: f64,
    change: Option<f64>,
    previous_rank: Option<u64>,
}

/// The app that called: its address where it sent one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AppView {
    pub name: String,
    pub url: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RankedApp {
    rank: u64,
    app: AppView,
    tokens: u64,
    requests: u64,
    /// A count, or decimal text in USD where spend is ranked.
    #[schema(value_type = Object)]
    value: Value,
    share: f64,
    change: Option<f64>,
    previous_rank: Option<u64>,
}

impl AppView {
    /// Of what analytics call an app: an address, else a title.
    pub fn of(app: &str) -> Self {
        let url = app.starts_with("http://") || app.starts_with("https://");
        let host = app.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
        Self { name: host.unwrap_or(app).to_owned(), url: url.then(|| app.to_owned()) }
    }

    /// The same, by the title that it gave itself where there is one.
    pub fn titled(app: &str, titles: &HashMap<String, String>) -> Self {
        let view = Self::of(app);
        Self { name: titles.get(app).cloned().unwrap_or(view.name), url: view.url }
    }
}

/// Models by tokens, requests, spend, distinct accounts or growth.
#[utoipa::path(get, path = "/api/app/rankings", tag = "statistics", params(RankingQuery), responses((status = 200, body = Ranking<RankedModel>)))]
pub async fn list_rankings(
    State(dashboard): State<Arc<Dashboard>>,
    UrlQuery(query): UrlQuery<RankingQuery>,
) -> Result<axum::Json<Ranking<RankedModel>>, ApiError> {
    let (places, period) = places(&dashboard, &query, Dimension::Model).await?;
    Ok(axum::Json(Ranking { data: places.into_iter().map(|place| ranked_model(place, query.kind)).collect(), period }))
}

/// The same as CSV.
#[utoipa::path(get, path = "/api/app/rankings.csv", tag = "statistics", params(RankingQuery),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn export_rankings(
    State(dashboard): State<Arc<Dashboard>>,
    UrlQuery(query): UrlQuery<RankingQuery>,
) -> Result<Response, ApiError> {
    let (places, period) = places(&dashboard, &query, Dimension::Model).await?;
    let mut csv = "from,to,rank,model,value,share,change,previous_rank\r\n".to_owned();
    for place in places {
        let value = value(query.kind, place.value);
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let change = place.change.map(|change| change.to_string()).unwrap_or_default();
        let previous = place.previous_rank.map(|rank| rank.to_string()).unwrap_or_default();
        let (model, share) = (csv_text(&place.subject), place.share);
        // Writing into a string cannot fail.
        let _ = write!(csv, "{},{},{},{model},{value},{share},{change},{previous}\r\n", period.from, period.to, place.rank);
    }
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"rankings.csv\"")),
    ];
    Ok((headers, csv).into_response())
}

/// The authors of models.
#[utoipa::path(get, path = "/api/app/rankings/authors", tag = "statistics", params(RankingQuery),
    responses((status = 200, body = Ranking<RankedAuthor>)))]
pub async fn list_author_rankings(
    State(dashboard): State<Arc<Dashboard>>,
    UrlQuery(query): UrlQuery<RankingQuery>,
) -> Result<axum::Json<Ranking<RankedAuthor>>, ApiError> {
    let (places, period) = places(&dashboard, &query, Dimension::Author).await?;
    let ranked = places.into_iter().map(|place| RankedAuthor {
        rank: place.rank,
        value: value(query.kind, place.value),
        author: place.subject,
        share: place.share,
        change: place.change,
        previous_rank: place.previous_rank,
    });
    Ok(axum::Json(Ranking { data: ranked.collect(), period }))
}

/// Apps that said who they are (`HTTP-Referer`, `X-Title`).
#[utoipa::path(get, path = "/api/app/rankings/apps", tag = "statistics", params(RankingQuery),
    responses((status = 200, body = Ranking<RankedApp>)))]
pub async fn list_app_rankings(
    State(dashboard): State<Arc<Dashboard>>,
    UrlQuery(query): UrlQuery<RankingQuery>,
) -> Result<axum::Json<Ranking<RankedApp>>, ApiError> {
    let (now, period) = (Timestamp::now(), query.period.at(Timestamp::now().day()));
    let groups = usage_for(&dashboard, query.kind, of_days(bounds(period), Dimension::App), now).await?;
    let before = usage_for(&dashboard, query.kind, of_days(bounds(period.previous()), Dimension::App), now).await?;
    let totals = by_subject(&groups);
    let mut places = rank(query.kind, &totals, &by_subject(&before));
    places.truncate(limit(query.limit)?);
    let apps: Vec<&str> = places.iter().map(|place| place.subject.as_str()).collect();
    let titles = dashboard.services.analytics.app_titles(&apps).await?;
    let ranked = places.iter().map(|place| {
        let used = totals.get(place.subject.as_str()).copied().unwrap_or_default();
        RankedApp {
            rank: place.rank,
            app: AppView::titled(&place.subject, &titles),
            tokens: used.tokens(),
            requests: used.requests,
            value: value(query.kind, place.value),
            share: place.share,
            change: place.change,
            previous_rank: place.previous_rank,
        }
    });
    Ok(axum::Json(Ranking { data: ranked.collect(), period: days(period) }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SeriesQuery {
    #[serde(default)]
    #[param(inline)]
    period: Period,
    /// How many, the running one included: 1 to 60; 12 unless said.
    periods: Option<u32>,
    /// Models with a line of their own: 1 to 50; 10 unless said.
    top: Option<u32>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RankingSeries {
    /// First day of each.
    periods: Vec<schemas::Day>,
    series: Vec<ModelLine>,
}

/// Tokens of a model in each period; the last line is of all `others`.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelLine {
    model: String,
    values: Vec<u64>,
}

/// Tokens by model over the last periods.
#[utoipa::path(get, path = "/api/app/rankings/series", tag = "statistics", params(SeriesQuery), responses((status = 200, body = Data<RankingSeries>)))]
pub async fn get_ranking_series(
    State(dashboard): State<Arc<Dashboard>>,
    UrlQuery(query): UrlQuery<SeriesQuery>,
) -> Result<Data<RankingSeries>, ApiError> {
    let now = Timestamp::now();
    let mut periods = vec![query.period.at(now.day())];
    for _ in 1..query.periods.unwrap_or(12).clamp(1, SERIES_PERIODS_MAX) {
        periods.extend(periods.last().map(|period| period.previous()));
    }
    periods.reverse();
    let mut by_model = BTreeMap::<String, Vec<u64>>::new();
    for (place, period) in periods.iter().enumerate() {
        for group in usage(&dashboard, of_days(bounds(*period), Dimension::Model), now).await?.iter() {
            let Some(model) = group.values.first() else { continue };
            let values = by_model.entry(model.clone()).or_insert_with(|| vec![0; periods.len()]);
            if let Some(value) = values.get_mut(place) {
                *value = group.totals.tokens();
            }
        }
    }
    let top = query.top.unwrap_or(10).clamp(1, SERIES_TOP_MAX) as usize;
    let mut lines: Vec<ModelLine> = by_model.into_iter().map(|(model, values)| ModelLine { model, values }).collect();
    // From the map in the order of names, which the sort keeps among equals.
    lines.sort_by_key(|line| std::cmp::Reverse(line.values.iter().sum::<u64>()));
    let rest = lines.split_off(top.min(lines.len()));
    let others = (0..periods.len()).map(|place| rest.iter().filter_map(|line| line.values.get(place)).sum());
    lines.push(ModelLine { model: "others".to_owned(), values: others.collect() });
    Ok(Data { data: RankingSeries { periods: periods.iter().map(|period| period.start()).collect(), series: lines } })
}

/// What a ranking of this kind compares.
async fn usage_for(dashboard: &Dashboard, kind: RankingKind, query: UsageQuery, now: Timestamp) -> Result<Arc<Vec<UsageGroup>>, ApiError> {
    usage(dashboard, UsageQuery { counts_accounts: kind == RankingKind::Accounts, ..query }, now).await
}

async fn places(dashboard: &Dashboard, query: &RankingQuery, dimension: Dimension) -> Result<(Vec<Place>, Days), ApiError> {
    let now = Timestamp::now();
    let period = query.period.at(now.day());
    let groups = usage_for(dashboard, query.kind, of_days(bounds(period), dimension), now).await?;
    let before = usage_for(dashboard, query.kind, of_days(bounds(period.previous()), dimension), now).await?;
    let mut places = rank(query.kind, &by_subject(&groups), &by_subject(&before));
    places.truncate(limit(query.limit)?);
    Ok((places, days(period)))
}

fn limit(asked: Option<usize>) -> Result<usize, ApiError> {
    let limit = asked.unwrap_or(PLACES_DEFAULT);
    if (1..=PLACES_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request("limit", format!("`limit` must be from 1 to {PLACES_MAX}")))
}

fn ranked_model(place: Place, kind: RankingKind) -> RankedModel {
    RankedModel {
        rank: place.rank,
        author: place.subject.split_once('/').map_or("", |(author, _)| author).to_owned(),
        value: value(kind, place.value),
        model: place.subject,
        share: place.share,
        change: place.change,
        previous_rank: place.previous_rank,
    }
}

/// Money is decimal text, counts are numbers.
fn value(kind: RankingKind, value: i64) -> Value {
    if kind == RankingKind::Spend { Value::from(NanoUsd::from_nanos(value).to_string()) } else { Value::from(value) }
}

/// Quoted where it has to be, and never a formula of a spreadsheet.
fn csv_text(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
