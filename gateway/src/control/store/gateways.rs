//! Which gateways are running: each holds a lease and renews it. The gate's learning mode waits for them,
//! and the oldest of them probes channels for all.

use schemas::{NodeId, Producer, Timestamp};
use sqlx::FromRow;

use super::{ControlStore, StoreError, in_transaction, parsed, reading};

const TABLE: &str = "control_gateways";
/// A gateway that has been gone for so long is forgotten.
const FORGOTTEN_AFTER_MICROS: i64 = 86_400_000_000;

/// A gateway's claim to be running. Instants are the store's clock, see [`ControlStore::now`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayLease {
    /// The node, and which of its lives.
    pub gateway: Producer,
    pub started_at: Timestamp,
    pub ends_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    node_id: String,
    boot_id: String,
    started_at: i64,
    lease_ends_at: i64,
}

impl TryFrom<Row> for GatewayLease {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let node = parsed(TABLE, "node_id", &row.node_id, |text| text.parse().ok())?;
        let boot = parsed(TABLE, "boot_id", &row.boot_id, |text| text.parse().ok())?;
        Ok(Self {
            gateway: Producer { node, boot },
            started_at: Timestamp::from_micros(row.started_at),
            ends_at: Timestamp::from_micros(row.lease_ends_at),
        })
    }
}

impl ControlStore {
    /// The clock that all who share the store agree on: the server's, where there is one.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(Timestamp::now()),
            Self::Postgres(store) => {
                const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
                let micros: i64 = sqlx::query_scalar(NOW).fetch_one(store.readers()).await?;
                Ok(Timestamp::from_micros(micros))
            }
        }
    }

    /// Registers a gateway that starts. It takes the place of its node's last life.
    pub async fn register_gateway(&self, lease: &GatewayLease) -> Result<(), StoreError> {
        const FORGET: &str = "DELETE FROM control_gateways WHERE lease_ends_at < $1";
        const UPSERT: &str = "INSERT INTO control_gateways (node_id, boot_id, started_at, lease_ends_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (node_id) DO UPDATE SET boot_id = excluded.boot_id, started_at = excluded.started_at, \
                 lease_ends_at = excluded.lease_ends_at";
        in_transaction!(self, transaction => {
            sqlx::query(FORGET).bind(lease.started_at.micros() - FORGOTTEN_AFTER_MICROS).execute(&mut *transaction).await?;
            let upsert = sqlx::query(UPSERT).bind(lease.gateway.node.uuid().to_string()).bind(lease.gateway.boot.uuid().to_string());
            upsert.bind(lease.started_at.micros()).bind(lease.ends_at.micros()).execute(&mut *transaction).await?;
        });
        Ok(())
    }

    /// Makes a lease longer. `false` where it is gone: another life of the node registered, or it was forgotten.
    pub async fn renew_gateway(&self, gateway: Producer, ends_at: Timestamp) -> Result<bool, StoreError> {
        const UPDATE: &str = "UPDATE control_gateways SET lease_ends_at = $3 WHERE node_id = $1 AND boot_id = $2";
        let (node, boot) = (gateway.node.uuid().to_string(), gateway.boot.uuid().to_string());
        Ok(in_transaction!(self, transaction => {
            let renewed = sqlx::query(UPDATE).bind(node).bind(boot).bind(ends_at.micros()).execute(&mut *transaction).await?;
            renewed.rows_affected() == 1
        }))
    }

    /// Ends a lease: the gateway stops in order.
    pub async fn retire_gateway(&self, gateway: Producer) -> Result<(), StoreError> {
        const DELETE: &str = "DELETE FROM control_gateways WHERE node_id = $1 AND boot_id = $2";
        let (node, boot) = (gateway.node.uuid().to_string(), gateway.boot.uuid().to_string());
        in_transaction!(self, transaction => {
            sqlx::query(DELETE).bind(node).bind(boot).execute(&mut *transaction).await?;
        });
        Ok(())
    }

    /// Whether a gateway does what one does for all: it runs longest, or there is no other.
    pub async fn is_elected(&self, node: NodeId, now: Timestamp) -> Result<bool, StoreError> {
        Ok(self.gateways(now).await?.first().is_none_or(|first| first.gateway.node == node))
    }

    /// The gateways whose leases run, the one that runs longest first. All gateways see the same first one,
    /// but for the moment in which a lease ends.
    pub async fn gateways(&self, now: Timestamp) -> Result<Vec<GatewayLease>, StoreError> {
        const SELECT: &str = "SELECT node_id, boot_id, started_at, lease_ends_at FROM control_gateways \
             WHERE lease_ends_at > $1 ORDER BY started_at, node_id";
        let rows: Vec<Row> = reading!(self, pool => sqlx::query_as(SELECT).bind(now.micros()).fetch_all(pool).await?);
        rows.into_iter().map(GatewayLease::try_from).collect()
    }
}
