//! The tables, brought up to date.
//!
//! ClickHouse has no lock to take, so there is none: every statement can run twice and beside itself, and two starters that
//! migrate at once both end with the same tables. What has been applied is kept with its hash in `schema_migrations`.

use clickhouse::Row;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ClickHouseAnalytics, ClickHouseError};
use crate::error::AnalyticsError;

/// In order; numbered from 1.
const MIGRATIONS: [&str; 6] = [
    include_str!("../../../migrations/clickhouse/0001_usage_events.sql"),
    include_str!("../../../migrations/clickhouse/0002_rollups.sql"),
    include_str!("../../../migrations/clickhouse/0003_projection_pauses.sql"),
    include_str!("../../../migrations/clickhouse/0004_endpoint_daily.sql"),
    include_str!("../../../migrations/clickhouse/0005_clients.sql"),
    include_str!("../../../migrations/clickhouse/0006_projection_tail.sql"),
];
const CREATE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (version UInt32, sha256 String) \
     ENGINE = ReplacingMergeTree ORDER BY version SETTINGS fsync_after_insert = 1, fsync_part_directory = 1";
/// Another starter's statement of the same name may be under way: both are then done again.
const TRIES: u32 = 5;

#[derive(Row, Serialize, Deserialize)]
struct Applied {
    version: u32,
    sha256: String,
}

impl ClickHouseAnalytics {
    pub(crate) async fn migrate(&self) -> Result<(), AnalyticsError> {
        self.check_writable()?;
        self.run_statement(CREATE).await?;
        let applied: Vec<Applied> = self.fetch_all(self.client.query("SELECT version, sha256 FROM schema_migrations FINAL")).await?;
        self.check_applied(&applied)?;
        for (version, text) in (1..).zip(MIGRATIONS) {
            if applied.iter().any(|applied| applied.version == version) {
                continue;
            }
            for statement in text.split(";\n").filter(|statement| !statement.trim().is_empty()) {
                self.run_statement(statement).await?;
            }
            self.insert("schema_migrations", &[Applied { version, sha256: sha256(text) }]).await?;
        }
        Ok(())
    }

    fn check_applied(&self, applied: &[Applied]) -> Result<(), ClickHouseError> {
        let database = || self.database.clone();
        let known = MIGRATIONS.len() as u32;
        if let Some(newer) = applied.iter().map(|applied| applied.version).max().filter(|version| *version > known) {
            return Err(ClickHouseError::NewerSchema { database: database(), found: newer, known });
        }
        for (version, text) in (1..).zip(MIGRATIONS) {
            if applied.iter().any(|applied| applied.version == version && applied.sha256 != sha256(text)) {
                return Err(ClickHouseError::OtherMigration { database: database(), version });
            }
        }
        Ok(())
    }

    async fn run_statement(&self, statement: &str) -> Result<(), AnalyticsError> {
        let mut tries_left = TRIES;
        loop {
            tries_left -= 1;
            match self.execute(self.client.query_raw(statement)).await {
                Err(AnalyticsError::ClickHouse(ClickHouseError::Refused { .. })) if tries_left > 0 => tokio::task::yield_now().await,
                outcome => return outcome,
            }
        }
    }
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}
