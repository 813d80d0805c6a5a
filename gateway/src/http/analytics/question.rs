//! A question as it was sent, and checked.

use std::collections::HashMap;

use projector::{Interval, UsageFilter, UsageGroup, UsageQuery};
use schemas::{AccountId, KeyId, Timestamp};
use serde::Deserialize;
use utoipa::ToSchema;

use super::vocabulary::{Dimension, GRANULARITIES, METRICS, Metric, OPERATORS};
use super::{AnalyticsRow, compare, stored};
use crate::control::key::KeyHash;
use crate::http::caller::Administrator;
use crate::http::error::ApiError;

const DAY_MICROS: i64 = 86_400_000_000;
const HOUR_MICROS: i64 = 3_600_000_000;
/// Days of one question where none are said.
const DAYS_DEFAULT: i64 = 30;
/// The longest range, and the longest by the hour.
const DAYS_MAX: i64 = 400;
const HOURLY_DAYS_MAX: i64 = 31;
const DIMENSIONS_MAX: usize = 2;
const FILTERS_MAX: usize = 20;
/// Values of one filter.
const VALUES_MAX: usize = 100;
const VALUE_CHARS_MAX: usize = 500;
const ROWS_DEFAULT: usize = 1_000;
const ROWS_MAX: usize = 10_000;

/// What is asked.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnalyticsQuestion {
    /// Names of metrics, from `/analytics/meta`; at least one.
    metrics: Vec<String>,
    /// At most two, from `/analytics/meta`.
    #[serde(default)]
    dimensions: Vec<String>,
    /// At most twenty; all of them hold.
    #[serde(default)]
    filters: Vec<AnalyticsFilter>,
    /// `hour`, `day`, `week` or `month`: rows get a `date`. A range by the hour has at most 31 days.
    granularity: Option<String>,
    /// The last 30 days where absent. Whole hours or days are looked at: those that overlap with it.
    time_range: Option<AnalyticsRange>,
    /// Otherwise by date, then most tokens first.
    order_by: Option<AnalyticsOrder>,
    /// Rows, 1 to 10,000; 1,000 unless said.
    limit: Option<usize>,
    /// Rows of one combination of dimensions.
    group_limit: Option<usize>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AnalyticsFilter {
    /// A dimension.
    field: String,
    /// `eq`, `neq`, `in` or `not_in`.
    operator: String,
    /// Text, or a list of at most 100 where the operator is `in` or `not_in`. Keys by their hash or id.
    value: FilterValue,
    /// Whether `in` and `not_in` let requests pass that have no value there. By default `in` does not and `not_in` does.
    include_unset: Option<bool>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "a text or a list of texts is needed")]
enum FilterValue {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AnalyticsRange {
    start: Timestamp,
    end: Timestamp,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AnalyticsOrder {
    /// A metric or dimension that was asked for, or `date`.
    field: String,
    #[serde(default)]
    direction: AnalyticsDirection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum AnalyticsDirection {
    Asc,
    #[default]
    Desc,
}

/// What can be asked of the projector, and what becomes of its groups.
#[derive(Debug)]
pub struct Question {
    pub metrics: Vec<Metric>,
    pub dimensions: Vec<Dimension>,
    pub usage: UsageQuery,
    pub warnings: Vec<String>,
    order: Option<(&'static str, AnalyticsDirection)>,
    limit: usize,
    group_limit: Option<usize>,
}

impl Question {
    pub fn read(body: AnalyticsQuestion, administrator: &Administrator) -> Result<Self, ApiError> {
        let is_platform = administrator.is_platform();
        if body.metrics.is_empty() || body.metrics.len() > METRICS.len() {
            return Err(ApiError::bad_request("metrics", format!("`metrics`: 1 to {} of those in /analytics/meta", METRICS.len())));
        }
        let metrics = named(&body.metrics, "metrics", Metric::parse)?;
        if body.dimensions.len() > DIMENSIONS_MAX {
            return Err(ApiError::bad_request("dimensions", format!("`dimensions`: at most {DIMENSIONS_MAX}")));
        }
        let dimensions = named(&body.dimensions, "dimensions", |name| Dimension::parse(name, is_platform))?;
        let granularity = body.granularity.as_deref().map(granularity).transpose()?;
        let (from, to, interval) = window(body.time_range.as_ref(), granularity, administrator.0.now)?;
        let mut warnings = Vec::new();
        let filters = filters(&body.filters, administrator, &mut warnings)?;
        let order = body.order_by.as_ref().map(|order| order_of(order, &metrics, &dimensions, granularity.is_some())).transpose()?;
        let time = granularity.map(|_| projector::Dimension::Time);
        let by = time.into_iter().chain(dimensions.iter().map(|dimension| stored(*dimension))).collect();
        let account = administrator.accounts();
        let usage = UsageQuery { account, filters, ..UsageQuery::new(interval, from, to, by) };
        let limit = within("limit", body.limit)?.unwrap_or(ROWS_DEFAULT);
        Ok(Self { metrics, dimensions, usage, warnings, order, limit, group_limit: within("group_limit", body.group_limit)? })
    }

    /// Groups come with the most tokens first, which the sort keeps among equals.
    pub fn sort(&self, rows: &mut [(UsageGroup, AnalyticsRow)]) {
        match self.order {
            None => rows.sort_by_key(|(group, _)| group.at),
            Some((field, direction)) => rows.sort_by(|(_, one), (_, other)| {
                let ascending = compare(one.get(field), other.get(field));
                if direction == AnalyticsDirection::Asc { ascending } else { ascending.reverse() }
            }),
        }
    }

    pub fn cut(&self, rows: Vec<(UsageGroup, AnalyticsRow)>) -> Vec<AnalyticsRow> {
        let mut of_group = HashMap::<Vec<String>, usize>::new();
        let group_limit = self.group_limit.filter(|_| !self.dimensions.is_empty()).unwrap_or(usize::MAX);
        let kept = rows.into_iter().filter(|(group, _)| {
            let rows = of_group.entry(group.values.clone()).or_default();
            *rows += 1;
            *rows <= group_limit
        });
        kept.map(|(_, row)| row).take(self.limit).collect()
    }
}

fn named<T: PartialEq>(names: &[String], field: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, ApiError> {
    let mut found = Vec::with_capacity(names.len());
    for (place, name) in names.iter().enumerate() {
        let path = format!("{field}[{place}]");
        match parse(name) {
            None => return Err(ApiError::bad_request(&*path, format!("`{path}`: {name:?} is not one of those in /analytics/meta"))),
            Some(value) if found.contains(&value) => {
                return Err(ApiError::bad_request(&*path, format!("`{path}`: {name:?} is named twice")));
            }
            Some(value) => found.push(value),
        }
    }
    Ok(found)
}

fn granularity(name: &str) -> Result<Interval, ApiError> {
    let known = GRANULARITIES.iter().find(|(known, ..)| *known == name).map(|(.., interval)| *interval);
    known.ok_or_else(|| ApiError::bad_request("granularity", "`granularity`: one of hour, day, week and month; nothing finer is kept"))
}

/// Whole buckets that overlap with the range.
fn window(
    range: Option<&AnalyticsRange>,
    granularity: Option<Interval>,
    now: Timestamp,
) -> Result<(Timestamp, Timestamp, Interval), ApiError> {
    let (start, end) = range.map_or((now.plus_micros(-DAYS_DEFAULT * DAY_MICROS), now), |range| (range.start, range.end));
    if start >= end {
        return Err(ApiError::bad_request("time_range.end", "`time_range.end`: must be after `time_range.start`"));
    }
    let is_short = end.micros().saturating_sub(start.micros()) <= HOURLY_DAYS_MAX * DAY_MICROS;
    // Without a granularity as fine as the length allows.
    let interval = granularity.unwrap_or(if is_short { Interval::Hour } else { Interval::Day });
    let (length, days_max) = if interval == Interval::Hour { (HOUR_MICROS, HOURLY_DAYS_MAX) } else { (DAY_MICROS, DAYS_MAX) };
    if end.micros().saturating_sub(start.micros()) > days_max * DAY_MICROS {
        let message = format!("`time_range`: at most {days_max} days for this `granularity`");
        return Err(ApiError::bad_request("time_range", message));
    }
    let floor = |at: Timestamp| at.plus_micros(-at.micros().rem_euclid(length));
    Ok((floor(start), floor(end.plus_micros(length - 1)), interval))
}

fn filters(filters: &[AnalyticsFilter], administrator: &Administrator, warnings: &mut Vec<String>) -> Result<Vec<UsageFilter>, ApiError> {
    if filters.len() > FILTERS_MAX {
        return Err(ApiError::bad_request("filters", format!("`filters`: at most {FILTERS_MAX}")));
    }
    filters.iter().enumerate().map(|(place, filter)| read_filter(place, filter, administrator, warnings)).collect()
}

fn read_filter(
    place: usize,
    filter: &AnalyticsFilter,
    administrator: &Administrator,
    warnings: &mut Vec<String>,
) -> Result<UsageFilter, ApiError> {
    let refuse = |field: &str, problem: &str| {
        let path = format!("filters[{place}].{field}");
        ApiError::bad_request(&*path, format!("`{path}`: {problem}"))
    };
    let dimension = Dimension::parse(&filter.field, administrator.is_platform());
    let dimension = dimension.ok_or_else(|| refuse("field", "is no dimension of /analytics/meta"))?;
    let operator = OPERATORS.iter().find(|(name, ..)| *name == filter.operator);
    let (_, value_type, is_excluded) = operator.ok_or_else(|| refuse("operator", "one of eq, neq, in and not_in"))?;
    let wanted: &[String] = match (&filter.value, *value_type) {
        (FilterValue::One(value), "scalar") => std::slice::from_ref(value),
        (FilterValue::Many(values), "array") if (1..=VALUES_MAX).contains(&values.len()) => values,
        (FilterValue::Many(_), "array") => return Err(refuse("value", "a list of 1 to 100 values")),
        (_, "array") => return Err(refuse("value", "a list is needed for this operator")),
        _ => return Err(refuse("value", "one value is needed for this operator")),
    };
    if wanted.iter().any(|value| value.chars().count() > VALUE_CHARS_MAX || value.contains('\0')) {
        return Err(refuse("value", "at most 500 characters, none of them NUL"));
    }
    let mut values = Vec::with_capacity(wanted.len());
    for value in wanted {
        match stored_value(dimension, value, administrator) {
            Some(value) => values.push(value),
            None => {
                warnings.push(format!("filters[{place}].value: {value:?} is not known here and matches nothing"));
                values.push(value.clone());
            }
        }
    }
    match (*value_type, filter.include_unset) {
        (_, None) => {}
        ("scalar", Some(_)) => return Err(refuse("include_unset", "is for `in` and `not_in`")),
        (_, Some(include)) => {
            values.retain(|value| !value.is_empty());
            if include != *is_excluded {
                values.push(String::new());
            }
        }
    }
    Ok(UsageFilter { dimension: stored(dimension), values, is_excluded: *is_excluded })
}

/// As the projector keeps it; `None` where there is no such key or account.
fn stored_value(dimension: Dimension, value: &str, administrator: &Administrator) -> Option<String> {
    let plain = |uuid: uuid::Uuid| uuid.hyphenated().to_string();
    match dimension {
        _ if value.is_empty() => Some(String::new()),
        Dimension::Account => value.parse::<AccountId>().ok().map(|account| plain(account.uuid())),
        Dimension::ApiKey => match value.parse::<KeyHash>() {
            Ok(hash) => {
                let key = administrator.0.catalog.key(&hash).filter(|key| administrator.0.reaches(key.account_id()));
                key.map(|key| plain(key.record.id.uuid()))
            }
            Err(_) => value.parse::<KeyId>().ok().map(|key| plain(key.uuid())),
        },
        _ => Some(value.to_owned()),
    }
}

fn order_of(
    order: &AnalyticsOrder,
    metrics: &[Metric],
    dimensions: &[Dimension],
    has_date: bool,
) -> Result<(&'static str, AnalyticsDirection), ApiError> {
    let date = has_date.then_some("date");
    let mut known = metrics.iter().map(|metric| metric.name()).chain(dimensions.iter().map(|dimension| dimension.name())).chain(date);
    let field = known.find(|name| *name == order.field);
    let field = field.ok_or_else(|| {
        ApiError::bad_request("order_by.field", "`order_by.field`: a metric or dimension that is asked for, or date with a granularity")
    })?;
    Ok((field, order.direction))
}

fn within(field: &str, rows: Option<usize>) -> Result<Option<usize>, ApiError> {
    match rows {
        Some(rows) if !(1..=ROWS_MAX).contains(&rows) => Err(ApiError::bad_request(field, format!("`{field}`: 1 to {ROWS_MAX} rows"))),
        rows => Ok(rows),
    }
}
