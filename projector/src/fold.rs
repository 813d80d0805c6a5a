//! A log entry, read: the row it asks for, nothing, or a reason why it cannot be read.
//!
//! Pure. Which of several events about one request counts is `schemas::terminal`, the same for the ledger.

use bytes::Bytes;
use eventlog::Entry;
use schemas::event::{DecodeError, Event, event_sha256};

use crate::row::UsageRow;

/// Entries read between two looks at whether another task wants to run.
const ENTRIES_PER_YIELD: usize = 64;
/// Quarantine details longer than this are cut: they are for people, not for machines.
const DETAIL_CHARS_MAX: usize = 200;

/// What analytics make of one log entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A terminal event: the row its request gets, should it take effect, and its bytes, should it be refused.
    Usage { row: Box<UsageRow>, payload: Bytes },
    /// An event that is none of our business. Only the position advances.
    Other,
    /// Bytes that are not an event this build can read, or one that no request can have.
    Unreadable(Unreadable),
}

/// A row of `projection_quarantine`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub position: u64,
    /// Stable word.
    pub reason: &'static str,
    pub detail: String,
    pub event_sha256: String,
    pub event_bytes: usize,
}

/// Reads a batch, with each entry's position; gives way to other tasks now and then.
pub async fn fold_all(entries: &[Entry]) -> Vec<(u64, Fact)> {
    let mut facts = Vec::with_capacity(entries.len());
    for chunk in entries.chunks(ENTRIES_PER_YIELD) {
        facts.extend(chunk.iter().map(|entry| (entry.position, fold(entry))));
        tokio::task::yield_now().await;
    }
    facts
}

/// Reads one log entry.
pub fn fold(entry: &Entry) -> Fact {
    let unreadable = |reason, detail: &str| Fact::Unreadable(Unreadable::new(entry.position, &entry.payload, reason, detail));
    match Event::decode(&entry.payload) {
        Ok(event) => match UsageRow::from_event(entry.position, event) {
            Ok(Some(row)) => Fact::Usage { row: Box::new(row), payload: entry.payload.clone() },
            Ok(None) => Fact::Other,
            Err(error) => unreadable(error.reason(), &error.to_string()),
        },
        Err(error) => unreadable(reason_of(&error), &detail_of(&error)),
    }
}

impl Unreadable {
    pub(crate) fn new(position: u64, payload: &[u8], reason: &'static str, detail: &str) -> Self {
        let detail = detail.chars().take(DETAIL_CHARS_MAX).collect();
        Self { position, reason, detail, event_sha256: hex::encode(event_sha256(payload)), event_bytes: payload.len() }
    }
}

const fn reason_of(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::TooLong => "too_long",
        DecodeError::Json(_) => "invalid_json",
        DecodeError::UnknownType { .. } => "unknown_type",
        DecodeError::Field { .. } => "bad_field",
        DecodeError::Partition { .. } => "wrong_partition",
    }
}

fn detail_of(error: &DecodeError) -> String {
    match error {
        DecodeError::Json(source) => source.to_string(),
        other => other.to_string(),
    }
}
