//! Derived tables, made true again: hours from rows, days from hours, rankings from days.
//!
//! A source and the mark of what it makes stale change in one transaction; a bucket and its mark are
//! rewritten and cleared in one transaction, which marks the level above. So **without any mark, every derived table
//! equals a recomputation from `usage_events`**, whatever crashed in between, and a replay in other batches ends
//! in the same tables. Nothing is ever added to a stored sum.

use schemas::{Day, Timestamp};
use sqlx::sqlite::SqliteConnection;

use super::SqliteAnalytics;
use super::text::{hour_text, parse, past};
use crate::error::AnalyticsError;
use crate::query::{RANKING_ROWS_MAX, RankingPeriod};
use crate::store::RefreshOutcome;

/// Buckets recomputed in one transaction: projecting waits for no longer than these take.
const BUCKETS_PER_TRANSACTION: u32 = 8;

impl SqliteAnalytics {
    /// Levels in order, each until nothing of it is stale: recomputing one marks the next.
    pub(crate) async fn refresh(&self) -> Result<RefreshOutcome, AnalyticsError> {
        Ok(RefreshOutcome {
            hours: self.refresh_level("hour").await?,
            days: self.refresh_level("day").await?,
            rankings: self.refresh_level("ranking_day").await?
                + self.refresh_level("ranking_week").await?
                + self.refresh_level("ranking_month").await?,
        })
    }

    async fn refresh_level(&self, level: &'static str) -> Result<u64, AnalyticsError> {
        let mut recomputed = 0;
        loop {
            let mut transaction = self.begin_write().await?;
            let buckets = stale(&mut transaction, level).await?;
            if buckets.is_empty() {
                return Ok(recomputed);
            }
            for bucket in &buckets {
                recompute(&mut transaction, level, bucket).await?;
                recomputed += 1;
            }
            transaction.commit().await?;
        }
    }
}

async fn stale(connection: &mut SqliteConnection, level: &str) -> Result<Vec<String>, AnalyticsError> {
    let sql = "SELECT bucket FROM dirty_buckets WHERE level = $1 ORDER BY bucket LIMIT $2";
    Ok(sqlx::query_scalar(sql).bind(level).bind(BUCKETS_PER_TRANSACTION).fetch_all(connection).await?)
}

/// Clears the mark, rewrites the bucket, marks what is derived from it.
async fn recompute(connection: &mut SqliteConnection, level: &str, bucket: &str) -> Result<(), AnalyticsError> {
    let clear = "DELETE FROM dirty_buckets WHERE level = $1 AND bucket = $2";
    sqlx::query(clear).bind(level).bind(bucket).execute(&mut *connection).await?;
    if level == "hour" {
        return recompute_hour(connection, parse("bucket", bucket)?).await;
    }
    let day = parse("bucket", bucket)?;
    match level {
        "day" => recompute_day(connection, day).await,
        "ranking_day" => recompute_ranking(connection, RankingPeriod::Day(day)).await,
        "ranking_week" => recompute_ranking(connection, RankingPeriod::Week(day)).await,
        _ => recompute_ranking(connection, RankingPeriod::Month(day)).await,
    }
}

async fn recompute_hour(connection: &mut SqliteConnection, hour: Timestamp) -> Result<(), AnalyticsError> {
    let text = hour_text(hour);
    let prefix = text.trim_end_matches(":00:00Z");
    for delete in [
        "DELETE FROM usage_hourly WHERE hour = $1",
        "DELETE FROM latency_hourly WHERE hour = $1",
        "DELETE FROM attempts_hourly WHERE hour = $1",
    ] {
        sqlx::query(delete).bind(&text).execute(&mut *connection).await?;
    }
    for insert in [include_str!("sql/usage_hourly.sql"), include_str!("sql/latency_hourly.sql"), include_str!("sql/attempts_hourly.sql")] {
        sqlx::query(insert).bind(&text).bind(prefix).bind(past(prefix)).execute(&mut *connection).await?;
    }
    mark(connection, "day", hour.day()).await
}

async fn recompute_day(connection: &mut SqliteConnection, day: Day) -> Result<(), AnalyticsError> {
    let text = day.to_string();
    for delete in [
        "DELETE FROM usage_daily WHERE day = $1",
        "DELETE FROM endpoint_daily WHERE day = $1",
        "DELETE FROM model_stats WHERE date = $1",
        "DELETE FROM app_stats WHERE date = $1",
    ] {
        sqlx::query(delete).bind(&text).execute(&mut *connection).await?;
    }
    for insert in [
        include_str!("sql/usage_daily.sql"),
        include_str!("sql/endpoint_daily.sql"),
        include_str!("sql/model_stats.sql"),
        include_str!("sql/app_stats.sql"),
    ] {
        sqlx::query(insert).bind(&text).bind(past(&text)).execute(&mut *connection).await?;
    }
    // The next period's `change` looks back at this one.
    for period in [RankingPeriod::Day(day), RankingPeriod::Week(day), RankingPeriod::Month(day)] {
        for period in [period, period.next()] {
            mark(connection, ranking_level(period), period.start()).await?;
        }
    }
    Ok(())
}

async fn recompute_ranking(connection: &mut SqliteConnection, period: RankingPeriod) -> Result<(), AnalyticsError> {
    sqlx::query("DELETE FROM rankings WHERE period = $1").bind(period.to_string()).execute(&mut *connection).await?;
    sqlx::query(include_str!("sql/rankings.sql"))
        .bind(period.to_string())
        .bind(period.kind())
        .bind(period.previous().start().to_string())
        .bind(period.start().to_string())
        .bind(period.end().to_string())
        .bind(RANKING_ROWS_MAX)
        .execute(connection)
        .await?;
    Ok(())
}

async fn mark(connection: &mut SqliteConnection, level: &str, bucket: Day) -> Result<(), AnalyticsError> {
    let sql = "INSERT OR IGNORE INTO dirty_buckets (level, bucket) VALUES ($1, $2)";
    sqlx::query(sql).bind(level).bind(bucket.to_string()).execute(connection).await?;
    Ok(())
}

const fn ranking_level(period: RankingPeriod) -> &'static str {
    match period {
        RankingPeriod::Day(_) => "ranking_day",
        RankingPeriod::Week(_) => "ranking_week",
        RankingPeriod::Month(_) => "ranking_month",
    }
}
