//! The event log as its users see it.

use std::path::Path;
use std::sync::Arc;

use eventlog::testing::SimDisk;
use eventlog::{Bounds, EventLog, FileDisk, LogError, LogOptions, ReadLimit};

use crate::scene::{DIR, message, messages, numbers, open_log, read_all, sim, small_log, within};

#[tokio::test]
async fn appended_events_are_read_in_order_at_counted_positions() {
    let disk = SimDisk::new();
    let log = open_log(&disk, small_log());
    assert_eq!(log.bounds().await.unwrap(), Bounds { first: 1, last: 0 });
    assert_eq!(log.append(messages(1..=3)).await.unwrap(), 3);
    assert_eq!(log.append(messages(4..=60)).await.unwrap(), 60);
    assert_eq!(numbers(&read_all(&log).await), (1..=60).collect::<Vec<_>>());
    assert_eq!(log.bounds().await.unwrap(), Bounds { first: 1, last: 60 });
    let from_the_middle = log.read(41, ReadLimit { entries: 2, bytes: 1 << 20 }).await.unwrap();
    assert_eq!(from_the_middle.iter().map(|entry| entry.position).collect::<Vec<_>>(), [42, 43]);
}

#[tokio::test]
async fn everything_is_there_after_reopening_and_positions_go_on() {
    let disk = SimDisk::new();
    for round in 0..5 {
        let log = open_log(&disk, small_log());
        assert_eq!(log.append(messages(round * 13 + 1..=round * 13 + 13)).await.unwrap(), round * 13 + 13);
        assert_eq!(numbers(&read_all(&log).await), (1..=round * 13 + 13).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_read_returns_one_entry_even_if_it_is_longer_than_the_limit() {
    let disk = SimDisk::new();
    let log = open_log(&disk, small_log());
    log.append(messages(1..=3)).await.unwrap();
    let entries = log.read(0, ReadLimit { entries: 10, bytes: 1 }).await.unwrap();
    assert_eq!(entries.len(), 1);
}

#[tokio::test]
async fn a_waiting_reader_wakes_when_something_is_appended() {
    let disk = SimDisk::new();
    let log = open_log(&disk, small_log());
    let (waiting, appended) = tokio::join!(within(log.wait_past(2)), log.append(messages(1..=3)));
    assert_eq!((waiting, appended.unwrap()), ((), 3));
}

#[tokio::test]
async fn many_appenders_get_positions_of_their_own_and_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = EventLog::open_segmented(Arc::new(FileDisk), dir.path(), small_log()).unwrap();
    let appends = (1..=200).map(|number| {
        let log = log.clone();
        async move { (number, log.append(vec![message(number)]).await.unwrap()) }
    });
    let mut by_position = futures_util::future::join_all(appends).await;
    by_position.sort_unstable_by_key(|(_, position)| *position);
    assert_eq!(numbers(&read_all(&log).await), by_position.iter().map(|(number, _)| *number).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_log_refuses_deletes_nothing_and_says_how_full_it_is() {
    let disk = SimDisk::new();
    let log = open_log(&disk, LogOptions { bytes_max: 3_000, ..small_log() });
    let mut taken = 0;
    let refused = loop {
        match log.append(vec![message(taken + 1)]).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, LogError::Full { bytes_max: 3_000, bytes } if bytes <= 3_000), "{refused}");
    assert_eq!(numbers(&read_all(&log).await), (1..=taken).collect::<Vec<_>>());
    assert!(log.is_healthy());
}

#[tokio::test]
async fn a_second_writer_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let open = || EventLog::open_segmented(Arc::new(FileDisk), dir.path(), small_log());
    let log = open().unwrap();
    assert!(matches!(open().err(), Some(LogError::Locked { .. })));
    drop(log);
    open().unwrap();
}

#[tokio::test]
async fn a_reader_beside_the_writer_sees_what_it_appends_and_cannot_write() {
    let disk = SimDisk::new();
    let log = open_log(&disk, small_log());
    let reader = EventLog::open_segmented_read_only(sim(&disk), Path::new(DIR)).unwrap();
    assert_eq!(reader.bounds().await.unwrap(), Bounds { first: 1, last: 0 });
    for round in 0..10 {
        log.append(messages(round * 7 + 1..=round * 7 + 7)).await.unwrap();
        within(reader.wait_past(round * 7)).await;
        assert_eq!(numbers(&read_all(&reader).await), (1..=round * 7 + 7).collect::<Vec<_>>());
    }
    let late = EventLog::open_segmented_read_only(sim(&disk), Path::new(DIR)).unwrap();
    assert_eq!(numbers(&read_all(&late).await), (1..=70).collect::<Vec<_>>());
    drop(log);
    assert_eq!(numbers(&read_all(&late).await), (1..=70).collect::<Vec<_>>());
    assert!(matches!(late.append(messages(71..=71)).await, Err(LogError::ReadOnly)));
}

#[tokio::test]
async fn under_unsynced_acknowledgement_appends_are_visible_at_once() {
    let disk = SimDisk::new();
    let log = open_log(&disk, LogOptions { ack_unsynced: true, ..small_log() });
    let syncs = disk.syncs();
    log.append(messages(1..=2)).await.unwrap();
    assert_eq!(numbers(&read_all(&log).await), [1, 2]);
    assert!(disk.syncs() <= syncs + 1, "only the next segment may have been synced");
}

#[tokio::test]
async fn an_event_longer_than_a_segment_gets_one_of_its_own() {
    let disk = SimDisk::new();
    let log = open_log(&disk, small_log());
    let long = eventlog::Message { id: "long".into(), partition: 0, payload: vec![7; 50_000].into() };
    log.append(vec![message(1), long.clone(), message(2)]).await.unwrap();
    let too_long = eventlog::Message { payload: vec![7; 200_000].into(), ..long.clone() };
    assert!(matches!(log.append(vec![too_long]).await, Err(LogError::TooLong { bytes: 200_000, .. })));
    drop(log);
    let entries = open_log(&disk, small_log()).read(0, ReadLimit::default()).await.unwrap();
    assert_eq!(entries[1].payload, long.payload);
    assert_eq!(entries.len(), 3);
}
