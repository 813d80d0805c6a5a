//! What stands beside a part, and what chains the parts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ArchiveError, io as failed};

const VERSION: u32 = 1;
const PREFIX: &str = "manifest-";
const SUFFIX: &str = ".json";

/// One part of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub version: u32,
    /// Log positions, both included.
    pub first: u64,
    pub last: u64,
    pub count: u64,
    /// The part's file, in the same folder.
    pub file: String,
    /// SHA-256 of the file as it is, hex.
    pub file_sha256: String,
    /// SHA-256 of the lines, uncompressed: the same however they are compressed.
    pub events_sha256: String,
    /// SHA-256 of the manifest before this one, as a file; absent for the first.
    pub previous_sha256: Option<String>,
}

impl Manifest {
    pub(super) const fn new(
        first: u64,
        last: u64,
        file: String,
        file_sha256: String,
        events_sha256: String,
        previous: Option<String>,
    ) -> Self {
        Self { version: VERSION, first, last, count: last - first + 1, file, file_sha256, events_sha256, previous_sha256: previous }
    }

    pub(super) fn name(&self) -> String {
        format!("{PREFIX}{:012}-{:012}{SUFFIX}", self.first, self.last)
    }
}

/// The manifests of a folder in the order of their positions.
pub(super) fn paths(dir: &Path) -> Result<Vec<PathBuf>, ArchiveError> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("list", dir))?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed("list", dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(PREFIX) && name.ends_with(SUFFIX) {
            paths.push(path);
        }
    }
    // Positions are written with leading zeros.
    paths.sort();
    Ok(paths)
}

/// A manifest and the SHA-256 of its file.
pub(super) fn read(path: &Path) -> Result<(Manifest, String), ArchiveError> {
    let bytes = fs::read(path).map_err(failed("read", path))?;
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|source| ArchiveError::Manifest { path: path.to_owned(), source })?;
    let altered = |what| Err(ArchiveError::Altered { path: path.to_owned(), what });
    if manifest.version != VERSION {
        return altered("its version is not known");
    }
    if manifest.first == 0 || manifest.last < manifest.first || manifest.count != manifest.last - manifest.first + 1 {
        return altered("its positions do not count up");
    }
    if manifest.file.contains(['/', '\\']) {
        return altered("its file is in another folder");
    }
    Ok((manifest, sha256(&bytes)))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
