//! What lets several gateways share one store: a count of acts to follow, and a turn to start alone.

use std::time::Duration;

use sqlx::postgres::PgConnection;

use super::{ControlStore, StoreError};

/// How often a follower looks for changes: well below the second within which they must arrive.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// The turn to start; the next gateway gets it when this value is dropped.
pub struct Alone(#[expect(dead_code, reason = "the lock lives as long as its connection")] Option<PgConnection>);

/// The turn to rebuild a shared gate, as long as the connection lives that holds it.
pub struct CoordinatorTurn(Option<PgConnection>);

impl CoordinatorTurn {
    /// Whether it still is this process's.
    pub async fn is_held(&mut self) -> bool {
        match &mut self.0 {
            Some(connection) => sqlx::query("SELECT 1").execute(connection).await.is_ok(),
            None => true,
        }
    }
}

impl ControlStore {
    /// The turn to rebuild a shared gate: `None` while another process of the deployment has it.
    pub async fn coordinator_turn(&self) -> Result<Option<CoordinatorTurn>, StoreError> {
        Ok(match self {
            Self::Sqlite(_) => Some(CoordinatorTurn(None)),
            Self::Postgres(postgres) => postgres.coordinator_turn().await?.map(|connection| CoordinatorTurn(Some(connection))),
        })
    }

    /// Counts the acts of all gateways; `None` where no other process can change the store.
    pub async fn version(&self) -> Result<Option<u64>, StoreError> {
        const SELECT: &str = "SELECT version FROM control_version WHERE singleton = 1";
        let Self::Postgres(postgres) = self else { return Ok(None) };
        let version: i64 = sqlx::query_scalar(SELECT).fetch_one(postgres.readers()).await?;
        Ok(Some(version.unsigned_abs()))
    }

    /// Waits until the store is not as it was at a version, and answers with the version it has now. Never
    /// returns where no other process can change the store. Safe to drop at any time.
    pub async fn changed(&self, since: u64) -> Result<u64, StoreError> {
        loop {
            match self.version().await? {
                None => std::future::pending().await,
                Some(version) if version != since => return Ok(version),
                Some(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }

    /// Waits for this gateway's turn to do what only one may do at a time: to apply the file's channels and to
    /// make what a first start makes.
    pub async fn alone(&self) -> Result<Alone, StoreError> {
        Ok(Alone(match self {
            Self::Sqlite(_) => None,
            Self::Postgres(postgres) => Some(postgres.alone().await?),
        }))
    }
}
