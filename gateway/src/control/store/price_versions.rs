//! Looking up a price version by its name: for charges that are made, or explained, after the fact.

use std::sync::Arc;

use schemas::{ChannelId, PriceTable, PriceVersion, Timestamp};
use sqlx::FromRow;

use super::{ControlStore, StoreError, parsed, reading};

/// Versions one answer holds; the newest come first.
const VERSIONS_MAX: i64 = 1_000;

pub(super) const INSERT: &str = "INSERT INTO control_price_versions (id, channel_id, channel_name, model, price, cost, effective_at, \
     created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";

/// A version with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceVersionRow {
    pub id: String,
    pub channel_id: ChannelId,
    pub channel_name: String,
    pub model: String,
    pub price: PriceTable,
    pub cost: PriceTable,
    pub effective_at: Timestamp,
    pub created_at: Timestamp,
    pub created_by: String,
    /// It never came into force.
    pub withdrawn_at: Option<Timestamp>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    channel_id: String,
    channel_name: String,
    model: String,
    price: String,
    cost: String,
    effective_at: i64,
    created_by: String,
    scheduled_at: Option<i64>,
    withdrawn_at: Option<i64>,
}

impl ControlStore {
    /// The version of an id; versions are never deleted.
    pub async fn price_version(&self, id: &str) -> Result<Option<PriceVersion>, StoreError> {
        const SELECT: &str = "SELECT price FROM control_price_versions WHERE id = $1";
        let row: Option<(String,)> = reading!(self, pool => sqlx::query_as(SELECT).bind(id).fetch_optional(pool).await?);
        let Some((price,)) = row else { return Ok(None) };
        Ok(Some(PriceVersion { id: id.into(), table: Arc::new(serde_json::from_str(&price)?) }))
    }

    /// The versions of a model's prices, or of all models', newest first; those scheduled, and those withdrawn, among them.
    pub async fn price_version_rows(&self, model: Option<&str>) -> Result<Vec<PriceVersionRow>, StoreError> {
        const SELECT: &str = "SELECT version.id, version.channel_id, version.channel_name, version.model, version.price, version.cost, \
                 version.effective_at, version.created_by, scheduled.created_at AS scheduled_at, scheduled.withdrawn_at \
             FROM control_price_versions version LEFT JOIN control_scheduled_prices scheduled ON scheduled.version_id = version.id \
             WHERE $1 IS NULL OR version.model = $1 ORDER BY version.effective_at DESC, version.id DESC LIMIT $2";
        let rows: Vec<Row> = reading!(self, pool => sqlx::query_as(SELECT).bind(model).bind(VERSIONS_MAX).fetch_all(pool).await?);
        rows.into_iter()
            .map(|row| {
                Ok(PriceVersionRow {
                    id: row.id,
                    channel_id: parsed("control_price_versions", "channel_id", &row.channel_id, |text| text.parse().ok())?,
                    channel_name: row.channel_name,
                    model: row.model,
                    price: serde_json::from_str(&row.price)?,
                    cost: serde_json::from_str(&row.cost)?,
                    effective_at: Timestamp::from_micros(row.effective_at),
                    created_at: Timestamp::from_micros(row.scheduled_at.unwrap_or(row.effective_at)),
                    withdrawn_at: row.withdrawn_at.map(Timestamp::from_micros),
                    created_by: row.created_by,
                })
            })
            .collect()
    }

    /// How many versions each model's prices had.
    pub async fn price_version_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        const SELECT: &str = "SELECT model, COUNT(*) FROM control_price_versions GROUP BY model";
        let rows: Vec<(String, i64)> = reading!(self, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        Ok(rows.into_iter().map(|(model, count)| (model, count.unsigned_abs())).collect())
    }
}
