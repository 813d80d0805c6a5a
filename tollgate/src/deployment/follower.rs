//! Watches what a ledger in another process has booked, for those here who wait for it: the spool's release and the
//! credit desk.

use std::sync::Arc;
use std::time::Duration;

use eventlog::Spool;
use ledger::store::LedgerStore;
use ledger::worker::WorkerProgress;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How often the books are looked at while something of ours is not in them, and otherwise.
const BUSY_INTERVAL: Duration = Duration::from_millis(100);
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// Runs until cancelled. Books that cannot be read just now are looked at again.
pub async fn follow_ledger(ledger: LedgerStore, spool: Spool, progress: watch::Sender<WorkerProgress>, cancel: CancellationToken) {
    let mut failing = false;
    loop {
        let interval = if spool.usage().unapplied_events > 0 { BUSY_INTERVAL } else { IDLE_INTERVAL };
        if cancel.run_until_cancelled(sleep(interval)).await.is_none() {
            return;
        }
        let known = progress.borrow().position;
        match news(&ledger, &spool, known).await {
            Ok(news) => {
                failing = false;
                if let Some(news) = news {
                    progress.send_replace(news);
                }
            }
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = &error as &dyn std::error::Error, "the books cannot be read; they are looked at again");
            }
            Err(_) => {}
        }
    }
}

/// How far the books are, if that has changed; and with which of the events in this spool.
async fn news(ledger: &LedgerStore, spool: &Spool, known: u64) -> Result<Option<WorkerProgress>, ledger::LedgerError> {
    let position = ledger.position().await?;
    if position == known {
        return Ok(None);
    }
    Ok(Some(WorkerProgress { position, watermarks: Arc::new(ledger.watermarks(spool.oldest_producer()).await?) }))
}
