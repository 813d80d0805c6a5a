//! Usage by any dimensions: buckets that are not stale come from their rollup, stale ones from requests.

use std::collections::BTreeMap;

use clickhouse::Row;
use clickhouse::query::Query;
use schemas::{NanoUsd, Timestamp};
use serde::Deserialize;

use super::ClickHouseAnalytics;
use super::buckets::{Level, seconds};
use crate::endpoint::{AttemptClass, EndpointAttempts, EndpointSpeed};
use crate::error::AnalyticsError;
use crate::usage::{Dimension, EndpointHour, GROUPS_MAX, Interval, UsageGroup, UsageQuery, UsageTotals};

/// What stands in brackets is replaced; both sources give the same columns.
const SOURCES: &str = "FROM (SELECT toUnixTimestamp([start]) AS bucket, [owners], \
     toString(u.model) AS model, toString(u.channel) AS channel, toString(u.provider) AS provider, \
     u.request_count AS request_count, u.ok_count AS ok_count, u.error_count AS error_count, u.cancelled_count AS cancelled_count, \
     u.prompt_tokens AS prompt_tokens, u.completion_tokens AS completion_tokens, u.reasoning_tokens AS reasoning_tokens, \
     u.cached_tokens AS cached_tokens, u.charge_nanos AS charge_nanos FROM [table] AS u \
     WHERE u.model <> '' AND u.[bucket] >= [from] AND u.[bucket] < [to] \
     AND toUnixTimestamp([start]) NOT IN {stale:Array(UInt32)} [customers] [filters] \
     UNION ALL SELECT toUnixTimestamp([event_start]), toString(e.account_id), ifNull(toString(e.key_id), ''), toString(e.app), \
     toString(e.model), toString(e.channel), toString(e.provider), toUInt64(1), toUInt64(e.status = 'ok'), toUInt64(e.status = 'error'), \
     toUInt64(e.status = 'cancelled'), e.prompt_tokens, e.completion_tokens, e.reasoning_tokens, e.cache_read_tokens, e.charge_nanos \
     FROM stored_usage_events AS e FINAL WHERE e.model <> '' \
     AND e.admitted_at >= fromUnixTimestamp64Micro({from_micros:Int64}, 'UTC') \
     AND e.admitted_at < fromUnixTimestamp64Micro({to_micros:Int64}, 'UTC') \
     AND toUnixTimestamp([event_start]) IN {stale:Array(UInt32)} [requesters] [filters])";
const OWNERS: &str = "toString(u.account_id) AS account, toString(u.key_id) AS key, toString(u.app) AS app";
/// Rows by endpoint have none.
const NO_OWNERS: &str = "'' AS account, '' AS key, '' AS app";
/// The platform's own requests are nobody's usage. Rows by endpoint are without them.
const CUSTOMERS: &str = "AND account_id <> toUUID('00000000-0000-0000-0000-000000000000')";
const SUMS: &str = "sum(s.request_count) AS request_count, sum(s.ok_count) AS ok_count, sum(s.error_count) AS error_count, \
     sum(s.cancelled_count) AS cancelled_count, sum(s.prompt_tokens) AS prompt_tokens, sum(s.completion_tokens) AS completion_tokens, \
     sum(s.reasoning_tokens) AS reasoning_tokens, sum(s.cached_tokens) AS cached_tokens, sum(s.charge_nanos) AS charge_nanos";

#[derive(Row, Deserialize)]
struct Group {
    at: u32,
    named: Vec<String>,
    request_count: u64,
    ok_count: u64,
    error_count: u64,
    cancelled_count: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    cached_tokens: u64,
    charge_nanos: i64,
    accounts: u64,
}

#[derive(Row, Deserialize)]
struct Attempts {
    at: u32,
    channel: String,
    outcome: String,
    http_status: u16,
    attempt_count: u64,
}

#[derive(Row, Deserialize)]
struct Speed {
    at: u32,
    channel: String,
    metric: String,
    bucket: u64,
    request_count: u64,
}

const fn column(dimension: Dimension) -> Option<&'static str> {
    match dimension {
        Dimension::Time => None,
        Dimension::Account => Some("s.account"),
        Dimension::Key => Some("s.key"),
        Dimension::Model => Some("s.model"),
        Dimension::Author => Some("if(position(s.model, '/') = 0, '', substring(s.model, 1, position(s.model, '/') - 1))"),
        Dimension::Channel => Some("s.channel"),
        Dimension::Provider => Some("s.provider"),
        Dimension::App => Some("s.app"),
    }
}

impl ClickHouseAnalytics {
    pub(crate) async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageGroup>, AnalyticsError> {
        let sql = usage_sql(query);
        let level = if query.interval == Interval::Hour { Level::Hour } else { Level::Day };
        let starts = seconds(bucket_start(query.from, query.interval))..seconds(bucket_start(query.to, query.interval));
        let ask = |stale: Vec<u32>| self.fetch_all::<Group>(bound(self.client.query(&sql), query).param("stale", stale));
        let groups = self.read_steadily(level, starts, ask).await?;
        let has_time = query.by.contains(&Dimension::Time);
        Ok(groups.into_iter().filter(|group| group.request_count > 0).map(|group| group.read(has_time)).collect())
    }

    pub(crate) async fn endpoint_hours(&self, model: &str, from: Timestamp, to: Timestamp) -> Result<Vec<EndpointHour>, AnalyticsError> {
        let mut hours = BTreeMap::<(u32, String), (EndpointAttempts, EndpointSpeed)>::new();
        let window = "model = {model:String} AND hour >= toDateTime({from:UInt32}, 'UTC') AND hour < toDateTime({to:UInt32}, 'UTC')";
        let hour = |at| seconds(bucket_start(at, Interval::Hour));
        let ask = |sql: &str| self.client.query(sql).param("model", model).param("from", hour(from)).param("to", hour(to));
        let sql = format!(
            "SELECT toUnixTimestamp(hour) AS at, toString(channel) AS channel, toString(outcome) AS outcome, toUInt16(http_status) AS http_status, \
             toUInt64(attempt_count) AS attempt_count FROM attempts_hourly WHERE {window}"
        );
        for row in self.fetch_all::<Attempts>(ask(&sql)).await? {
            let (attempts, _) = hours.entry((row.at, row.channel)).or_default();
            attempts.add(AttemptClass::of(&row.outcome, Some(row.http_status).filter(|status| *status > 0)), row.attempt_count);
        }
        let sql = format!(
            "SELECT toUnixTimestamp(hour) AS at, toString(channel) AS channel, toString(metric) AS metric, toUInt64(bucket) AS bucket, \
             toUInt64(request_count) AS request_count FROM latency_hourly WHERE {window}"
        );
        for row in self.fetch_all::<Speed>(ask(&sql)).await? {
            let (_, speed) = hours.entry((row.at, row.channel)).or_default();
            let histogram = if row.metric == "ttft" { &mut speed.ttft } else { &mut speed.throughput };
            histogram.add(row.bucket, row.request_count);
        }
        let named = hours.into_iter().map(|((at, channel), (attempts, speed))| EndpointHour {
            hour: moment(at),
            attempts: EndpointAttempts { channel: channel.clone(), model: model.to_owned(), ..attempts },
            speed: EndpointSpeed { channel, model: model.to_owned(), ..speed },
        });
        Ok(named.collect())
    }
}

fn usage_sql(query: &UsageQuery) -> String {
    let mut filters = String::new();
    for (wanted, condition) in [
        (query.account.is_some(), "AND account_id = {account:UUID} "),
        (query.key.is_some(), "AND toString(key_id) = {key:String} "),
        (query.model.is_some(), "AND model = {model:String} "),
        (query.app.is_some(), "AND app = {app:String} "),
    ] {
        if wanted {
            filters.push_str(condition);
        }
    }
    for (place, filter) in query.filters.iter().enumerate() {
        let column = match filter.dimension {
            Dimension::Time => continue,
            Dimension::Account => "toString(account_id)",
            // Text in the rollups, a UUID or NULL of requests.
            Dimension::Key => "ifNull(toString(key_id), '')",
            Dimension::Model => "toString(model)",
            Dimension::Author => "if(position(model, '/') = 0, '', substring(toString(model), 1, position(model, '/') - 1))",
            Dimension::Channel => "toString(channel)",
            Dimension::Provider => "toString(provider)",
            Dimension::App => "toString(app)",
        };
        let not = if filter.is_excluded { "NOT " } else { "" };
        filters.push_str(&format!("AND {not}has({{filter{place}:Array(String)}}, {column}) "));
    }
    let is_of_endpoints = query.is_of_endpoint_days();
    let requesters = if query.account.is_none() { CUSTOMERS } else { "" };
    let owners = if is_of_endpoints { NO_OWNERS } else { OWNERS };
    let customers = if is_of_endpoints { "" } else { requesters };
    let common = [("[filters]", filters.as_str()), ("[owners]", owners), ("[customers]", customers), ("[requesters]", requesters)];
    let places = match query.interval {
        Interval::Day | Interval::Week | Interval::Month => [
            ("[bucket]", "day"),
            ("[table]", if is_of_endpoints { "endpoint_daily" } else { "usage_daily" }),
            ("[start]", "toDateTime(u.day, 'UTC')"),
            ("[event_start]", "toDateTime(toDate(e.admitted_at), 'UTC')"),
            ("[from]", "toDate(toDateTime({from:UInt32}, 'UTC'))"),
            ("[to]", "toDate(toDateTime({to:UInt32}, 'UTC'))"),
        ],
        Interval::Hour => [
            ("[bucket]", "hour"),
            ("[table]", "usage_hourly"),
            ("[start]", "u.hour"),
            ("[event_start]", "toStartOfHour(e.admitted_at)"),
            ("[from]", "toDateTime({from:UInt32}, 'UTC')"),
            ("[to]", "toDateTime({to:UInt32}, 'UTC')"),
        ],
    };
    let sources = common.iter().chain(&places).fold(SOURCES.to_owned(), |sql, (place, text)| sql.replace(place, text));
    let accounts = if query.counts_accounts { "uniqExact(s.account)" } else { "toUInt64(0)" };
    let at = match query.interval {
        _ if !query.by.contains(&Dimension::Time) => "toUInt32(0)",
        Interval::Hour | Interval::Day => "s.bucket",
        Interval::Week => "toUnixTimestamp(toDateTime(toMonday(toDateTime(s.bucket, 'UTC')), 'UTC'))",
        Interval::Month => "toUnixTimestamp(toDateTime(toStartOfMonth(toDateTime(s.bucket, 'UTC')), 'UTC'))",
    };
    let columns: Vec<&str> = query.by.iter().filter_map(|dimension| column(*dimension)).collect();
    let named = if columns.is_empty() { "CAST([], 'Array(String)')".to_owned() } else { format!("[{}]", columns.join(", ")) };
    format!(
        "SELECT {at} AS at, {named} AS named, {SUMS}, {accounts} AS accounts {sources} AS s GROUP BY at, named \
         ORDER BY sum(s.prompt_tokens) + sum(s.completion_tokens) DESC, at, named LIMIT {GROUPS_MAX}"
    )
}

fn bound(mut sql: Query, query: &UsageQuery) -> Query {
    if let Some(account) = query.account {
        sql = sql.param("account", account.uuid().hyphenated().to_string());
    }
    if let Some(key) = query.key {
        sql = sql.param("key", key.uuid().hyphenated().to_string());
    }
    if let Some(model) = &query.model {
        sql = sql.param("model", model);
    }
    if let Some(app) = &query.app {
        sql = sql.param("app", app);
    }
    for (place, filter) in query.filters.iter().enumerate() {
        sql = sql.param(&format!("filter{place}"), &filter.values);
    }
    let (from, to) = (bucket_start(query.from, query.interval), bucket_start(query.to, query.interval));
    sql.param("from", seconds(from)).param("to", seconds(to)).param("from_micros", micros(from)).param("to_micros", micros(to))
}

fn bucket_start(at: Timestamp, interval: Interval) -> Timestamp {
    let at = crate::row::within_times(at);
    match interval {
        Interval::Day | Interval::Week | Interval::Month => at.day().start(),
        Interval::Hour => Timestamp::from_micros(at.micros() - at.micros().rem_euclid(3_600_000_000)),
    }
}

fn micros(at: Timestamp) -> i64 {
    super::row::micros(at)
}

fn moment(seconds: u32) -> Timestamp {
    Timestamp::from_micros(i64::from(seconds) * 1_000_000)
}

impl Group {
    fn read(self, has_time: bool) -> UsageGroup {
        UsageGroup {
            at: has_time.then(|| moment(self.at)),
            values: self.named,
            totals: UsageTotals {
                requests: self.request_count,
                ok: self.ok_count,
                errors: self.error_count,
                cancelled: self.cancelled_count,
                prompt_tokens: self.prompt_tokens,
                completion_tokens: self.completion_tokens,
                reasoning_tokens: self.reasoning_tokens,
                cached_tokens: self.cached_tokens,
                charged: NanoUsd::from_nanos(self.charge_nanos),
                accounts: self.accounts,
            },
        }
    }
}
