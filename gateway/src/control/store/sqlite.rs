//! The control store in a SQLite file.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqlitePool, Transaction};

use super::{MIGRATIONS_TABLE, StoreError};

/// Connections that read at the same time.
const READERS_MAX: u32 = 4;
/// A statement waits this long for the ledger's transaction in the same file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A caller waits this long for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// One writing connection, several reading ones.
#[derive(Debug, Clone)]
pub struct SqliteControl {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqliteControl {
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT);
        // SQLite rolls back by itself when its disk is full, which sqlx does not see: such a connection would take no other
        // transaction, and is closed.
        let writer = pool().max_connections(1).after_release(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        });
        let writer = writer.connect_with(options.clone()).await?;
        let readers = pool().max_connections(READERS_MAX).connect_with(options.read_only(true)).await?;
        let mut migrator = sqlx::migrate!("../migrations/sqlite/control");
        migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
        migrator.run(&writer).await?;
        Ok(Self { writer, readers })
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.writer.begin_with("BEGIN IMMEDIATE").await?)
    }

    pub(super) fn writer(&self) -> &SqlitePool {
        &self.writer
    }

    pub(super) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
