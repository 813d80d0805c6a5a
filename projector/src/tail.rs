//! The last entry that was projected: its position and what stood there.
//!
//! **A position says nothing about what stands there**: a log that lost its end and grew past it again has the position, with
//! another event. Written after the rows; one that is older than they are is as good to compare with.

use std::collections::BTreeMap;

use eventlog::{Entry, EventLog, LogError};
use sha2::{Digest, Sha256};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    pub position: u64,
    pub sha256: [u8; 32],
}

impl Tail {
    pub fn of(entry: &Entry) -> Self {
        Self { position: entry.position, sha256: Sha256::digest(&entry.payload).into() }
    }

    /// Whether the log has another event there. One that has been archived since cannot be compared.
    pub async fn differs_in(&self, log: &EventLog) -> Result<bool, LogError> {
        Ok(log.first_difference(&BTreeMap::from([(self.position, self.sha256)])).await?.is_some())
    }

    pub(crate) fn text(&self) -> String {
        hex::encode(self.sha256)
    }

    /// `None` where the text is no hash: it is as if nothing had been noted.
    pub(crate) fn read(position: u64, text: &str) -> Option<Self> {
        Some(Self { position, sha256: hex::decode(text).ok()?.try_into().ok()? })
    }
}
