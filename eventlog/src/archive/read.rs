//! Reading a part back: its file, its lines and their number must be what the manifest says.

use std::fs;

use bytes::Bytes;

use super::manifest::{Manifest, sha256};
use super::{Archive, ArchiveError, PART_BYTES_MAX, io, line};
use crate::log::Entry;

/// Lines are a little longer than events; one event may be longer than a part.
const LINES_BYTES_MAX: usize = 4 * PART_BYTES_MAX;

impl Archive {
    /// The events of the part that has a position, all of them.
    pub fn part_with(&self, position: u64) -> Result<Vec<Entry>, ArchiveError> {
        let found = self.parts.partition_point(|part| part.last < position);
        match self.parts.get(found).filter(|part| part.first <= position) {
            Some(part) => self.read(part),
            None => Err(ArchiveError::NotThere { position, first: self.first().unwrap_or(1), last: self.last() }),
        }
    }

    /// Reads every part: whether all of it is as it was archived.
    pub fn verify(&self) -> Result<(), ArchiveError> {
        self.parts.iter().try_for_each(|part| self.read(part).map(drop))
    }

    fn read(&self, part: &Manifest) -> Result<Vec<Entry>, ArchiveError> {
        let path = self.dir.join(&part.file);
        let altered = |what| ArchiveError::Altered { path: path.clone(), what };
        let compressed = fs::read(&path).map_err(io("read", &path))?;
        if sha256(&compressed) != part.file_sha256 {
            return Err(altered("its hash is another one"));
        }
        let lines = zstd::bulk::decompress(&compressed, LINES_BYTES_MAX).map_err(io("decompress", &path))?;
        if sha256(&lines) != part.events_sha256 {
            return Err(altered("the hash of its events is another one"));
        }
        let whole = lines.strip_suffix(b"\n").ok_or_else(|| altered("its last line has no end"))?;
        let mut entries = Vec::new();
        for (position, text) in (part.first..).zip(whole.split(|byte| *byte == b'\n')) {
            let payload = line::read(text).ok_or_else(|| altered("a line cannot be read"))?;
            entries.push(Entry { position, payload: Bytes::from(payload) });
        }
        if entries.len() as u64 != part.count {
            return Err(altered("it has another number of events"));
        }
        Ok(entries)
    }
}
