//! An event read and hashed: the costly part of applying, which needs no state and can run ahead.

use bytes::Bytes;
use eventlog::Entry;
use schemas::event::event_sha256;
use schemas::{AccountId, Body, Event, Partition, Producer};
use serde::Deserialize;

use super::judge::Poison;

/// A log entry, ready to be applied.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub position: u64,
    pub payload: Bytes,
    pub sha256: [u8; 32],
    pub event: Result<Event, Poison>,
    /// Who numbered it, even where the rest is unreadable: a poisoned event is not a lost one.
    pub source: Option<(Producer, Partition, u64)>,
}

impl Prepared {
    pub fn read(entry: &Entry) -> Self {
        let event = Event::decode(&entry.payload).map_err(Poison::from).and_then(keepable);
        let source = match &event {
            Ok(event) => Some((event.header.producer, event.header.partition(), event.header.pseq)),
            Err(_) => numbered_by(&entry.payload),
        };
        Self { position: entry.position, payload: entry.payload.clone(), sha256: event_sha256(&entry.payload), event, source }
    }
}

/// The longest event id that is booked: every store can hold it in an index.
pub const EVENT_ID_BYTES_MAX: usize = 1_024;

/// Refuses texts that not every store can keep, so that every store gives the same verdict.
fn keepable(event: Event) -> Result<Event, Poison> {
    let kept: [Option<&str>; 5] = match &event.body {
        Body::BalanceTopup(order) | Body::BalanceGrant(order) | Body::BalanceRefund(order) | Body::BalanceAdjust(order) => {
            [Some(&event.header.id), Some(&order.actor), Some(&order.input_sha256), order.reason.as_deref(), order.reference.as_deref()]
        }
        Body::BalanceGrantExpired(expired) => [Some(&event.header.id), Some(&expired.grant_id), None, None, None],
        _ => [Some(&event.header.id), None, None, None, None],
    };
    if kept.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(Poison::Nul);
    }
    if event.header.id.len() > EVENT_ID_BYTES_MAX { Err(Poison::LongId) } else { Ok(event) }
}

/// The part of an envelope that all versions share.
#[derive(Deserialize)]
struct Origin {
    part: Partition,
    pseq: u64,
    source: String,
    #[serde(rename = "subject")]
    _subject: AccountId,
}

fn numbered_by(payload: &[u8]) -> Option<(Producer, Partition, u64)> {
    let origin: Origin = serde_json::from_slice(payload).ok()?;
    let producer = origin.source.parse().ok()?;
    (origin.part < schemas::PARTITION_COUNT).then_some((producer, origin.part, origin.pseq))
}
