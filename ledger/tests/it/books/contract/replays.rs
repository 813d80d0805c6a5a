//! T1: whatever the batches, a replay makes the same books.

use eventlog::EventLog;
use ledger::LedgerStore;
use ledger::replay::{ReplayError, ReplayOptions, replay, replay_in};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::fixture::{House, append, entries_after};
use super::history::{events_wanted, history};

async fn log_of(house: &House, seed: u64, events: usize) -> EventLog {
    let log = house.log();
    for chunk in history(seed, events).chunks(5_000) {
        append(&log, chunk).await;
    }
    log
}

async fn replay_randomly(log: &EventLog, into: &LedgerStore, seed: u64, batch_max: usize) -> ledger::ReplayReport {
    let mut random = StdRng::seed_from_u64(seed);
    replay_in(log, into, None, &mut || random.random_range(1..=batch_max), &mut |_| {}).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_in_any_batches_make_identical_rows_and_heads() {
    let house = House::new();
    let log = log_of(&house, 1, events_wanted(20_000)).await;
    let live = house.ledger_named("live.db").await;
    let mut seen = 0;
    let first = replay(&log, &live, ReplayOptions::default(), &mut |progress| seen = progress.position).await.unwrap();
    assert_eq!(seen, first.events);
    assert!(first.quarantined > 0 && first.heads.len() > 10, "the history is too tame: {first:?}");
    for (number, batch_max) in [(1_u64, 5_000), (2, 700)] {
        let store = house.ledger_named(&format!("replay{number}.db")).await;
        let again = replay_randomly(&log, &store, number, batch_max).await;
        assert_eq!(again, first);
    }
    let audit = ledger::audit(&live, &log, None, &mut |_| {}).await.unwrap();
    let real: Vec<_> = audit.differences.iter().filter(|difference| difference.kind != "producer_gap").collect();
    assert!(real.is_empty(), "{real:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_event_at_a_time_makes_the_same_books_as_all_at_once() {
    for seed in 10..13 {
        let house = House::new();
        let log = log_of(&house, seed, 400).await;
        let (single, whole) = (house.ledger_named("single.db").await, house.ledger_named("whole.db").await);
        let one = replay(&log, &single, ReplayOptions { batch: 1, to_position: None }, &mut |_| {}).await.unwrap();
        let all = replay(&log, &whole, ReplayOptions { batch: 400, to_position: None }, &mut |_| {}).await.unwrap();
        assert_eq!(one, all, "seed {seed}");
    }
}

#[tokio::test]
async fn redelivery_changes_no_balance_and_no_head() {
    let house = House::new();
    let payloads = history(3, 1_000);
    let once = house.ledger_named("once.db").await;
    once.apply_batch(&entries_after(0, &payloads)).await.unwrap();
    let twice = house.ledger_named("twice.db").await;
    let doubled: Vec<_> = payloads.iter().flat_map(|payload| [payload.clone(), payload.clone()]).collect();
    twice.apply_batch(&entries_after(0, &doubled)).await.unwrap();
    assert_eq!(once.heads().await.unwrap(), twice.heads().await.unwrap());
    let balances =
        |all: Vec<(schemas::AccountId, schemas::NanoUsd, u64)>| all.into_iter().map(|(id, balance, _)| (id, balance)).collect::<Vec<_>>();
    assert_eq!(balances(once.balances().await.unwrap()), balances(twice.balances().await.unwrap()));
    assert_eq!(once.key_spend().await.unwrap(), twice.key_spend().await.unwrap());
}

#[tokio::test]
async fn a_replay_stops_where_it_is_told() {
    let house = House::new();
    let log = log_of(&house, 5, 300).await;
    let store = house.ledger().await;
    let report = replay(&log, &store, ReplayOptions { to_position: Some(120), batch: 50 }, &mut |_| {}).await.unwrap();
    assert_eq!(report.events, 120);
    assert_eq!(store.position().await.unwrap(), 120);
}

#[tokio::test]
async fn live_books_are_never_replayed_into() {
    let house = House::new();
    let log = log_of(&house, 5, 50).await;
    let store = house.ledger().await;
    replay(&log, &store, ReplayOptions::default(), &mut |_| {}).await.unwrap();
    let again = replay(&log, &store, ReplayOptions::default(), &mut |_| {}).await;
    assert!(matches!(again, Err(ReplayError::NotEmpty(50))));
    let empty = house.ledger_named("empty.db").await;
    let beyond = replay(&log, &empty, ReplayOptions { to_position: Some(51), batch: 1 }, &mut |_| {}).await;
    assert!(matches!(beyond, Err(ReplayError::BeyondLog { wanted: 51, last: 50 })));
}
