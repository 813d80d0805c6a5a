//! A pause of projecting, asked for by whoever hashes all tables: there is no snapshot over several of them.
//!
//! Projectors of every process begin no batch while a pause lasts. It is renewed while it is needed, ended afterwards, and
//! ends by itself when its owner dies. The server's clock decides. Money does not wait for any of this.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::ClickHouseAnalytics;
use crate::error::AnalyticsError;

/// Without being renewed.
const PAUSE_SECONDS: u32 = 120;
const POLL: Duration = Duration::from_millis(200);
/// A projector goes on after this long, whoever asks it to wait.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// One asker's.
pub(super) struct Pause {
    token: Uuid,
    version: u32,
}

impl Pause {
    pub fn new() -> Self {
        Self { token: Uuid::now_v7(), version: 0 }
    }
}

impl ClickHouseAnalytics {
    /// Begins or prolongs it.
    pub(super) async fn renew(&self, pause: &mut Pause) -> Result<(), AnalyticsError> {
        self.write_pause(pause, PAUSE_SECONDS).await
    }

    pub(super) async fn end(&self, pause: &mut Pause) -> Result<(), AnalyticsError> {
        self.write_pause(pause, 0).await
    }

    async fn write_pause(&self, pause: &mut Pause, seconds: u32) -> Result<(), AnalyticsError> {
        pause.version += 1;
        let sql =
            "INSERT INTO projection_pauses (token, version, until) SELECT {token:UUID}, {version:UInt32}, now('UTC') + {seconds:UInt32}";
        let query = self.client.query(sql).param("token", pause.token.hyphenated().to_string());
        self.execute(query.param("version", pause.version).param("seconds", seconds)).await
    }

    /// Returns when nobody wants a pause.
    pub(super) async fn wait_for_pauses(&self) -> Result<(), AnalyticsError> {
        let started = Instant::now();
        let sql = "SELECT count() FROM projection_pauses FINAL WHERE until > now('UTC')";
        while started.elapsed() < WAIT_MAX {
            let pauses: u64 = self.fetch_one(self.client.query(sql)).await?;
            if pauses == 0 {
                return Ok(());
            }
            sleep(POLL).await;
        }
        tracing::warn!("projecting goes on although a pause is still asked for");
        Ok(())
    }
}
