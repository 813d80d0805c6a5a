//! Derived tables, made true again: hours from rows, days from hours, rankings from days.
//!
//! A bucket is computed as a whole in one statement a table and written with the position that stood before its sources
//! were read; then it is said to be computed. Nothing is ever added to a stored sum, and nothing is deleted: a group that
//! a bucket no longer has keeps a version that is too old to count (see the views in `migrations/clickhouse`).

use clickhouse::query::Query;
use eventlog::fault;
use futures_util::future::try_join_all;

use super::ClickHouseAnalytics;
use super::buckets::{Bucket, Level};
use super::row::day_text;
use crate::error::AnalyticsError;
use crate::query::{RANKING_ROWS_MAX, RankingPeriod};
use crate::store::RefreshOutcome;

/// Buckets recomputed by one statement.
const BUCKETS_MAX: usize = 24;
const HOUR_SECONDS: u32 = 3_600;
const DAY_SECONDS: u32 = 86_400;

const HOUR_SQL: [&str; 3] =
    [include_str!("sql/usage_hourly.sql"), include_str!("sql/latency_hourly.sql"), include_str!("sql/attempts_hourly.sql")];
const DAY_SQL: [&str; 4] = [
    include_str!("sql/usage_daily.sql"),
    include_str!("sql/endpoint_daily.sql"),
    include_str!("sql/model_stats.sql"),
    include_str!("sql/app_stats.sql"),
];

impl ClickHouseAnalytics {
    /// Levels in order, each until nothing of it is stale as of the position that stands now.
    pub(crate) async fn refresh(&self) -> Result<RefreshOutcome, AnalyticsError> {
        self.check_writable()?;
        let position = self.position().await?;
        Ok(RefreshOutcome {
            hours: self.refresh_level(Level::Hour, position).await?,
            days: self.refresh_level(Level::Day, position).await?,
            rankings: self.refresh_level(Level::Ranking, position).await?,
        })
    }

    async fn refresh_level(&self, level: Level, position: u64) -> Result<u64, AnalyticsError> {
        let mut recomputed = 0;
        loop {
            let buckets = self.stale(level, position, BUCKETS_MAX).await?;
            if !buckets.is_empty() {
                match level {
                    Level::Hour => self.recompute(&HOUR_SQL, &buckets, HOUR_SECONDS, position).await?,
                    Level::Day => self.recompute(&DAY_SQL, &buckets, DAY_SECONDS, position).await?,
                    Level::Ranking => self.recompute_rankings(&buckets, position).await?,
                }
                fault::point("projector.in_refresh");
                self.mark_computed(&buckets, position).await?;
                fault::point("projector.after_refresh");
            }
            recomputed += buckets.len() as u64;
            if buckets.len() < BUCKETS_MAX {
                return Ok(recomputed);
            }
        }
    }

    async fn recompute(&self, statements: &[&str], buckets: &[Bucket], seconds: u32, position: u64) -> Result<(), AnalyticsError> {
        let starts: Vec<u32> = buckets.iter().map(|bucket| bucket.bucket).collect();
        let first = starts.first().copied().unwrap_or_default();
        let past = starts.last().copied().unwrap_or_default().saturating_add(seconds);
        // They read the same tables and write different ones.
        let work = statements.iter().map(|statement| {
            let query = self.client.query(statement).param("first", first).param("past", past);
            self.execute(query.param("buckets", &starts).param("version", position))
        });
        try_join_all(work).await.map(drop)
    }

    async fn recompute_rankings(&self, buckets: &[Bucket], position: u64) -> Result<(), AnalyticsError> {
        let periods: Vec<RankingPeriod> = buckets.iter().filter_map(Bucket::period).collect();
        let first = periods.iter().map(|period| period.previous().start()).min();
        let past = periods.iter().map(|period| period.end()).max();
        let (Some(first), Some(past)) = (first, past) else { return Ok(()) };
        let query = self.client.query(include_str!("sql/rankings.sql"));
        let query = query.param("first", day_text(first)).param("past", day_text(past));
        self.execute(with_periods(query, &periods).param("rows", RANKING_ROWS_MAX).param("version", position)).await
    }
}

/// As the name, the kind, the first day of the one before, the first day and the day past the last.
fn with_periods(query: Query, periods: &[RankingPeriod]) -> Query {
    let periods: Vec<_> = periods
        .iter()
        .map(|period| {
            let days = [period.previous().start(), period.start(), period.end()].map(day_text);
            let [before, start, end] = days;
            (period.to_string(), period.kind(), before, start, end)
        })
        .collect();
    query.param("periods", periods)
}
