//! `/datasets`: what everybody used, as public data sets have it. Any good key may ask.
//!
//! Figures of all customers together, at most a few seconds old and shared by all who ask; equals are ordered by name, so
//! that an answer never depends on chance.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use projector::{Dimension, Interval, UsageGroup, UsageQuery};
use schemas::{Day, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::envelope::UrlQuery;
use super::error::ApiError;
use crate::control::catalog::Catalog;
use crate::control::services::Services;
use crate::dashboard::statistics::AppView;

/// Days of a data set where no window is said, before its last.
const DAYS_DEFAULT: i32 = 30;
const DAYS_MAX: i32 = 366;
/// Models that have a row of their own in a period; the rest are one more.
const MODELS_MAX: usize = 50;
/// The name of that row.
const OTHERS: &str = "other";
const APPS_DEFAULT: usize = 50;
const APPS_MAX: usize = 100;
const OFFSET_MAX: usize = 100;
/// Windows before an app's own that its growth is measured against.
const WINDOWS_BEFORE: i32 = 3;
/// An app's number is so many bits of its name's hash: an integer that every JSON reader keeps.
const APP_ID_BITS: u32 = 48;

pub fn routes() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::new().routes(routes!(list_daily_rankings)).routes(routes!(list_popular_apps))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum DatasetPeriod {
    #[default]
    Day,
    /// From Monday to Sunday.
    Week,
    Month,
}

/// Which models are looked at: by what they give, or by what they take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DatasetModality {
    Text,
    /// Models that read images.
    Image,
    /// Models that make images.
    ImageOutput,
    /// Models that listen.
    Audio,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct DailyRankingsQuery {
    /// First day (UTC), included; 30 days before the last unless said.
    start_date: Option<Day>,
    /// Last day, included; the last completed one unless said. The two enclose at most 366 days.
    end_date: Option<Day>,
    #[serde(default)]
    #[param(inline)]
    period: DatasetPeriod,
    #[param(inline)]
    modality: Option<DatasetModality>,
    /// Not kept here: refused.
    context_bucket: Option<String>,
    /// Not kept here: refused.
    category: Option<String>,
    /// Not kept here: refused.
    language_type: Option<String>,
}

/// Tokens of a model in a period that began on `date`.
#[derive(Debug, Serialize, ToSchema)]
struct DailyRanking {
    date: Day,
    model_permaslug: String,
    /// Prompt and completion, in decimal digits.
    total_tokens: String,
}

/// The days a data set is of, both included, and when it was computed.
#[derive(Debug, Serialize, ToSchema)]
struct DatasetMeta {
    as_of: Timestamp,
    start_date: Day,
    end_date: Day,
    version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct DailyRankings {
    data: Vec<DailyRanking>,
    meta: DatasetMeta,
}

/// The 50 models with the most tokens of every day, week or month, by date, and one row `other` for the rest.
#[utoipa::path(get, path = "/datasets/rankings-daily", tag = "datasets", params(DailyRankingsQuery), security(("key" = [])),
    responses((status = 200, body = DailyRankings)))]
async fn list_daily_rankings(
    caller: Caller,
    State(services): State<Arc<Services>>,
    UrlQuery(query): UrlQuery<DailyRankingsQuery>,
) -> Result<Json<DailyRankings>, ApiError> {
    refuse_unkept(&[("context_bucket", &query.context_bucket), ("category", &query.category), ("language_type", &query.language_type)])?;
    let (start, end) = window(query.start_date, query.end_date, caller.now)?;
    let interval = match query.period {
        DatasetPeriod::Day => Interval::Day,
        DatasetPeriod::Week => Interval::Week,
        DatasetPeriod::Month => Interval::Month,
    };
    let is_wanted = |model: &str| query.modality.is_none_or(|modality| has_modality(&caller.catalog, model, modality));
    let mut by_date = BTreeMap::<Day, Vec<(String, u64)>>::new();
    for (from, to) in chunks(start, end, interval) {
        let by = vec![Dimension::Time, Dimension::Model];
        for group in usage(&services, interval, (from, to), by, caller.now).await?.iter() {
            let (Some(at), Some(model)) = (group.at, group.values.first()) else { continue };
            if group.totals.tokens() > 0 && is_wanted(model) {
                by_date.entry(at.day()).or_default().push((model.clone(), group.totals.tokens()));
            }
        }
    }
    let data = by_date.into_iter().flat_map(|(date, models)| top_models(date, models)).collect();
    let meta = DatasetMeta { as_of: caller.now, start_date: start, end_date: end, version: "v1" };
    Ok(Json(DailyRankings { data, meta }))
}

/// Most tokens first, equals by name; the rest at the end.
fn top_models(date: Day, mut models: Vec<(String, u64)>) -> Vec<DailyRanking> {
    models.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    let rest = models.split_off(MODELS_MAX.min(models.len()));
    if !rest.is_empty() {
        models.push((OTHERS.to_owned(), rest.iter().map(|(_, tokens)| tokens).sum()));
    }
    let row = |(model_permaslug, tokens): (String, u64)| DailyRanking { date, model_permaslug, total_tokens: tokens.to_string() };
    models.into_iter().map(row).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum AppSort {
    /// By tokens in the window.
    #[default]
    Popular,
    /// By tokens beyond the mean of the three windows before; those without any are left out.
    Trending,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PopularAppsQuery {
    #[serde(default)]
    #[param(inline)]
    sort: AppSort,
    /// First day (UTC), included; 30 days before the last unless said.
    start_date: Option<Day>,
    /// Last day, included; the last completed one unless said. The two enclose at most 366 days.
    end_date: Option<Day>,
    /// 1 to 100; 50 unless said.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
    /// Places to leave out, 0 to 100.
    #[param(minimum = 0, maximum = 100)]
    offset: Option<usize>,
    /// Not kept here: refused.
    category: Option<String>,
    /// Not kept here: refused.
    subcategory: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct PopularApp {
    rank: usize,
    /// The same for the same app, for ever.
    app_id: u64,
    app_name: String,
    total_requests: u64,
    /// Prompt and completion, in decimal digits.
    total_tokens: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct PopularApps {
    data: Vec<PopularApp>,
    meta: DatasetMeta,
}

/// Apps that said who they are (`HTTP-Referer`, `X-Title`), by tokens or by how much more they used than before.
#[utoipa::path(get, path = "/datasets/app-rankings", tag = "datasets", params(PopularAppsQuery), security(("key" = [])),
    responses((status = 200, body = PopularApps)))]
async fn list_popular_apps(
    caller: Caller,
    State(services): State<Arc<Services>>,
    UrlQuery(query): UrlQuery<PopularAppsQuery>,
) -> Result<Json<PopularApps>, ApiError> {
    refuse_unkept(&[("category", &query.category), ("subcategory", &query.subcategory)])?;
    let (limit, offset) = (query.limit.unwrap_or(APPS_DEFAULT), query.offset.unwrap_or(0));
    if !(1..=APPS_MAX).contains(&limit) {
        return Err(ApiError::bad_request("limit", format!("`limit`: 1 to {APPS_MAX}")));
    }
    if offset > OFFSET_MAX {
        return Err(ApiError::bad_request("offset", format!("`offset`: 0 to {OFFSET_MAX}")));
    }
    let (start, end) = window(query.start_date, query.end_date, caller.now)?;
    let length = end.number() - start.number() + 1;
    let apps = |days| usage(&services, Interval::Day, days, vec![Dimension::App], caller.now);
    let groups = apps((start, end.plus(1))).await?;
    let before = match query.sort {
        AppSort::Popular => Arc::default(),
        AppSort::Trending => apps((start.plus(-WINDOWS_BEFORE * length), start)).await?,
    };
    let meta = DatasetMeta { as_of: caller.now, start_date: start, end_date: end, version: "v1" };
    let ranked = rank_apps(&groups, &before, query.sort);
    let shown: Vec<(usize, &UsageGroup)> = (1..).zip(ranked).skip(offset).take(limit).collect();
    let names: Vec<&str> = shown.iter().filter_map(|(_, group)| group.values.first()).map(String::as_str).collect();
    let titles = services.analytics.app_titles(&names).await?;
    let row = |(rank, group): (usize, &UsageGroup)| {
        let app = group.values.first().map_or("", String::as_str);
        PopularApp {
            rank,
            app_id: app_id(app),
            app_name: AppView::titled(app, &titles).name,
            total_requests: group.totals.requests,
            total_tokens: group.totals.tokens().to_string(),
        }
    };
    Ok(Json(PopularApps { data: shown.into_iter().map(row).collect(), meta }))
}

/// Best first, equals by name; requests that name no app are nobody's.
fn rank_apps<'a>(groups: &'a [UsageGroup], before: &[UsageGroup], sort: AppSort) -> Vec<&'a UsageGroup> {
    let earlier: BTreeMap<&[String], u64> = before.iter().map(|group| (&group.values[..], group.totals.tokens())).collect();
    let value = |group: &UsageGroup| {
        let tokens = i128::from(group.totals.tokens()) * i128::from(WINDOWS_BEFORE);
        tokens - i128::from(earlier.get(&group.values[..]).copied().unwrap_or(0))
    };
    let mut apps: Vec<&UsageGroup> = groups.iter().filter(|group| group.values.iter().all(|app| !app.is_empty())).collect();
    apps.retain(|group| sort == AppSort::Popular || value(group) > 0);
    apps.sort_by(|one, other| value(other).cmp(&value(one)).then_with(|| one.values.cmp(&other.values)));
    apps
}

/// An app's number, by what it is known by.
pub fn app_id(app: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(app.as_bytes()).into();
    digest.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first) >> (u64::BITS - APP_ID_BITS))
}

async fn usage(
    services: &Services,
    interval: Interval,
    (from, to): (Day, Day),
    by: Vec<Dimension>,
    now: Timestamp,
) -> Result<Arc<Vec<UsageGroup>>, ApiError> {
    let query = UsageQuery::new(interval, from.start(), to.start(), by);
    Ok(services.usage.recent(&services.analytics, query, now).await?)
}

/// The window in pieces of a calendar month, so that none has more groups than one answer of the projector; weeks are few
/// and would be cut.
fn chunks(start: Day, end: Day, interval: Interval) -> Vec<(Day, Day)> {
    let past = end.plus(1);
    if interval == Interval::Week {
        return vec![(start, past)];
    }
    let mut chunks = Vec::new();
    let mut from = start;
    while from < past {
        let to = from.next_month_start().min(past);
        chunks.push((from, to));
        from = to;
    }
    chunks
}

fn window(start: Option<Day>, end: Option<Day>, now: Timestamp) -> Result<(Day, Day), ApiError> {
    let end = end.unwrap_or_else(|| now.day().plus(-1));
    let start = start.unwrap_or_else(|| end.plus(-DAYS_DEFAULT));
    if start > end {
        return Err(ApiError::bad_request("start_date", "`start_date`: must not be after `end_date`"));
    }
    if i64::from(end.number()) - i64::from(start.number()) >= i64::from(DAYS_MAX) {
        return Err(ApiError::bad_request("start_date", format!("`start_date` and `end_date` enclose at most {DAYS_MAX} days")));
    }
    Ok((start, end))
}

/// What OpenRouter can filter by and this gateway cannot is refused, not ignored.
pub fn refuse_unkept(asked: &[(&str, &Option<String>)]) -> Result<(), ApiError> {
    match asked.iter().find(|(_, value)| value.is_some()) {
        Some((name, _)) => Err(ApiError::bad_request(*name, format!("`{name}`: this gateway does not keep what that would need"))),
        None => Ok(()),
    }
}

fn has_modality(catalog: &Catalog, model: &str, modality: DatasetModality) -> bool {
    let Some(model) = catalog.model(model) else { return false };
    let has = |modalities: &[String], wanted: &str| modalities.iter().any(|modality| modality == wanted);
    match modality {
        DatasetModality::Text => has(&model.output_modalities, "text"),
        DatasetModality::ImageOutput => has(&model.output_modalities, "image"),
        DatasetModality::Image => has(&model.input_modalities, "image"),
        DatasetModality::Audio => has(&model.input_modalities, "audio"),
    }
}

#[cfg(test)]
mod tests {
    use projector::UsageTotals;

    use super::*;

    fn group(app: &str, tokens: u64) -> UsageGroup {
        UsageGroup { at: None, values: vec![app.to_owned()], totals: UsageTotals { prompt_tokens: tokens, ..UsageTotals::default() } }
    }

    #[test]
    fn the_rest_beyond_fifty_models_is_one_row_at_the_end() {
        let models = (0..53_u64).map(|place| (format!("author/{place:02}"), 100 - place)).collect();
        let rows = top_models(Day::default(), models);
        assert_eq!(rows.len(), 51);
        let last = rows.last().map(|row| (row.model_permaslug.as_str(), row.total_tokens.as_str()));
        assert_eq!(last, Some(("other", "147")));
        let equal = top_models(Day::default(), vec![("b/b".to_owned(), 1), ("a/a".to_owned(), 1)]);
        assert_eq!(equal.iter().map(|row| row.model_permaslug.as_str()).collect::<Vec<_>>(), ["a/a", "b/b"]);
    }

    #[test]
    fn trends_are_tokens_beyond_the_mean_of_three_windows() {
        // Before: 30 in three windows, that is 10 in one.
        let (now, before) =
            ([group("steady", 10), group("up", 12), group("new", 1), group("", 99)], [group("steady", 30), group("up", 30)]);
        let names = |sort| rank_apps(&now, &before, sort).iter().map(|group| group.values[0].clone()).collect::<Vec<_>>();
        assert_eq!(names(AppSort::Trending), ["up", "new"]);
        let popular = rank_apps(&now, &[], AppSort::Popular);
        assert_eq!(popular.iter().map(|group| group.values[0].as_str()).collect::<Vec<_>>(), ["up", "steady", "new"]);
        assert!(app_id("https://a.example") != app_id("https://b.example") && app_id("x") < 1 << 48);
    }

    #[test]
    fn a_window_is_cut_at_months_without_gap() {
        let day = |text: &str| text.parse::<Day>().unwrap_or_default();
        let found = chunks(day("2026-01-30"), day("2026-03-01"), Interval::Day);
        let expected = [("2026-01-30", "2026-02-01"), ("2026-02-01", "2026-03-01"), ("2026-03-01", "2026-03-02")];
        assert_eq!(found, expected.map(|(from, to)| (day(from), day(to))));
    }
}
