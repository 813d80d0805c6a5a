//! How channels do, written down by every gateway for itself and read by all: the table `channel_health`.

use schemas::Timestamp;
use sqlx::FromRow;

use super::{ControlStore, StoreError, reading, writing};

/// Rows read at once.
const ROWS_MAX: i64 = 100_000;

/// One channel as one gateway sees it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct HealthRow {
    /// Text of UUIDs.
    pub channel_id: String,
    pub node_id: String,
    pub channel_name: String,
    /// `healthy`, `degraded`, `unhealthy`.
    pub status: String,
    pub consecutive_failures: i64,
    pub last_check_at: Option<i64>,
    pub last_success_at: Option<i64>,
    pub last_failure_at: Option<i64>,
    pub open_until: Option<i64>,
    pub cool_until: Option<i64>,
    /// JSON.
    pub details: String,
    pub updated_at: i64,
}

impl ControlStore {
    /// Writes one gateway's rows. Its own alone: nobody waits for another.
    pub async fn save_channel_health(&self, rows: &[HealthRow]) -> Result<(), StoreError> {
        const UPSERT: &str = "INSERT INTO channel_health (channel_id, node_id, channel_name, status, consecutive_failures, last_check_at, \
                 last_success_at, last_failure_at, open_until, cool_until, details, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             ON CONFLICT (channel_id, node_id) DO UPDATE SET channel_name = excluded.channel_name, status = excluded.status, \
                 consecutive_failures = excluded.consecutive_failures, last_check_at = excluded.last_check_at, \
                 last_success_at = excluded.last_success_at, last_failure_at = excluded.last_failure_at, \
                 open_until = excluded.open_until, cool_until = excluded.cool_until, details = excluded.details, \
                 updated_at = excluded.updated_at";
        for row in rows {
            writing!(self, pool => {
                let upsert = sqlx::query(UPSERT).bind(&row.channel_id).bind(&row.node_id).bind(&row.channel_name).bind(&row.status);
                let upsert = upsert.bind(row.consecutive_failures).bind(row.last_check_at).bind(row.last_success_at);
                let upsert = upsert.bind(row.last_failure_at).bind(row.open_until).bind(row.cool_until).bind(&row.details);
                upsert.bind(row.updated_at).execute(pool).await?;
            });
        }
        Ok(())
    }

    /// What gateways wrote since, the oldest first.
    pub async fn channel_health_since(&self, since: Timestamp) -> Result<Vec<HealthRow>, StoreError> {
        const SELECT: &str = "SELECT channel_id, node_id, channel_name, status, consecutive_failures, last_check_at, last_success_at, \
                 last_failure_at, open_until, cool_until, details, updated_at FROM channel_health \
             WHERE updated_at >= $1 ORDER BY updated_at LIMIT $2";
        Ok(reading!(self, pool => sqlx::query_as(SELECT).bind(since.micros()).bind(ROWS_MAX).fetch_all(pool).await?))
    }

    /// Removes what nobody has written to for long: gateways and channels that are gone.
    pub async fn forget_channel_health(&self, before: Timestamp) -> Result<(), StoreError> {
        const DELETE: &str = "DELETE FROM channel_health WHERE updated_at < $1";
        writing!(self, pool => {
            sqlx::query(DELETE).bind(before.micros()).execute(pool).await?;
        });
        Ok(())
    }
}
