//! Standing back: another worker books this ledger, and this one is ready to take over.
//!
//! Nothing is agreed on and nobody holds a lock for longer than a batch: the books themselves tell whether
//! somebody works on them. Two that take over at once are told apart by the lock of the first batch.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Worker, WorkerError};

/// How often the books are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Books that stand still for so long, with entries left in the log, have no worker any more.
const STILL_AFTER: Duration = Duration::from_secs(3);

impl Worker {
    /// Watches the books until nobody works on them, telling how far they are. Returns when cancelled, too.
    pub(super) async fn stand_back(&mut self) -> Result<(), WorkerError> {
        let (mut seen, mut since) = (None, Instant::now());
        while let Some(position) = self.read_books().await? {
            let Some(bounds) = self.cancel.run_until_cancelled(self.log.bounds()).await else { return Ok(()) };
            if seen != Some(position) || bounds?.last <= position {
                (seen, since) = (Some(position), Instant::now());
            } else if since.elapsed() >= STILL_AFTER {
                tracing::info!(ledger.position = position, "nobody books this ledger: taking over");
                return Ok(());
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Ok(()),
                () = sleep(LOOK_EVERY) => {}
            }
        }
        Ok(())
    }
}
