//! The sync thread: one `fdatasync` for everyone who waits, segments sealed and made ahead of need.
//!
//! What is appended during one sync is the next group. When a group ends, all of its appenders come back at
//! once; so that the first of them does not get a sync of its own and the others wait for two, a group that
//! was large lately is given a moment to become as large again. **A failed sync is never repeated**: the kernel may have
//! dropped the pages and report success the next time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::append::first_allocation;
use super::error::JournalError;
use super::group::Group;
use super::segment::{SyncMark, create_segment, segment_path, write_mark};
use super::writer::{Sealing, Shared, Spare, State};
use crate::disk::DiskFile;

pub(super) fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let name = format!("{}-sync", shared.options.instance);
    thread::Builder::new().name(name).spawn(move || SyncThread::new(&shared).run())
}

struct SyncThread<'a> {
    shared: &'a Shared,
    /// Counts marks, to alternate their slots.
    marks: u64,
    last_sync: Instant,
    last_sync_took: Duration,
    /// How many records the last two groups had.
    recent_groups: [u64; 2],
}

/// A group waits for others at most this part of what the last sync took.
const LINGER_DIVISOR: u32 = 8;

/// What the thread does next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Task {
    Sync,
    MakeSpare,
    /// The last sync; the journal is being dropped.
    Close,
}

/// Everything written up to one moment, to be synced without the lock.
struct Pass {
    sealing: Option<Sealing>,
    file: Arc<dyn DiskFile>,
    ordinal: u64,
    mark: SyncMark,
    group: Arc<Group>,
    records: u64,
}

impl<'a> SyncThread<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self { shared, marks: 0, last_sync: Instant::now(), last_sync_took: Duration::ZERO, recent_groups: [0; 2] }
    }

    fn run(mut self) {
        loop {
            let (task, state) = self.next_task();
            let goes_on = match task {
                Task::Sync => self.sync(state),
                Task::MakeSpare => self.make_spare(state),
                Task::Close => {
                    self.sync(state);
                    return;
                }
            };
            if !goes_on {
                return;
            }
        }
    }

    /// Waits for something to do.
    fn next_task(&mut self) -> (Task, MutexGuard<'a, State>) {
        let shared = self.shared;
        let mut state = shared.state.lock();
        loop {
            if state.closing || !self.shared.healthy.load(Ordering::Acquire) {
                return (Task::Close, state);
            }
            if state.sync_wanted {
                self.linger(&mut state);
                return (Task::Sync, state);
            }
            if state.sealing.is_some() {
                return (Task::Sync, state);
            }
            if matches!(state.spare, Spare::Wanted) {
                return (Task::MakeSpare, state);
            }
            match self.shared.options.background_sync {
                Some(interval) => {
                    if shared.work.wait_until(&mut state, self.last_sync + interval).timed_out() {
                        self.last_sync = Instant::now();
                        if state.next_lsn - 1 > *shared.durable.borrow() {
                            return (Task::Sync, state);
                        }
                    }
                }
                None => shared.work.wait(&mut state),
            }
        }
    }

    /// Gives a group a moment to become as large as the last ones. A lone appender never waits.
    fn linger(&self, state: &mut MutexGuard<'_, State>) {
        let options = &self.shared.options;
        let expected = self.recent_groups[0].max(self.recent_groups[1]).min(options.group_records_max);
        let deadline = Instant::now() + options.group_delay_max.min(self.last_sync_took / LINGER_DIVISOR);
        state.wake_at_records = expected;
        while state.group_records < expected && !state.closing {
            if self.shared.work.wait_until(state, deadline).timed_out() {
                break;
            }
        }
        state.wake_at_records = u64::MAX;
    }

    /// False if the disk failed, now or before.
    fn sync(&mut self, mut state: MutexGuard<'_, State>) -> bool {
        let newest = state.table.newest().filter(|_| self.shared.healthy.load(Ordering::Acquire));
        let Some(newest) = newest else { return false };
        let mark = SyncMark { lsn: state.next_lsn - 1, end: newest.end };
        let ordinal = newest.ordinal;
        let closing = state.closing;
        state.sync_wanted = false;
        let pass = Pass {
            sealing: state.sealing.take(),
            file: Arc::clone(&state.file),
            ordinal,
            mark,
            group: std::mem::take(&mut state.group),
            records: std::mem::take(&mut state.group_records),
        };
        drop(state);
        let started = Instant::now();
        let outcome = self.perform(&pass, closing);
        self.last_sync = Instant::now();
        self.last_sync_took = started.elapsed();
        self.recent_groups = [self.recent_groups[1], pass.records];
        self.shared.metrics.sync_seconds.record(self.last_sync_took);
        self.shared.metrics.sync_group_records.record(pass.records as f64);
        match &outcome {
            Ok(()) => {
                self.shared.durable.send_replace(pass.mark.lsn);
            }
            // Before anyone hears of it: who does must find the journal unhealthy.
            Err(error) => self.shared.fail(error),
        }
        pass.group.complete(outcome.is_ok());
        outcome.is_ok()
    }

    fn perform(&mut self, pass: &Pass, closing: bool) -> Result<(), JournalError> {
        if let Some(sealing) = &pass.sealing {
            let sealed = SyncMark { lsn: sealing.last_lsn, end: sealing.end };
            self.sync_file(sealing.file.as_ref(), sealing.ordinal, sealed, true)?;
        }
        self.sync_file(pass.file.as_ref(), pass.ordinal, pass.mark, closing)
    }

    fn sync_file(&mut self, file: &dyn DiskFile, ordinal: u64, mark: SyncMark, trim: bool) -> Result<(), JournalError> {
        let path = || segment_path(&self.shared.dir, ordinal);
        if trim {
            file.set_len(mark.end).map_err(|error| JournalError::io("trim", &path())(error))?;
        }
        file.sync_data().map_err(|error| JournalError::io("sync", &path())(error))?;
        write_mark(file, mark, self.marks).map_err(|error| JournalError::io("mark", &path())(error))?;
        self.marks += 1;
        Ok(())
    }

    /// Makes the next segment. A full disk or a file that cannot be made is the next rotation's problem; a disk
    /// that fails to write or sync is everybody's, and makes this false.
    fn make_spare(&self, state: MutexGuard<'_, State>) -> bool {
        let ordinal = state.table.newest().map_or(1, |newest| newest.ordinal + 1);
        drop(state);
        let made = create_segment(
            self.shared.disk.as_ref(),
            &self.shared.dir,
            ordinal,
            first_allocation(&self.shared.options),
            *self.shared.durable.borrow(),
        );
        let spare = match made {
            Ok(file) => Spare::Ready { ordinal, file },
            Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => Spare::Failed(JournalError::NoSpace),
            Err(error @ JournalError::Io { action: "create" | "rename", .. }) => Spare::Failed(error),
            Err(error) => {
                self.shared.fail(&error);
                return false;
            }
        };
        self.shared.state.lock().spare = spare;
        self.shared.spare_made.notify_all();
        true
    }
}
