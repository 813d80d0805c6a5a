//! The embedded ledger store: one SQLite file in WAL mode.
//!
//! One connection writes, with `BEGIN IMMEDIATE`; others read beside it. `synchronous` is NORMAL on
//! purpose: after a power cut the last batches may be gone *as a whole*, position included, and the log
//! applies them again. Start at `apply.rs` (a batch), `scan.rs` (audit, digests).

mod apply;
mod insert;
mod preload;
mod scan;

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqliteSynchronous};

use crate::heads::HeadsLog;

use super::cache::Cache;
use super::{Access, LedgerError};

pub use scan::SqliteSnapshot;

/// How long a statement waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// Readers beside the writer: API queries, an audit, a few more.
const READERS_MAX: u32 = 4;
/// Pages in the write-ahead log (64 MiB) before it is copied back: a hot page is then copied once, not per batch.
const WAL_PAGES_MAX: &str = "16384";
/// Prepared statements kept per connection: every chunk size of every table, and the queries.
const STATEMENTS_MAX: usize = 200;

/// The ledger's own migrations table, because the control store may share the file.
const MIGRATIONS_TABLE: &str = "_ledger_migrations";

/// The embedded ledger. Cheap to clone.
#[derive(Clone)]
pub struct SqliteLedger {
    pub(super) readers: SqlitePool,
    writer: Option<SqlitePool>,
    inserts: Arc<insert::Inserts>,
    cache: Arc<Cache>,
    heads: Option<HeadsLog>,
}

impl SqliteLedger {
    pub async fn open(url: &str, access: Access) -> Result<Self, LedgerError> {
        if !url.starts_with("sqlite:") {
            return Err(LedgerError::Address(url.to_owned()));
        }
        let options = SqliteConnectOptions::from_str(url)?
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(STATEMENTS_MAX)
            .disable_statement_logging();
        let writer = match access {
            Access::ReadOnly => None,
            Access::ReadWrite => {
                let options = options
                    .clone()
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal)
                    .pragma("wal_autocheckpoint", WAL_PAGES_MAX)
                    .pragma("cache_size", "-65536")
                    .pragma("temp_store", "MEMORY");
                Some(pool(1).connect_with(options).await?)
            }
        };
        let readers = pool(READERS_MAX).connect_lazy_with(options.read_only(true));
        Ok(Self { readers, writer, inserts: Arc::new(insert::Inserts::new()), cache: Arc::default(), heads: None })
    }

    pub async fn migrate(&self) -> Result<(), LedgerError> {
        let mut migrator: Migrator = sqlx::migrate!("../migrations/sqlite/ledger");
        migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
        migrator.run(self.writer()?).await?;
        Ok(())
    }

    pub fn with_heads(mut self, heads: HeadsLog) -> Self {
        self.heads = Some(heads);
        self
    }

    pub fn heads_log(&self) -> Option<&HeadsLog> {
        self.heads.as_ref()
    }

    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }

    fn writer(&self) -> Result<&SqlitePool, LedgerError> {
        self.writer.as_ref().ok_or(LedgerError::ReadOnly)
    }
}

fn pool(connections: u32) -> PoolOptions<sqlx::Sqlite> {
    PoolOptions::new()
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // SQLite rolls back by itself when its disk is full, which sqlx does not see: such a connection would take no other
        // transaction, and is closed.
        .after_release(|connection: &mut sqlx::SqliteConnection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::expect_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_transaction_that_sqlite_rolled_back_by_itself_does_not_keep_the_next_from_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let ledger =
            SqliteLedger::open(&format!("sqlite://{}", folder.path().join("ledger.db").display()), Access::ReadWrite).await.unwrap();
        let writer = ledger.writer().unwrap();
        let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query("ROLLBACK").execute(&mut *transaction).await.unwrap();
        drop(transaction);
        writer.begin_with("BEGIN IMMEDIATE").await.expect("another transaction");
    }

    #[tokio::test]
    async fn a_full_disk_is_waited_for_and_a_broken_rule_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let ledger =
            SqliteLedger::open(&format!("sqlite://{}", folder.path().join("ledger.db").display()), Access::ReadWrite).await.unwrap();
        let mut writer = ledger.writer().unwrap().acquire().await.unwrap();
        sqlx::query("CREATE TABLE filler (name TEXT UNIQUE, content BLOB)").execute(&mut *writer).await.unwrap();
        sqlx::query("PRAGMA max_page_count = 8").execute(&mut *writer).await.unwrap();
        let full = sqlx::query("INSERT INTO filler VALUES ('a', zeroblob(1000000))").execute(&mut *writer).await.unwrap_err();
        let full = LedgerError::from(full);
        assert!(full.is_outage() && full.is_transient(), "{full:?}");
        sqlx::query("INSERT INTO filler VALUES ('a', x'00')").execute(&mut *writer).await.unwrap();
        let twice = sqlx::query("INSERT INTO filler VALUES ('a', x'00')").execute(&mut *writer).await.unwrap_err();
        assert!(!LedgerError::from(twice).is_transient());
    }
}
