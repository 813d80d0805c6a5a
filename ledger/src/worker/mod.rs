//! The ledger role: applies the log as it grows and tells the gate what it booked.
//!
//! It never acknowledges anything: the position in the books is the only memory. A broken invariant halts
//! it; a database that is away is waited for. Feedback to the gate may be lost at any moment and is
//! repaired: all of it is said again at the start, what came after the last word that was delivered
//! whenever one was not, and what the gate still carries too long is said again from the books.
//!
//! Of several workers on one ledger **one books and the others stand back**: whoever finds that the books
//! moved without it only watches them, and goes on when they stand still. Start at [`run`].

mod feedback;
mod gaps;
mod standby;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventlog::{EventLog, LogError, fault};
use schemas::{Partition, Producer, Timestamp};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::apply::Prepared;
use crate::feed::{Feed, FeedError};
use crate::gate::BalanceGate;
use crate::metrics::{self as names, LEDGER_ACTIVE, LEDGER_HALTED, LEDGER_LAG_ENTRIES, LEDGER_POSITION, LEDGER_RETRIES_TOTAL};
use crate::store::{BatchOutcome, LedgerError, LedgerStore};

use feedback::Feedback;
use gaps::Gaps;

/// The most entries one transaction takes.
pub const BATCH_ENTRIES_MAX: usize = 1_000;
/// How long entries are gathered when the books are not behind.
const GATHER: Duration = Duration::from_millis(5);
/// A database that refuses this often in a row ends the role; one that is away does not.
const RETRIES_MAX: u64 = 20;
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(5);
/// Of what is booked, compared with the log before more is: a log loses its end, not its middle.
pub const COMPARED_ENTRIES: usize = 1_000;
/// Beside a halted worker.
const HALTED_LOOK_EVERY: Duration = Duration::from_secs(5);

/// How far the books are.
#[derive(Debug, Clone, Default)]
pub struct WorkerProgress {
    pub position: u64,
    /// Up to which number the events of this process's own producers are applied without a gap; sorted.
    pub watermarks: Arc<Vec<(Producer, Partition, u64)>>,
}

#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    #[error("event log could not be read")]
    Log(#[from] LogError),
    #[error("event log could not be fed")]
    Feed(#[from] FeedError),
    #[error("events could not be applied")]
    Ledger(#[from] LedgerError),
    /// The log is not the one these books were made from, or it lost its end.
    #[error("the ledger stands at log position {ledger}, but the log ends at {log}")]
    LogBehind { ledger: u64, log: u64 },
    /// It lost its end and grew past it again, or is another one.
    #[error("the event log has another event at position {0} than the one that was booked")]
    LogDiffers(u64),
}

/// Runs until cancelled. An error means that the books may not go on as they are, or cannot. `own` is the node whose watermarks are told,
/// and the first of its boots that anybody here waits for: its spool's.
pub async fn run(
    store: LedgerStore,
    log: EventLog,
    gate: Option<BalanceGate>,
    own: Producer,
    progress: watch::Sender<WorkerProgress>,
    cancel: CancellationToken,
) -> Result<(), WorkerError> {
    metrics::gauge!(LEDGER_HALTED).set(0.0);
    let outcome = Worker {
        feedback: Feedback::new(store.clone(), gate),
        gaps: Gaps::new(store.clone()),
        store,
        log,
        own,
        progress,
        watermarks: BTreeMap::new(),
        cancel,
    }
    .run()
    .await;
    if let Err(error) = &outcome {
        metrics::gauge!(LEDGER_HALTED).set(1.0);
        tracing::error!(error = error as &dyn std::error::Error, "ledger halted");
    }
    outcome
}

/// How far the log goes on without the books, for as long as nobody books: beside a worker that has halted.
pub async fn tell_lag(log: EventLog, position: u64, cancel: CancellationToken) {
    loop {
        // A log that cannot be read either has its own metric.
        if let Ok(bounds) = log.bounds().await {
            note_lag(bounds.last, position);
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = sleep(HALTED_LOOK_EVERY) => {}
        }
    }
}

fn note_lag(last: u64, position: u64) {
    metrics::gauge!(LEDGER_LAG_ENTRIES).set(last.saturating_sub(position) as f64);
}

struct Worker {
    store: LedgerStore,
    log: EventLog,
    feedback: Feedback,
    gaps: Gaps,
    own: Producer,
    progress: watch::Sender<WorkerProgress>,
    /// Of `own`'s node alone: the books know of more producers every day.
    watermarks: BTreeMap<(Partition, uuid::Uuid, uuid::Uuid), (Producer, u64)>,
    cancel: CancellationToken,
}

/// What became of a batch.
enum Turn {
    /// It is in the books; not `alone` where another worker had booked a part of it, or all.
    Booked {
        outcome: BatchOutcome,
        alone: bool,
    },
    /// Another worker is at it: nothing was done here.
    Overtaken,
    Cancelled,
}

impl Worker {
    async fn run(mut self) -> Result<(), WorkerError> {
        while let Some(position) = self.read_books().await? {
            // Also after standing back: the other worker's heads are not in this one's file.
            if self.retrying(|| self.store.verify_heads()).await?.is_none() {
                break;
            }
            metrics::gauge!(LEDGER_ACTIVE).set(1.0);
            let Some(bounds) = self.cancel.run_until_cancelled(self.log.bounds()).await else { break };
            let last = bounds?.last;
            if position > last {
                return Err(WorkerError::LogBehind { ledger: position, log: last });
            }
            let Some(booked) = self.retrying(|| self.store.newest_facts(COMPARED_ENTRIES)).await? else { break };
            let Some(other) = self.cancel.run_until_cancelled(self.log.first_difference(&booked)).await else { break };
            if let Some(other) = other? {
                return Err(WorkerError::LogDiffers(other));
            }
            if !self.book_after(position).await? {
                break;
            }
            metrics::gauge!(LEDGER_ACTIVE).set(0.0);
            self.gaps.forget();
            tracing::info!(ledger.position = position, "another worker books this ledger: standing back");
            self.stand_back().await?;
            self.feedback.owe();
        }
        Ok(())
    }

    /// Tells how far the books are; `None` when cancelled.
    async fn read_books(&mut self) -> Result<Option<u64>, LedgerError> {
        let read = async || Ok((self.store.position().await?, self.store.watermarks(self.own).await?));
        let Some((position, known)) = self.retrying(read).await? else { return Ok(None) };
        self.publish(position, known);
        Ok(Some(position))
    }

    /// Books batch after batch; `true` when another worker does, `false` when cancelled.
    async fn book_after(&mut self, position: u64) -> Result<bool, WorkerError> {
        let mut feed = Feed::new(self.log.clone(), position, None);
        let mut batch = Vec::new();
        while !self.cancel.is_cancelled() {
            self.feedback.repair().await;
            if self.cancel.run_until_cancelled(self.gaps.look()).await.is_none() {
                break;
            }
            if batch.is_empty() {
                self.wait(feed.position()).await;
                // A log that is away is waited for; a worker that is to end does not wait with it.
                let Some(next) = self.cancel.run_until_cancelled(feed.next(BATCH_ENTRIES_MAX)).await else { break };
                batch = next?;
                continue;
            }
            let full = batch.len() == BATCH_ENTRIES_MAX;
            let (turn, next) = tokio::join!(self.apply(&batch), self.cancel.run_until_cancelled(read_ahead(&mut feed, full)));
            match turn? {
                Turn::Booked { outcome, alone } => {
                    self.take(outcome).await?;
                    names::record_lag(&batch, Timestamp::now());
                    if !alone {
                        return Ok(true);
                    }
                }
                Turn::Overtaken => return Ok(true),
                Turn::Cancelled => break,
            }
            let Some(next) = next else { break };
            batch = next?;
        }
        Ok(false)
    }

    /// Safe to repeat: entries the books already hold are skipped, and feedback that was lost with an
    /// unknown outcome is repaired from what the gate still carries.
    async fn apply(&self, batch: &[Prepared]) -> Result<Turn, LedgerError> {
        // What was tried before may be in the books by this worker's own hand.
        let tried = AtomicBool::new(false);
        let attempt = || {
            let again = tried.swap(true, Ordering::Relaxed);
            async move {
                match self.store.apply_prepared(batch).await {
                    Ok(outcome) => Ok(Turn::Booked { alone: again || outcome.entries() == batch.len() as u64, outcome }),
                    Err(error) if error.is_conflict() => Ok(Turn::Overtaken),
                    Err(error) => Err(error),
                }
            }
        };
        Ok(self.retrying(attempt).await?.unwrap_or(Turn::Cancelled))
    }

    async fn take(&mut self, outcome: BatchOutcome) -> Result<(), WorkerError> {
        if outcome.entries() == 0 {
            // A commit whose answer was lost: its feedback and watermarks went with it.
            self.feedback.owe();
            self.read_books().await?;
        } else {
            fault::point("ledger.before_feedback");
            let from = outcome.position - outcome.entries();
            self.feedback.post(outcome.posted, from, outcome.position).await;
            fault::point("ledger.after_feedback");
            self.publish(outcome.position, outcome.watermarks);
        }
        if let Some(bounds) = self.cancel.run_until_cancelled(self.log.bounds()).await {
            note_lag(bounds?.last, outcome.position);
        }
        Ok(())
    }

    /// `None` when cancelled. What may pass is waited for, what refuses again and again is an error.
    async fn retrying<T, F: Future<Output = Result<T, LedgerError>>>(
        &self,
        mut attempt: impl FnMut() -> F,
    ) -> Result<Option<T>, LedgerError> {
        let mut pause = RETRY_FIRST;
        for number in 1_u64.. {
            match attempt().await {
                Ok(done) => return Ok(Some(done)),
                Err(error) if error.is_outage() || (error.is_transient() && number < RETRIES_MAX) => {
                    metrics::counter!(LEDGER_RETRIES_TOTAL, "step" => "apply").increment(1);
                    tracing::warn!(error = &error as &dyn std::error::Error, attempt = number, "ledger database failed and is tried again");
                    if let Some(Ok(bounds)) = self.cancel.run_until_cancelled(self.log.bounds()).await {
                        note_lag(bounds.last, self.progress.borrow().position);
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = self.cancel.cancelled() => return Ok(None),
                () = sleep(pause) => {}
            }
            pause = (pause * 2).min(RETRY_LAST);
        }
        Ok(None)
    }

    /// Until there is something to read, feedback to repair, or gaps to look for.
    async fn wait(&self, position: u64) {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = tokio::time::sleep_until(self.feedback.due.min(self.gaps.due)) => {}
            () = self.log.wait_past(position) => sleep(GATHER).await,
        }
    }

    fn publish(&mut self, position: u64, watermarks: Vec<(Producer, Partition, u64)>) {
        let is_own = |producer: &Producer| producer.node == self.own.node && producer.boot >= self.own.boot;
        for (producer, partition, contiguous) in watermarks.into_iter().filter(|(producer, ..)| is_own(producer)) {
            self.watermarks.insert((partition, producer.node.uuid(), producer.boot.uuid()), (producer, contiguous));
        }
        let all = self.watermarks.iter().map(|((partition, _, _), (producer, contiguous))| (*producer, *partition, *contiguous));
        metrics::gauge!(LEDGER_POSITION).set(position as f64);
        self.progress.send_replace(WorkerProgress { position, watermarks: Arc::new(all.collect()) });
    }
}

/// The next batch while this one is written, when the books are behind.
async fn read_ahead(feed: &mut Feed, behind: bool) -> Result<Vec<Prepared>, FeedError> {
    if behind { feed.next(BATCH_ENTRIES_MAX).await } else { Ok(Vec::new()) }
}
