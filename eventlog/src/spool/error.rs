//! Why the spool could not do as asked.

use std::io;
use std::path::PathBuf;

use schemas::Partition;

use crate::journal::JournalError;

#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// Waiting helps: space comes back as the ledger applies events.
    #[error("spool is full: {bytes} of {bytes_max} bytes are used or reserved")]
    Full { bytes: u64, bytes_max: u64 },
    #[error("record of {bytes} bytes is longer than {bytes_max}")]
    TooLong { bytes: usize, bytes_max: usize },
    /// Only opening it anew helps, on a disk that works.
    #[error("spool is unhealthy: its disk failed, and what was written last may be lost")]
    Unhealthy,
    #[error("spool is corrupt in {} at byte {offset}", file.display())]
    Corrupt { file: PathBuf, offset: u64 },
    #[error("spool in {} is used by another process", dir.display())]
    Locked { dir: PathBuf },
    #[error("partition {0} does not exist")]
    Partition(Partition),
    #[error("event could not be encoded")]
    Encode(#[from] serde_json::Error),
    #[error("spool could not {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
}

impl From<JournalError> for SpoolError {
    fn from(error: JournalError) -> Self {
        match error {
            // Whoever can say how full the spool is does so before.
            JournalError::NoSpace => Self::Full { bytes: 0, bytes_max: 0 },
            JournalError::TooLong { bytes, bytes_max } => Self::TooLong { bytes, bytes_max },
            JournalError::Unhealthy => Self::Unhealthy,
            JournalError::Corrupt { file, offset } => Self::Corrupt { file, offset },
            JournalError::Locked { dir } => Self::Locked { dir },
            JournalError::Io { action, path, source } => Self::Io { action, path, source },
        }
    }
}
