//! Where a log stands during a case: opened for writing, and beside that for reading.

use std::path::PathBuf;
use std::sync::Arc;

use eventlog::{EventLog, FileDisk, JetStreamOptions, LogOptions};
use tempfile::TempDir;
use uuid::Uuid;

pub trait Place {
    /// Opens the log to append to it; only once at a time.
    async fn open(&self) -> EventLog;

    /// The same with room for so many bytes, on a place that is new.
    async fn open_with_room(&self, bytes: u64) -> EventLog;

    /// A reader that shares nothing with the writer but the log itself.
    async fn open_beside(&self) -> EventLog;

    /// What another process needs to open the log.
    fn address(&self) -> String;
}

/// Segment files in a folder.
pub struct Segmented {
    dir: TempDir,
}

impl Segmented {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }
}

impl Place for Segmented {
    async fn open(&self) -> EventLog {
        open(&self.address()).await
    }

    async fn open_with_room(&self, bytes: u64) -> EventLog {
        EventLog::open_segmented(Arc::new(FileDisk), self.dir.path(), LogOptions { bytes_max: bytes, ..small_segments() }).unwrap()
    }

    async fn open_beside(&self) -> EventLog {
        EventLog::open_segmented_read_only(Arc::new(FileDisk), self.dir.path()).unwrap()
    }

    fn address(&self) -> String {
        format!("file:{}", self.dir.path().display())
    }
}

/// A stream of its own on the server for tests.
pub struct JetStream {
    url: String,
    name: String,
}

impl JetStream {
    pub fn new() -> Self {
        Self { url: nats_url(), name: Uuid::now_v7().simple().to_string() }
    }
}

impl Place for JetStream {
    async fn open(&self) -> EventLog {
        open(&self.address()).await
    }

    async fn open_with_room(&self, bytes: u64) -> EventLog {
        let options = JetStreamOptions { max_bytes: Some(bytes), ..stream_named(&self.name) };
        EventLog::connect_jetstream(&self.url, options).await.unwrap()
    }

    async fn open_beside(&self) -> EventLog {
        self.open().await
    }

    fn address(&self) -> String {
        format!("{} {}", self.url, self.name)
    }
}

/// Opens what [`Place::address`] tells of.
pub async fn open(address: &str) -> EventLog {
    if let Some(dir) = address.strip_prefix("file:") {
        return EventLog::open_segmented(Arc::new(FileDisk), &PathBuf::from(dir), small_segments()).unwrap();
    }
    let (url, name) = address.split_once(' ').unwrap();
    EventLog::connect_jetstream(url, stream_named(name)).await.unwrap()
}

pub fn stream_named(name: &str) -> JetStreamOptions {
    JetStreamOptions { stream: format!("T{name}"), subject_prefix: format!("t.{name}"), ..JetStreamOptions::default() }
}

fn small_segments() -> LogOptions {
    LogOptions { segment_bytes: 16 * 1024, ..LogOptions::default() }
}

pub fn nats_url() -> String {
    std::env::var("TOLLGATE_TEST_NATS_URL")
        .expect("TOLLGATE_TEST_NATS_URL is not set: `make test` starts a NATS server with JetStream and sets it; by hand, write nats://127.0.0.1:PORT")
}
