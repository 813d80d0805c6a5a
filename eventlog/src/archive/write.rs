//! Adding a part. **The manifest comes last and is renamed into place**: a part without one was never archived.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::manifest::{Manifest, sha256};
use super::{Archive, ArchiveError, PART_BYTES_MAX, PART_EVENTS_MAX, io, line};
use crate::log::Entry;

/// What compresses well enough at a speed that keeps up with reading.
const COMPRESSION_LEVEL: i32 = 6;

impl Archive {
    /// Adds entries that follow the last one, as one part; durable on return. At most [`PART_EVENTS_MAX`] and about
    /// [`PART_BYTES_MAX`] are taken: the answer is how many.
    pub fn append(&mut self, entries: &[Entry]) -> Result<usize, ArchiveError> {
        let Some(first) = entries.first() else { return Ok(0) };
        let last_position = self.last();
        if (last_position > 0 && first.position != last_position + 1) || first.position == 0 {
            return Err(ArchiveError::DoesNotFollow { last: last_position, position: first.position });
        }
        let (mut lines, mut taken) = (Vec::new(), 0);
        for (expected, entry) in (first.position..).zip(entries.iter().take(PART_EVENTS_MAX)) {
            if entry.position != expected {
                return Err(ArchiveError::DoesNotFollow { last: expected - 1, position: entry.position });
            }
            if taken > 0 && lines.len() + entry.payload.len() > PART_BYTES_MAX {
                break;
            }
            line::write(&entry.payload, &mut lines);
            taken += 1;
        }
        let last = first.position + taken as u64 - 1;
        let file = format!("events-{:012}-{last:012}.ndjson.zst", first.position);
        let compressed = zstd::bulk::compress(&lines, COMPRESSION_LEVEL).map_err(io("compress", &self.dir))?;
        fs::create_dir_all(&self.dir).map_err(io("create", &self.dir))?;
        self.put(&file, &compressed)?;
        let manifest = Manifest::new(first.position, last, file, sha256(&compressed), sha256(&lines), self.head.clone());
        let name = manifest.name();
        let mut text =
            serde_json::to_vec_pretty(&manifest).map_err(|source| ArchiveError::Manifest { path: self.dir.join(&name), source })?;
        text.push(b'\n');
        self.put(&name, &text)?;
        self.head = Some(sha256(&text));
        self.parts.push(manifest);
        Ok(taken)
    }

    /// Writes a file under another name, syncs it and gives it its own.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        let (path, unfinished) = (self.dir.join(name), self.dir.join(format!("{name}.new")));
        let mut file = File::create(&unfinished).map_err(io("create", &unfinished))?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io("write", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(io("rename", &unfinished))?;
        sync_dir(&self.dir)
    }
}

fn sync_dir(dir: &Path) -> Result<(), ArchiveError> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(io("sync", dir))
}
