//! What every event log does, whatever it stands on.

use std::time::Duration;

use eventlog::{Bounds, EventLog, LogError, Message, ReadLimit};
use futures_util::future::join_all;

use super::neighbour;
use super::place::Place;
use crate::scene::{first_numbers, message, messages, number_of, numbers, read_all, within};

pub async fn appended_events_are_read_in_order_at_counted_positions(place: impl Place) {
    let log = place.open().await;
    assert_eq!(log.append(messages(1..=3)).await.unwrap(), 3);
    assert_eq!(log.append(vec![message(4)]).await.unwrap(), 4);
    assert_eq!(log.append(messages(5..=60)).await.unwrap(), 60);
    assert_eq!(numbers(&read_all(&log).await), (1..=60).collect::<Vec<_>>());
    assert_eq!(log.bounds().await.unwrap(), Bounds { first: 1, last: 60 });
    assert!(log.is_healthy());
}

pub async fn an_empty_log_begins_at_one_and_ends_at_zero(place: impl Place) {
    let log = place.open().await;
    assert_eq!(log.bounds().await.unwrap(), Bounds { first: 1, last: 0 });
    assert_eq!(log.read(0, ReadLimit::default()).await.unwrap(), []);
}

pub async fn appending_nothing_changes_nothing(place: impl Place) {
    let log = place.open().await;
    assert_eq!(log.append(Vec::new()).await.unwrap(), 0);
    log.append(messages(1..=2)).await.unwrap();
    assert_eq!(log.append(Vec::new()).await.unwrap(), 2);
    assert_eq!(log.bounds().await.unwrap().last, 2);
}

pub async fn a_read_past_the_end_is_empty_and_one_from_the_middle_goes_on_there(place: impl Place) {
    let log = place.open().await;
    log.append(messages(1..=50)).await.unwrap();
    for after in [50, 51, 1_000, u64::MAX] {
        assert_eq!(log.read(after, ReadLimit::default()).await.unwrap(), [], "after {after}");
    }
    // Back and forth: nothing is remembered between two reads that could spoil the next.
    for after in [41, 3, 49, 0, 20] {
        let entries = log.read(after, ReadLimit { entries: 2, bytes: 1 << 20 }).await.unwrap();
        let read: Vec<_> = entries.iter().map(|entry| (entry.position, number_of(&entry.payload))).collect();
        let expected: Vec<_> = (after + 1..=50).take(2).map(|position| (position, position)).collect();
        assert_eq!(read, expected, "after {after}");
    }
}

pub async fn a_read_stops_at_its_limits_and_returns_one_entry_even_if_it_is_longer(place: impl Place) {
    let log = place.open().await;
    log.append(messages(1..=40)).await.unwrap();
    assert_eq!(log.read(0, ReadLimit { entries: 7, bytes: 1 << 20 }).await.unwrap().len(), 7);
    let few = log.read(0, ReadLimit { entries: 40, bytes: 1_000 }).await.unwrap();
    let bytes: usize = few.iter().map(|entry| entry.payload.len()).sum();
    assert!(bytes <= 1_000 && !few.is_empty() && few.len() < 40, "{} entries of {bytes} bytes", few.len());
    assert_eq!(log.read(4, ReadLimit { entries: 10, bytes: 1 }).await.unwrap().len(), 1);
}

pub async fn positions_go_on_after_reopening(place: impl Place) {
    for round in 0..4 {
        let log = place.open().await;
        assert_eq!(log.bounds().await.unwrap(), Bounds { first: 1, last: round * 13 });
        assert_eq!(log.append(messages(round * 13 + 1..=round * 13 + 13)).await.unwrap(), round * 13 + 13);
        assert_eq!(numbers(&read_all(&log).await), (1..=round * 13 + 13).collect::<Vec<_>>());
    }
}

pub async fn a_repeated_batch_loses_nothing_and_keeps_the_order(place: impl Place) {
    let log = place.open().await;
    for batch in [messages(1..=9), vec![message(10)], messages(11..=30)] {
        for _ in 0..3 {
            log.append(batch.clone()).await.unwrap();
        }
    }
    assert_eq!(first_numbers(&read_all(&log).await), (1..=30).collect::<Vec<_>>());
}

pub async fn a_batch_that_overlaps_the_last_one_loses_nothing_and_keeps_the_order(place: impl Place) {
    let log = place.open().await;
    for (first, last) in [(1, 10), (5, 15), (1, 3), (15, 16), (1, 40)] {
        let position = log.append(messages(first..=last)).await.unwrap();
        assert!(position >= last, "{position} for {last}");
    }
    assert_eq!(first_numbers(&read_all(&log).await), (1..=40).collect::<Vec<_>>());
}

pub async fn many_appenders_get_positions_of_their_own_and_lose_nothing(place: impl Place) {
    let log = place.open().await;
    let appends = (1..=200).map(|number| {
        let log = log.clone();
        async move { (log.append(vec![message(number)]).await.unwrap(), number) }
    });
    let mut appended = join_all(appends).await;
    appended.sort_unstable();
    assert_eq!(numbers(&read_all(&log).await), appended.iter().map(|(_, number)| *number).collect::<Vec<_>>());
}

pub async fn many_batches_at_once_are_each_in_order(place: impl Place) {
    let log = place.open().await;
    let appended = join_all((0..20).map(|batch| log.append(messages(batch * 10 + 1..=batch * 10 + 10)))).await;
    assert!(appended.iter().all(Result::is_ok));
    let all = numbers(&read_all(&log).await);
    assert_eq!(all.len(), 200);
    for batch in 0..20 {
        let of_batch: Vec<_> = all.iter().copied().filter(|number| (number - 1) / 10 == batch).collect();
        assert_eq!(of_batch, (batch * 10 + 1..=batch * 10 + 10).collect::<Vec<_>>());
    }
}

pub async fn more_events_than_a_batch_holds_are_appended_in_order(place: impl Place) {
    let log = place.open().await;
    assert_eq!(log.append(messages(1..=2_500)).await.unwrap(), 2_500);
    let mut all = Vec::new();
    while all.len() < 2_500 {
        let run = log.read(all.len() as u64, ReadLimit::default()).await.unwrap();
        assert!(!run.is_empty(), "there is more after {}", all.len());
        all.extend(run);
    }
    assert_eq!(numbers(&all), (1..=2_500).collect::<Vec<_>>());
}

pub async fn an_event_longer_than_the_limit_is_refused_and_the_longest_is_kept(place: impl Place) {
    let log = place.open().await;
    let of = |bytes: usize| Message { id: format!("long-{bytes}"), partition: 3, payload: vec![b'x'; bytes].into() };
    let refused = log.append(vec![message(1), of(200_000), message(2)]).await.unwrap_err();
    assert!(matches!(refused, LogError::TooLong { bytes: 200_000, .. }), "{refused}");
    assert_eq!(log.bounds().await.unwrap().last, 0, "nothing of a refused batch is there");
    log.append(vec![message(1), of(96 * 1024)]).await.unwrap();
    let entries = log.read(1, ReadLimit::default()).await.unwrap();
    assert_eq!(entries[0].payload.len(), 96 * 1024);
}

pub async fn events_of_every_partition_share_one_order(place: impl Place) {
    let log = place.open().await;
    let spread = (1..=64).map(|number| Message { partition: u16::try_from(number % 16).unwrap(), ..message(number) });
    log.append(spread.collect()).await.unwrap();
    assert_eq!(numbers(&read_all(&log).await), (1..=64).collect::<Vec<_>>());
}

pub async fn a_waiting_reader_wakes_when_something_is_appended(place: impl Place) {
    let log = place.open().await;
    let reader = place.open_beside().await;
    for number in 1..=20 {
        let (waited, appended) = tokio::join!(within(reader.wait_past(number - 1)), log.append(vec![message(number)]));
        assert_eq!((waited, appended.unwrap()), ((), number));
        assert_eq!(numbers(&read_all(&reader).await).len() as u64, number, "what woke is there to be read");
    }
}

pub async fn a_wait_for_what_is_there_returns_at_once(place: impl Place) {
    place.open().await.append(messages(1..=5)).await.unwrap();
    let reader = place.open_beside().await;
    for position in [0, 4, 2] {
        within(reader.wait_past(position)).await;
    }
}

pub async fn waiters_at_several_positions_wake_each_at_its_own(place: impl Place) {
    let log = place.open().await;
    let reader = place.open_beside().await;
    let waiters = join_all([0, 7, 19].map(|position| {
        let reader = &reader;
        async move {
            reader.wait_past(position).await;
            assert!(reader.bounds().await.unwrap().last > position);
        }
    }));
    let appending = async {
        for number in 1..=20 {
            log.append(vec![message(number)]).await.unwrap();
        }
    };
    within(async { tokio::join!(waiters, appending) }).await;
}

pub async fn an_abandoned_wait_harms_no_later_one(place: impl Place) {
    let log = place.open().await;
    let reader = place.open_beside().await;
    for number in 1..=10 {
        for abandoned in [number - 1, number + 100] {
            tokio::time::timeout(Duration::from_millis(number % 4), reader.wait_past(abandoned)).await.unwrap_err();
        }
        let (waited, appended) = tokio::join!(within(reader.wait_past(number - 1)), log.append(vec![message(number)]));
        assert_eq!((waited, appended.unwrap()), ((), number));
    }
}

pub async fn a_reader_follows_a_writer_in_another_process(place: impl Place) {
    // So that there is something to open for reading.
    drop(place.open().await);
    let reader = place.open_beside().await;
    let mut writer = neighbour::start(&place.address());
    let mut read = Vec::new();
    while read.len() < usize::try_from(neighbour::EVENTS).unwrap() {
        within(reader.wait_past(read.len() as u64)).await;
        read.extend(reader.read(read.len() as u64, ReadLimit { entries: 17, bytes: 1 << 20 }).await.unwrap());
    }
    assert!(writer.wait().unwrap().success());
    assert_eq!(numbers(&read), (1..=neighbour::EVENTS).collect::<Vec<_>>());
}

pub async fn a_full_log_refuses_deletes_nothing_and_says_how_full_it_is(place: impl Place) {
    let log = place.open_with_room(20_000).await;
    let taken = fill(&log).await;
    let refused = log.append(messages(1_001..=1_050)).await.unwrap_err();
    assert!(matches!(refused, LogError::Full { bytes_max: 20_000, bytes } if bytes <= 20_000), "{refused}");
    assert_eq!(numbers(&read_all(&log).await), (1..=taken).collect::<Vec<_>>());
    assert!(log.is_healthy());
}

async fn fill(log: &EventLog) -> u64 {
    let mut taken = 0;
    while log.append(vec![message(taken + 1)]).await.is_ok() {
        taken += 1;
    }
    assert!(taken > 10, "there was room for something");
    taken
}
