//! The ledger store port: applies batches of log entries exactly once and answers what the books say.
//!
//! Every backend promises: a batch is one transaction with a compare-and-set on the log position; rows
//! are only ever inserted; a poisoned entry is kept in quarantine beside the position; what the pure
//! [`crate::apply`] decides is written as it is. It must never decide anything itself.
//! Start at [`LedgerStore`]; [`query`] has the shapes of the answers, [`sqlite`] the embedded backend,
//! [`postgres`] the distributed one. What both say in the same words stands here, once.

mod cache;
mod columns;
pub mod error;
mod journal;
mod lines;
mod named;
mod outcome;
pub mod postgres;
mod queries;
pub mod query;
mod read;
pub mod rows;
mod snapshot;
pub mod sqlite;
mod tables;
mod touched;
mod words;

use std::collections::BTreeMap;

use eventlog::Entry;
use schemas::Partition;

use crate::apply::Prepared;
use crate::chain::Checkpoint;
use crate::heads::{Due, HeadsLog};

pub use error::LedgerError;
pub use journal::{JournalEntry, JournalQuery};
pub use postgres::PostgresLedger;
pub use query::{
    AccountTotals, BatchOutcome, ChargeTotal, CreditOutcome, DueGrant, Page, PartitionHead, ProducerGap, RequestCharge, Transaction,
    TransactionQuery,
};
pub use snapshot::Snapshot;
pub use sqlite::SqliteLedger;

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    ReadWrite,
    /// Beside a live writer, or on a stopped folder.
    ReadOnly,
}

/// SHA-256 of every table's rows in key order, and the log position they belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    pub position: u64,
    pub tables: BTreeMap<String, String>,
}

/// The books, in any backend. Cheap to clone.
#[derive(Clone)]
pub enum LedgerStore {
    Sqlite(SqliteLedger),
    Postgres(PostgresLedger),
}

macro_rules! delegate {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            LedgerStore::Sqlite($store) => $call,
            LedgerStore::Postgres($store) => $call,
        }
    };
}

impl LedgerStore {
    /// Opens `sqlite://path` (created when opened for writing) or `postgres://user:password@host/database`.
    pub async fn open(url: &str, access: Access) -> Result<Self, LedgerError> {
        match url.split(':').next() {
            Some("sqlite") => SqliteLedger::open(url, access).await.map(Self::Sqlite),
            Some("postgres" | "postgresql") => PostgresLedger::open(url, access).await.map(Self::Postgres),
            scheme => Err(LedgerError::Address(scheme.unwrap_or_default().to_owned())),
        }
    }

    /// Brings the schema up to this version's. Idempotent.
    pub async fn migrate(&self) -> Result<(), LedgerError> {
        delegate!(self, store => store.migrate().await)
    }

    /// Heads are checkpointed into this file, which the audit also reads.
    #[must_use]
    pub fn with_heads(self, heads: HeadsLog) -> Self {
        match self {
            Self::Sqlite(store) => Self::Sqlite(store.with_heads(heads)),
            Self::Postgres(store) => Self::Postgres(store.with_heads(heads)),
        }
    }

    pub fn heads_log(&self) -> Option<&HeadsLog> {
        delegate!(self, store => store.heads_log())
    }

    /// Closes all connections; the store cannot be used afterwards.
    pub async fn close(&self) {
        delegate!(self, store => store.close().await);
    }

    /// Applies entries in one transaction. Those at or before the store's position are skipped; the rest
    /// must follow it without a gap.
    pub async fn apply_batch(&self, entries: &[Entry]) -> Result<BatchOutcome, LedgerError> {
        let prepared: Vec<Prepared> = entries.iter().map(Prepared::read).collect();
        self.apply_prepared(&prepared).await
    }

    /// [`Self::apply_batch`] for entries that were read and hashed ahead, on another core. Heads that could not be written after the batch
    /// before are written first.
    pub async fn apply_prepared(&self, batch: &[Prepared]) -> Result<BatchOutcome, LedgerError> {
        self.catch_up_heads().await?;
        delegate!(self, store => store.apply_prepared(batch).await)
    }

    /// The books at one log position, whatever a live worker does meanwhile.
    pub async fn snapshot(&self) -> Result<Snapshot, LedgerError> {
        match self {
            Self::Sqlite(store) => store.snapshot().await.map(Snapshot::Sqlite),
            Self::Postgres(store) => store.snapshot().await.map(Snapshot::Postgres),
        }
    }

    /// Checks the latest checkpoint of every partition against the books and writes those that a crash or a full
    /// disk left out. Nothing without a heads log.
    pub async fn verify_heads(&self) -> Result<(), LedgerError> {
        let Some(heads) = self.heads_log() else { return Ok(()) };
        heads.cut_broken()?;
        let lines = heads.read()?;
        let position = self.position().await?;
        let latest: BTreeMap<Partition, Checkpoint> = lines.iter().map(|line| (line.partition, *line)).collect();
        for line in latest.values() {
            if line.position > position || self.head_at(line.position).await?.is_none_or(|found| found != *line) {
                return Err(LedgerError::Checkpoint { partition: line.partition, ordinal: line.ordinal, file: heads.path().to_owned() });
            }
        }
        let last = lines.iter().map(|line| line.position).max().unwrap_or(0);
        let missing = self.heads_due(last, Due::after(&lines)).await?;
        if missing.is_empty() && !heads.is_behind() { Ok(()) } else { heads.append(&missing) }
    }

    /// Writes the heads that could not be written after a batch.
    pub(crate) async fn catch_up_heads(&self) -> Result<(), LedgerError> {
        if self.heads_log().is_some_and(HeadsLog::is_behind) { self.verify_heads().await } else { Ok(()) }
    }

    /// SHA-256 (hex) of all rows of every table, in key order: equal books have equal digests.
    pub async fn digests(&self) -> Result<BTreeMap<String, String>, LedgerError> {
        self.snapshot_digests().await.map(|digests| digests.tables)
    }

    /// [`Self::digests`], and the log position they belong to: a live worker goes on meanwhile.
    pub async fn snapshot_digests(&self) -> Result<Digests, LedgerError> {
        delegate!(self, store => store.snapshot_digests().await)
    }
}
