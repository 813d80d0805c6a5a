//! The distributed ledger store: PostgreSQL 15 or later.
//!
//! One connection writes, others read beside it. A batch takes the lock on the position's row first, so
//! that writers of several processes come one after another, and the compare-and-set on the position
//! ends it: **whatever the lock, a batch built on an old position changes nothing.** Start at `apply.rs`
//! (a batch), `write.rs` (its one statement), `scan.rs` (audit, digests), `connect.rs` (the server).

mod apply;
pub mod connect;
mod months;
mod preload;
mod scan;
mod schema;
mod write;

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Postgres, Transaction};

use crate::heads::HeadsLog;

use super::cache::Cache;
use super::{Access, LedgerError};

pub use connect::{ConnectError, Server};
pub use scan::PostgresSnapshot;

/// How long a caller waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Readers beside the writer: API queries, an audit, a few more.
const READERS_MAX: u32 = 8;
/// What the server shows in its list of sessions.
const APPLICATION_NAME: &str = "tollgate-ledger";
/// For every session. Compiling a plan for the machine costs more than these short statements.
const SESSION: [(&str, &str); 2] = [("jit", "off"), ("timezone", "UTC")];
/// Statements of readers are short but for [`PostgresLedger::reading_transaction`].
const READER: [(&str, &str); 2] = [("statement_timeout", "60s"), ("idle_in_transaction_session_timeout", "60s")];
/// The writer's session. `lock_timeout` is how long it waits for another writer's batch. A writer that hangs
/// within a batch is ended by the server, so that another one can go on. Its statements name rows by key:
/// without sequential scans no plan that was made for empty tables is kept when they have grown.
const WRITER: [(&str, &str); 5] = [
    ("lock_timeout", "3s"),
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("synchronous_commit", "on"),
    ("enable_seqscan", "off"),
];

/// The ledger's own migrations table, because the control store may share the schema.
const MIGRATIONS_TABLE: &str = "_ledger_migrations";

/// The ledger in PostgreSQL. Cheap to clone.
#[derive(Clone)]
pub struct PostgresLedger {
    server: Server,
    pub(super) readers: PgPool,
    writer: Option<PgPool>,
    statement: Arc<write::BatchStatement>,
    months: Arc<months::Months>,
    cache: Arc<Cache>,
    heads: Option<HeadsLog>,
}

impl PostgresLedger {
    /// Opens a database that exists. Says at once, in one line, what is wrong with it.
    pub async fn open(url: &str, access: Access) -> Result<Self, LedgerError> {
        let server = Server::of(url, APPLICATION_NAME)?;
        server.check().await?;
        Ok(Self::with(server, access))
    }

    fn with(server: Server, access: Access) -> Self {
        let base = server.options().clone().options(SESSION);
        let read_only = base.clone().options(READER).options([("default_transaction_read_only", "on")]);
        let writer = (access == Access::ReadWrite).then(|| pool(1, base.options(WRITER), false));
        Self {
            server,
            readers: pool(READERS_MAX, read_only, true),
            writer,
            statement: Arc::new(write::BatchStatement::new()),
            months: Arc::default(),
            cache: Arc::default(),
            heads: None,
        }
    }

    /// On a connection of its own: the migrator waits for other migrators as long as they need.
    pub async fn migrate(&self) -> Result<(), LedgerError> {
        self.writer()?;
        let mut migrator: Migrator = sqlx::migrate!("../migrations/postgres/ledger");
        migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
        let mut connection = self.server.connect().await?;
        migrator.run_direct(None, &mut connection, false).await?;
        self.months.ensure_now(&mut connection).await;
        Ok(())
    }

    pub fn with_heads(mut self, heads: HeadsLog) -> Self {
        self.heads = Some(heads);
        self
    }

    pub fn heads_log(&self) -> Option<&HeadsLog> {
        self.heads.as_ref()
    }

    /// A transaction that sees one log position for as long as it lives. An audit may take its time over it.
    pub(super) async fn reading_transaction(&self) -> Result<Transaction<'static, Postgres>, LedgerError> {
        let mut transaction = self.readers.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *transaction).await?;
        sqlx::query("SET LOCAL idle_in_transaction_session_timeout = 0").execute(&mut *transaction).await?;
        Ok(transaction)
    }

    pub async fn close(&self) {
        self.readers.close().await;
        if let Some(writer) = &self.writer {
            writer.close().await;
        }
    }

    fn writer(&self) -> Result<&PgPool, LedgerError> {
        self.writer.as_ref().ok_or(LedgerError::ReadOnly)
    }
}

/// Connections are made when they are needed, so that a server that is away for a while is no error here.
/// The writer does not test its connection before a batch: a broken one shows at the first statement.
fn pool(connections: u32, options: PgConnectOptions, tested: bool) -> PgPool {
    PoolOptions::new()
        .max_connections(connections)
        .min_connections(0)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(tested)
        .connect_lazy_with(options)
}
