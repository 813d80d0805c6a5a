//! Analytics: the event log folded into tables that people query.
//!
//! Owns `usage_events` (one row a request), what is derived from it (hourly and daily rollups, model and
//! app statistics, rankings) and the queries over them. Everything here can be thrown away and rebuilt from
//! the log; nothing here ever decides about money. It must never read a clock for what it stores, and never
//! add to a stored sum: a changed bucket is computed anew from deduplicated rows, so that any replay gives
//! the same tables. Start at [`fold`] (event → row), then [`store`] and `sqlite/project.rs`; `sqlite/refresh.rs`
//! says how derived tables stay true, `clickhouse/mod.rs` how they do without transactions. Tables and columns are described in `docs/analytics.md`.

mod clickhouse;
pub mod endpoint;
pub mod error;
pub mod fold;
pub mod histogram;
pub mod metrics;
mod plan;
pub mod provider_cost;
pub mod query;
pub mod replay;
pub mod row;
mod sqlite;
pub mod store;
mod tail;
pub mod usage;
pub mod worker;

pub use clickhouse::{ClickHouseAnalytics, ClickHouseError};
pub use error::{AnalyticsError, Retry};
pub use provider_cost::{ProviderCost, ProviderTokens};
pub use query::{
    ActivityQuery, ActivityRow, ChargeTotal, GenerationQuery, ModelStatsRow, ModelUsageRow, Page, RankingKind, RankingPeriod, RankingRow,
};
pub use row::{Status, UsageRow};
pub use sqlite::SqliteAnalytics;
pub use store::{Access, AnalyticsStore, Digests, ProjectOutcome, RefreshOutcome};
pub use tail::Tail;
pub use usage::{Dimension, EndpointHour, Interval, UsageFilter, UsageGroup, UsageQuery, UsageTotals};
