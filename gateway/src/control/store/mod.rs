//! The control store: what administrators change, durably, with a record of who changed it.
//!
//! Owns the tables `control_…` (in the ledger's database, with a migrations table of their own:
//! `control_migrations`). Every method that changes something writes its audit record in the same
//! transaction. It must never hold a balance or a readable secret. One SQL text serves every database;
//! [`in_transaction!`] and [`reading!`] expand it for each. Start at [`ControlStore::open`].

use futures_util::{Stream, TryStreamExt as _};
use ledger::store::postgres::ConnectError;
use schemas::Timestamp;
use serde::Serialize;

use crate::control::key::InvalidField;

mod accounts;
mod announcements;
mod audit_records;
mod authorization_codes;
mod balance_alerts;
mod channel_health;
mod channels;
mod codes;
mod gateways;
mod idempotency;
mod invitations;
mod keys;
mod memberships;
mod postgres;
mod preferences;
mod price_versions;
mod scheduled_prices;
mod sessions;
mod settings;
mod sign_in_states;
mod sqlite;
mod users;
mod version;
mod webhook_deliveries;

pub use announcements::{Announcement, Fact};
pub use audit_records::{AuditQuery, AuditRecord};
pub use authorization_codes::{AuthorizationCode, CodeGiver};
pub use channel_health::HealthRow;
pub use channels::{ChannelDraft, ManagedBy, StoredChannel, StoredModel};
pub use codes::{ClaimedCode, CodeBatch, StoredCode};
pub use gateways::GatewayLease;
pub use idempotency::{Claimed, IdempotencyClaim};
pub use keys::KeyQuery;
pub use memberships::{Member, MemberAccount};
pub use postgres::PostgresControl;
pub use price_versions::PriceVersionRow;
pub use scheduled_prices::{ScheduledPrice, Withdrawn};
pub use sessions::Sessions;
pub use sign_in_states::SignInState;
pub use sqlite::SqliteControl;
pub use users::GOOGLE;
pub use version::{Alone, CoordinatorTurn};
pub use webhook_deliveries::{AttemptOutcome, DeliveryCursor, DeliveryStatus, WebhookDelivery};

/// The store's own migrations table, because the ledger shares the database.
const MIGRATIONS_TABLE: &str = "control_migrations";

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The scheme alone: the rest may hold a password.
    #[error("`{0}:` names no control store; write `sqlite://path` or `postgres://user:password@host/database`")]
    Url(String),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("control store failed")]
    Sql(#[from] sqlx::Error),
    #[error("control store could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("control store has an unreadable `{column}` in {table}: `{text}`")]
    Unreadable { table: &'static str, column: &'static str, text: String },
    #[error("control store could not write JSON")]
    Json(#[from] serde_json::Error),
    #[error("{what} `{name}` exists already")]
    Exists { what: &'static str, name: String },
    #[error("{what} `{name}` does not exist")]
    Missing { what: &'static str, name: String },
    #[error(transparent)]
    InvalidField(#[from] InvalidField),
    /// Somebody else changed it since it was read.
    #[error("{0} was changed meanwhile")]
    Changed(&'static str),
    /// An account or the platform would have nobody left to administer it.
    #[error("the last {0} stays")]
    Last(&'static str),
    /// Nobody changes those above them.
    #[error("only an owner changes {0}s")]
    Above(&'static str),
    #[error("there are {limit} {what} already")]
    TooMany { what: &'static str, limit: i64 },
}

/// Who does something, and when. Every change is recorded with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// A key (`key_…`), a person (`user_…`), `file` for the configuration file, `bootstrap`, `shell`.
    pub actor: String,
    pub at: Timestamp,
}

impl Act {
    pub fn new(actor: impl Into<String>, at: Timestamp) -> Self {
        Self { actor: actor.into(), at }
    }
}

/// The store, in whichever database it is. Cheap to clone.
#[derive(Debug, Clone)]
pub enum ControlStore {
    Sqlite(SqliteControl),
    Postgres(PostgresControl),
}

/// Runs a block in one transaction of whichever database the store is in. **Writers come one after another**,
/// also those of other gateways: what a block reads stays as it is until it has written.
macro_rules! in_transaction {
    ($store:expr, $transaction:ident => $body:block) => {
        match $store {
            $crate::control::store::ControlStore::Sqlite(sqlite) => {
                let mut $transaction = sqlite.begin().await?;
                let value = $body;
                $transaction.commit().await?;
                value
            }
            $crate::control::store::ControlStore::Postgres(postgres) => {
                let mut $transaction = postgres.begin().await?;
                let value = $body;
                $transaction.commit().await?;
                value
            }
        }
    };
}

/// Runs one statement that is a whole act by itself, on a writing connection: it waits for no other writer.
macro_rules! writing {
    ($store:expr, $pool:ident => $body:expr) => {
        match $store {
            $crate::control::store::ControlStore::Sqlite(sqlite) => {
                let $pool = sqlite.writer();
                $body
            }
            $crate::control::store::ControlStore::Postgres(postgres) => {
                let $pool = postgres.writers();
                $body
            }
        }
    };
}

/// Runs a query on a reading connection of whichever database the store is in. A transaction of the pool
/// sees one state of the store for as long as it lives.
macro_rules! reading {
    ($store:expr, $pool:ident => $body:expr) => {
        match $store {
            $crate::control::store::ControlStore::Sqlite(sqlite) => {
                let $pool = sqlite.readers();
                $body
            }
            $crate::control::store::ControlStore::Postgres(postgres) => {
                let $pool = postgres.readers();
                $body
            }
        }
    };
}

/// Writes an audit record in the transaction of the change it tells of.
macro_rules! record_act {
    ($transaction:ident, $act:expr, $action:expr, $subject:expr, $before:expr, $after:expr) => {
        sqlx::query($crate::control::store::audit_records::INSERT)
            .bind(uuid::Uuid::now_v7().to_string())
            .bind($act.at.micros())
            .bind(&$act.actor)
            .bind($action)
            .bind($subject)
            .bind($crate::control::store::as_json($before)?)
            .bind($crate::control::store::as_json($after)?)
            .execute(&mut *$transaction)
            .await?
    };
}

pub(crate) use {in_transaction, reading, record_act, writing};

impl ControlStore {
    /// Opens `sqlite://path`, creating the file where there is none, or `postgres://user:password@host/database`,
    /// and applies the migrations.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        match url.split_once("://") {
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(SqliteControl::open(path.as_ref()).await?)),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(PostgresControl::open(url).await?)),
            _ => Err(StoreError::Url(url.split(':').next().unwrap_or_default().to_owned())),
        }
    }

    /// Closes all connections; the store cannot be used afterwards.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(postgres) => postgres.close().await,
        }
    }
}

/// JSON text of what was or is, where there is anything.
pub(crate) fn as_json<T: Serialize>(value: Option<&T>) -> Result<Option<String>, StoreError> {
    Ok(value.map(serde_json::to_string).transpose()?)
}

/// Whether a text holds another one, which is in lower case. **Databases lower ASCII letters only, or by their own rules**: Rust
/// lowers those of every script, and the same for both.
fn holds(text: &str, lowered: &str) -> bool {
    text.to_lowercase().contains(lowered)
}

/// The first of the rows that are wanted; no more are read than that takes.
async fn found<Row, T: TryFrom<Row, Error = StoreError>>(
    rows: &mut (impl Stream<Item = Result<Row, sqlx::Error>> + Unpin),
    is_wanted: impl Fn(&T) -> bool,
    limit: u32,
) -> Result<Vec<T>, StoreError> {
    let mut found = Vec::new();
    while found.len() < limit as usize
        && let Some(row) = rows.try_next().await?
    {
        found.extend(Some(T::try_from(row)?).filter(&is_wanted));
    }
    Ok(found)
}

/// Reads a column that holds the text form of something.
fn parsed<T>(table: &'static str, column: &'static str, text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
    parse(text).ok_or_else(|| StoreError::Unreadable { table, column, text: text.to_owned() })
}

/// Reads a column that holds a number no larger than its field.
fn fitting<T: TryFrom<i64>>(table: &'static str, column: &'static str, number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| StoreError::Unreadable { table, column, text: number.to_string() })
}

/// Whether a statement was refused because a unique column has the value already.
fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}
