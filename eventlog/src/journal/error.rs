//! Why a journal could not do as asked.

use std::io;
use std::path::{Path, PathBuf};

/// The spool and the event log each say this in their own words.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JournalError {
    /// The disk itself has no room; nothing was written.
    #[error("no space left on the disk")]
    NoSpace,
    #[error("record of {bytes} bytes is longer than {bytes_max}")]
    TooLong { bytes: usize, bytes_max: usize },
    #[error("the disk failed earlier")]
    Unhealthy,
    #[error("{} is corrupt at byte {offset}", file.display())]
    Corrupt { file: PathBuf, offset: u64 },
    #[error("{} is used by another process", dir.display())]
    Locked { dir: PathBuf },
    #[error("could not {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl JournalError {
    /// For `map_err`: names what was tried on which file.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
