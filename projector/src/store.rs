//! The analytics store: a port with one method set whatever the engine behind it.
//!
//! **Contract.** `project` writes rows and then the log position, or both in one transaction; it is idempotent by request
//! id and by position, and marks what it makes stale; `refresh` recomputes what is stale. When nothing is, every table is
//! a function of the log up to `position` alone. Queries that say *exact* do not wait for `refresh`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use eventlog::Entry;
use schemas::{Day, RequestId, Timestamp};

use crate::clickhouse::{self, ClickHouseAnalytics};
use crate::endpoint::{EndpointAttempts, EndpointSpeed};
use crate::error::AnalyticsError;
use crate::fold::{Fact, fold_all};
use crate::provider_cost::ProviderCost;
use crate::query::{
    ActivityQuery, ActivityRow, ChargeTotal, GenerationQuery, ModelStatsRow, ModelUsageRow, Page, RankingKind, RankingPeriod, RankingRow,
};
use crate::row::UsageRow;
use crate::sqlite::SqliteAnalytics;
use crate::tail::Tail;
use crate::usage::{EndpointHour, UsageGroup, UsageQuery};

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Creates the database when it is not there.
    ReadWrite,
    /// Beside a live writer or on a stopped folder.
    ReadOnly,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProjectOutcome {
    /// Where the store stands now.
    pub position: u64,
    /// Requests seen for the first time.
    pub inserted: u64,
    /// Requests whose late settlement replaced an expiry or a recovered release.
    pub superseded: u64,
    /// Terminal events without effect: their request had ended before.
    pub ignored: u64,
    /// Events that are none of analytics' business.
    pub other: u64,
    pub quarantined: u64,
    /// Entries at or before the position the store already had.
    pub skipped: u64,
}

/// What a refresh computed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RefreshOutcome {
    pub hours: u64,
    pub days: u64,
    pub rankings: u64,
}

/// SHA-256 of every table's rows in key order, and the log position they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    pub position: u64,
    pub tables: BTreeMap<String, String>,
}

/// Cheap to clone.
#[derive(Debug, Clone)]
pub enum AnalyticsStore {
    Sqlite(SqliteAnalytics),
    ClickHouse(Arc<ClickHouseAnalytics>),
}

impl AnalyticsStore {
    /// Opens `sqlite://path`, or `clickhouse://user:password@host:port/database` (also `http://…`, `https://…`), whose
    /// server must be there and have the database. Nothing is migrated yet.
    pub async fn open(url: &str, access: Access) -> Result<Self, AnalyticsError> {
        if url.starts_with("sqlite:") {
            return Ok(Self::Sqlite(SqliteAnalytics::open(url, access).await?));
        }
        if clickhouse::is_clickhouse(url) {
            return Ok(Self::ClickHouse(Arc::new(ClickHouseAnalytics::open(url, access).await?)));
        }
        Err(AnalyticsError::Url(clickhouse::redacted(url)))
    }

    /// The same without asking a server, which is away: its queries fail until it is back, and whoever writes to it checks it.
    pub async fn open_later(url: &str, access: Access) -> Result<Self, AnalyticsError> {
        if clickhouse::is_clickhouse(url) {
            return Ok(Self::ClickHouse(Arc::new(ClickHouseAnalytics::unchecked(url, access)?)));
        }
        Self::open(url, access).await
    }

    /// Brings the tables up to date.
    pub async fn migrate(&self) -> Result<(), AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.migrate().await,
            Self::ClickHouse(store) => store.migrate().await,
        }
    }

    /// The last log position that is projected; 0 for none.
    pub async fn position(&self) -> Result<u64, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.position().await,
            Self::ClickHouse(store) => store.position().await,
        }
    }

    /// Projects entries in log order. Those already projected are skipped; a gap before them is an error.
    pub async fn project(&self, entries: &[Entry]) -> Result<ProjectOutcome, AnalyticsError> {
        self.project_facts(fold_all(entries).await).await
    }

    /// [`Self::project`] of entries that are already read, so that the next batch can be read while one is written.
    pub async fn project_facts(&self, facts: Vec<(u64, Fact)>) -> Result<ProjectOutcome, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.project(facts).await,
            Self::ClickHouse(store) => store.project(facts).await,
        }
    }

    /// What stood at the position the rows reach, or a little before; `None` where it was never noted.
    pub async fn tail(&self) -> Result<Option<Tail>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.tail().await,
            Self::ClickHouse(store) => store.tail().await,
        }
    }

    pub async fn note_tail(&self, tail: Tail) -> Result<(), AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.note_tail(tail).await,
            Self::ClickHouse(store) => store.note_tail(tail).await,
        }
    }

    /// Recomputes every stale bucket. Cheap when there is none.
    pub async fn refresh(&self) -> Result<RefreshOutcome, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.refresh().await,
            Self::ClickHouse(store) => store.refresh().await,
        }
    }

    /// Buckets that wait for [`Self::refresh`].
    pub async fn dirty_count(&self) -> Result<u64, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.dirty_count().await,
            Self::ClickHouse(store) => store.dirty_count().await,
        }
    }

    /// *Exact.* One request.
    pub async fn generation(&self, request: RequestId) -> Result<Option<UsageRow>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.generation(request).await,
            Self::ClickHouse(store) => store.generation(request).await,
        }
    }

    /// *Exact.* Requests, newest first.
    pub async fn generations(&self, query: GenerationQuery) -> Result<Page<UsageRow>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.generations(query).await,
            Self::ClickHouse(store) => store.generations(query).await,
        }
    }

    /// *Exact.* Newest day first, then by model, provider and channel. Expired holds name no model and are left out.
    pub async fn activity(&self, query: ActivityQuery) -> Result<Vec<ActivityRow>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.activity(query).await,
            Self::ClickHouse(store) => store.activity(query).await,
        }
    }

    /// *Exact.* By model over all the days, most tokens first.
    pub async fn model_usage(&self, query: ActivityQuery) -> Result<Vec<ModelUsageRow>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.model_usage(query).await,
            Self::ClickHouse(store) => store.model_usage(query).await,
        }
    }

    /// *Exact.* Usage by the dimensions asked for: most tokens first, equals by the dimensions in their order.
    pub async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageGroup>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.usage(query).await,
            Self::ClickHouse(store) => store.usage(query).await,
        }
    }

    /// A model's endpoints by the hour, as last refreshed: hours that begin in `from..to`, then by channel.
    pub async fn endpoint_hours(&self, model: &str, from: Timestamp, to: Timestamp) -> Result<Vec<EndpointHour>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.endpoint_hours(model, from, to).await,
            Self::ClickHouse(store) => store.endpoint_hours(model, from, to).await,
        }
    }

    /// `model_stats` as last refreshed, both days included, by date and model.
    pub async fn model_stats(&self, from: Day, to: Day) -> Result<Vec<ModelStatsRow>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.model_stats(from, to).await,
            Self::ClickHouse(store) => store.model_stats(from, to).await,
        }
    }

    /// `rankings` as last refreshed, best first.
    pub async fn rankings(&self, period: RankingPeriod, kind: RankingKind, limit: u32) -> Result<Vec<RankingRow>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.rankings(period, kind, limit).await,
            Self::ClickHouse(store) => store.rankings(period, kind, limit).await,
        }
    }

    /// The titles that apps gave themselves, as last refreshed: of the latest day on which they gave one.
    pub async fn app_titles(&self, apps: &[&str]) -> Result<HashMap<String, String>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.app_titles(apps).await,
            Self::ClickHouse(store) => store.app_titles(apps).await,
        }
    }

    /// *Exact.* Attempts by endpoint of requests admitted in `from..to`.
    pub async fn endpoint_attempts(&self, from: Timestamp, to: Timestamp) -> Result<Vec<EndpointAttempts>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.endpoint_attempts(from, to).await,
            Self::ClickHouse(store) => store.endpoint_attempts(from, to).await,
        }
    }

    /// *Exact* counts in fixed buckets, of requests admitted in `from..to`, by the endpoint that served.
    pub async fn endpoint_speed(&self, from: Timestamp, to: Timestamp) -> Result<Vec<EndpointSpeed>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.endpoint_speed(from, to).await,
            Self::ClickHouse(store) => store.endpoint_speed(from, to).await,
        }
    }

    /// *Exact.* What the providers' answers to requests admitted on these UTC days cost, by day, channel and model: to be compared with
    /// the ledger, and with what providers invoice. Both days are included.
    pub async fn provider_costs(&self, from: Day, to: Day) -> Result<Vec<ProviderCost>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.provider_costs(from, to).await,
            Self::ClickHouse(store) => store.provider_costs(from, to).await,
        }
    }

    /// *Exact.* What every account was charged, by admission day: to be compared with the ledger.
    pub async fn charge_totals(&self) -> Result<Vec<ChargeTotal>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.charge_totals(None).await,
            Self::ClickHouse(store) => store.charge_totals(None).await,
        }
    }

    /// *Exact.* [`Self::charge_totals`] as they were when the store stood at this log position, which it must have reached.
    pub async fn charge_totals_at(&self, position: u64) -> Result<Vec<ChargeTotal>, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.charge_totals(Some(position)).await,
            Self::ClickHouse(store) => store.charge_totals(Some(position)).await,
        }
    }

    /// How many log entries could not be read.
    pub async fn quarantined(&self) -> Result<u64, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.quarantined().await,
            Self::ClickHouse(store) => store.quarantined().await,
        }
    }

    /// Refreshes, then hashes every table in one snapshot. A read-only store with stale buckets refuses.
    pub async fn snapshot_digests(&self) -> Result<Digests, AnalyticsError> {
        match self {
            Self::Sqlite(store) => store.digests().await,
            Self::ClickHouse(store) => store.digests().await,
        }
    }

    /// [`Self::snapshot_digests`] without the position.
    pub async fn digests(&self) -> Result<BTreeMap<String, String>, AnalyticsError> {
        Ok(self.snapshot_digests().await?.tables)
    }
}
