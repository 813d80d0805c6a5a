//! Opening: finds where the records end, cuts off a torn tail, refuses what is corrupt.
//!
//! lsns run on without a gap through all segments; the first place where they do not is where the journal
//! ends. **If a sync mark says that more had been durable, that is corruption and opening fails.** Otherwise
//! what follows was never synced: a torn tail, and it is cut off. Opening twice finds the same.

use std::path::Path;

use super::error::JournalError;
use super::scan::{Scanner, Step};
use super::segment::{RECORDS_START, SyncMark, open_segment, read_ordinals, remove_unfinished, segment_path, write_mark};
use super::table::{SegmentInfo, SegmentTable};
use crate::disk::{Disk, DiskFile, OpenMode, read_full};

/// How much of what is on the disk is read when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Every record is read.
    Nothing,
    /// A segment that was synced and trimmed as a whole is not read now; its checksums are checked when it is.
    Sealed,
}

/// A record that was found.
pub(crate) struct Found<'a> {
    pub ordinal: u64,
    pub lsn: u64,
    pub kind: u8,
    pub payload: &'a [u8],
}

pub(super) struct Recovered {
    /// Every segment that holds records.
    pub table: SegmentTable,
    pub next_lsn: u64,
    /// What was cut off.
    pub torn_bytes: u64,
}

/// One segment file as it was found. It is opened when it is needed: a large log has more segments than a
/// process may have open files.
struct Segment {
    len: u64,
    mark: Option<SyncMark>,
    info: SegmentInfo,
    /// Its first record, if a sound one stands there, whether it continues the journal or not.
    first_lsn: Option<u64>,
}

pub(super) fn recover(disk: &dyn Disk, dir: &Path, trust: Trust, visit: &mut dyn FnMut(Found<'_>)) -> Result<Recovered, JournalError> {
    remove_unfinished(disk, dir)?;
    let (mut segments, kept) = look(disk, dir, OpenMode::ReadWrite, trust, visit)?;
    let torn_bytes = cut(disk, dir, &segments, kept)?;
    let mut table = SegmentTable::default();
    segments.drain(..kept).for_each(|segment| table.push(segment.info));
    let next_lsn = table.newest().map_or(1, |newest| newest.last_lsn + 1);
    Ok(Recovered { table, next_lsn, torn_bytes })
}

/// The segments that hold records, without repairing anything. Beside a live writer, what is written meanwhile
/// may or may not be among them.
pub(crate) fn survey(disk: &dyn Disk, dir: &Path) -> Result<SegmentTable, JournalError> {
    let (mut segments, kept) = look(disk, dir, OpenMode::Read, Trust::Sealed, &mut |_| {})?;
    let mut table = SegmentTable::default();
    segments.drain(..kept).for_each(|segment| table.push(segment.info));
    Ok(table)
}

/// Opens all segments and follows the records; answers how many segments they reach into. **All sync marks are
/// read before the first record**, so that they cannot speak of records that a live writer adds meanwhile.
fn look(
    disk: &dyn Disk,
    dir: &Path,
    mode: OpenMode,
    trust: Trust,
    visit: &mut dyn FnMut(Found<'_>),
) -> Result<(Vec<Segment>, usize), JournalError> {
    let mut segments = Vec::new();
    for ordinal in read_ordinals(disk, dir)? {
        segments.push(open(disk, dir, ordinal, mode)?);
    }
    check_ordinals(dir, &segments)?;
    let kept = follow(disk, dir, &mut segments, trust, visit)?;
    refuse_if_more_was_durable(dir, &segments, kept)?;
    Ok((segments, kept))
}

fn open(disk: &dyn Disk, dir: &Path, ordinal: u64, mode: OpenMode) -> Result<Segment, JournalError> {
    let path = segment_path(dir, ordinal);
    let (file, mark) = open_segment(disk, dir, ordinal, mode)?;
    let len = file.len().map_err(JournalError::io("read", &path))?;
    let mut scanner = Scanner::new(file, RECORDS_START, len);
    let first_lsn = match scanner.step(None).map_err(JournalError::io("read", &path))? {
        Step::Record { lsn, .. } => Some(lsn),
        _ => None,
    };
    let info = SegmentInfo::empty(ordinal, first_lsn.unwrap_or(1));
    Ok(Segment { len, mark, info, first_lsn })
}

/// Only the oldest segments are ever removed, so a missing one is lost.
fn check_ordinals(dir: &Path, segments: &[Segment]) -> Result<(), JournalError> {
    let gap = segments.windows(2).find(|pair| pair[0].info.ordinal + 1 != pair[1].info.ordinal);
    match gap {
        Some(pair) => Err(JournalError::Corrupt { file: segment_path(dir, pair[0].info.ordinal + 1), offset: 0 }),
        None => Ok(()),
    }
}

/// Follows the lsns as far as they go; answers how many segments they reach into.
fn follow(
    disk: &dyn Disk,
    dir: &Path,
    segments: &mut [Segment],
    trust: Trust,
    visit: &mut dyn FnMut(Found<'_>),
) -> Result<usize, JournalError> {
    let mut kept = 0;
    let mut expected = None;
    for (index, segment) in segments.iter_mut().enumerate() {
        let Some(first_lsn) = segment.first_lsn else { continue };
        if expected.is_some_and(|expected| expected != first_lsn) || index != kept {
            break;
        }
        segment.info.first_lsn = first_lsn;
        match segment.mark {
            Some(mark) if trust == Trust::Sealed && mark.end == segment.len && mark.lsn >= first_lsn => {
                segment.info.last_lsn = mark.lsn;
                segment.info.end = mark.end;
            }
            _ => read_all(disk, dir, segment, visit)?,
        }
        expected = Some(segment.info.last_lsn + 1);
        kept = index + 1;
    }
    Ok(kept)
}

fn read_all(disk: &dyn Disk, dir: &Path, segment: &mut Segment, visit: &mut dyn FnMut(Found<'_>)) -> Result<(), JournalError> {
    let ordinal = segment.info.ordinal;
    let path = segment_path(dir, ordinal);
    let file = disk.open(&path, OpenMode::Read).map_err(JournalError::io("open", &path))?;
    let mut scanner = Scanner::new(file, RECORDS_START, segment.len);
    let mut next = segment.info.first_lsn;
    while let Step::Record { offset, lsn, kind, payload } = scanner.step(Some(next)).map_err(JournalError::io("read", &path))? {
        visit(Found { ordinal, lsn, kind, payload });
        segment.info.learn(lsn, offset);
        segment.info.last_lsn = lsn;
        next = lsn + 1;
    }
    segment.info.end = scanner.offset();
    Ok(())
}

fn refuse_if_more_was_durable(dir: &Path, segments: &[Segment], kept: usize) -> Result<(), JournalError> {
    let last = kept.checked_sub(1).map(|last| &segments[last].info);
    let last_lsn = last.map_or(0, |last| last.last_lsn);
    let durable_lsn = segments.iter().filter_map(|segment| segment.mark).map(|mark| mark.lsn).max().unwrap_or(0);
    if durable_lsn <= last_lsn {
        return Ok(());
    }
    let first = segments.first().map_or(1, |segment| segment.info.ordinal);
    let (ordinal, offset) = last.map_or((first, RECORDS_START), |last| (last.ordinal, last.end));
    Err(JournalError::Corrupt { file: segment_path(dir, ordinal), offset })
}

/// Cuts off everything after the last good record, removes segments without one, and makes that durable: from
/// now on the end of the journal is proven.
fn cut(disk: &dyn Disk, dir: &Path, segments: &[Segment], kept: usize) -> Result<u64, JournalError> {
    let mut torn_bytes = 0;
    let open = |path: &Path| disk.open(path, OpenMode::ReadWrite).map_err(JournalError::io("open", path));
    for segment in segments[kept..].iter().rev() {
        let path = segment_path(dir, segment.info.ordinal);
        let file = open(&path)?;
        torn_bytes += written_bytes(file.as_ref(), RECORDS_START, segment.len).map_err(JournalError::io("read", &path))?;
        disk.remove(&path).map_err(JournalError::io("remove", &path))?;
        disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    }
    // The last two may hold records that only the operating system had.
    for segment in segments[..kept].iter().skip(kept.saturating_sub(2)) {
        let path = segment_path(dir, segment.info.ordinal);
        let file = open(&path)?;
        let end = segment.info.end;
        torn_bytes += written_bytes(file.as_ref(), end, segment.len).map_err(JournalError::io("read", &path))?;
        if segment.len != end {
            file.set_len(end).map_err(JournalError::io("trim", &path))?;
        }
        file.sync_data().map_err(JournalError::io("sync", &path))?;
        let mark = SyncMark { lsn: segment.info.last_lsn, end };
        if segment.mark != Some(mark) {
            write_mark(file.as_ref(), mark, mark.lsn).map_err(JournalError::io("mark", &path))?;
        }
    }
    Ok(torn_bytes)
}

/// How many bytes between two places hold anything but preallocated zeros, up to the last of them.
fn written_bytes(file: &dyn DiskFile, from: u64, to: u64) -> std::io::Result<u64> {
    let mut buffer = vec![0; 64 * 1024];
    let (mut at, mut written) = (from, 0);
    while at < to {
        let wanted = buffer.len().min(usize::try_from(to - at).unwrap_or(usize::MAX));
        let read = read_full(file, &mut buffer[..wanted], at)?;
        if read == 0 {
            break;
        }
        if let Some(last) = buffer[..read].iter().rposition(|byte| *byte != 0) {
            written = at + last as u64 + 1 - from;
        }
        at += read as u64;
    }
    Ok(written)
}
