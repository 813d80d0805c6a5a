//! The control store in PostgreSQL, shared by all gateways.

use std::time::Duration;

use ledger::store::postgres::Server;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Postgres, Transaction};

use super::{MIGRATIONS_TABLE, StoreError};

/// Connections that write, and that read, at the same time.
const WRITERS_MAX: u32 = 4;
const READERS_MAX: u32 = 4;
/// A caller waits this long for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// What the server shows in its list of sessions.
const APPLICATION_NAME: &str = "tollgate-control";
/// For every session: acts are short, and nobody holds the others up.
const SESSION: [(&str, &str); 4] =
    [("lock_timeout", "5s"), ("statement_timeout", "10s"), ("idle_in_transaction_session_timeout", "10s"), ("jit", "off")];
/// Readers never write, and a transaction of theirs sees one state.
const READER: [(&str, &str); 2] = [("default_transaction_read_only", "on"), ("default_transaction_isolation", "repeatable read")];
/// Held by whoever writes, until its transaction ends: what `BEGIN IMMEDIATE` is in the embedded store.
const WRITE_ALONE: &str = "SELECT pg_advisory_xact_lock(7160115)";
/// Held by whoever starts, until its connection ends.
const START_ALONE: &str = "SELECT pg_advisory_lock(7160116)";
/// Held by whoever rebuilds a shared gate, until its connection ends.
const COORDINATE_ALONE: &str = "SELECT pg_try_advisory_lock(7160117)";

/// Another gateway's start takes seconds; one that hangs is not waited for any longer.
const START_TIMEOUT: &str = "SET lock_timeout = '60s'";

/// A few writing connections, a few reading ones.
#[derive(Debug, Clone)]
pub struct PostgresControl {
    server: Server,
    writers: PgPool,
    readers: PgPool,
}

impl PostgresControl {
    pub(super) async fn open(url: &str) -> Result<Self, StoreError> {
        let server = Server::of(url, APPLICATION_NAME)?;
        // Migrators wait for each other as long as they need, so on a connection without a time limit.
        let mut connection = server.connect().await?;
        let mut migrator = sqlx::migrate!("../migrations/postgres/control");
        migrator.dangerous_set_table_name(MIGRATIONS_TABLE);
        migrator.run_direct(None, &mut connection, false).await?;
        connection.close().await?;
        let options = server.options().clone().options(SESSION);
        let pool = |connections| PgPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
        let readers = pool(READERS_MAX).connect_lazy_with(options.clone().options(READER));
        Ok(Self { server, writers: pool(WRITERS_MAX).connect_lazy_with(options), readers })
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, Postgres>, StoreError> {
        let mut transaction = self.writers.begin().await?;
        sqlx::query(WRITE_ALONE).execute(&mut *transaction).await?;
        Ok(transaction)
    }

    pub(super) fn writers(&self) -> &PgPool {
        &self.writers
    }

    pub(super) fn readers(&self) -> &PgPool {
        &self.readers
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writers.close().await;
    }

    /// A connection that keeps other gateways from starting while it lives.
    pub(super) async fn alone(&self) -> Result<PgConnection, StoreError> {
        let mut connection = self.server.connect().await?;
        sqlx::query(START_TIMEOUT).execute(&mut connection).await?;
        sqlx::query(START_ALONE).execute(&mut connection).await?;
        Ok(connection)
    }

    /// A connection that keeps other processes from rebuilding the gate while it lives; `None` where one of them has it.
    pub(super) async fn coordinator_turn(&self) -> Result<Option<PgConnection>, StoreError> {
        let mut connection = self.server.connect().await?;
        let is_ours: bool = sqlx::query_scalar(COORDINATE_ALONE).fetch_one(&mut connection).await?;
        Ok(is_ours.then_some(connection))
    }
}
