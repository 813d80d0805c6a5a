//! One append: encode under a short lock, one write to the operating system, and a place in a group.
//!
//! Space is allocated by writing zeros ahead, a chunk at a time, not by `fallocate` (which needs unsafe
//! code) nor by a longer sparse file: a record then never meets a full disk half-way, and syncing it
//! changes no file metadata.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::MutexGuard;

use super::error::JournalError;
use super::group::GroupWait;
use super::record::{OVERHEAD_BYTES, PAYLOAD_BYTES_MAX, encode};
use super::segment::{RECORDS_START, segment_path, write_zeros};
use super::table::SegmentInfo;
use super::writer::{Appended, JournalOptions, Sealing, Shared, Spare, State, Wait};
use crate::disk::DiskFile;

/// Zeros written ahead of the records at a time.
const ALLOCATE_BYTES: u64 = 256 * 1024;
/// Zeros a new segment starts with, and the most an append can ask to have ahead of it.
pub(super) const ALLOCATE_AHEAD_BYTES_MAX: u64 = 1024 * 1024;
/// An append gives up when the next segment is not there after this long.
const ROTATION_WAIT_MAX: Duration = Duration::from_secs(10);

/// One append under the lock: records are encoded into the buffer, then written at once. **Owners let only one
/// append run at a time** (they hold a lock of their own): waiting for the next segment lets go of ours.
pub(super) struct Append<'a> {
    shared: &'a Shared,
    state: MutexGuard<'a, State>,
    /// Records in the buffer.
    buffered: u64,
    /// Records of this append, buffered or written.
    pushed: u64,
    ordinal: u64,
    end: u64,
    /// Space wanted on the disk beyond the last record.
    pub ahead_bytes: u64,
}

impl<'a> Append<'a> {
    pub(super) fn begin(shared: &'a Shared) -> Result<Self, JournalError> {
        let mut state = shared.state.lock();
        if !shared.healthy.load(Ordering::Acquire) {
            return Err(JournalError::Unhealthy);
        }
        state.buffer.clear();
        let (ordinal, end) = state.table.newest().map_or((0, RECORDS_START), |newest| (newest.ordinal, newest.end));
        Ok(Self { shared, state, buffered: 0, pushed: 0, ordinal, end, ahead_bytes: 0 })
    }

    pub(super) fn push(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), JournalError> {
        let payload_bytes: usize = parts.iter().map(|part| part.len()).sum();
        if payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(JournalError::TooLong { bytes: payload_bytes, bytes_max: PAYLOAD_BYTES_MAX });
        }
        let record_bytes = (OVERHEAD_BYTES + payload_bytes) as u64;
        let position = self.end + self.state.buffer.len() as u64;
        // A record longer than a segment gets a longer segment of its own.
        if position + record_bytes > self.shared.options.segment_bytes && position > RECORDS_START {
            self.write()?;
            self.rotate()?;
        }
        let lsn = self.state.next_lsn + self.buffered;
        encode(&mut self.state.buffer, kind, lsn, parts);
        self.buffered += 1;
        self.pushed += 1;
        Ok(())
    }

    pub(super) fn finish(mut self, wait: Wait) -> Result<Appended, JournalError> {
        self.write()?;
        let state = &mut *self.state;
        state.group_records += self.pushed;
        let synced = (wait == Wait::ForSync).then(|| GroupWait::new(Arc::clone(&state.group)));
        let appended = Appended { lsn: state.next_lsn - 1, ordinal: self.ordinal, synced };
        let wake = wait == Wait::ForSync && (!state.sync_wanted || state.group_records >= state.wake_at_records);
        state.sync_wanted |= wait == Wait::ForSync;
        drop(self.state);
        if wake {
            self.shared.work.notify_one();
        }
        self.shared.metrics.records.increment(self.pushed);
        Ok(appended)
    }

    /// Hands the buffer to the operating system. **Either all of it becomes part of the journal or none.**
    fn write(&mut self) -> Result<(), JournalError> {
        let state = &mut *self.state;
        if state.buffer.is_empty() {
            return Ok(());
        }
        let end = self.end + state.buffer.len() as u64;
        let ahead = (end + self.ahead_bytes).min(self.shared.options.segment_bytes).max(end);
        if ahead > state.allocated {
            allocate(self.shared, state, self.ordinal, ahead)?;
        }
        if let Err(error) = state.file.write_all_at(&state.buffer, self.end) {
            return Err(undo(self.shared, &mut self.state, self.ordinal, self.end, error));
        }
        self.shared.metrics.bytes.increment(state.buffer.len() as u64);
        if let Some(newest) = state.table.newest_mut() {
            newest.learn(state.next_lsn, self.end);
            newest.last_lsn = state.next_lsn + self.buffered - 1;
            newest.end = end;
        }
        state.next_lsn += self.buffered;
        self.end = end;
        self.buffered = 0;
        state.buffer.clear();
        Ok(())
    }

    /// Goes on in the next segment; the thread syncs and trims the one before.
    fn rotate(&mut self) -> Result<(), JournalError> {
        let (ordinal, file) = self.take_spare()?;
        let state = &mut *self.state;
        let before = std::mem::replace(&mut state.file, file);
        let last_lsn = state.next_lsn - 1;
        state.sealing = Some(Sealing { file: before, ordinal: self.ordinal, last_lsn, end: self.end });
        state.older_bytes += self.end;
        state.allocated = first_allocation(&self.shared.options);
        state.table.push(SegmentInfo::empty(ordinal, state.next_lsn));
        self.shared.work.notify_one();
        (self.ordinal, self.end) = (ordinal, RECORDS_START);
        Ok(())
    }

    /// The next segment, waiting for it if need be. Blocks, holding up other appenders; that happens when a
    /// whole segment is filled faster than the next one is made.
    fn take_spare(&mut self) -> Result<(u64, Arc<dyn DiskFile>), JournalError> {
        loop {
            match std::mem::replace(&mut self.state.spare, Spare::Wanted) {
                Spare::Ready { ordinal, file } => return Ok((ordinal, file)),
                Spare::Failed(error) => {
                    // Tried again in the background, so that the next append may fare better.
                    self.shared.work.notify_one();
                    return Err(error);
                }
                Spare::Wanted => {}
            }
            self.shared.metrics.rotation_waits.increment(1);
            self.shared.work.notify_one();
            let timed_out = self.shared.spare_made.wait_for(&mut self.state, ROTATION_WAIT_MAX).timed_out();
            if !self.shared.healthy.load(Ordering::Acquire) {
                return Err(JournalError::Unhealthy);
            }
            if timed_out {
                let error = io::Error::from(io::ErrorKind::TimedOut);
                return Err(JournalError::io("make a segment in", &self.shared.dir)(error));
            }
        }
    }
}

/// What a new segment is allocated with: small journals need not take a whole chunk.
pub(super) fn first_allocation(options: &JournalOptions) -> u64 {
    options.segment_bytes.clamp(RECORDS_START, ALLOCATE_AHEAD_BYTES_MAX)
}

/// Writes zeros ahead until at least `end`. Only here can the disk turn out to be full.
fn allocate(shared: &Shared, state: &mut State, ordinal: u64, end: u64) -> Result<(), JournalError> {
    let chunks_end = (state.allocated + ALLOCATE_BYTES).min(shared.options.segment_bytes).max(end);
    match write_zeros(state.file.as_ref(), state.allocated, chunks_end) {
        Ok(()) => state.allocated = chunks_end,
        Err(error) if error.kind() == io::ErrorKind::StorageFull => return Err(JournalError::NoSpace),
        Err(error) => return Err(fail(shared, state, ordinal, error)),
    }
    Ok(())
}

/// A write of records failed: takes back what part of it may be in the file. A file system that copies on
/// write can be full even where zeros were written; anything else, or a failure here too, halts the journal.
fn undo(shared: &Shared, state: &mut State, ordinal: u64, at: u64, error: io::Error) -> JournalError {
    state.buffer.fill(0);
    if error.kind() == io::ErrorKind::StorageFull && state.file.write_all_at(&state.buffer, at).is_ok() {
        return JournalError::NoSpace;
    }
    fail(shared, state, ordinal, error)
}

/// Halts the journal because a write to the newest segment failed.
fn fail(shared: &Shared, state: &mut State, ordinal: u64, error: io::Error) -> JournalError {
    let error = JournalError::io("write", &segment_path(&shared.dir, ordinal))(error);
    shared.fail_locked(state, &error);
    error
}
