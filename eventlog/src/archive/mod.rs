//! The archive: ranges of the event log as files that any tool can read and nobody can change unnoticed.
//!
//! A folder of parts. Each is `events-FIRST-LAST.ndjson.zst`, one event a line in log order, and beside it
//! `manifest-FIRST-LAST.json` with counts, hashes and the hash of the manifest before: whoever keeps the last manifest's hash
//! can check all of them. An event's line is its bytes as they are; bytes that are no line of JSON stand in base64.
//! **What is read was checked**: hash, count and chain. Start at [`Archive`].

mod line;
mod manifest;
mod read;
mod write;

use std::io;
use std::path::{Path, PathBuf};

pub use self::manifest::Manifest;

/// Events in one part at most; one part at a time is held in memory.
pub const PART_EVENTS_MAX: usize = 10_000;
/// Bytes of one part's events at most, unless one event alone is longer.
pub const PART_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why an archive cannot be read or continued.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("archive could not {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("{} is not a manifest this version reads", path.display())]
    Manifest { path: PathBuf, source: serde_json::Error },
    /// Something was changed, or is missing.
    #[error("{} is not what it was when it was archived: {what}", path.display())]
    Altered { path: PathBuf, what: &'static str },
    #[error("archive ends at position {last}; position {position} does not follow")]
    DoesNotFollow { last: u64, position: u64 },
    #[error("archive has positions {first} to {last}; position {position} is not among them")]
    NotThere { position: u64, first: u64, last: u64 },
}

/// The parts of one folder, checked as a chain. Their events are checked as they are read.
#[derive(Debug)]
pub struct Archive {
    dir: PathBuf,
    /// In log order, without a gap.
    parts: Vec<Manifest>,
    /// SHA-256 of the last manifest's file.
    head: Option<String>,
}

impl Archive {
    /// Opens a folder, which may be empty or missing: then the archive is.
    pub fn open(dir: &Path) -> Result<Self, ArchiveError> {
        let mut archive = Self { dir: dir.to_owned(), parts: Vec::new(), head: None };
        for path in manifest::paths(dir)? {
            let (part, sha256) = manifest::read(&path)?;
            let follows = part.previous_sha256 == archive.head && archive.parts.last().is_none_or(|before| part.first == before.last + 1);
            if !follows {
                return Err(ArchiveError::Altered { path, what: "it does not follow the manifest before it" });
            }
            archive.parts.push(part);
            archive.head = Some(sha256);
        }
        Ok(archive)
    }

    /// The first position, if there is one.
    pub fn first(&self) -> Option<u64> {
        self.parts.first().map(|part| part.first)
    }

    /// The last position; 0 for an empty archive.
    pub fn last(&self) -> u64 {
        self.parts.last().map_or(0, |part| part.last)
    }

    pub fn parts(&self) -> &[Manifest] {
        &self.parts
    }

    /// SHA-256 of the last manifest: who keeps it elsewhere can tell whether anything was changed.
    pub fn head(&self) -> Option<&str> {
        self.head.as_deref()
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    move |source| ArchiveError::Io { action, path: path.to_owned(), source }
}
