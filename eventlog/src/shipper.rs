//! Carries terminal events from the spool to the event log, oldest first, and lets the spool release what
//! the ledger has applied.
//!
//! **The same bytes under the same message id, again and again until the log takes them**: an outcome that is
//! unknown is repeated, and whoever reads the log counts an event once. What the log took and lost again (a leader that failed before its
//! followers had it) is found by the books having passed it, and sent once more. Start at [`Shipper::run`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, counter};
use parking_lot::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::fault;
use crate::log::{EventLog, Message};
use crate::metrics::{RESENT, SHIP_FAILURES, SHIPPED};
use crate::spool::{Applied, Sequences, ShipBatch, ShipCursor, ShipLimits, Spool, SpoolError};

/// How far the books are.
#[derive(Debug, Clone, Default)]
pub struct Booked {
    /// The log position they have read to.
    pub position: u64,
    /// Up to which number they have the events of producers.
    pub applied: Vec<Applied>,
}

/// What the ledger has applied, wired by the executable.
pub type AppliedSource = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Booked> + Send>> + Send + Sync>;

/// Events that the log has acknowledged: the books have them once they are at its position.
struct Mark {
    position: u64,
    sequences: Sequences,
}

/// What is watched until the books have it, and what is next.
#[derive(Default)]
struct Marks {
    watched: Option<Mark>,
    /// Of all batches since.
    next: Option<Mark>,
    /// When what is watched is sent again, from the moment on that the books were there without it.
    again: Option<Again>,
}

struct Again {
    due: Instant,
    wait: Duration,
    /// How many of its events were not applied when it was put off: fewer are progress.
    lacking: u64,
}

impl Marks {
    fn acknowledged(&mut self, position: u64, sequences: Sequences) {
        let next = self.next.get_or_insert_with(|| Mark { position, sequences: Sequences::new() });
        next.position = next.position.max(position);
        next.sequences.extend(sequences);
    }
}

/// With more records than this to read, reading leaves the async worker: it may have to wait for the disk.
const TAIL_RECORDS: u64 = 4_096;

/// Limits of a shipper.
#[derive(Debug, Clone)]
pub struct ShipperOptions {
    pub batch_events_max: usize,
    pub batch_bytes_max: usize,
    /// The least time between two batches that are not full: the first event after a pause goes at once, those
    /// right behind it share a batch.
    pub batch_interval_min: Duration,
    /// An append that takes longer has an unknown outcome and is repeated.
    pub append_timeout: Duration,
    pub retry_delay_min: Duration,
    pub retry_delay_max: Duration,
    pub release_interval: Duration,
    /// Events that the books have passed without seeing them are sent again after so long, and then after twice as long each time.
    pub resend_after: Duration,
    pub resend_after_max: Duration,
}

impl Default for ShipperOptions {
    fn default() -> Self {
        Self {
            batch_events_max: 1_000,
            batch_bytes_max: 256 * 1024,
            batch_interval_min: Duration::from_millis(1),
            append_timeout: Duration::from_secs(10),
            retry_delay_min: Duration::from_millis(50),
            retry_delay_max: Duration::from_secs(5),
            release_interval: Duration::from_millis(250),
            resend_after: Duration::from_secs(10),
            resend_after_max: Duration::from_secs(60 * 60),
        }
    }
}

/// Why a shipper stopped.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    #[error("spool cannot be read")]
    Spool(#[from] SpoolError),
}

/// Ships until it is cancelled.
pub struct Shipper {
    spool: Spool,
    log: EventLog,
    applied: AppliedSource,
    options: ShipperOptions,
    shipped: Counter,
    failures: Counter,
    resent: Counter,
    marks: Mutex<Marks>,
}

impl Shipper {
    pub fn new(spool: Spool, log: EventLog, applied: AppliedSource, options: ShipperOptions) -> Self {
        let (shipped, failures, resent) = (counter!(SHIPPED), counter!(SHIP_FAILURES), counter!(RESENT));
        Self { spool, log, applied, options, shipped, failures, resent, marks: Mutex::default() }
    }

    /// Runs until cancelled; then ships what is left, as long as the log takes it at the first try, and returns.
    /// An error means the spool's files are damaged: nothing more can be shipped.
    pub async fn run(self, cancel: CancellationToken) -> Result<(), ShipError> {
        // What the ledger has, need not be shipped again.
        self.release_once().await;
        let releasing = async {
            let mut ticks = interval(self.options.release_interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.release_once().await;
            }
        };
        tokio::select! {
            shipped = self.ship(&cancel) => shipped?,
            () = releasing => {}
        }
        self.release_once().await;
        Ok(())
    }

    async fn ship(&self, cancel: &CancellationToken) -> Result<(), ShipError> {
        let limits = ShipLimits { events: self.options.batch_events_max, bytes: self.options.batch_bytes_max };
        let mut cursor = ShipCursor::default();
        loop {
            let started = Instant::now();
            let batch = self.read(&mut cursor, limits).await?;
            if batch.messages.is_empty() {
                self.spool.mark_shipped(batch.last_lsn);
                if cancel.is_cancelled() {
                    return Ok(());
                }
                tokio::select! {
                    () = self.spool.terminal_written() => {}
                    () = cancel.cancelled() => {}
                }
                continue;
            }
            let is_full = batch.messages.len() >= limits.events;
            if !self.append_until_taken(batch, cancel).await {
                return Ok(());
            }
            if !is_full && !cancel.is_cancelled() {
                sleep_until(started + self.options.batch_interval_min).await;
            }
        }
    }

    async fn read(&self, cursor: &mut ShipCursor, limits: ShipLimits) -> Result<ShipBatch, ShipError> {
        if cursor.records_behind(&self.spool) <= TAIL_RECORDS {
            return Ok(self.spool.read_unshipped(cursor, limits)?);
        }
        let (spool, mut moved) = (self.spool.clone(), std::mem::take(cursor));
        let read = spawn_blocking(move || {
            let batch = spool.read_unshipped(&mut moved, limits);
            (moved, batch)
        });
        match read.await {
            Ok((moved, batch)) => {
                *cursor = moved;
                Ok(batch?)
            }
            Err(join) => std::panic::resume_unwind(join.into_panic()),
        }
    }

    /// Repeats a batch until the log has it; false if it was cancelled first.
    async fn append_until_taken(&self, batch: ShipBatch, cancel: &CancellationToken) -> bool {
        let mut delay = self.options.retry_delay_min;
        loop {
            fault::point("shipper.before_append");
            if let Some(position) = self.append(&batch.messages).await {
                fault::point("shipper.after_append");
                self.marks.lock().acknowledged(position, batch.last_sequences());
                self.shipped.increment(batch.messages.len() as u64);
                self.spool.mark_shipped(batch.last_lsn);
                return true;
            }
            self.failures.increment(1);
            if cancel.is_cancelled() {
                return false;
            }
            tokio::select! {
                () = sleep(delay) => {}
                () = cancel.cancelled() => {}
            }
            delay = (delay * 2).min(self.options.retry_delay_max);
        }
    }

    /// The position of the last of them, once the log has them.
    async fn append(&self, messages: &[Message]) -> Option<u64> {
        match timeout(self.options.append_timeout, self.log.append(messages.to_vec())).await {
            Ok(Ok(position)) => return Some(position),
            Ok(Err(error)) => tracing::warn!(events = messages.len(), error = %error, "the event log did not take a batch; it is repeated"),
            Err(_) => tracing::warn!(events = messages.len(), "the event log did not answer in time; the batch is repeated"),
        }
        None
    }

    async fn release_once(&self) {
        let Booked { position, applied } = (self.applied)().await;
        let spool = self.spool.clone();
        match spawn_blocking(move || spool.release(&applied)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = %error, "the spool could not release what was applied"),
            Err(join) => std::panic::resume_unwind(join.into_panic()),
        }
        self.send_lost_again(position).await;
    }

    /// Sends again what the log has acknowledged and the books have passed without seeing it, a batch at a time. What of it they do have
    /// counts once all the same.
    async fn send_lost_again(&self, booked: u64) {
        let Some(lost) = self.lost(booked) else { return };
        let spool = self.spool.clone();
        let limits = ShipLimits { events: self.options.batch_events_max, bytes: self.options.batch_bytes_max };
        let read = spawn_blocking(move || spool.unapplied_of(&lost, limits)).await;
        let messages = match read {
            Ok(Ok(messages)) => messages,
            Ok(Err(error)) => return tracing::warn!(error = %error, "the spool could not be read for what the event log lost"),
            Err(join) => std::panic::resume_unwind(join.into_panic()),
        };
        tracing::error!(events = messages.len(), "the books have passed events that the event log had acknowledged; they are sent again");
        if !messages.is_empty() && self.append(&messages).await.is_some() {
            self.resent.increment(messages.len() as u64);
        }
    }

    /// What is due to be sent again.
    fn lost(&self, booked: u64) -> Option<Sequences> {
        let mut marks = self.marks.lock();
        if marks.watched.is_none() {
            marks.watched = marks.next.take();
        }
        let watched = marks.watched.as_ref().filter(|mark| mark.position <= booked)?;
        let lacking = self.spool.lacking(&watched.sequences);
        if lacking == 0 {
            (marks.watched, marks.again) = (None, None);
            return None;
        }
        let lost = watched.sequences.clone();
        let (now, first) = (Instant::now(), self.options.resend_after);
        let again = marks.again.get_or_insert(Again { due: now + first, wait: first, lacking });
        if now < again.due {
            return None;
        }
        // Where sending it again has helped, the next ones are not put off for longer.
        let wait = if lacking < again.lacking { first } else { (again.wait * 2).min(self.options.resend_after_max) };
        *again = Again { due: now + wait, wait, lacking };
        Some(lost)
    }
}
