//! A log that begins in an archive: what was archived is read there, the rest where it is.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::spawn_blocking;

use super::{Bounds, Entry, EventLog, LogError, ReadLimit};
use crate::archive::Archive;

/// Archive and log as one.
pub struct ArchivedLog {
    log: EventLog,
    archive: Arc<Archive>,
    /// The part that was read last: readers go forward.
    part: Mutex<Arc<Vec<Entry>>>,
}

impl ArchivedLog {
    pub(super) fn new(log: EventLog, archive: Archive) -> Self {
        Self { log, archive: Arc::new(archive), part: Mutex::default() }
    }

    pub(super) const fn log(&self) -> &EventLog {
        &self.log
    }

    pub(super) async fn read(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, LogError> {
        let begins = self.archive.first().unwrap_or(u64::MAX);
        if after + 1 < begins || after >= self.archive.last() {
            return self.log.read_boxed(after, limit).await;
        }
        let part = self.part_with(after + 1).await?;
        let mut bytes = 0;
        let wanted = part.iter().skip_while(|entry| entry.position <= after).take(limit.entries).enumerate();
        let wanted = wanted.take_while(|(number, entry)| {
            bytes += entry.payload.len();
            *number == 0 || bytes <= limit.bytes
        });
        Ok(wanted.map(|(_, entry)| entry.clone()).collect())
    }

    pub(super) async fn bounds(&self) -> Result<Bounds, LogError> {
        let bounds = self.log.bounds_boxed().await?;
        let reaches = self.archive.last() + 1 >= bounds.first;
        match self.archive.first().filter(|first| reaches && *first < bounds.first) {
            Some(first) => Ok(Bounds { first, last: bounds.last.max(self.archive.last()) }),
            None => Ok(bounds),
        }
    }

    async fn part_with(&self, position: u64) -> Result<Arc<Vec<Entry>>, LogError> {
        let known = Arc::clone(&self.part.lock());
        if known.first().is_some_and(|first| first.position <= position) && known.last().is_some_and(|last| position <= last.position) {
            return Ok(known);
        }
        let archive = Arc::clone(&self.archive);
        let read = match spawn_blocking(move || archive.part_with(position)).await {
            Ok(read) => Arc::new(read?),
            Err(join) => std::panic::resume_unwind(join.into_panic()),
        };
        *self.part.lock() = Arc::clone(&read);
        Ok(read)
    }
}
