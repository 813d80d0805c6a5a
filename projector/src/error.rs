//! Why the analytics store could not do what it was asked, and whether asking again may help.

use crate::clickhouse::ClickHouseError;

/// Errors of [`crate::AnalyticsStore`].
#[derive(Debug, thiserror::Error)]
pub enum AnalyticsError {
    /// Without the part that may hold a password.
    #[error("`{0}` is not the address of an analytics store: sqlite://path and clickhouse://host/database are")]
    Url(String),
    #[error(transparent)]
    ClickHouse(#[from] ClickHouseError),
    #[error("analytics database failed")]
    Database(#[from] sqlx::Error),
    #[error("analytics schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// An entry is missing: projecting on would leave a hole nobody could see.
    #[error("log position {found} was given where {expected} comes next")]
    Gap { expected: u64, found: u64 },
    /// Another writer projected between two statements that had to see the same tables.
    #[error("analytics moved away from log position {0} meanwhile")]
    Moved(u64),
    #[error("cursor is not one that this list gave out")]
    Cursor,
    #[error("analytics column `{column}` holds what no version ever wrote")]
    Corrupt { column: &'static str },
    #[error("value of `{0}` does not fit the analytics database")]
    OutOfRange(&'static str),
    /// A read-only store cannot recompute them.
    #[error("{0} buckets wait to be recomputed: open the store for writing")]
    Dirty(u64),
    #[error("analytics store is open for reading only")]
    ReadOnly,
}

/// Whether the same call may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It fails again.
    Never,
    /// It may, but the cause may also be here to stay.
    Some,
    /// It will, once a server is back.
    Always,
}

impl AnalyticsError {
    /// Whether asking again may help.
    pub fn retry(&self) -> Retry {
        match self {
            // SQLITE_FULL: it goes on as soon as somebody makes room.
            Self::Database(sqlx::Error::Database(error)) if error.code().as_deref() == Some("13") => Retry::Always,
            Self::Database(_) => Retry::Some,
            Self::ClickHouse(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}
