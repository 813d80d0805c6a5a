//! One hash a table, over its stored columns in key order: equal digests mean equal tables, byte for byte.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Decode, Row, Sqlite, TypeInfo, ValueRef};

use super::project::read_position;
use super::{SqliteAnalytics, row};
use crate::error::AnalyticsError;
use crate::store::Digests;

/// Tables, and their rows in key order. `usage_events` stands apart: only its stored columns are read.
const TABLES: [(&str, &str); 9] = [
    ("app_stats", "SELECT * FROM app_stats ORDER BY date, app"),
    ("attempts_hourly", "SELECT * FROM attempts_hourly ORDER BY hour, channel, model, outcome, http_status"),
    ("endpoint_daily", "SELECT * FROM endpoint_daily ORDER BY day, model, channel, provider"),
    ("latency_hourly", "SELECT * FROM latency_hourly ORDER BY hour, model, channel, metric, bucket"),
    ("model_stats", "SELECT * FROM model_stats ORDER BY date, model"),
    // Without `detail`, which is for people and may be worded better one day.
    ("projection_quarantine", "SELECT position, reason, event_sha256, event_bytes FROM projection_quarantine ORDER BY position"),
    ("rankings", "SELECT * FROM rankings ORDER BY period, kind, rank"),
    ("usage_daily", "SELECT * FROM usage_daily ORDER BY account_id, day, key_id, model, channel, provider, app"),
    ("usage_hourly", "SELECT * FROM usage_hourly ORDER BY hour, account_id, key_id, model, channel, provider, app"),
];
/// A live writer may make buckets stale between the refresh and the snapshot this many times.
const SNAPSHOT_TRIES: usize = 20;

impl SqliteAnalytics {
    pub(crate) async fn digests(&self) -> Result<Digests, AnalyticsError> {
        let mut tries_left = if self.writer.is_some() { SNAPSHOT_TRIES } else { 1 };
        loop {
            if self.writer.is_some() {
                self.refresh().await?;
            }
            tries_left -= 1;
            let mut snapshot = self.readers.begin().await?;
            let dirty: i64 = sqlx::query_scalar("SELECT count(*) FROM dirty_buckets").fetch_one(&mut *snapshot).await?;
            if dirty == 0 {
                let position = read_position(&mut snapshot).await?;
                return Ok(Digests { position, tables: hash_tables(&mut snapshot).await? });
            }
            if tries_left == 0 {
                return Err(AnalyticsError::Dirty(dirty.unsigned_abs()));
            }
        }
    }
}

async fn hash_tables(connection: &mut SqliteConnection) -> Result<BTreeMap<String, String>, AnalyticsError> {
    let usage_events = format!("SELECT {} FROM usage_events ORDER BY request_id", row::COLUMNS);
    let mut tables = BTreeMap::new();
    tables.insert("usage_events".to_owned(), hash_rows(connection, usage_events).await?);
    for (table, sql) in TABLES {
        tables.insert(table.to_owned(), hash_rows(connection, sql.to_owned()).await?);
    }
    Ok(tables)
}

async fn hash_rows(connection: &mut SqliteConnection, sql: String) -> Result<String, AnalyticsError> {
    let mut hash = Sha256::new();
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        hash_row(&mut hash, &row)?;
    }
    Ok(hex::encode(hash.finalize()))
}

/// Every value by type and length, so that no two different rows hash alike.
fn hash_row(hash: &mut Sha256, row: &SqliteRow) -> Result<(), AnalyticsError> {
    for index in 0..row.len() {
        let value = row.try_get_raw(index)?;
        let decoded = |error| AnalyticsError::Database(sqlx::Error::Decode(error));
        if value.is_null() {
            hash.update(b"n");
            continue;
        }
        match value.type_info().name() {
            "INTEGER" => {
                hash.update(b"i");
                hash.update(<i64 as Decode<Sqlite>>::decode(value).map_err(decoded)?.to_be_bytes());
            }
            "REAL" => {
                hash.update(b"r");
                hash.update(<f64 as Decode<Sqlite>>::decode(value).map_err(decoded)?.to_bits().to_be_bytes());
            }
            _ => {
                let text = <&str as Decode<Sqlite>>::decode(value).map_err(decoded)?;
                hash.update(b"t");
                hash.update((text.len() as u64).to_be_bytes());
                hash.update(text);
            }
        }
    }
    Ok(())
}
