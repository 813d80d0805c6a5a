//! The log as batches that are ready to be applied: read, decoded and hashed one batch ahead.
//!
//! Decoding and hashing cost about as much as writing the rows, so they run on a blocking thread while
//! the store writes the batch before.

use eventlog::{EventLog, LogError, ReadLimit};

use crate::apply::Prepared;

/// The most bytes one batch reads from the log.
pub const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why the next batch could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    #[error("event log could not be read")]
    Log(#[from] LogError),
    #[error("the decoding thread failed")]
    Thread(#[from] tokio::task::JoinError),
}

/// Reads a log forward from a position.
pub struct Feed {
    log: EventLog,
    position: u64,
    /// Nothing beyond this position is read.
    end: Option<u64>,
}

impl Feed {
    pub fn new(log: EventLog, after: u64, end: Option<u64>) -> Self {
        Self { log, position: after, end }
    }

    /// The position of the last entry given out.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next entries, at most so many; empty when there is nothing (more) to read now.
    pub async fn next(&mut self, entries: usize) -> Result<Vec<Prepared>, FeedError> {
        let wanted = self.end.map_or(entries, |end| entries.min(usize::try_from(end.saturating_sub(self.position)).unwrap_or(usize::MAX)));
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let read = self.log.read(self.position, ReadLimit { entries: wanted, bytes: BATCH_BYTES_MAX }).await?;
        let Some(last) = read.last() else { return Ok(Vec::new()) };
        self.position = last.position;
        Ok(tokio::task::spawn_blocking(move || read.iter().map(Prepared::read).collect()).await?)
    }
}
