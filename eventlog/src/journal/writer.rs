//! An open journal, and what its appenders and its sync thread share.
//!
//! A new segment is made by the sync thread before it is needed, so that going on in it costs an appender
//! nothing. Appending itself is in [`append`](super::append).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

use super::append::{ALLOCATE_AHEAD_BYTES_MAX, Append, first_allocation};
use super::error::JournalError;
use super::group::{Group, GroupWait};
use super::recovery::{self, Found, Trust};
use super::segment::{create_segment, segment_path};
use super::sync;
use super::table::{Place, SegmentInfo, SegmentTable};
use crate::disk::{Disk, DiskFile, OpenMode};
use crate::metrics::JournalMetrics;

const LOCK_FILE: &str = "lock";

/// The right to write in a folder, until it is dropped.
pub(crate) struct FolderLock {
    _held: Box<dyn Send + Sync>,
}

impl FolderLock {
    /// Locks a folder, creating it if it is not there.
    pub(crate) fn take(disk: &dyn Disk, dir: &Path) -> Result<Self, JournalError> {
        disk.create_dir_all(dir).map_err(JournalError::io("create", dir))?;
        let held = disk.lock(&dir.join(LOCK_FILE)).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => JournalError::Locked { dir: dir.to_owned() },
            _ => JournalError::io("lock", dir)(error),
        })?;
        Ok(Self { _held: held })
    }
}

/// Limits of a journal.
#[derive(Debug, Clone)]
pub(crate) struct JournalOptions {
    /// `spool` or `log`: the label of its metrics and the name of its thread.
    pub instance: &'static str,
    pub segment_bytes: u64,
    /// The longest a group waits for others to join it.
    pub group_delay_max: Duration,
    /// A group of this size waits for nobody.
    pub group_records_max: u64,
    /// Records that nobody waits for are synced at least this often; never if absent.
    pub background_sync: Option<Duration>,
    pub trust: Trust,
}

/// Whether an append wants to know when it is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    ForSync,
    No,
}

/// Where an append went.
pub(crate) struct Appended {
    /// Of the last record.
    pub lsn: u64,
    /// The segment of the last record.
    pub ordinal: u64,
    /// Ready once all are on the disk; absent if that was not asked for.
    pub synced: Option<GroupWait>,
}

/// An open journal. Dropping it syncs what is left, trims the last segment and ends its thread.
pub(crate) struct Journal {
    pub(super) shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    _lock: FolderLock,
}

/// What appenders and the sync thread share.
pub(super) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    pub options: JournalOptions,
    pub metrics: JournalMetrics,
    pub state: Mutex<State>,
    /// The sync thread waits here for something to do.
    pub work: Condvar,
    /// Appenders that must rotate wait here for the next segment.
    pub spare_made: Condvar,
    /// **Once false, false for ever**: after a failed sync nobody knows what is on the disk.
    pub healthy: AtomicBool,
    /// The last lsn that is on the disk.
    pub durable: watch::Sender<u64>,
}

pub(super) struct State {
    pub file: Arc<dyn DiskFile>,
    /// Zeros are written up to here.
    pub allocated: u64,
    pub next_lsn: u64,
    pub table: SegmentTable,
    /// Bytes of all segments but the newest.
    pub older_bytes: u64,
    pub buffer: Vec<u8>,
    pub group: Arc<Group>,
    pub group_records: u64,
    /// The sync thread waits for the group to have that many.
    pub wake_at_records: u64,
    pub sync_wanted: bool,
    /// The segment before the newest, until it is synced and trimmed. There is never a second one: the
    /// next spare is made only after that.
    pub sealing: Option<Sealing>,
    pub spare: Spare,
    pub closing: bool,
}

pub(super) struct Sealing {
    pub file: Arc<dyn DiskFile>,
    pub ordinal: u64,
    pub last_lsn: u64,
    pub end: u64,
}

/// The segment after the newest.
pub(super) enum Spare {
    Wanted,
    Ready { ordinal: u64, file: Arc<dyn DiskFile> },
    Failed(JournalError),
}

impl Journal {
    /// Opens or creates a journal, handing every record that was found to `visit`, oldest first (under
    /// [`Trust::Sealed`] only those that had to be read). Answers it with the number of torn bytes cut off.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        lock: FolderLock,
        options: JournalOptions,
        visit: &mut dyn FnMut(Found<'_>),
    ) -> Result<(Self, u64), JournalError> {
        let recovered = recovery::recover(disk.as_ref(), dir, options.trust, visit)?;
        let mut table = recovered.table;
        let next_lsn = recovered.next_lsn;
        let ordinal = table.newest().map_or(1, |newest| newest.ordinal + 1);
        let older_bytes = table.iter().map(|segment| segment.end).sum();
        let allocated = first_allocation(&options);
        let file = create_segment(disk.as_ref(), dir, ordinal, allocated, next_lsn - 1)?;
        table.push(SegmentInfo::empty(ordinal, next_lsn));
        let state = State {
            file,
            allocated,
            next_lsn,
            table,
            older_bytes,
            buffer: Vec::new(),
            group: Arc::default(),
            group_records: 0,
            wake_at_records: u64::MAX,
            sync_wanted: false,
            sealing: None,
            spare: Spare::Wanted,
            closing: false,
        };
        let metrics = JournalMetrics::new(options.instance);
        let shared = Arc::new(Shared {
            disk,
            dir: dir.to_owned(),
            options,
            metrics,
            state: Mutex::new(state),
            work: Condvar::new(),
            spare_made: Condvar::new(),
            healthy: AtomicBool::new(true),
            durable: watch::Sender::new(next_lsn - 1),
        });
        let thread = sync::start(Arc::clone(&shared)).map_err(JournalError::io("start a thread for", dir))?;
        Ok((Self { shared, thread: Some(thread), _lock: lock }, recovered.torn_bytes))
    }

    /// Appends one record whose payload is the parts, one after the other. `ahead_bytes` asks for that much
    /// space on the disk after it, for records that must find room later.
    pub(crate) fn append(&self, kind: u8, parts: &[&[u8]], wait: Wait, ahead_bytes: u64) -> Result<Appended, JournalError> {
        let mut append = Append::begin(&self.shared)?;
        append.ahead_bytes = ahead_bytes.min(ALLOCATE_AHEAD_BYTES_MAX);
        append.push(kind, parts)?;
        append.finish(wait)
    }

    /// Appends records in order, with one write unless they cross into a new segment. After an error some of
    /// the first may have been appended.
    pub(crate) fn append_all<'a>(&self, kind: u8, payloads: impl Iterator<Item = &'a [u8]>, wait: Wait) -> Result<Appended, JournalError> {
        let mut append = Append::begin(&self.shared)?;
        for payload in payloads {
            append.push(kind, &[payload])?;
        }
        append.finish(wait)
    }

    /// Asks for everything appended so far to be synced.
    pub(crate) fn sync(&self) -> Result<GroupWait, JournalError> {
        Append::begin(&self.shared)?.finish(Wait::ForSync)?.synced.ok_or(JournalError::Unhealthy)
    }

    pub(crate) fn is_healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Acquire)
    }

    /// The last lsn that is on the disk, and its changes.
    pub(crate) fn durable(&self) -> watch::Receiver<u64> {
        self.shared.durable.subscribe()
    }

    /// The last lsn that was written, on the disk or not.
    pub(crate) fn last_lsn(&self) -> u64 {
        self.shared.state.lock().next_lsn - 1
    }

    pub(crate) fn first_lsn(&self) -> u64 {
        self.shared.state.lock().table.first_lsn().unwrap_or(1)
    }

    /// Bytes of records and headers in all segments.
    pub(crate) fn bytes(&self) -> u64 {
        let state = self.shared.state.lock();
        state.older_bytes + state.table.newest().map_or(0, |newest| newest.end)
    }

    /// Counts an append that was refused for want of space.
    pub(crate) fn count_full(&self) {
        self.shared.metrics.full.increment(1);
    }

    pub(crate) fn locate(&self, lsn: u64) -> Option<Place> {
        self.shared.state.lock().table.locate(lsn)
    }

    /// Remembers where a record of an older segment was found.
    pub(crate) fn learn(&self, ordinal: u64, lsn: u64, offset: u64) {
        if let Some(segment) = self.shared.state.lock().table.find_mut(ordinal) {
            segment.learn(lsn, offset);
        }
    }

    /// Opens a segment's file for reading.
    pub(crate) fn open_for_reading(&self, ordinal: u64) -> Result<Arc<dyn DiskFile>, JournalError> {
        let path = segment_path(&self.shared.dir, ordinal);
        self.shared.disk.open(&path, OpenMode::Read).map_err(JournalError::io("open", &path))
    }

    pub(crate) fn segment_path(&self, ordinal: u64) -> PathBuf {
        segment_path(&self.shared.dir, ordinal)
    }

    /// The oldest segment, unless it is still written to, or not yet synced and trimmed.
    pub(crate) fn oldest_sealed(&self) -> Option<u64> {
        let state = self.shared.state.lock();
        let oldest = state.table.iter().next()?.ordinal;
        let writing = state.table.newest().is_some_and(|newest| newest.ordinal == oldest);
        let sealing = state.sealing.as_ref().is_some_and(|sealing| sealing.ordinal == oldest);
        (!writing && !sealing).then_some(oldest)
    }

    /// Deletes the oldest segment, which must be this one, durably: a later one never goes before an earlier
    /// one. False, and nothing is done, while **no record after it is on the disk**: an oldest segment without a
    /// durable record could not be told from one that lost its records.
    pub(crate) fn remove_oldest(&self, ordinal: u64) -> Result<bool, JournalError> {
        {
            let state = self.shared.state.lock();
            let oldest = state.table.iter().next();
            if oldest.is_none_or(|oldest| oldest.ordinal != ordinal || oldest.last_lsn >= *self.shared.durable.borrow()) {
                return Ok(false);
            }
        }
        let path = segment_path(&self.shared.dir, ordinal);
        self.shared.disk.remove(&path).map_err(JournalError::io("remove", &path))?;
        self.shared.disk.sync_dir(&self.shared.dir).map_err(JournalError::io("sync", &self.shared.dir))?;
        let mut state = self.shared.state.lock();
        let removed = state.table.remove_oldest().map_or(0, |segment| segment.end);
        state.older_bytes -= removed;
        Ok(true)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.state.lock().closing = true;
        self.shared.work.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed by its hook; there is nothing to add.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Halts the journal for ever: nothing is accepted and nobody waits any more.
    pub(super) fn fail(&self, error: &JournalError) {
        self.fail_locked(&mut self.state.lock(), error);
    }

    /// The same for someone who holds the lock.
    pub(super) fn fail_locked(&self, state: &mut State, error: &JournalError) {
        if self.healthy.swap(false, Ordering::AcqRel) {
            tracing::error!(
                instance = self.options.instance,
                error = %ErrorChain(error),
                "the disk failed; this journal takes no more records until it is opened anew"
            );
        }
        self.metrics.healthy.set(0.0);
        std::mem::take(&mut state.group).complete(false);
        self.spare_made.notify_all();
        self.work.notify_all();
    }
}

/// An error and its sources on one line.
struct ErrorChain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
