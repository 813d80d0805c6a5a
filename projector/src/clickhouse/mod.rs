//! Analytics in ClickHouse, over its HTTP interface.
//!
//! There are no transactions, so nothing relies on one: **every write may be repeated, reordered or done by two at once**. A
//! row is keyed by request and versioned by log position, a rollup's by bucket and versioned by the position it was computed
//! as of, and the position is written last. `project.rs` writes a batch, `buckets.rs` knows what is stale, `refresh.rs` derives,
//! `row.rs` maps a row, `digest.rs` hashes, the rest reads. Reads of stored tables say FINAL.

mod address;
mod buckets;
mod digest;
mod endpoints;
mod failure;
mod generations;
mod migrate;
mod pause;
mod project;
mod provider_cost;
mod refresh;
mod row;
mod server;
mod statistics;
mod usage;

use std::future::Future;
use std::time::Duration;

use clickhouse::query::Query;
use clickhouse::{Client, Compression, RowOwned, RowRead};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use self::address::Address;
pub(crate) use self::address::{is_clickhouse, redacted};
pub use self::failure::ClickHouseError;
use crate::error::AnalyticsError;
use crate::store::Access;

/// How long one statement may take, seen from here.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(60);

/// One database at one server.
pub struct ClickHouseAnalytics {
    client: Client,
    /// Scheme, host and port.
    server: String,
    database: String,
    access: Access,
    /// Of one permit: whoever has it writes a batch or hashes the tables.
    writer: Semaphore,
}

impl std::fmt::Debug for ClickHouseAnalytics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClickHouseAnalytics").field("server", &self.server).field("database", &self.database).finish_non_exhaustive()
    }
}

impl ClickHouseAnalytics {
    /// Connects, and checks that the server is one we can rely on.
    pub(crate) async fn open(url: &str, access: Access) -> Result<Self, AnalyticsError> {
        let store = Self::unchecked(url, access)?;
        store.check_server().await?;
        Ok(store)
    }

    /// Asks nobody.
    pub(crate) fn unchecked(url: &str, access: Access) -> Result<Self, AnalyticsError> {
        let address = Address::parse(url)?;
        let mut client = Client::default()
            .with_url(&address.server)
            .with_database(&address.database)
            .with_compression(Compression::None)
            .with_product_info("tollgate", env!("CARGO_PKG_VERSION"));
        for (name, value) in server::SETTINGS {
            client = client.with_setting(name, value);
        }
        if let Some(user) = address.user {
            client = client.with_user(user);
        }
        if let Some(password) = address.password {
            client = client.with_password(password);
        }
        let (server, database) = (address.server, address.database);
        Ok(Self { client, server, database, access, writer: Semaphore::new(1) })
    }

    pub(crate) async fn position(&self) -> Result<u64, AnalyticsError> {
        self.fetch_one(self.client.query("SELECT max(position) FROM projection_position")).await
    }

    pub(crate) async fn quarantined(&self) -> Result<u64, AnalyticsError> {
        self.fetch_one(self.client.query("SELECT count() FROM projection_quarantine")).await
    }

    fn check_writable(&self) -> Result<(), AnalyticsError> {
        if self.access == Access::ReadOnly { Err(AnalyticsError::ReadOnly) } else { Ok(()) }
    }

    async fn fetch_one<T: RowOwned + RowRead>(&self, query: Query) -> Result<T, AnalyticsError> {
        self.answer(query.fetch_one()).await
    }

    async fn fetch_all<T: RowOwned + RowRead>(&self, query: Query) -> Result<Vec<T>, AnalyticsError> {
        self.answer(query.fetch_all()).await
    }

    async fn execute(&self, query: Query) -> Result<(), AnalyticsError> {
        self.answer(query.execute()).await
    }

    /// Inserts rows as one block. **Nothing is there before the server has said that all of it is.**
    async fn insert<T>(&self, table: &str, rows: &[T]) -> Result<(), AnalyticsError>
    where
        T: clickhouse::RowWrite + for<'a> clickhouse::Row<Value<'a> = T>,
    {
        if rows.is_empty() {
            return Ok(());
        }
        let write = async {
            let mut insert = self.client.insert::<T>(table).await?;
            for row in rows {
                insert.write(row).await?;
            }
            insert.end().await
        };
        self.answer(write).await
    }

    async fn answer<T>(&self, work: impl Future<Output = clickhouse::error::Result<T>>) -> Result<T, AnalyticsError> {
        let answer = timeout(ANSWER_WAIT_MAX, work).await.unwrap_or(Err(clickhouse::error::Error::TimedOut));
        Ok(answer.map_err(|error| ClickHouseError::of(error, &self.server, &self.database))?)
    }
}
