//! What an account used, grouped and over time. Exact: what is charged here is what the ledger books.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use projector::usage::GROUPS_MAX;
use projector::{Dimension, Interval, UsageGroup, UsageQuery, UsageTotals};
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Dashboard, Member};
use crate::control::Catalog;
use crate::http::envelope::{Data, UrlQuery};
use crate::http::error::ApiError;

const DAY_MICROS: i64 = 86_400_000_000;
const HOUR_MICROS: i64 = 3_600_000_000;
const DAYS_DEFAULT: i64 = 30;
/// The longest window by the day, and by the hour.
const DAYS_MAX: i64 = 400;
const HOURLY_DAYS_MAX: i64 = 31;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupBy {
    #[default]
    Model,
    Key,
    App,
    Day,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SeriesInterval {
    Hour,
    #[default]
    Day,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ActivityQuery {
    /// From the bucket this is in; thirty days ago unless said.
    from: Option<Timestamp>,
    /// To the bucket this is in; now unless said.
    to: Option<Timestamp>,
    #[serde(default)]
    #[param(inline)]
    group_by: GroupBy,
    #[serde(default)]
    #[param(inline)]
    interval: SeriesInterval,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Activity {
    totals: ActivityTotals,
    /// Most tokens first.
    groups: Vec<ActivityGroup>,
    series: Vec<ActivityPoint>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityTotals {
    /// Decimal text in USD.
    spend: String,
    requests: u64,
    tokens: u64,
    errors: u64,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityGroup {
    key: String,
    label: String,
    spend: String,
    requests: u64,
    tokens: u64,
}

/// A bucket with usage, by group.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityPoint {
    at: Timestamp,
    values: BTreeMap<String, ActivityValue>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityValue {
    spend: String,
    requests: u64,
    tokens: u64,
}

/// Spend, requests and tokens of an account.
#[utoipa::path(get, path = "/api/app/accounts/{account}/activity", tag = "generations", params(("account" = String, Path), ActivityQuery),
    responses((status = 200, body = Data<Activity>)))]
pub async fn get_account_activity(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    UrlQuery(query): UrlQuery<ActivityQuery>,
) -> Result<Data<Activity>, ApiError> {
    let (from, to) = window(&query, Timestamp::now())?;
    let dimension = match query.group_by {
        GroupBy::Model => Some(Dimension::Model),
        GroupBy::Key => Some(Dimension::Key),
        GroupBy::App => Some(Dimension::App),
        GroupBy::Day => None,
    };
    let interval = if query.interval == SeriesInterval::Hour { Interval::Hour } else { Interval::Day };
    let groups_by = async |by: Vec<Dimension>| {
        let usage = UsageQuery { account: Some(member.account_id), ..UsageQuery::new(interval, from, to, by) };
        dashboard.services.analytics.usage(&usage).await
    };
    let catalog = dashboard.services.control.catalog_full();
    let groups = groups_by(std::iter::once(Dimension::Time).chain(dimension).collect()).await?;
    let mut data = activity(&groups, query.group_by, &catalog);
    if groups.len() >= GROUPS_MAX as usize {
        // The series leaves out what is smallest; sums are of everything all the same.
        data.totals = activity(&groups_by(Vec::new()).await?, query.group_by, &catalog).totals;
        if let Some(dimension) = dimension {
            data.groups = activity(&groups_by(vec![dimension]).await?, query.group_by, &catalog).groups;
        }
    }
    Ok(Data { data })
}

/// Whole buckets, not too many.
fn window(query: &ActivityQuery, now: Timestamp) -> Result<(Timestamp, Timestamp), ApiError> {
    let (length, days_max) = if query.interval == SeriesInterval::Hour { (HOUR_MICROS, HOURLY_DAYS_MAX) } else { (DAY_MICROS, DAYS_MAX) };
    let floor = |at: Timestamp| at.plus_micros(-at.micros().rem_euclid(length));
    let last = query.to.unwrap_or(now);
    let to = floor(last.plus_micros(length - 1)).max(floor(last).plus_micros(i64::from(query.to.is_none()) * length));
    let from = floor(query.from.unwrap_or_else(|| to.plus_micros(-DAYS_DEFAULT * DAY_MICROS)));
    if from >= to {
        return Err(ApiError::bad_request("from", "`from` must be before `to`"));
    }
    if to.micros().saturating_sub(from.micros()) > days_max * DAY_MICROS + length {
        return Err(ApiError::bad_request(
            "from",
            format!("`from` and `to` enclose more than {days_max} days, the most for this `interval`"),
        ));
    }
    Ok((from, to))
}

fn activity(groups: &[UsageGroup], group_by: GroupBy, catalog: &Catalog) -> Activity {
    let (mut whole, mut by_group, mut points) = (UsageTotals::default(), BTreeMap::<String, UsageTotals>::new(), BTreeMap::new());
    for group in groups {
        let at = group.at.unwrap_or_default();
        let name = group.values.first().cloned().unwrap_or_else(|| at.day().to_string());
        whole = whole.and(group.totals);
        let total = by_group.entry(name.clone()).or_default();
        *total = total.and(group.totals);
        let values: &mut BTreeMap<String, UsageTotals> = points.entry(at).or_default();
        let value = values.entry(name).or_default();
        *value = value.and(group.totals);
    }
    let mut ordered: Vec<(String, UsageTotals)> = by_group.into_iter().collect();
    if group_by != GroupBy::Day {
        // From the map in the order of names, which the sort keeps among equals.
        ordered.sort_by_key(|(_, totals)| std::cmp::Reverse(totals.tokens()));
    }
    let group = |(key, totals): (String, UsageTotals)| ActivityGroup {
        label: label(&key, group_by, catalog),
        key,
        spend: totals.charged.to_string(),
        requests: totals.requests,
        tokens: totals.tokens(),
    };
    let value =
        |totals: UsageTotals| ActivityValue { spend: totals.charged.to_string(), requests: totals.requests, tokens: totals.tokens() };
    let point = |(at, values): (Timestamp, BTreeMap<String, UsageTotals>)| ActivityPoint {
        at,
        values: values.into_iter().map(|(name, totals)| (name, value(totals))).collect(),
    };
    Activity {
        totals: ActivityTotals { spend: whole.charged.to_string(), requests: whole.requests, tokens: whole.tokens(), errors: whole.errors },
        groups: ordered.into_iter().map(group).collect(),
        series: points.into_iter().map(point).collect(),
    }
}

/// What people call a group.
fn label(key: &str, group_by: GroupBy, catalog: &Catalog) -> String {
    match group_by {
        GroupBy::Key => {
            let known = catalog.keys().find(|known| known.record.id.uuid().hyphenated().to_string() == key);
            known.map_or_else(|| key.to_owned(), |known| known.record.name.clone())
        }
        _ => key.to_owned(),
    }
}
