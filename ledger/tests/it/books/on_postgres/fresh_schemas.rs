//! Replays into a schema beside the live books.

use ledger::replay::{ReplayOptions, replay, replay_in};
use ledger::{HeadsLog, LedgerStore};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::fixture::{House, append};
use super::history::{events_wanted, history};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_beside_the_live_books_is_identical_with_them_and_leaves_nothing() {
    let house = House::new();
    let log = house.log();
    for chunk in history(60, events_wanted(3_000)).chunks(5_000) {
        append(&log, chunk).await;
    }
    let live = house.ledger().await;
    let expected = replay(&log, &live, ReplayOptions::default(), &mut |_| {}).await.unwrap();
    let LedgerStore::Postgres(beside) = &live else { panic!("a ledger in PostgreSQL") };
    let fresh = LedgerStore::Postgres(beside.fresh_schema("replay \"1\"").await.unwrap());
    let fresh = fresh.with_heads(HeadsLog::open(house.dir.path(), ledger::Access::ReadWrite).unwrap());
    let mut random = StdRng::seed_from_u64(60);
    let found = replay_in(&log, &fresh, None, &mut || random.random_range(1..=500), &mut |_| {}).await.unwrap();
    assert_eq!(found, expected);
    assert_eq!(live.snapshot_digests().await.unwrap().tables, expected.digests, "the live books were not touched");
    fresh.close().await;
    beside.drop_schema("replay \"1\"").await.unwrap();
    assert!(house.texts("SELECT nspname::TEXT FROM pg_namespace WHERE nspname LIKE 'replay%'").await.is_empty());
}

#[tokio::test]
async fn a_schema_that_exists_is_not_replayed_into() {
    let house = House::new();
    let live = house.ledger().await;
    let LedgerStore::Postgres(beside) = &live else { panic!("a ledger in PostgreSQL") };
    beside.fresh_schema("again").await.unwrap();
    assert!(beside.fresh_schema("again").await.is_err());
}
