//! A segment file: its name, its header with the sync marks, and how one comes into being.
//!
//! The header takes [`RECORDS_START`] bytes: magic, ordinal and checksum, and three slots for *sync marks*,
//! "everything up to this lsn, which ends at this byte, is on the disk". One is written when the segment is
//! made; the other two in turn after every sync, to become durable with the next one. So a mark never
//! promises too much, and at most the last group before a power cut is without one. Marks are what tells
//! corruption (a damaged record below a mark: halt) from a torn tail (above: cut off).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::JournalError;
use super::record::{read_u32, read_u64};
use crate::disk::{Disk, DiskFile, OpenMode, read_full};

/// Where records begin: one disk sector is the header's.
pub(crate) const RECORDS_START: u64 = 512;

const MAGIC: &[u8; 8] = b"TOLLSEG1";
const SEGMENT_SUFFIX: &str = ".seg";
const UNFINISHED_SUFFIX: &str = ".new";
const FIRST_MARK_SLOT: usize = 64;
const MARK_SLOTS: [usize; 2] = [128, 192];
const MARK_BYTES: usize = 20;

/// "Everything up to `lsn`, which ends at byte `end` of this file, is on the disk."
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SyncMark {
    pub lsn: u64,
    pub end: u64,
}

pub(crate) fn segment_path(dir: &Path, ordinal: u64) -> PathBuf {
    dir.join(format!("{ordinal:010}{SEGMENT_SUFFIX}"))
}

/// The ordinals of the segments in a folder, ascending.
pub(crate) fn read_ordinals(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>, JournalError> {
    let names = disk.list(dir).map_err(JournalError::io("list", dir))?;
    let mut ordinals: Vec<u64> = names.iter().filter_map(|name| name.strip_suffix(SEGMENT_SUFFIX)?.parse().ok()).collect();
    ordinals.sort_unstable();
    Ok(ordinals)
}

/// Removes segments whose creation a crash cut short: they never had a record.
pub(crate) fn remove_unfinished(disk: &dyn Disk, dir: &Path) -> Result<(), JournalError> {
    for name in disk.list(dir).map_err(JournalError::io("list", dir))? {
        if name.ends_with(UNFINISHED_SUFFIX) {
            let path = dir.join(name);
            disk.remove(&path).map_err(JournalError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Creates a segment with its first zeros, at a time when everything up to `durable_lsn` is on the disk. **It gets its name only once its header is durable**, so a segment
/// with a bad header is corrupt, never half-made.
pub(crate) fn create_segment(
    disk: &dyn Disk,
    dir: &Path,
    ordinal: u64,
    len: u64,
    durable_lsn: u64,
) -> Result<Arc<dyn DiskFile>, JournalError> {
    let path = segment_path(dir, ordinal);
    let unfinished = path.with_extension(&UNFINISHED_SUFFIX[1..]);
    match disk.remove(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(JournalError::io("remove", &unfinished)(error)),
        _ => {}
    }
    let file = disk.open(&unfinished, OpenMode::CreateNew).map_err(JournalError::io("create", &unfinished))?;
    let mut header = [0; RECORDS_START as usize];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&ordinal.to_le_bytes());
    let sum = crc32c::crc32c(&header[..16]);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    header[FIRST_MARK_SLOT..][..MARK_BYTES].copy_from_slice(&encode_mark(SyncMark { lsn: durable_lsn, end: 0 }));
    file.write_all_at(&header, 0).map_err(JournalError::io("write", &unfinished))?;
    write_zeros(file.as_ref(), RECORDS_START, len).map_err(JournalError::io("write", &unfinished))?;
    file.sync_data().map_err(JournalError::io("sync", &unfinished))?;
    disk.rename(&unfinished, &path).map_err(JournalError::io("rename", &unfinished))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    Ok(file)
}

/// Fills a part of a file with zeros, so that its blocks are the file's before a record needs them.
pub(crate) fn write_zeros(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];
    let mut at = from;
    while at < to {
        let zeros = &ZEROS[..ZEROS.len().min(usize::try_from(to - at).unwrap_or(usize::MAX))];
        file.write_all_at(zeros, at)?;
        at += zeros.len() as u64;
    }
    Ok(())
}

/// Opens a segment and checks its header; answers its newest sync mark, if it has one.
pub(crate) fn open_segment(
    disk: &dyn Disk,
    dir: &Path,
    ordinal: u64,
    mode: OpenMode,
) -> Result<(Arc<dyn DiskFile>, Option<SyncMark>), JournalError> {
    let path = segment_path(dir, ordinal);
    let file = disk.open(&path, mode).map_err(JournalError::io("open", &path))?;
    let mut header = [0; RECORDS_START as usize];
    let read = read_full(file.as_ref(), &mut header, 0).map_err(JournalError::io("read", &path))?;
    let sound = read == header.len()
        && header[..8] == *MAGIC
        && read_u64(&header[8..]) == ordinal
        && read_u32(&header[16..]) == crc32c::crc32c(&header[..16]);
    if !sound {
        return Err(JournalError::Corrupt { file: path, offset: 0 });
    }
    let slots = [FIRST_MARK_SLOT, MARK_SLOTS[0], MARK_SLOTS[1]];
    let marks = slots.iter().filter_map(|slot| decode_mark(&header[*slot..]));
    // Of marks with one lsn the later written says where the records end.
    Ok((file, marks.max_by_key(|mark| (mark.lsn, mark.end))))
}

/// Writes a sync mark; `turn` chooses the slot, so that a torn write leaves the mark before it.
pub(crate) fn write_mark(file: &dyn DiskFile, mark: SyncMark, turn: u64) -> io::Result<()> {
    file.write_all_at(&encode_mark(mark), MARK_SLOTS[(turn % 2) as usize] as u64)
}

fn encode_mark(mark: SyncMark) -> [u8; MARK_BYTES] {
    let mut bytes = [0; MARK_BYTES];
    bytes[..8].copy_from_slice(&mark.lsn.to_le_bytes());
    bytes[8..16].copy_from_slice(&mark.end.to_le_bytes());
    let sum = crc32c::crc32c(&bytes[..16]);
    bytes[16..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode_mark(bytes: &[u8]) -> Option<SyncMark> {
    let sound = read_u32(&bytes[16..]) == crc32c::crc32c(&bytes[..16]);
    sound.then(|| SyncMark { lsn: read_u64(bytes), end: read_u64(&bytes[8..]) })
}
