//! The open spool: appending records, in the order of their sequences, and releasing segments.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use metrics::{counter, gauge};
use parking_lot::Mutex;
use schemas::event::EVENT_BYTES_MAX;
use schemas::{BootId, PARTITION_COUNT, Partition, Producer, RequestId};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::durable::{Durability, Durable};
use super::error::SpoolError;
use super::holdings::{Applied, Holdings};
use super::identity::node_of;
use super::record::{ACCEPTED, BOOT, PROGRESS, TERMINAL, TerminalHead, encode_boot};
use super::recovery::{Recovering, Recovery};
use crate::disk::Disk;
use crate::journal::{Appended, FolderLock, Journal, JournalError, JournalOptions, OVERHEAD_BYTES, Trust, Wait};
use crate::metrics::{LOG_ACK_TIMEOUTS, SPOOL_BYTES, SPOOL_UNAPPLIED};

/// Limits of a spool.
#[derive(Debug, Clone)]
pub struct SpoolOptions {
    pub durability: Durability,
    pub segment_bytes: u64,
    /// Requests are refused beyond this. Terminals of accepted requests never are.
    pub bytes_max: u64,
    /// Kept free for every accepted request, so that its terminal finds room. More than most terminals need:
    /// only if they were longer on average would `bytes_max` be exceeded.
    pub terminal_reserve_bytes: u64,
    /// The longest a sync is put off so that as many records as lately can share it. It is never put off by more
    /// than an eighth of what the last one took, and not at all for a lone writer.
    pub group_delay_max: Duration,
    /// A group of this size is synced at once.
    pub group_records_max: u64,
    /// Records that nobody waits for are synced at least this often; never if absent.
    pub background_sync: Option<Duration>,
}

impl Default for SpoolOptions {
    fn default() -> Self {
        Self {
            durability: Durability::Disk,
            segment_bytes: 64 * 1024 * 1024,
            bytes_max: 4 * 1024 * 1024 * 1024,
            terminal_reserve_bytes: 8 * 1024,
            group_delay_max: Duration::from_millis(1),
            group_records_max: 512,
            background_sync: Some(Duration::from_secs(1)),
        }
    }
}

/// What a spool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolUsage {
    pub bytes: u64,
    pub bytes_max: u64,
    /// Kept free for the terminals of accepted requests.
    pub reserved_bytes: u64,
    /// Terminal events that the ledger has not applied.
    pub unapplied_events: u64,
    /// Accepted requests without a terminal.
    pub open_requests: u64,
}

/// A gateway's write-ahead spool. Cheap to clone; synced, closed and unlocked with its last clone.
#[derive(Clone)]
pub struct Spool {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub journal: Journal,
    producer: Producer,
    options: SpoolOptions,
    pub state: Mutex<State>,
    /// Held while segments are deleted: one caller at a time.
    releasing: Mutex<()>,
    /// A terminal was written since the shipper last looked.
    pub terminal_written: Notify,
    /// The lsn up to which every terminal is in the event log.
    pub shipped: watch::Sender<u64>,
    /// An acknowledgement of the log did not come in time, and none has come since.
    log_behind: AtomicBool,
}

pub(super) struct State {
    pub holdings: Holdings,
    /// The last sequence of this boot in every partition.
    sequences: [u64; PARTITION_COUNT as usize],
}

impl Spool {
    /// Opens or creates a spool and locks its folder; begins a new boot. Reads every record, so it takes a
    /// second or two for a gigabyte.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: SpoolOptions) -> Result<(Self, Recovery), SpoolError> {
        let lock = FolderLock::take(disk.as_ref(), dir)?;
        let producer = Producer { node: node_of(disk.as_ref(), dir)?, boot: BootId::mint() };
        let journal_options = JournalOptions {
            instance: "spool",
            segment_bytes: options.segment_bytes,
            group_delay_max: options.group_delay_max,
            group_records_max: options.group_records_max,
            background_sync: options.background_sync,
            trust: Trust::Nothing,
        };
        let mut recovering = Recovering::default();
        let (journal, torn_bytes) = Journal::open(disk, dir, lock, journal_options, &mut |found| recovering.see(found))?;
        if let Some((ordinal, lsn)) = recovering.unreadable {
            tracing::error!(dir = %dir.display(), lsn, "the spool holds a record of a kind this build does not know");
            return Err(SpoolError::Corrupt { file: journal.segment_path(ordinal), offset: 0 });
        }
        let (holdings, unfinished) = recovering.finish();
        // Synced soon, not awaited: whatever is acknowledged later comes after it.
        journal.append(BOOT, &[&encode_boot(producer)], Wait::ForSync, 0)?;
        if torn_bytes > 0 {
            tracing::warn!(dir = %dir.display(), torn_bytes, "cut off a torn tail of the spool that was never synced");
        }
        let inner = Inner {
            journal,
            producer,
            options,
            state: Mutex::new(State { holdings, sequences: [0; PARTITION_COUNT as usize] }),
            releasing: Mutex::new(()),
            terminal_written: Notify::new(),
            shipped: watch::Sender::new(0),
            log_behind: AtomicBool::new(false),
        };
        Ok((Self { inner: Arc::new(inner) }, Recovery { unfinished, producer, torn_bytes }))
    }

    /// This node in this boot.
    pub fn producer(&self) -> Producer {
        self.inner.producer
    }

    /// This node, and the least id of a boot whose events may be in here: [`Self::release`] needs to be told of no other node, and of no
    /// boot with a lesser id.
    pub fn oldest_producer(&self) -> Producer {
        let Producer { node, boot } = self.inner.producer;
        let least = self.inner.state.lock().holdings.least_boot();
        Producer { node, boot: least.map_or(boot, |least| least.min(boot)) }
    }

    /// Records that a request was accepted: from now on it is owed a terminal.
    pub fn accepted(&self, request: RequestId, payload: &[u8]) -> Result<Durable, SpoolError> {
        let inner = &*self.inner;
        let mut state = inner.state.lock();
        let reserve = (state.holdings.open_requests() + 1).saturating_mul(inner.options.terminal_reserve_bytes);
        inner.refuse_if_full(payload.len(), reserve)?;
        let id = request.uuid();
        let appended = inner.append(ACCEPTED, &[id.as_bytes(), payload], inner.wait_for_sync(), reserve)?;
        state.holdings.accepted(request, appended.ordinal);
        drop(state);
        Ok(durable_on_disk(appended))
    }

    /// Records how far a request is. Never synced for its own sake.
    pub fn progress(&self, request: RequestId, payload: &[u8]) -> Result<(), SpoolError> {
        let inner = &*self.inner;
        let state = inner.state.lock();
        inner.refuse_if_full(payload.len(), state.holdings.open_requests().saturating_mul(inner.options.terminal_reserve_bytes))?;
        inner.append(PROGRESS, &[request.uuid().as_bytes(), payload], Wait::No, 0)?;
        Ok(())
    }

    /// Writes an event, giving it the next sequence of its partition, and answers the bytes that `encode` made.
    /// `encode` runs under the writer's lock: the order of sequences is the order in the file, and a sequence
    /// whose event was not written is not used up. The terminal of an accepted request is never refused for want
    /// of the spool's own space (a disk without any is another matter).
    pub fn terminal(
        &self,
        request: Option<RequestId>,
        partition: Partition,
        encode: impl FnOnce(Producer, u64) -> Result<Vec<u8>, serde_json::Error>,
    ) -> Result<(Bytes, Durable), SpoolError> {
        let inner = &*self.inner;
        let mut state = inner.state.lock();
        let sequence = state.sequences.get(usize::from(partition)).ok_or(SpoolError::Partition(partition))?;
        let pseq = sequence + 1;
        let event = encode(inner.producer, pseq)?;
        if event.len() > EVENT_BYTES_MAX {
            return Err(SpoolError::TooLong { bytes: event.len(), bytes_max: EVENT_BYTES_MAX });
        }
        if !request.is_some_and(|request| state.holdings.is_open(request)) {
            inner.refuse_if_full(event.len(), state.holdings.open_requests().saturating_mul(inner.options.terminal_reserve_bytes))?;
        }
        let head = TerminalHead { request, boot: inner.producer.boot, partition, pseq };
        let wait = if matches!(inner.options.durability, Durability::Disk) { Wait::ForSync } else { Wait::No };
        let appended = inner.append(TERMINAL, &[&head.encode(), &event], wait, 0)?;
        state.sequences[usize::from(partition)] = pseq;
        state.holdings.terminal(request, inner.producer.boot, partition, pseq, appended.ordinal);
        drop(state);
        inner.terminal_written.notify_one();
        let durable = match inner.options.durability {
            Durability::Disk | Durability::Process => durable_on_disk(appended),
            Durability::Log { ack_timeout } => Durable::log(in_log(Arc::clone(&self.inner), appended.lsn, Instant::now() + ack_timeout)),
        };
        Ok((Bytes::from(event), durable))
    }

    /// Gives an event its sequence without writing it, for requests that are still running when the spool has turned
    /// unhealthy. The caller appends the bytes to the event log itself, and the event is safe when the log says so.
    pub fn terminal_unspooled(
        &self,
        partition: Partition,
        encode: impl FnOnce(Producer, u64) -> Result<Vec<u8>, serde_json::Error>,
    ) -> Result<Bytes, SpoolError> {
        let mut state = self.inner.state.lock();
        let sequence = state.sequences.get_mut(usize::from(partition)).ok_or(SpoolError::Partition(partition))?;
        let event = encode(self.inner.producer, *sequence + 1)?;
        *sequence += 1;
        Ok(Bytes::from(event))
    }

    /// False for ever after a write or sync has failed: the gateway turns unready.
    pub fn is_healthy(&self) -> bool {
        self.inner.journal.is_healthy()
    }

    /// Under `Durability::Log`: true from an acknowledgement that did not come within `ack_timeout` until the
    /// next that comes. The gateway is unready, and terminals are safe once they are on disk.
    pub fn is_log_behind(&self) -> bool {
        self.inner.log_behind.load(Ordering::Acquire)
    }

    pub fn usage(&self) -> SpoolUsage {
        let inner = &*self.inner;
        let state = inner.state.lock();
        let open_requests = state.holdings.open_requests();
        SpoolUsage {
            bytes: inner.journal.bytes(),
            bytes_max: inner.options.bytes_max,
            reserved_bytes: open_requests.saturating_mul(inner.options.terminal_reserve_bytes),
            unapplied_events: state.holdings.unapplied_events(),
            open_requests,
        }
    }

    /// Takes note of what the ledger has applied and deletes the oldest segments as long as every event in them
    /// is applied and every request accepted in them has its terminal. Blocks on the disk.
    pub fn release(&self, applied: &[Applied]) -> Result<(), SpoolError> {
        let inner = &*self.inner;
        let _releasing = inner.releasing.lock();
        inner.state.lock().holdings.note_applied(inner.producer.node, applied);
        while let Some(ordinal) = inner.journal.oldest_sealed() {
            if !inner.state.lock().holdings.may_release(ordinal) || !inner.journal.remove_oldest(ordinal)? {
                break;
            }
            inner.state.lock().holdings.released(ordinal);
        }
        let usage = self.usage();
        gauge!(SPOOL_BYTES).set(usage.bytes as f64);
        gauge!(SPOOL_UNAPPLIED).set(usage.unapplied_events as f64);
        Ok(())
    }
}

impl Inner {
    fn wait_for_sync(&self) -> Wait {
        if self.options.durability == Durability::Process { Wait::No } else { Wait::ForSync }
    }

    fn append(&self, kind: u8, parts: &[&[u8]], wait: Wait, ahead_bytes: u64) -> Result<Appended, SpoolError> {
        self.journal.append(kind, parts, wait, ahead_bytes).map_err(|error| match error {
            JournalError::NoSpace => self.full(self.journal.bytes()),
            other => other.into(),
        })
    }

    fn refuse_if_full(&self, payload_bytes: usize, reserved_bytes: u64) -> Result<(), SpoolError> {
        let wanted = (payload_bytes + OVERHEAD_BYTES) as u64;
        let bytes = self.journal.bytes().saturating_add(wanted).saturating_add(reserved_bytes);
        if bytes > self.options.bytes_max { Err(self.full(bytes)) } else { Ok(()) }
    }

    fn full(&self, bytes: u64) -> SpoolError {
        self.journal.count_full();
        SpoolError::Full { bytes, bytes_max: self.options.bytes_max }
    }

    /// Says up to which lsn every terminal is in the event log.
    pub fn mark_shipped(&self, lsn: u64) {
        self.shipped.send_replace(lsn);
        self.log_behind.store(false, Ordering::Release);
    }
}

fn durable_on_disk(appended: Appended) -> Durable {
    appended.synced.map_or_else(Durable::now, Durable::group)
}

/// Waits for the event log's acknowledgement, or, when that does not come, for the disk.
async fn in_log(inner: Arc<Inner>, lsn: u64, deadline: Instant) -> Result<(), SpoolError> {
    if !inner.log_behind.load(Ordering::Acquire) {
        let mut shipped = inner.shipped.subscribe();
        // The sender is in `inner`: the wait cannot end without an answer.
        if let Ok(Ok(_)) = tokio::time::timeout_at(deadline, shipped.wait_for(|shipped| *shipped >= lsn)).await {
            return Ok(());
        }
        inner.log_behind.store(true, Ordering::Release);
    }
    counter!(LOG_ACK_TIMEOUTS).increment(1);
    let synced = inner.journal.sync()?;
    synced.await?;
    Ok(())
}
