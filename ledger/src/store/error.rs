//! Why the ledger store could not do as asked.

use std::io::ErrorKind;
use std::path::PathBuf;

use schemas::Partition;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use crate::apply::FoldError;

use super::postgres::ConnectError;

#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The scheme alone: the rest may hold a password.
    #[error("`{0}:` names no ledger; write `sqlite://path` or `postgres://user:password@host/database`")]
    Address(String),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("ledger database failed")]
    Database(#[source] sqlx::Error),
    #[error("the ledger's tables are missing or of another version; run `tollgate migrate`")]
    NotMigrated(#[source] sqlx::Error),
    #[error("ledger schema could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("ledger was opened for reading only")]
    ReadOnly,
    #[error("log entry {found} does not follow the ledger's position {position}")]
    Position { position: u64, found: u64 },
    #[error("another writer moved the ledger past position {position}")]
    Overtaken { position: u64 },
    #[error("another writer is at work on the ledger")]
    Busy(#[source] sqlx::Error),
    #[error("a broken invariant stopped the batch")]
    Invariant(#[from] FoldError),
    #[error("ledger table {table} holds `{value}`, which is not a value of `{column}`")]
    Row { table: &'static str, column: &'static str, value: String },
    #[error("the cursor is not one this ledger gave")]
    Cursor,
    #[error("chain head of partition {partition} at ordinal {ordinal} is not the one checkpointed in {}", file.display())]
    Checkpoint { partition: Partition, ordinal: u64, file: PathBuf },
    #[error("checkpoint file {} is damaged at line {line}", file.display())]
    CheckpointFile { file: PathBuf, line: usize },
    #[error("could not {action} {}", file.display())]
    Io { action: &'static str, file: PathBuf, source: std::io::Error },
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        match sqlstate(&error) {
            // Undefined tables, columns, functions and schemas.
            Some("42P01" | "42703" | "42883" | "3F000") => Self::NotMigrated(error),
            Some("55P03") => Self::Busy(error),
            _ => Self::Database(error),
        }
    }
}

impl LedgerError {
    /// The database may recover by itself, and repeating is safe: the position decides, also where it is
    /// not known whether a commit happened.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Overtaken { .. } | Self::Busy(_) => true,
            Self::Connect(error) => matches!(error, ConnectError::Unreachable { .. } | ConnectError::Silent { .. }),
            Self::Database(error) => self.is_outage() || is_transient(error),
            // `heads.log`, beside the database.
            Self::Io { .. } => true,
            _ => false,
        }
    }

    /// The database is away, not at odds with us: it is waited for as long as it takes.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Connect(error) => matches!(error, ConnectError::Unreachable { .. } | ConnectError::Silent { .. }),
            Self::Database(error) => is_outage(error),
            Self::Io { source, .. } => matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded),
            _ => false,
        }
    }

    /// Another worker books this ledger.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Overtaken { .. } | Self::Busy(_))
    }
}

/// PostgreSQL's code of an error; `None` for anything else.
fn sqlstate(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::code)
}

fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        // A connection that broke in the middle of an answer is a protocol error too.
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => true,
        _ if is_disk_full(error) => true,
        // Connection exceptions, shutdowns and starts of the server; one that is a standby for now or was made read-only; and
        // credentials that are being changed: at the start they are refused at once, where they have worked before they will again.
        _ => sqlstate(error)
            .is_some_and(|code| code.starts_with("08") || code.starts_with("57P") || matches!(code, "25006" | "28000" | "28P01")),
    }
}

/// SQLite's SQLITE_FULL: the books go on as soon as somebody makes room.
fn is_disk_full(error: &sqlx::Error) -> bool {
    let sqlite = error.as_database_error().filter(|error| error.try_downcast_ref::<SqliteError>().is_some());
    sqlite.is_some_and(|error| error.code().as_deref() == Some("13"))
}

fn is_transient(error: &sqlx::Error) -> bool {
    match sqlstate(error) {
        // Serialization and deadlock; resources; a statement or an idle transaction that took too long.
        Some(code) => code.starts_with("40") || code.starts_with("53") || matches!(code, "57014" | "25P03" | "25P02"),
        // SQLite: locks and the disk, but no broken constraint.
        None => error.as_database_error().is_some_and(|error| matches!(error.kind(), sqlx::error::ErrorKind::Other)),
    }
}
