//! The projector role: follows the log from where the store stands, and keeps derived tables fresh.
//!
//! Rows are projected as they come, or as often as the engine likes to be written to. Stale buckets are recomputed at most
//! every refresh interval, and less often when recomputing takes long, so that projecting keeps nine tenths of the
//! time however large an hour is. A server that is away is waited for: the log keeps what it misses.

use std::future::Future;
use std::time::Duration;

use eventlog::{EventLog, LogError, ReadLimit};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::{AnalyticsError, Retry};
use crate::metrics;
use crate::store::AnalyticsStore;
use crate::tail::Tail;

/// A refresh is followed by this many times its duration without one.
const REFRESH_PAUSE_FACTOR: u32 = 9;
/// Pauses between tries while a call fails that may succeed later. After the last one the role ends, unless a server is
/// away: then the last one is repeated.
const RETRY_PAUSES_MS: [u64; 8] = [50, 100, 500, 1_000, 2_000, 5_000, 10_000, 10_000];
/// How long shutdown waits for derived tables. What is not done stays marked and is done after the next start.
const SHUTDOWN_REFRESH_MAX: Duration = Duration::from_secs(2);

/// How often an engine is written to, and how much at once.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Entries and bytes projected at once, at most.
    pub batch: ReadLimit,
    /// From the start of a batch that was not full to the next one.
    pub batch_interval: Duration,
    /// Derived tables are at most about this old while traffic flows.
    pub refresh_interval: Duration,
}

/// Why the role stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("event log could not be read")]
    Log(#[from] LogError),
    #[error("events could not be projected")]
    Store(#[from] AnalyticsError),
    /// The log is not the one these tables were made from, or it lost its end.
    #[error("analytics stand at log position {store}, but the log ends at {log}")]
    LogBehind { store: u64, log: u64 },
    /// It lost its end and grew past it again, or is another one.
    #[error("the event log has another event at position {0} than the one these analytics were made of")]
    LogDiffers(u64),
}

/// Runs until cancelled. `progress` is the position up to which rows are there.
pub async fn run(store: AnalyticsStore, log: EventLog, progress: watch::Sender<u64>, cancel: CancellationToken) -> Result<(), WorkerError> {
    let pace = Pace::of(&store);
    let Some(mut position) = with_retries(|| store.position(), &cancel).await? else { return Ok(()) };
    let Some(bounds) = cancel.run_until_cancelled(log.bounds()).await else { return Ok(()) };
    let last = bounds?.last;
    if position > last {
        return Err(WorkerError::LogBehind { store: position, log: last });
    }
    if let Some(tail) = with_retries(|| store.tail(), &cancel).await?.flatten()
        && cancel.run_until_cancelled(tail.differs_in(&log)).await.transpose()? == Some(true)
    {
        return Err(WorkerError::LogDiffers(tail.position));
    }
    progress.send_replace(position);
    let mut refresher = Refresher { interval: pace.refresh_interval, due: Instant::now(), dirty: true, failures: 0 };
    while !cancel.is_cancelled() {
        let started = Instant::now();
        let Some(entries) = cancel.run_until_cancelled(log.read(position, pace.batch)).await else { break };
        let entries = entries?;
        if !entries.is_empty() {
            let Some(outcome) = with_retries(|| store.project(&entries), &cancel).await? else { break };
            metrics::record(&outcome);
            if outcome.quarantined > 0 {
                tracing::warn!(
                    projector.quarantined = outcome.quarantined,
                    projector.position = outcome.position,
                    "log entries that are not readable events were put into projection_quarantine"
                );
            }
            if let Some(tail) = entries.last().map(Tail::of)
                && with_retries(|| store.note_tail(tail), &cancel).await?.is_none()
            {
                break;
            }
            position = outcome.position;
            progress.send_replace(position);
            // Whatever became of them: a try whose answer was lost may have left marks.
            refresher.dirty = true;
        }
        refresher.refresh_if_due(&store).await?;
        if entries.is_empty() {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = log.wait_past(position) => {}
                () = sleep_until(refresher.due), if refresher.dirty => {}
            }
        } else if entries.len() < pace.batch.entries {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = sleep_until(started + pace.batch_interval) => {}
            }
        }
    }
    match timeout(SHUTDOWN_REFRESH_MAX, store.refresh()).await {
        Ok(Err(error)) if error.retry() == Retry::Never => Err(error.into()),
        _ => Ok(()),
    }
}

/// Tries again while the store cannot be used: nothing is lost by waiting. `None` when cancelled.
async fn with_retries<T, F>(call: impl Fn() -> F, cancel: &CancellationToken) -> Result<Option<T>, AnalyticsError>
where
    F: Future<Output = Result<T, AnalyticsError>>,
{
    let mut failures = 0;
    loop {
        let error = match call().await {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        let pause = pause_after(error, &mut failures)?;
        tokio::select! {
            () = cancel.cancelled() => return Ok(None),
            () = sleep(pause) => {}
        }
    }
}

/// How long to wait after one more failure; the failure itself, when waiting does not help.
fn pause_after(error: AnalyticsError, failures: &mut usize) -> Result<Duration, AnalyticsError> {
    let give_up = match error.retry() {
        Retry::Never => true,
        Retry::Some => *failures >= RETRY_PAUSES_MS.len(),
        Retry::Always => false,
    };
    if give_up {
        return Err(error);
    }
    metrics::record_retry();
    tracing::warn!(error = &error as &dyn std::error::Error, "the analytics store could not be used and will be tried again");
    let pause_ms = RETRY_PAUSES_MS[(*failures).min(RETRY_PAUSES_MS.len() - 1)];
    *failures += 1;
    Ok(Duration::from_millis(pause_ms))
}

struct Refresher {
    interval: Duration,
    due: Instant,
    dirty: bool,
    /// In a row.
    failures: usize,
}

impl Refresher {
    async fn refresh_if_due(&mut self, store: &AnalyticsStore) -> Result<(), AnalyticsError> {
        let started = Instant::now();
        if !self.dirty || started < self.due {
            return Ok(());
        }
        match refresh(store).await {
            Ok(left) => {
                self.failures = 0;
                self.dirty = left > 0;
                let took = started.elapsed();
                metrics::record_refresh(took, left);
                self.due = Instant::now() + self.interval.max(took * REFRESH_PAUSE_FACTOR);
            }
            Err(error) => self.due = Instant::now() + pause_after(error, &mut self.failures)?,
        }
        Ok(())
    }
}

/// How many buckets are stale still.
async fn refresh(store: &AnalyticsStore) -> Result<u64, AnalyticsError> {
    store.refresh().await?;
    store.dirty_count().await
}

impl Pace {
    /// What suits the engine: a file takes every batch at once, a column store wants few and large ones.
    pub const fn of(store: &AnalyticsStore) -> Self {
        match store {
            AnalyticsStore::Sqlite(_) => Self {
                batch: ReadLimit { entries: 2_000, bytes: 4 * 1024 * 1024 },
                batch_interval: Duration::ZERO,
                refresh_interval: Duration::from_millis(500),
            },
            AnalyticsStore::ClickHouse(_) => Self {
                batch: ReadLimit { entries: 20_000, bytes: 32 * 1024 * 1024 },
                batch_interval: Duration::from_millis(500),
                refresh_interval: Duration::from_secs(5),
            },
        }
    }
}
