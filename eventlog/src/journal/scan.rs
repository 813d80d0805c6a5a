//! Reads records one after the other, with one buffer, checking every checksum and that no lsn is missing.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::record::{Look, OVERHEAD_BYTES, look};
use crate::disk::{DiskFile, read_full};

/// How much is read at once, unless a record is longer.
const CHUNK_BYTES: usize = 128 * 1024;

/// What comes next in a file.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    Record {
        /// Where the record begins.
        offset: u64,
        lsn: u64,
        kind: u8,
        payload: &'a [u8],
    },
    /// The place where reading ends was reached exactly.
    End,
    /// Nothing was ever written here.
    Blank,
    /// A damaged or half-written record, or one that does not belong here.
    Bad,
}

/// A position in one segment file. After anything but a record it stays where it is.
pub(crate) struct Scanner {
    file: Arc<dyn DiskFile>,
    /// Where the next record begins.
    offset: u64,
    /// Nothing is read from here on.
    end: u64,
    buffer: Vec<u8>,
    /// The part of the buffer that holds bytes from `offset` on.
    ready: Range<usize>,
}

impl Scanner {
    pub(crate) fn new(file: Arc<dyn DiskFile>, offset: u64, end: u64) -> Self {
        Self { file, offset, end, buffer: Vec::new(), ready: 0..0 }
    }

    /// Where the next record begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The file has grown, or what was read of it is out of date: read on to there, from the disk.
    pub(crate) fn renew(&mut self, end: u64) {
        self.end = end;
        self.ready = 0..0;
    }

    /// Steps over the next record; `expected` is the only lsn it may have.
    pub(crate) fn step(&mut self, expected: Option<u64>) -> io::Result<Step<'_>> {
        let mut wanted = OVERHEAD_BYTES;
        loop {
            let complete = self.fill(wanted)?;
            let bytes = &self.buffer[self.ready.clone()];
            if bytes.is_empty() {
                return Ok(Step::End);
            }
            match look(bytes) {
                Look::Short(more) if complete => wanted = more,
                Look::Short(_) if bytes.iter().all(|byte| *byte == 0) => return Ok(Step::Blank),
                Look::Short(_) | Look::Bad => return Ok(Step::Bad),
                Look::Blank => return Ok(Step::Blank),
                Look::Record { lsn, .. } if lsn == 0 || expected.is_some_and(|expected| expected != lsn) => return Ok(Step::Bad),
                Look::Record { kind, lsn, payload_bytes } => {
                    let offset = self.offset;
                    let start = self.ready.start + OVERHEAD_BYTES;
                    let payload = start..start + payload_bytes;
                    self.ready.start = payload.end;
                    self.offset += (OVERHEAD_BYTES + payload_bytes) as u64;
                    return Ok(Step::Record { offset, lsn, kind, payload: &self.buffer[payload] });
                }
            }
        }
    }

    /// Tries to have that many bytes ready; false if the file ends before.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        if self.ready.len() >= wanted {
            return Ok(true);
        }
        self.buffer.copy_within(self.ready.clone(), 0);
        let kept = self.ready.len();
        let left = usize::try_from(self.end.saturating_sub(self.offset + kept as u64)).unwrap_or(usize::MAX);
        let more = left.min(wanted.max(CHUNK_BYTES) - kept);
        self.buffer.resize(kept + more, 0);
        self.ready = 0..kept;
        let read = read_full(self.file.as_ref(), &mut self.buffer[kept..], self.offset + kept as u64)?;
        self.ready.end = kept + read;
        Ok(self.ready.len() >= wanted)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]
    use std::path::Path;

    use super::super::record::encode;
    use super::*;
    use crate::disk::{Disk, OpenMode, SimDisk};

    fn scanner(bytes: &[u8]) -> Scanner {
        let file = SimDisk::new().open(Path::new("/file"), OpenMode::CreateNew).unwrap();
        file.write_all_at(bytes, 0).unwrap();
        Scanner::new(file, 0, bytes.len() as u64)
    }

    #[test]
    fn a_sound_record_with_another_lsn_is_not_stepped_over() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 1, 7, &[b"seven"]);
        encode(&mut bytes, 1, 9, &[b"nine"]);
        let mut scanner = scanner(&bytes);
        assert!(matches!(scanner.step(Some(7)).unwrap(), Step::Record { lsn: 7, payload: b"seven", .. }));
        let before = scanner.offset();
        assert!(matches!(scanner.step(Some(8)).unwrap(), Step::Bad));
        assert_eq!(scanner.offset(), before);
        assert!(matches!(scanner.step(None).unwrap(), Step::Record { lsn: 9, .. }));
        assert!(matches!(scanner.step(Some(10)).unwrap(), Step::End));
    }

    #[test]
    fn records_longer_than_what_is_read_at_once_are_whole() {
        let long = vec![5; 90_000];
        let mut bytes = Vec::new();
        (1..=5).for_each(|lsn| encode(&mut bytes, 1, lsn, &[&long]));
        bytes.extend_from_slice(&[0; 10]);
        let mut scanner = scanner(&bytes);
        for expected in 1..=5 {
            assert!(matches!(scanner.step(Some(expected)).unwrap(), Step::Record { payload, .. } if payload == long));
        }
        assert!(matches!(scanner.step(Some(6)).unwrap(), Step::Blank));
    }
}
