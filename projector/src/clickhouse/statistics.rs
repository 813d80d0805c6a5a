//! Usage by day and model, model statistics, rankings.
//!
//! `activity` and `model_usage` are exact without waiting for a refresh: days that are up to date come from `usage_daily` (of
//! everybody: `endpoint_daily`), stale ones from requests.

use std::collections::HashMap;

use clickhouse::query::Query;
use clickhouse::{Row, RowOwned, RowRead};
use schemas::{Day, NanoUsd};
use serde::Deserialize;

use super::ClickHouseAnalytics;
use super::buckets::{Level, seconds};
use super::row::{day_text, json};
use crate::error::AnalyticsError;
use crate::query::{ActivityQuery, ActivityRow, ModelStatsRow, ModelUsageRow, RANKING_ROWS_MAX, RankingKind, RankingPeriod, RankingRow};

/// Both sources of usage give the same columns; `[table]`, `[owner]` and `[requester]` are replaced: conditions on account and key.
const SOURCES: &str = "FROM (SELECT u.day AS day, u.model AS model, u.channel AS channel, u.provider AS provider, \
     u.request_count AS request_count, u.error_count AS error_count, u.prompt_tokens AS prompt_tokens, \
     u.completion_tokens AS completion_tokens, u.reasoning_tokens AS reasoning_tokens, u.cached_tokens AS cached_tokens, \
     u.charge_nanos AS charge_nanos FROM [table] AS u WHERE u.model <> '' AND u.day BETWEEN {from:Date} AND {to:Date} \
     AND toUnixTimestamp(toDateTime(u.day, 'UTC')) NOT IN {stale:Array(UInt32)} [owner] \
     UNION ALL SELECT e.day, e.model, e.channel, e.provider, 1, e.status = 'error', e.prompt_tokens, e.completion_tokens, \
     e.reasoning_tokens, e.cache_read_tokens, e.charge_nanos FROM stored_usage_events AS e FINAL \
     WHERE e.model <> '' AND e.admitted_at >= {from:DateTime64(6, 'UTC')} AND e.admitted_at < {past:DateTime64(6, 'UTC')} \
     AND toUnixTimestamp(toDateTime(e.day, 'UTC')) IN {stale:Array(UInt32)} [requester])";

#[derive(Row, Deserialize)]
struct Activity {
    day: u16,
    model: String,
    channel: String,
    provider: String,
    request_count: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    charge_nanos: i64,
}

#[derive(Row, Deserialize)]
struct ModelUsage {
    model: String,
    request_count: u64,
    error_count: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    cached_tokens: u64,
    charge_nanos: i64,
}

#[derive(Row, Deserialize)]
struct ModelStats {
    model: String,
    date: u16,
    request_count: u64,
    token_count: u64,
    prompt_tokens: u64,
    completion_tokens: u64,
    reasoning_tokens: u64,
    cached_tokens: u64,
    tool_calls: u64,
    total_cost_nanos: i64,
    provider_cost_nanos: i64,
    provider_cost_unknown_count: u64,
    ok_count: u64,
    error_count: u64,
    cancelled_count: u64,
    released_count: u64,
    avg_latency_ms: f64,
    avg_ttft_ms: Option<f64>,
    ttft_histogram: String,
    throughput_histogram: String,
}

#[derive(Row, Deserialize)]
struct Ranking {
    rank: u32,
    subject: String,
    tokens: u64,
    requests: u64,
    share: f64,
    previous_tokens: u64,
    change: Option<f64>,
}

impl ClickHouseAnalytics {
    pub(crate) async fn activity(&self, query: ActivityQuery) -> Result<Vec<ActivityRow>, AnalyticsError> {
        let selection = "SELECT s.day AS day, s.model AS model, s.channel AS channel, s.provider AS provider, \
             sum(s.request_count) AS request_count, sum(s.prompt_tokens) AS prompt_tokens, sum(s.completion_tokens) AS completion_tokens, \
             sum(s.reasoning_tokens) AS reasoning_tokens, sum(s.charge_nanos) AS charge_nanos";
        let order = "GROUP BY s.day, s.model, s.provider, s.channel ORDER BY s.day DESC, s.model, s.provider, s.channel";
        let rows: Vec<Activity> = self.daily_usage(selection, order, query).await?;
        Ok(rows.into_iter().map(Activity::read).collect())
    }

    pub(crate) async fn model_usage(&self, query: ActivityQuery) -> Result<Vec<ModelUsageRow>, AnalyticsError> {
        let selection = "SELECT s.model AS model, sum(s.request_count) AS request_count, sum(s.error_count) AS error_count, \
             sum(s.prompt_tokens) AS prompt_tokens, sum(s.completion_tokens) AS completion_tokens, \
             sum(s.reasoning_tokens) AS reasoning_tokens, sum(s.cached_tokens) AS cached_tokens, sum(s.charge_nanos) AS charge_nanos";
        let order = "GROUP BY s.model ORDER BY sum(s.prompt_tokens) + sum(s.completion_tokens) DESC, s.model";
        let rows: Vec<ModelUsage> = self.daily_usage(selection, order, query).await?;
        Ok(rows.into_iter().map(ModelUsage::read).collect())
    }

    /// `selection` over the usage of the wanted days, account and key, as `s`.
    async fn daily_usage<T: RowOwned + RowRead>(
        &self,
        selection: &str,
        order: &str,
        query: ActivityQuery,
    ) -> Result<Vec<T>, AnalyticsError> {
        let account = match query.account {
            Some(_) => "AND account_id = {account:UUID} ",
            None => "AND account_id <> toUUID('00000000-0000-0000-0000-000000000000') ",
        };
        // The key is text in the rollups and a UUID of the requests: both compare as text.
        let key = query.key.map_or("", |_| "AND toString(key_id) = {key:String}");
        let requester = format!("{account}{key}");
        let is_of_everybody = query.account.is_none() && query.key.is_none();
        let (table, owner) = if is_of_everybody { ("endpoint_daily", "") } else { ("usage_daily", requester.as_str()) };
        let sources = SOURCES.replace("[table]", table).replace("[owner]", owner).replace("[requester]", &requester);
        let sql = format!("{selection} {sources} AS s {order}");
        let starts = seconds(query.from.start())..seconds(query.to.plus(1).start());
        self.read_steadily(Level::Day, starts, |stale| self.fetch_all(bound(self.client.query(&sql), query).param("stale", stale))).await
    }

    pub(crate) async fn app_titles(&self, apps: &[&str]) -> Result<HashMap<String, String>, AnalyticsError> {
        if apps.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = "SELECT app, argMax(assumeNotNull(title), date) FROM app_stats \
                   WHERE title IS NOT NULL AND title <> '' AND has({apps:Array(String)}, app) GROUP BY app";
        let rows: Vec<(String, String)> = self.fetch_all(self.client.query(sql).param("apps", apps)).await?;
        Ok(rows.into_iter().collect())
    }

    pub(crate) async fn model_stats(&self, from: Day, to: Day) -> Result<Vec<ModelStatsRow>, AnalyticsError> {
        let sql = "SELECT ?fields FROM model_stats WHERE date BETWEEN {from:Date} AND {to:Date} ORDER BY date, model";
        let query = self.client.query(sql).param("from", day_text(from)).param("to", day_text(to));
        let rows: Vec<ModelStats> = self.fetch_all(query).await?;
        rows.into_iter().map(ModelStats::read).collect()
    }

    pub(crate) async fn rankings(&self, period: RankingPeriod, kind: RankingKind, limit: u32) -> Result<Vec<RankingRow>, AnalyticsError> {
        let sql = "SELECT ?fields FROM rankings WHERE period_kind = {period_kind:String} AND period_start = {start:Date} \
                   AND kind = {kind:String} ORDER BY rank LIMIT {limit:UInt32}";
        let query = self.client.query(sql).param("period_kind", period.kind()).param("start", day_text(period.start()));
        let query = query.param("kind", kind.as_str()).param("limit", limit.clamp(1, RANKING_ROWS_MAX));
        let rows: Vec<Ranking> = self.fetch_all(query).await?;
        Ok(rows.into_iter().map(Ranking::read).collect())
    }
}

fn bound(mut sql: Query, query: ActivityQuery) -> Query {
    if let Some(account) = query.account {
        sql = sql.param("account", account.uuid().hyphenated().to_string());
    }
    if let Some(key) = query.key {
        sql = sql.param("key", key.uuid().hyphenated().to_string());
    }
    sql.param("from", day_text(query.from)).param("to", day_text(query.to)).param("past", day_text(query.to.plus(1)))
}

fn day(number: u16) -> Day {
    Day::from_number(i32::from(number))
}

impl Activity {
    fn read(self) -> ActivityRow {
        ActivityRow {
            date: day(self.day),
            model: self.model,
            channel: self.channel,
            provider_name: self.provider,
            usage: NanoUsd::from_nanos(self.charge_nanos),
            requests: self.request_count,
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            reasoning_tokens: self.reasoning_tokens,
        }
    }
}

impl ModelUsage {
    fn read(self) -> ModelUsageRow {
        ModelUsageRow {
            model: self.model,
            usage: NanoUsd::from_nanos(self.charge_nanos),
            requests: self.request_count,
            error_count: self.error_count,
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            reasoning_tokens: self.reasoning_tokens,
            cached_tokens: self.cached_tokens,
        }
    }
}

impl ModelStats {
    fn read(self) -> Result<ModelStatsRow, AnalyticsError> {
        Ok(ModelStatsRow {
            model: self.model,
            date: day(self.date),
            request_count: self.request_count,
            token_count: self.token_count,
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            reasoning_tokens: self.reasoning_tokens,
            cached_tokens: self.cached_tokens,
            tool_calls: self.tool_calls,
            total_cost_nanos: NanoUsd::from_nanos(self.total_cost_nanos),
            provider_cost_nanos: NanoUsd::from_nanos(self.provider_cost_nanos),
            provider_cost_unknown_count: self.provider_cost_unknown_count,
            ok_count: self.ok_count,
            error_count: self.error_count,
            cancelled_count: self.cancelled_count,
            released_count: self.released_count,
            avg_latency_ms: self.avg_latency_ms,
            avg_ttft_ms: self.avg_ttft_ms,
            ttft: json("ttft_histogram", &self.ttft_histogram)?,
            throughput: json("throughput_histogram", &self.throughput_histogram)?,
        })
    }
}

impl Ranking {
    fn read(self) -> RankingRow {
        RankingRow {
            rank: u64::from(self.rank),
            subject: self.subject,
            tokens: self.tokens,
            requests: self.requests,
            share: self.share,
            previous_tokens: self.previous_tokens,
            change: self.change,
        }
    }
}
