//! The event log port: append, read by position, wait for more.
//!
//! Owns the promises every backend keeps: **what `append` acknowledged is read for ever, in one order, at
//! positions 1, 2, 3 …**; messages may be appended more than once, and whoever reads must count each
//! event once. Start at [`EventLog`]; [`SegmentedEventLog`] is the embedded backend, [`JetStreamLog`] the one
//! that many processes share.

mod archived;
mod compare;
mod follower;
mod jetstream;
mod segmented;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use schemas::{BootId, Partition};

use self::archived::ArchivedLog;
use crate::archive::{Archive, ArchiveError};
use crate::disk::Disk;

pub use jetstream::{Difference, IN_FLIGHT_MAX, JetStreamError, JetStreamLog, JetStreamOptions};
pub use segmented::{LogOptions, SegmentedEventLog};

/// One event on its way into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Of this sending: the same whenever a producer repeats it, and no other's. A backend may use it to drop duplicates, none
    /// has to. **Not the event's id**: two producers may have the same event, and the place of each in its own sequence has to
    /// be in the log.
    pub id: String,
    pub partition: Partition,
    /// The event's bytes, forwarded as they are.
    pub payload: Bytes,
}

impl Message {
    /// An id from a producer's life and the event's place in its sequence.
    pub fn id_of(boot: BootId, partition: Partition, pseq: u64) -> String {
        format!("{}:{partition}:{pseq}", boot.uuid().simple())
    }
}

/// One event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts 1, 2, 3 … over the whole log; 0 stands for "before the first".
    pub position: u64,
    pub payload: Bytes,
}

/// How much one read may return. At least one entry is returned if there is one, whatever its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimit {
    pub entries: usize,
    pub bytes: usize,
}

impl Default for ReadLimit {
    fn default() -> Self {
        Self { entries: 1_000, bytes: 1024 * 1024 }
    }
}

/// The positions a log holds. Empty when `last < first`: a new log is `{ first: 1, last: 0 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub first: u64,
    pub last: u64,
}

/// Why the log could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("event log is full: {bytes} of {bytes_max} bytes are used")]
    Full { bytes: u64, bytes_max: u64 },
    #[error("event of {bytes} bytes is longer than {bytes_max}")]
    TooLong { bytes: usize, bytes_max: usize },
    #[error("event log is unhealthy: its disk failed, and what was written last may be lost")]
    Unhealthy,
    #[error("event log is corrupt in {} at byte {offset}", file.display())]
    Corrupt { file: PathBuf, offset: u64 },
    #[error("event log in {} is used by another process", dir.display())]
    Locked { dir: PathBuf },
    #[error("event log was opened for reading only")]
    ReadOnly,
    #[error("event log begins at position {first}; position {position} was archived")]
    Archived { position: u64, first: u64 },
    #[error("event log could not {action} {}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    JetStream(#[from] JetStreamError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl LogError {
    /// True if the same call may succeed later without anybody's help: the server is away, or has no leader.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::JetStream(error) if error.is_transient())
    }
}

/// An event log of any backend. Cheap to clone.
#[derive(Clone)]
pub enum EventLog {
    Segmented(Arc<SegmentedEventLog>),
    JetStream(Arc<JetStreamLog>),
    /// Another log, whose beginning is read from an archive.
    Archived(Arc<ArchivedLog>),
}

impl EventLog {
    /// Opens or creates the embedded log in a folder, which it locks against other writers.
    pub fn open_segmented(disk: Arc<dyn Disk>, dir: &Path, options: LogOptions) -> Result<Self, LogError> {
        SegmentedEventLog::open(disk, dir, options).map(|log| Self::Segmented(Arc::new(log)))
    }

    /// Opens the embedded log for reading: on a stopped folder or beside a live writer in another process.
    /// Complete records are seen, whether the writer has already synced them or not.
    pub fn open_segmented_read_only(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, LogError> {
        SegmentedEventLog::open_read_only(disk, dir).map(|log| Self::Segmented(Arc::new(log)))
    }

    /// Connects to a log on NATS JetStream. The URL has the credentials (`nats://` or `tls://`, `user:password@`)
    /// and may name several servers, separated by commas.
    pub async fn connect_jetstream(url: &str, options: JetStreamOptions) -> Result<Self, LogError> {
        // Boxed here and below: these futures are large, and most callers' are not.
        Ok(Self::JetStream(Arc::new(Box::pin(JetStreamLog::connect(url, options)).await?)))
    }

    /// A log whose archived positions are read from the archive, whether the log still has them or not.
    pub fn with_archive(log: Self, archive: Archive) -> Self {
        Self::Archived(Arc::new(ArchivedLog::new(log, archive)))
    }

    /// Appends in order and answers the last one's position once all are durable. An error leaves the outcome
    /// unknown: some of the messages may be in the log, and repeating them is safe.
    pub async fn append(&self, messages: Vec<Message>) -> Result<u64, LogError> {
        match self {
            Self::Segmented(log) => log.append(messages).await,
            Self::JetStream(log) => boxed(log.append(&messages)).await,
            Self::Archived(log) => log.log().append_boxed(messages).await,
        }
    }

    /// What is there now after a position, possibly nothing.
    pub async fn read(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, LogError> {
        match self {
            Self::Segmented(log) => log.read(after, limit).await,
            Self::JetStream(log) => boxed(log.read(after, limit)).await,
            Self::Archived(log) => log.read(after, limit).await,
        }
    }

    /// Returns once the last position is past this one. Safe to cancel.
    pub async fn wait_past(&self, position: u64) {
        match self {
            Self::Segmented(log) => log.wait_past(position).await,
            Self::JetStream(log) => boxed(log.wait_past(position)).await,
            Self::Archived(log) => log.log().wait_past_boxed(position).await,
        }
    }

    pub async fn bounds(&self) -> Result<Bounds, LogError> {
        match self {
            Self::Segmented(log) => log.bounds().await,
            Self::JetStream(log) => boxed(log.bounds()).await,
            Self::Archived(log) => log.bounds().await,
        }
    }

    // For a log inside a log: a future that would have itself as a part has to be behind a pointer of a known type.

    fn append_boxed(&self, messages: Vec<Message>) -> BoxFuture<'_, Result<u64, LogError>> {
        Box::pin(self.append(messages))
    }

    fn read_boxed(&self, after: u64, limit: ReadLimit) -> BoxFuture<'_, Result<Vec<Entry>, LogError>> {
        Box::pin(self.read(after, limit))
    }

    fn wait_past_boxed(&self, position: u64) -> BoxFuture<'_, ()> {
        Box::pin(self.wait_past(position))
    }

    fn bounds_boxed(&self) -> BoxFuture<'_, Result<Bounds, LogError>> {
        Box::pin(self.bounds())
    }

    /// False for ever after the log's disk has failed, or it was seen to have lost events.
    pub fn is_healthy(&self) -> bool {
        match self {
            Self::Segmented(log) => log.is_healthy(),
            Self::JetStream(log) => log.is_healthy(),
            Self::Archived(log) => log.log().is_healthy(),
        }
    }
}

/// Behind a pointer: the futures of a server's client are large, and deep enough that the compiler cannot see that what
/// awaits them is `Send`.
fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    Box::pin(future)
}
