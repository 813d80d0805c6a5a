//! What the tests share: small segments, numbered payloads, a disk of either kind.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::testing::SimDisk;
use eventlog::{Disk, Durability, Entry, EventLog, LogOptions, Message, ReadLimit, Recovery, Spool, SpoolOptions};
use schemas::{Partition, RequestId};

pub const DIR: &str = "/data/spool";

/// Segments of a few records, so that rotation happens all the time.
pub fn small_log() -> LogOptions {
    LogOptions { segment_bytes: 2_048, background_sync: None, ..LogOptions::default() }
}

pub fn small_spool(durability: Durability) -> SpoolOptions {
    SpoolOptions { durability, segment_bytes: 2_048, background_sync: None, ..SpoolOptions::default() }
}

pub fn sim(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

pub fn open_log(disk: &SimDisk, options: LogOptions) -> EventLog {
    EventLog::open_segmented(sim(disk), Path::new(DIR), options).unwrap()
}

pub fn open_spool(disk: &SimDisk, durability: Durability) -> (Spool, Recovery) {
    Spool::open(sim(disk), Path::new(DIR), small_spool(durability)).unwrap()
}

/// The payload of the event with a number: of a length of its own, and telling its number.
pub fn payload(number: u64) -> Vec<u8> {
    let filler = "x".repeat(usize::try_from(number * 37 % 211).unwrap());
    format!("{{\"id\":\"event-{number}\",\"filler\":\"{filler}\"}}").into_bytes()
}

pub fn message(number: u64) -> Message {
    Message { id: format!("event-{number}"), partition: 0, payload: Bytes::from(payload(number)) }
}

pub fn messages(numbers: std::ops::RangeInclusive<u64>) -> Vec<Message> {
    numbers.map(message).collect()
}

/// Everything in a log, in reads of a few entries.
pub async fn read_all(log: &EventLog) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    loop {
        let after = all.last().map_or(0, |entry| entry.position);
        let entries = log.read(after, ReadLimit { entries: 7, bytes: 1_000 }).await.unwrap();
        if entries.is_empty() {
            return all;
        }
        all.extend(entries);
    }
}

/// The numbers of the payloads, having checked that positions count 1, 2, 3 … and payloads are whole.
pub fn numbers(entries: &[Entry]) -> Vec<u64> {
    (1..)
        .zip(entries)
        .map(|(position, entry)| {
            assert_eq!(entry.position, position);
            number_of(&entry.payload)
        })
        .collect()
}

/// The numbers of the payloads without repetitions, in the order in which they came first.
pub fn first_numbers(entries: &[Entry]) -> Vec<u64> {
    let mut seen = std::collections::HashSet::new();
    entries.iter().map(|entry| number_of(&entry.payload)).filter(|number| seen.insert(*number)).collect()
}

pub fn number_of(bytes: &[u8]) -> u64 {
    let text = std::str::from_utf8(bytes).unwrap();
    let number = text.strip_prefix("{\"id\":\"event-").unwrap().split_once('"').unwrap().0.parse().unwrap();
    assert_eq!(bytes, payload(number), "event {number} was altered");
    number
}

/// Writes the terminal with a number and waits until it is safe.
pub async fn write_terminal(spool: &Spool, request: Option<RequestId>, partition: Partition, number: u64) {
    let (bytes, durable) = spool.terminal(request, partition, |_, _| Ok(payload(number))).unwrap();
    assert_eq!(bytes, payload(number));
    durable.await.unwrap();
}

/// Fails the test instead of hanging.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.unwrap()
}
