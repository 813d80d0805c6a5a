//! Usage by day and model, model statistics, rankings.
//!
//! `activity` and `model_usage` are exact without waiting for a refresh: days that are up to date come from
//! `usage_daily` (of everybody: `endpoint_daily`), stale ones from `usage_events`, in one statement, that is one snapshot.

use std::collections::HashMap;

use schemas::{Day, NanoUsd};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::SqliteAnalytics;
use super::row::{count, id_text, json};
use super::text::parse;
use crate::error::AnalyticsError;
use crate::query::{ActivityQuery, ActivityRow, ModelStatsRow, ModelUsageRow, RANKING_ROWS_MAX, RankingKind, RankingPeriod, RankingRow};

const STALE_DAYS: &str = "WITH stale (day) AS (\
     SELECT bucket FROM dirty_buckets WHERE level = 'day' UNION SELECT substr(bucket, 1, 10) FROM dirty_buckets WHERE level = 'hour')";
/// Both sources of usage give these columns.
const FROM_DAILY: &str = " FROM (SELECT day, model, channel, provider, request_count, error_count, prompt_tokens, completion_tokens, \
     reasoning_tokens, cached_tokens, charge_nanos FROM ";
const WHERE_FRESH: &str = " WHERE day NOT IN (SELECT day FROM stale) AND model <> ''";
const FROM_EVENTS: &str = " UNION ALL SELECT e.day, model, channel, provider, 1, status = 'error', prompt_tokens, completion_tokens, \
     reasoning_tokens, cache_read_tokens, charge_nanos FROM stale CROSS JOIN usage_events AS e \
     ON e.admitted_at >= stale.day AND e.admitted_at < stale.day || '~' WHERE model <> ''";

impl SqliteAnalytics {
    pub(crate) async fn activity(&self, query: ActivityQuery) -> Result<Vec<ActivityRow>, AnalyticsError> {
        let mut sql = usage_sql(
            " SELECT day, model, channel, provider, sum(request_count) AS request_count, sum(prompt_tokens) AS prompt_tokens, \
             sum(completion_tokens) AS completion_tokens, sum(reasoning_tokens) AS reasoning_tokens, sum(charge_nanos) AS charge_nanos",
            query,
        );
        sql.push(" GROUP BY day, model, provider, channel ORDER BY day DESC, model, provider, channel");
        let rows = sql.build().fetch_all(&self.readers).await?;
        rows.iter().map(activity_row).collect()
    }

    pub(crate) async fn model_usage(&self, query: ActivityQuery) -> Result<Vec<ModelUsageRow>, AnalyticsError> {
        let mut sql = usage_sql(
            " SELECT model, sum(request_count) AS request_count, sum(error_count) AS error_count, sum(prompt_tokens) AS prompt_tokens, \
             sum(completion_tokens) AS completion_tokens, sum(reasoning_tokens) AS reasoning_tokens, sum(cached_tokens) AS cached_tokens, \
             sum(charge_nanos) AS charge_nanos",
            query,
        );
        sql.push(" GROUP BY model ORDER BY sum(prompt_tokens) + sum(completion_tokens) DESC, model");
        let rows = sql.build().fetch_all(&self.readers).await?;
        rows.iter().map(model_usage_row).collect()
    }

    pub(crate) async fn model_stats(&self, from: Day, to: Day) -> Result<Vec<ModelStatsRow>, AnalyticsError> {
        let sql = "SELECT * FROM model_stats WHERE date >= $1 AND date <= $2 ORDER BY date, model";
        let rows = sqlx::query(sql).bind(from.to_string()).bind(to.to_string()).fetch_all(&self.readers).await?;
        rows.iter().map(model_stats_row).collect()
    }

    pub(crate) async fn rankings(&self, period: RankingPeriod, kind: RankingKind, limit: u32) -> Result<Vec<RankingRow>, AnalyticsError> {
        let sql = "SELECT * FROM rankings WHERE period = $1 AND kind = $2 ORDER BY rank LIMIT $3";
        let limit = limit.clamp(1, RANKING_ROWS_MAX);
        let rows = sqlx::query(sql).bind(period.to_string()).bind(kind.as_str()).bind(limit).fetch_all(&self.readers).await?;
        rows.iter().map(ranking_row).collect()
    }
}

impl SqliteAnalytics {
    pub(crate) async fn app_titles(&self, apps: &[&str]) -> Result<HashMap<String, String>, AnalyticsError> {
        if apps.is_empty() {
            return Ok(HashMap::new());
        }
        // The other columns of a group with one max() are those of the row that has it.
        let mut sql = QueryBuilder::new("SELECT app, title, max(date) FROM app_stats WHERE title <> '' AND app IN (");
        let mut names = sql.separated(", ");
        for app in apps {
            names.push_bind((*app).to_owned());
        }
        sql.push(") GROUP BY app");
        let rows: Vec<(String, String, String)> = sql.build_query_as().fetch_all(&self.readers).await?;
        Ok(rows.into_iter().map(|(app, title, _)| (app, title)).collect())
    }
}

/// `selection` over the usage of the wanted days, account and key.
fn usage_sql(selection: &str, query: ActivityQuery) -> QueryBuilder<Sqlite> {
    let (from, to) = (query.from.to_string(), query.to.to_string());
    let mut sql = QueryBuilder::new(STALE_DAYS);
    let is_of_everybody = query.account.is_none() && query.key.is_none();
    let table = if is_of_everybody { "endpoint_daily" } else { "usage_daily" };
    sql.push(selection).push(FROM_DAILY).push(table).push(WHERE_FRESH);
    sql.push(" AND day >= ").push_bind(from.clone()).push(" AND day <= ").push_bind(to.clone());
    if !is_of_everybody {
        push_owner(&mut sql, query);
    }
    sql.push(FROM_EVENTS);
    sql.push(" AND stale.day >= ").push_bind(from).push(" AND stale.day <= ").push_bind(to);
    push_owner(&mut sql, query);
    sql.push(")");
    sql
}

fn push_owner(sql: &mut QueryBuilder<Sqlite>, query: ActivityQuery) {
    match query.account {
        Some(account) => sql.push(" AND account_id = ").push_bind(id_text(account.uuid())),
        None => sql.push(" AND account_id <> '00000000-0000-0000-0000-000000000000'"),
    };
    if let Some(key) = query.key {
        sql.push(" AND key_id = ").push_bind(id_text(key.uuid()));
    }
}

fn nanos(row: &SqliteRow, column: &'static str) -> Result<NanoUsd, AnalyticsError> {
    Ok(NanoUsd::from_nanos(row.try_get(column)?))
}

fn activity_row(row: &SqliteRow) -> Result<ActivityRow, AnalyticsError> {
    Ok(ActivityRow {
        date: parse("day", row.try_get("day")?)?,
        model: row.try_get("model")?,
        channel: row.try_get("channel")?,
        provider_name: row.try_get("provider")?,
        usage: nanos(row, "charge_nanos")?,
        requests: count(row, "request_count")?,
        prompt_tokens: count(row, "prompt_tokens")?,
        completion_tokens: count(row, "completion_tokens")?,
        reasoning_tokens: count(row, "reasoning_tokens")?,
    })
}

fn model_usage_row(row: &SqliteRow) -> Result<ModelUsageRow, AnalyticsError> {
    Ok(ModelUsageRow {
        model: row.try_get("model")?,
        usage: nanos(row, "charge_nanos")?,
        requests: count(row, "request_count")?,
        error_count: count(row, "error_count")?,
        prompt_tokens: count(row, "prompt_tokens")?,
        completion_tokens: count(row, "completion_tokens")?,
        reasoning_tokens: count(row, "reasoning_tokens")?,
        cached_tokens: count(row, "cached_tokens")?,
    })
}

fn model_stats_row(row: &SqliteRow) -> Result<ModelStatsRow, AnalyticsError> {
    Ok(ModelStatsRow {
        model: row.try_get("model")?,
        date: parse("date", row.try_get("date")?)?,
        request_count: count(row, "request_count")?,
        token_count: count(row, "token_count")?,
        prompt_tokens: count(row, "prompt_tokens")?,
        completion_tokens: count(row, "completion_tokens")?,
        reasoning_tokens: count(row, "reasoning_tokens")?,
        cached_tokens: count(row, "cached_tokens")?,
        tool_calls: count(row, "tool_calls")?,
        total_cost_nanos: nanos(row, "total_cost_nanos")?,
        provider_cost_nanos: nanos(row, "provider_cost_nanos")?,
        provider_cost_unknown_count: count(row, "provider_cost_unknown_count")?,
        ok_count: count(row, "ok_count")?,
        error_count: count(row, "error_count")?,
        cancelled_count: count(row, "cancelled_count")?,
        released_count: count(row, "released_count")?,
        avg_latency_ms: row.try_get("avg_latency_ms")?,
        avg_ttft_ms: row.try_get("avg_ttft_ms")?,
        ttft: json(row, "ttft_histogram")?,
        throughput: json(row, "throughput_histogram")?,
    })
}

fn ranking_row(row: &SqliteRow) -> Result<RankingRow, AnalyticsError> {
    Ok(RankingRow {
        rank: count(row, "rank")?,
        subject: row.try_get("subject")?,
        tokens: count(row, "tokens")?,
        requests: count(row, "requests")?,
        share: row.try_get("share")?,
        previous_tokens: count(row, "previous_tokens")?,
        change: row.try_get("change")?,
    })
}
