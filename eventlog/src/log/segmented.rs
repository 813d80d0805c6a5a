//! The embedded event log: one process writes, any number read.
//!
//! A record is an event and its lsn is its position. Nothing is ever deleted here. Readers in the writing
//! process see what is durable; see [`follower`](super::follower) for readers in another.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::follower::Follower;
use super::{Bounds, Entry, LogError, Message, ReadLimit};
use crate::disk::Disk;
use crate::journal::{FolderLock, Journal, JournalError, JournalOptions, OVERHEAD_BYTES, Place, Scanner, Step, Trust, Wait};

/// The only kind of record in an event log.
const EVENT: u8 = 5;
/// Reads that begin further behind the end than this leave the async worker: they may have to wait for the disk.
const TAIL_POSITIONS: u64 = 4_096;

/// Limits of the embedded event log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub segment_bytes: u64,
    /// Appends are refused beyond this; nothing is ever deleted to make room.
    pub bytes_max: u64,
    /// Acknowledge an append when the operating system has it (survives a killed process, not a power cut)
    /// instead of when the disk has it.
    pub ack_unsynced: bool,
    /// Under `ack_unsynced`: how often what was appended is synced all the same.
    pub background_sync: Option<Duration>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { segment_bytes: 64 * 1024 * 1024, bytes_max: u64::MAX, ack_unsynced: false, background_sync: Some(Duration::from_secs(1)) }
    }
}

/// Events in segment files, kept until archived.
pub struct SegmentedEventLog {
    source: Source,
}

enum Source {
    Writer(Writer),
    Follower(Follower),
}

struct Writer {
    journal: Journal,
    options: LogOptions,
    /// Held from the check for space to the append.
    appending: Mutex<()>,
    /// The last position that readers may see.
    visible: watch::Receiver<u64>,
    /// Set under `ack_unsynced`: there what is written is visible.
    written: Option<watch::Sender<u64>>,
}

impl SegmentedEventLog {
    /// Opens or creates a log for writing and reading.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, options: LogOptions) -> Result<Self, LogError> {
        let journal_options = JournalOptions {
            instance: "log",
            segment_bytes: options.segment_bytes,
            // The shipper has already made the groups.
            group_delay_max: Duration::ZERO,
            group_records_max: u64::MAX,
            background_sync: options.background_sync,
            trust: Trust::Sealed,
        };
        let lock = FolderLock::take(disk.as_ref(), dir)?;
        let (journal, torn_bytes) = Journal::open(disk, dir, lock, journal_options, &mut |_| {})?;
        if torn_bytes > 0 {
            tracing::warn!(dir = %dir.display(), torn_bytes, "cut off a torn tail of the event log that was never synced");
        }
        let written = options.ack_unsynced.then(|| watch::Sender::new(journal.last_lsn()));
        let visible = written.as_ref().map_or_else(|| journal.durable(), watch::Sender::subscribe);
        let writer = Writer { journal, options, appending: Mutex::new(()), visible, written };
        Ok(Self { source: Source::Writer(writer) })
    }

    /// Opens a log for reading only.
    pub fn open_read_only(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, LogError> {
        Follower::open(disk, dir).map(|follower| Self { source: Source::Follower(follower) })
    }

    pub async fn append(&self, messages: Vec<Message>) -> Result<u64, LogError> {
        let Source::Writer(writer) = &self.source else { return Err(LogError::ReadOnly) };
        if messages.is_empty() {
            return Ok(*writer.visible.borrow());
        }
        let (last, synced) = writer.write(&messages)?;
        if let Some(synced) = synced {
            synced.await?;
        }
        Ok(last)
    }

    pub async fn read(self: &Arc<Self>, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, LogError> {
        let last = match &self.source {
            Source::Writer(writer) => *writer.visible.borrow(),
            Source::Follower(_) => u64::MAX,
        };
        if last.saturating_sub(after) <= TAIL_POSITIONS {
            return self.read_now(after, limit);
        }
        let log = Arc::clone(self);
        match tokio::task::spawn_blocking(move || log.read_now(after, limit)).await {
            Ok(entries) => entries,
            Err(join) => std::panic::resume_unwind(join.into_panic()),
        }
    }

    pub async fn wait_past(&self, position: u64) {
        match &self.source {
            Source::Writer(writer) => {
                let mut visible = writer.visible.clone();
                // The sender lives as long as the journal, that is as long as we are borrowed.
                let _ = visible.wait_for(|last| *last > position).await;
            }
            Source::Follower(follower) => follower.wait_past(position).await,
        }
    }

    pub async fn bounds(&self) -> Result<Bounds, LogError> {
        match &self.source {
            Source::Writer(writer) => Ok(Bounds { first: writer.journal.first_lsn(), last: *writer.visible.borrow() }),
            Source::Follower(follower) => follower.bounds(),
        }
    }

    pub fn is_healthy(&self) -> bool {
        match &self.source {
            Source::Writer(writer) => writer.journal.is_healthy(),
            Source::Follower(_) => true,
        }
    }

    fn read_now(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, LogError> {
        match &self.source {
            Source::Writer(writer) => writer.read(after, limit),
            Source::Follower(follower) => follower.read(after, limit),
        }
    }
}

impl Writer {
    fn write(&self, messages: &[Message]) -> Result<(u64, Option<crate::journal::GroupWait>), LogError> {
        let _appending = self.appending.lock();
        let more: usize = messages.iter().map(|message| message.payload.len() + OVERHEAD_BYTES).sum();
        let bytes = self.journal.bytes();
        if bytes.saturating_add(more as u64) > self.options.bytes_max {
            return Err(self.full());
        }
        let wait = if self.written.is_some() { Wait::No } else { Wait::ForSync };
        let payloads = messages.iter().map(|message| message.payload.as_ref());
        let appended = self.journal.append_all(EVENT, payloads, wait).map_err(|error| match error {
            JournalError::NoSpace => self.full(),
            other => other.into(),
        })?;
        if let Some(written) = &self.written {
            written.send_replace(appended.lsn);
        }
        Ok((appended.lsn, appended.synced))
    }

    fn full(&self) -> LogError {
        self.journal.count_full();
        LogError::Full { bytes: self.journal.bytes(), bytes_max: self.options.bytes_max }
    }

    fn read(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, LogError> {
        let last = *self.visible.borrow();
        let mut reading = Reading::new(after, last, limit);
        let first = self.journal.first_lsn();
        if reading.next < first && !reading.is_done() {
            return Err(LogError::Archived { position: reading.next, first });
        }
        while !reading.is_done() {
            let Some(place) = self.journal.locate(reading.next) else { break };
            let file = self.journal.open_for_reading(place.ordinal)?;
            let path = self.journal.segment_path(place.ordinal);
            let mut learn = |lsn, offset| self.journal.learn(place.ordinal, lsn, offset);
            reading.segment(&mut Scanner::new(file, place.offset, place.end), place, &path, &mut learn)?;
        }
        Ok(reading.entries)
    }
}

/// One read in progress, over one segment or several.
pub(super) struct Reading {
    pub entries: Vec<Entry>,
    /// The next position wanted.
    pub next: u64,
    last: u64,
    limit: ReadLimit,
    bytes: usize,
}

impl Reading {
    pub(super) fn new(after: u64, last: u64, limit: ReadLimit) -> Self {
        Self { entries: Vec::new(), next: after.saturating_add(1), last, limit, bytes: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        let full = self.entries.len() >= self.limit.entries || self.bytes >= self.limit.bytes;
        self.next > self.last || (full && !self.entries.is_empty())
    }

    /// Reads from one segment, beginning at a known place before the wanted position. What the table says is
    /// there must be there.
    pub(super) fn segment(
        &mut self,
        scanner: &mut Scanner,
        place: Place,
        path: &Path,
        learn: &mut dyn FnMut(u64, u64),
    ) -> Result<(), LogError> {
        let mut lsn = place.lsn;
        while lsn <= place.last_lsn && !self.is_done() {
            match scanner.step(Some(lsn)).map_err(JournalError::io("read", path))? {
                Step::Record { offset, payload, .. } => {
                    learn(lsn, offset);
                    if lsn == self.next && !self.take(payload) {
                        return Ok(());
                    }
                }
                Step::End | Step::Blank | Step::Bad => {
                    return Err(LogError::Corrupt { file: path.to_owned(), offset: scanner.offset() });
                }
            }
            lsn += 1;
        }
        Ok(())
    }

    /// Adds an entry; false if it does not fit any more.
    fn take(&mut self, payload: &[u8]) -> bool {
        if !self.entries.is_empty() && self.bytes + payload.len() > self.limit.bytes {
            self.bytes = self.limit.bytes;
            return false;
        }
        self.bytes += payload.len();
        self.entries.push(Entry { position: self.next, payload: bytes::Bytes::copy_from_slice(payload) });
        self.next += 1;
        true
    }
}

impl From<JournalError> for LogError {
    fn from(error: JournalError) -> Self {
        match error {
            // Whoever can say how full the log is does so before.
            JournalError::NoSpace => Self::Full { bytes: 0, bytes_max: 0 },
            JournalError::TooLong { bytes, bytes_max } => Self::TooLong { bytes, bytes_max },
            JournalError::Unhealthy => Self::Unhealthy,
            JournalError::Corrupt { file, offset } => Self::Corrupt { file, offset },
            JournalError::Locked { dir } => Self::Locked { dir },
            JournalError::Io { action, path, source } => Self::Io { action, path, source },
        }
    }
}
