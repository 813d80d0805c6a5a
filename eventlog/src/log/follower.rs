//! Reading a log that another process writes, or that nobody does.
//!
//! Owns a table of the segments that it brings up to date whenever it is asked. It sees complete records
//! only, synced or not, and never changes a file. A damaged record is the end of the log as long as no sync
//! mark says that it had been durable; then it is corruption.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::segmented::Reading;
use super::{Bounds, Entry, LogError, ReadLimit};
use crate::disk::{Disk, OpenMode};
use crate::journal::{JournalError, RECORDS_START, Scanner, SegmentInfo, SegmentTable, Step, SyncMark, open_segment, segment_path, survey};

/// How often a waiting reader looks for more: another process cannot wake it.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

pub(super) struct Follower {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    table: Mutex<SegmentTable>,
}

/// What stands at the start of a segment.
struct Beginning {
    /// Of its first record, if it has one.
    first_lsn: Option<u64>,
    mark: Option<SyncMark>,
}

impl Follower {
    pub(super) fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, LogError> {
        let follower = Self { disk, dir: dir.to_owned(), table: Mutex::default() };
        follower.refresh()?;
        Ok(follower)
    }

    pub(super) fn read(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, LogError> {
        let bounds = self.bounds()?;
        let mut reading = Reading::new(after, bounds.last, limit);
        if reading.next < bounds.first && !reading.is_done() {
            return Err(LogError::Archived { position: reading.next, first: bounds.first });
        }
        while !reading.is_done() {
            let Some(place) = self.table.lock().locate(reading.next) else { break };
            let path = segment_path(&self.dir, place.ordinal);
            let file = self.disk.open(&path, OpenMode::Read).map_err(JournalError::io("open", &path))?;
            let mut learn = |lsn, offset| {
                if let Some(segment) = self.table.lock().find_mut(place.ordinal) {
                    segment.learn(lsn, offset);
                }
            };
            reading.segment(&mut Scanner::new(file, place.offset, place.end), place, &path, &mut learn)?;
        }
        Ok(reading.entries)
    }

    /// Returns early when the log cannot be read: the next read says why.
    pub(super) async fn wait_past(&self, position: u64) {
        while self.bounds().is_ok_and(|bounds| bounds.last <= position) {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    pub(super) fn bounds(&self) -> Result<Bounds, LogError> {
        self.refresh()?;
        let table = self.table.lock();
        let first = table.first_lsn().unwrap_or(1);
        Ok(Bounds { first, last: table.newest().map_or(0, |newest| newest.last_lsn) })
    }

    /// Finds what was appended since the last time.
    fn refresh(&self) -> Result<(), LogError> {
        let mut table = self.table.lock();
        if table.newest().is_none() {
            *table = survey(self.disk.as_ref(), &self.dir)?;
        }
        while let Some(newest) = table.newest_mut() {
            // Looked at first: once the next segment has a record, this one is complete.
            let next = self.beginning_of(newest.ordinal + 1)?;
            self.read_on(newest)?;
            let Some(next) = next else { break };
            if next.first_lsn != Some(newest.last_lsn + 1) {
                // Unsynced records after unsynced records that were lost are not part of the log.
                let lost = next.mark.is_some_and(|mark| mark.lsn > newest.last_lsn);
                return if lost { Err(self.corrupt(newest)) } else { Ok(()) };
            }
            let segment = SegmentInfo::empty(newest.ordinal + 1, newest.last_lsn + 1);
            table.push(segment);
        }
        Ok(())
    }

    /// Follows the newest segment to its last complete record.
    fn read_on(&self, segment: &mut SegmentInfo) -> Result<(), LogError> {
        let path = segment_path(&self.dir, segment.ordinal);
        let (file, mark) = open_segment(self.disk.as_ref(), &self.dir, segment.ordinal, OpenMode::Read)?;
        let len = file.len().map_err(JournalError::io("read", &path))?;
        let mut scanner = Scanner::new(file, segment.end, len);
        while let Step::Record { offset, lsn, .. } = scanner.step(Some(segment.last_lsn + 1)).map_err(JournalError::io("read", &path))? {
            segment.learn(lsn, offset);
            segment.last_lsn = lsn;
        }
        segment.end = scanner.offset();
        // The mark was read before the records: everything it speaks of should have been there.
        if mark.is_some_and(|mark| mark.lsn > segment.last_lsn) { Err(self.corrupt(segment)) } else { Ok(()) }
    }

    /// How a segment begins; absent if it does not exist.
    fn beginning_of(&self, ordinal: u64) -> Result<Option<Beginning>, LogError> {
        let (file, mark) = match open_segment(self.disk.as_ref(), &self.dir, ordinal, OpenMode::Read) {
            Err(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let path = segment_path(&self.dir, ordinal);
        let len = file.len().map_err(JournalError::io("read", &path))?;
        let mut scanner = Scanner::new(file, RECORDS_START, len);
        let first_lsn = match scanner.step(None).map_err(JournalError::io("read", &path))? {
            Step::Record { lsn, .. } => Some(lsn),
            _ => None,
        };
        Ok(Some(Beginning { first_lsn, mark }))
    }

    fn corrupt(&self, segment: &SegmentInfo) -> LogError {
        LogError::Corrupt { file: segment_path(&self.dir, segment.ordinal), offset: segment.end }
    }
}
