//! Usage by any dimensions: buckets that are up to date come from their rollup, stale ones from `usage_events`, in one
//! statement, that is one snapshot.

use std::collections::BTreeMap;

use schemas::{NanoUsd, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, ValueRef};

use super::SqliteAnalytics;
use super::row::{count, id_text};
use super::text::{hour_text, parse, unsigned};
use crate::endpoint::{AttemptClass, EndpointAttempts, EndpointSpeed};
use crate::error::AnalyticsError;
use crate::row::within_times;
use crate::usage::{Dimension, EndpointHour, GROUPS_MAX, Interval, UsageGroup, UsageQuery, UsageTotals};

const STALE_DAYS: &str = "WITH stale (bucket, prefix) AS (SELECT bucket, bucket FROM dirty_buckets WHERE level = 'day' \
     UNION SELECT substr(bucket, 1, 10), substr(bucket, 1, 10) FROM dirty_buckets WHERE level = 'hour')";
const STALE_HOURS: &str = "WITH stale (bucket, prefix) AS (SELECT bucket, substr(bucket, 1, 13) FROM dirty_buckets WHERE level = 'hour')";
/// Both sources give keys and measures in this order.
const OWNERS: &str = "key_id, account_id, app";
/// Rows by endpoint have none.
const NO_OWNERS: &str = "'' AS key_id, '' AS account_id, '' AS app";
const MEASURES: &str = "model, channel, provider, request_count, ok_count, error_count, cancelled_count, prompt_tokens, \
     completion_tokens, reasoning_tokens, cached_tokens, charge_nanos";
const FROM_EVENTS: &str = " UNION ALL SELECT stale.bucket AS bucket, coalesce(key_id, '') AS key_id, account_id, app, model, channel, \
     provider, 1, status = 'ok', status = 'error', status = 'cancelled', prompt_tokens, completion_tokens, reasoning_tokens, \
     cache_read_tokens, charge_nanos FROM stale CROSS JOIN usage_events AS e \
     ON e.admitted_at >= stale.prefix AND e.admitted_at < stale.prefix || '~' WHERE model <> ''";
const SUMS: &str = "sum(request_count) AS request_count, sum(ok_count) AS ok_count, sum(error_count) AS error_count, \
     sum(cancelled_count) AS cancelled_count, sum(prompt_tokens) AS prompt_tokens, sum(completion_tokens) AS completion_tokens, \
     sum(reasoning_tokens) AS reasoning_tokens, sum(cached_tokens) AS cached_tokens, sum(charge_nanos) AS charge_nanos, ";
const ACCOUNTS: &str = "count(DISTINCT account_id) AS accounts";
const NO_ACCOUNTS: &str = "0 AS accounts";
/// The platform's own requests are nobody's usage. Rows by endpoint are without them.
const CUSTOMERS: &str = " AND account_id <> '00000000-0000-0000-0000-000000000000'";

const fn column(dimension: Dimension, interval: Interval) -> &'static str {
    match dimension {
        Dimension::Time => match interval {
            Interval::Hour | Interval::Day => "bucket",
            Interval::Week => "date(bucket, '-6 days', 'weekday 1')",
            Interval::Month => "substr(bucket, 1, 7) || '-01'",
        },
        Dimension::Account => "account_id",
        Dimension::Key => "key_id",
        Dimension::Model => "model",
        Dimension::Author => "CASE instr(model, '/') WHEN 0 THEN '' ELSE substr(model, 1, instr(model, '/') - 1) END",
        Dimension::Channel => "channel",
        Dimension::Provider => "provider",
        Dimension::App => "app",
    }
}

impl SqliteAnalytics {
    pub(crate) async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageGroup>, AnalyticsError> {
        let rows = usage_sql(query).build().fetch_all(&self.readers).await?;
        // Without dimensions there is one row, of NULLs where there is no usage.
        let used = rows.iter().filter(|row| !row.try_get_raw("request_count").is_ok_and(|value| value.is_null()));
        used.map(|row| group(row, query)).collect()
    }

    pub(crate) async fn endpoint_hours(&self, model: &str, from: Timestamp, to: Timestamp) -> Result<Vec<EndpointHour>, AnalyticsError> {
        let (from, to) = (hour_text(within_times(from)), hour_text(within_times(to)));
        let mut hours = BTreeMap::<(String, String), (EndpointAttempts, EndpointSpeed)>::new();
        let sql = "SELECT hour, channel, outcome, http_status, attempt_count FROM attempts_hourly \
                   WHERE model = $1 AND hour >= $2 AND hour < $3";
        for row in sqlx::query(sql).bind(model).bind(&from).bind(&to).fetch_all(&self.readers).await? {
            let status = Some(unsigned("http_status", row.try_get("http_status")?)?).filter(|status| *status > 0);
            let (attempts, _) = hours.entry((row.try_get("hour")?, row.try_get("channel")?)).or_default();
            attempts.add(AttemptClass::of(row.try_get("outcome")?, status), count(&row, "attempt_count")?);
        }
        let sql = "SELECT hour, channel, metric, bucket, request_count FROM latency_hourly WHERE model = $1 AND hour >= $2 AND hour < $3";
        for row in sqlx::query(sql).bind(model).bind(&from).bind(&to).fetch_all(&self.readers).await? {
            let (_, speed) = hours.entry((row.try_get("hour")?, row.try_get("channel")?)).or_default();
            let histogram = if row.try_get::<&str, _>("metric")? == "ttft" { &mut speed.ttft } else { &mut speed.throughput };
            histogram.add(count(&row, "bucket")?, count(&row, "request_count")?);
        }
        let named = hours.into_iter().map(|((hour, channel), (attempts, speed))| {
            Ok(EndpointHour {
                hour: parse("hour", &hour)?,
                attempts: EndpointAttempts { channel: channel.clone(), model: model.to_owned(), ..attempts },
                speed: EndpointSpeed { channel, model: model.to_owned(), ..speed },
            })
        });
        named.collect()
    }
}

fn usage_sql(query: &UsageQuery) -> QueryBuilder<Sqlite> {
    let is_day = query.interval != Interval::Hour;
    let mut sql = QueryBuilder::new(if is_day { STALE_DAYS } else { STALE_HOURS });
    sql.push(" SELECT ");
    for (place, dimension) in query.by.iter().enumerate() {
        sql.push(column(*dimension, query.interval)).push(format!(" AS v{place}, "));
    }
    sql.push(SUMS).push(if query.counts_accounts { ACCOUNTS } else { NO_ACCOUNTS });
    let (bucket, table, owners) = match (is_day, query.is_of_endpoint_days()) {
        (true, true) => ("day", "endpoint_daily", NO_OWNERS),
        (true, false) => ("day", "usage_daily", OWNERS),
        (false, _) => ("hour", "usage_hourly", OWNERS),
    };
    sql.push(format!(
        " FROM (SELECT {bucket} AS bucket, {owners}, {MEASURES} FROM {table} WHERE {bucket} NOT IN (SELECT bucket FROM stale) AND model <> ''"
    ));
    if query.account.is_none() && owners == OWNERS {
        sql.push(CUSTOMERS);
    }
    push_conditions(&mut sql, bucket, query);
    sql.push(FROM_EVENTS);
    if query.account.is_none() {
        sql.push(CUSTOMERS);
    }
    push_conditions(&mut sql, "stale.bucket", query);
    sql.push(")");
    let places: Vec<String> = (0..query.by.len()).map(|place| format!("v{place}")).collect();
    if !places.is_empty() {
        sql.push(" GROUP BY ").push(places.join(", "));
    }
    sql.push(" ORDER BY sum(prompt_tokens) + sum(completion_tokens) DESC");
    for place in &places {
        sql.push(", ").push(place);
    }
    sql.push(" LIMIT ").push_bind(i64::from(GROUPS_MAX));
    sql
}

fn push_conditions(sql: &mut QueryBuilder<Sqlite>, bucket: &str, query: &UsageQuery) {
    let text =
        |at: Timestamp| if query.interval == Interval::Hour { hour_text(within_times(at)) } else { within_times(at).day().to_string() };
    sql.push(format!(" AND {bucket} >= ")).push_bind(text(query.from)).push(format!(" AND {bucket} < ")).push_bind(text(query.to));
    if let Some(account) = query.account {
        sql.push(" AND account_id = ").push_bind(id_text(account.uuid()));
    }
    if let Some(key) = query.key {
        sql.push(" AND key_id = ").push_bind(id_text(key.uuid()));
    }
    if let Some(model) = &query.model {
        sql.push(" AND model = ").push_bind(model.clone());
    }
    if let Some(app) = &query.app {
        sql.push(" AND app = ").push_bind(app.clone());
    }
    for filter in &query.filters {
        // The key of a request may be NULL; in rollups it is ''.
        let column = match filter.dimension {
            Dimension::Time => continue,
            Dimension::Key => "coalesce(key_id, '')",
            other => column(other, query.interval),
        };
        sql.push(format!(" AND {column} {} (", if filter.is_excluded { "NOT IN" } else { "IN" }));
        let mut values = sql.separated(", ");
        for value in &filter.values {
            values.push_bind(value.clone());
        }
        values.push_unseparated(")");
    }
}

fn group(row: &SqliteRow, query: &UsageQuery) -> Result<UsageGroup, AnalyticsError> {
    let mut group = UsageGroup { at: None, values: Vec::with_capacity(query.by.len()), totals: totals(row)? };
    for (place, dimension) in query.by.iter().enumerate() {
        let text: String = row.try_get(place)?;
        match (dimension, query.interval) {
            (Dimension::Time, Interval::Hour) => group.at = Some(parse("bucket", &text)?),
            (Dimension::Time, _) => group.at = Some(parse::<schemas::Day>("bucket", &text)?.start()),
            _ => group.values.push(text),
        }
    }
    Ok(group)
}

fn totals(row: &SqliteRow) -> Result<UsageTotals, AnalyticsError> {
    Ok(UsageTotals {
        requests: count(row, "request_count")?,
        ok: count(row, "ok_count")?,
        errors: count(row, "error_count")?,
        cancelled: count(row, "cancelled_count")?,
        prompt_tokens: count(row, "prompt_tokens")?,
        completion_tokens: count(row, "completion_tokens")?,
        reasoning_tokens: count(row, "reasoning_tokens")?,
        cached_tokens: count(row, "cached_tokens")?,
        charged: NanoUsd::from_nanos(row.try_get("charge_nanos")?),
        accounts: count(row, "accounts")?,
    })
}
