//! Analytics in SQLite: one writer with `BEGIN IMMEDIATE`, a pool of readers, write-ahead logging.
//!
//! `synchronous = NORMAL`: a power cut may take the newest transactions, rows and position together, and they are
//! projected again from the log. SQL stands where it is used; `row.rs` maps a row, `project.rs` writes a
//! batch, `refresh.rs` derives, `digest.rs` hashes, the rest reads.

mod digest;
mod endpoints;
mod generations;
mod project;
mod provider_cost;
mod refresh;
mod row;
mod statistics;
mod text;
mod usage;

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, Transaction};

use crate::error::AnalyticsError;
use crate::store::Access;

static MIGRATIONS: Migrator = sqlx::migrate!("../migrations/sqlite/analytics");

/// Queries that read at the same time.
const READERS_MAX: u32 = 4;
/// How long a reader is waited for.
const READER_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long the writer is waited for, in this process or another: a refresh of a very large hour takes this long.
const WRITER_WAIT_MAX: Duration = Duration::from_secs(60);
/// Pages of the write-ahead log before they are moved into the database, 32 MiB: hot index pages are moved once
/// for many batches.
const CHECKPOINT_PAGES: &str = "8192";
/// Page cache of the writer. Negative: KiB.
const WRITER_CACHE: &str = "-8192";

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct SqliteAnalytics {
    /// Of one connection: whoever has it is the writer. `None` when opened for reading.
    writer: Option<SqlitePool>,
    readers: SqlitePool,
}

impl SqliteAnalytics {
    pub(crate) async fn open(url: &str, access: Access) -> Result<Self, AnalyticsError> {
        let options = SqliteConnectOptions::from_str(url).map_err(|_| AnalyticsError::Url(url.to_owned()))?.busy_timeout(READER_WAIT_MAX);
        let writer = match access {
            Access::ReadOnly => None,
            Access::ReadWrite => {
                let options = options.clone().create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
                let options = options
                    .busy_timeout(WRITER_WAIT_MAX)
                    .synchronous(SqliteSynchronous::Normal)
                    .pragma("cache_size", WRITER_CACHE)
                    .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
                Some(pool(1, WRITER_WAIT_MAX).connect_with(options).await?)
            }
        };
        let readers = pool(READERS_MAX, READER_WAIT_MAX).connect_with(options.read_only(true)).await?;
        Ok(Self { writer, readers })
    }

    pub(crate) async fn migrate(&self) -> Result<(), AnalyticsError> {
        Ok(MIGRATIONS.run(self.writer()?).await?)
    }

    fn writer(&self) -> Result<&SqlitePool, AnalyticsError> {
        self.writer.as_ref().ok_or(AnalyticsError::ReadOnly)
    }

    /// A transaction that holds the write lock from its first statement, so that what it reads stays true.
    async fn begin_write(&self) -> Result<Transaction<'static, Sqlite>, AnalyticsError> {
        Ok(self.writer()?.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(crate) async fn position(&self) -> Result<u64, AnalyticsError> {
        project::read_position(&mut *self.readers.acquire().await?).await
    }

    pub(crate) async fn dirty_count(&self) -> Result<u64, AnalyticsError> {
        self.count("SELECT count(*) FROM dirty_buckets").await
    }

    pub(crate) async fn quarantined(&self) -> Result<u64, AnalyticsError> {
        self.count("SELECT count(*) FROM projection_quarantine").await
    }

    async fn count(&self, sql: &'static str) -> Result<u64, AnalyticsError> {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(&self.readers).await?;
        text::unsigned("count", count)
    }
}

fn pool(connections_max: u32, wait_max: Duration) -> SqlitePoolOptions {
    let pool = SqlitePoolOptions::new().max_connections(connections_max).acquire_timeout(wait_max).idle_timeout(None).max_lifetime(None);
    // SQLite rolls back by itself when its disk is full, which sqlx does not see: such a connection would take no other
    // transaction, and is closed.
    pool.after_release(|connection, _| {
        Box::pin(async move {
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    })
}
