//! Which buckets are stale: `bucket_versions`, the highest position that changed a bucket and the one it was computed as of.
//!
//! **A mark is written before the rows it is for, with the position its batch will end at; a bucket is computed as of the
//! position that stood before its sources were read.** So a bucket whose rows are only partly there stays stale until the
//! batch's position is written, whoever recomputes it meanwhile and whatever crashes.

use std::collections::BTreeSet;
use std::future::Future;
use std::ops::Range;

use clickhouse::Row;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};

use super::ClickHouseAnalytics;
use crate::error::AnalyticsError;
use crate::query::RankingPeriod;

/// Tries to read derived and original rows while no bucket between them changes; then only original rows are read.
const STEADY_TRIES: usize = 3;

/// Levels, each derived from the one before; rankings of all kinds together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Hour,
    Day,
    Ranking,
}

/// A row of `bucket_versions`. `bucket` is its start in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Row, Serialize, Deserialize)]
struct Version {
    level: String,
    bucket: u32,
    marked: u64,
    computed: u64,
}

/// A bucket by its level's word and its start in seconds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Row, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub level: String,
    pub bucket: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Row, Deserialize)]
struct State {
    bucket: u32,
    marked: u64,
    computed: u64,
}

impl Level {
    /// Words of the column `level`.
    const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Hour => &["hour"],
            Self::Day => &["day"],
            Self::Ranking => &["ranking_day", "ranking_week", "ranking_month"],
        }
    }
}

impl Bucket {
    fn of(level: impl Into<String>, start: Timestamp) -> Self {
        Self { level: level.into(), bucket: seconds(start) }
    }

    /// The period of a bucket of rankings.
    pub fn period(&self) -> Option<RankingPeriod> {
        let day = Timestamp::from_micros(i64::from(self.bucket) * 1_000_000).day();
        match self.level.as_str() {
            "ranking_day" => Some(RankingPeriod::Day(day)),
            "ranking_week" => Some(RankingPeriod::Week(day)),
            "ranking_month" => Some(RankingPeriod::Month(day)),
            _ => None,
        }
    }
}

/// Start of a bucket, as it is stored. `UsageRow` admits no time that does not fit; a question may, and gets the nearest.
pub(super) fn seconds(start: Timestamp) -> u32 {
    start.unix_seconds().clamp(0, u32::MAX.into()) as u32
}

impl ClickHouseAnalytics {
    pub(crate) async fn dirty_count(&self) -> Result<u64, AnalyticsError> {
        let sql =
            "SELECT count() FROM (SELECT level, bucket FROM bucket_versions GROUP BY level, bucket HAVING max(marked) > max(computed))";
        self.fetch_one(self.client.query(sql)).await
    }

    /// Marks hours and everything that is derived from them, of a batch that ends at `position`.
    pub(super) async fn mark(&self, hours: &BTreeSet<Timestamp>, position: u64) -> Result<(), AnalyticsError> {
        let mut buckets = BTreeSet::new();
        for hour in hours {
            let day = hour.day();
            buckets.insert(Bucket::of("hour", *hour));
            buckets.insert(Bucket::of("day", day.start()));
            // The next period's `change` looks back at this one.
            for period in [RankingPeriod::Day(day), RankingPeriod::Week(day), RankingPeriod::Month(day)] {
                for period in [period, period.next()] {
                    buckets.insert(Bucket::of(format!("ranking_{}", period.kind()), period.start().start()));
                }
            }
        }
        let version = |bucket: Bucket| Version { level: bucket.level, bucket: bucket.bucket, marked: position, computed: 0 };
        self.insert("bucket_versions", &buckets.into_iter().map(version).collect::<Vec<_>>()).await
    }

    /// Says that buckets are computed as of `position`.
    pub(super) async fn mark_computed(&self, buckets: &[Bucket], position: u64) -> Result<(), AnalyticsError> {
        let version = |bucket: &Bucket| Version { level: bucket.level.clone(), bucket: bucket.bucket, marked: 0, computed: position };
        self.insert("bucket_versions", &buckets.iter().map(version).collect::<Vec<_>>()).await
    }

    /// The first stale buckets of a level that are not computed as of `position` yet. One whose batch is under way stays
    /// stale, but is not worth a second look at the same position.
    pub(super) async fn stale(&self, level: Level, position: u64, limit: usize) -> Result<Vec<Bucket>, AnalyticsError> {
        let sql = "SELECT v.level AS level, toUnixTimestamp(v.bucket) AS bucket FROM bucket_versions AS v \
                   WHERE v.level IN {levels:Array(String)} GROUP BY v.level, v.bucket \
                   HAVING max(v.marked) > max(v.computed) AND max(v.computed) < {position:UInt64} \
                   ORDER BY v.bucket, v.level LIMIT {limit:UInt64}";
        let query = self.client.query(sql).param("levels", level.words()).param("position", position).param("limit", limit as u64);
        self.fetch_all(query).await
    }

    /// Answers from derived rows of buckets that are not stale and from original rows of those that are, which `read` is
    /// given. There is no snapshot over two statements: where a bucket that was not stale has moved meanwhile, both are
    /// read again.
    pub(super) async fn read_steadily<T, F>(
        &self,
        level: Level,
        starts: Range<u32>,
        read: impl Fn(Vec<u32>) -> F,
    ) -> Result<T, AnalyticsError>
    where
        F: Future<Output = Result<T, AnalyticsError>>,
    {
        let mut before = self.states(level, &starts).await?;
        for _ in 0..STEADY_TRIES {
            let stale = before.iter().filter(|state| state.is_stale()).map(|state| state.bucket).collect();
            let answer = read(stale).await?;
            let after = self.states(level, &starts).await?;
            if before.iter().filter(|state| !state.is_stale()).all(|state| after.contains(state)) {
                return Ok(answer);
            }
            before = after;
        }
        read(before.iter().map(|state| state.bucket).collect()).await
    }

    async fn states(&self, level: Level, starts: &Range<u32>) -> Result<Vec<State>, AnalyticsError> {
        let sql = "SELECT toUnixTimestamp(v.bucket) AS bucket, max(v.marked) AS marked, max(v.computed) AS computed FROM bucket_versions AS v \
                   WHERE v.level IN {levels:Array(String)} AND v.bucket >= toDateTime({first:UInt32}, 'UTC') \
                   AND v.bucket < toDateTime({past:UInt32}, 'UTC') GROUP BY v.bucket ORDER BY v.bucket";
        let query = self.client.query(sql).param("levels", level.words()).param("first", starts.start).param("past", starts.end);
        self.fetch_all(query).await
    }
}

impl State {
    const fn is_stale(&self) -> bool {
        self.marked > self.computed
    }
}
