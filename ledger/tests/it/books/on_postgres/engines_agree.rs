//! The strongest test there is: two engines that share no SQL make the same bytes of the same events.

use ledger::replay::{ReplayOptions, replay, replay_in};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use schemas::RequestId;

use super::fixture::{Author, Engine, House, START, account, append};
use super::history::{events_wanted, history};
use crate::books::fixture;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_make_the_same_rows_and_heads_in_any_batches() {
    for seed in [50, 51] {
        let files = fixture::House::on(Engine::Sqlite);
        let house = House::new();
        let log = house.log();
        for chunk in history(seed, events_wanted(6_000)).chunks(5_000) {
            append(&log, chunk).await;
        }
        let expected = replay(&log, &files.ledger().await, ReplayOptions::default(), &mut |_| {}).await.unwrap();
        let mut random = StdRng::seed_from_u64(seed);
        let batch = &mut || random.random_range(1..=700);
        let found = replay_in(&log, &house.ledger().await, None, batch, &mut |_| {}).await.unwrap();
        assert_eq!(found, expected, "seed {seed}");
    }
}

/// Ids as gateways mint them, over three months: rows in partitions read as rows in one table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_agree_about_requests_of_several_months() {
    let files = fixture::House::on(Engine::Sqlite);
    let house = House::new();
    let log = house.log();
    let mut author = Author::new(1);
    let payloads: Vec<_> = (0..600_u64)
        .flat_map(|number| {
            let (who, id) = (account(u128::from(number) % 5), minted(number * 13_000));
            [author.expired(who, id), author.settled(who, id, 100 + number.cast_signed())]
        })
        .collect();
    append(&log, &payloads).await;
    let expected = replay(&log, &files.ledger().await, ReplayOptions::default(), &mut |_| {}).await.unwrap();
    let store = house.ledger().await;
    let found = replay(&log, &store, ReplayOptions { batch: 100, to_position: None }, &mut |_| {}).await.unwrap();
    assert_eq!(found, expected);
    let months = house.texts("SELECT tableoid::regclass::TEXT FROM ledger_entries GROUP BY tableoid ORDER BY 1").await;
    assert_eq!(months, ["ledger_entries_2026_11", "ledger_entries_2026_12", "ledger_entries_2027_01", "ledger_entries_2027_02"]);
    let audit = ledger::audit(&store, &log, None, &mut |_| {}).await.unwrap();
    assert!(audit.ok, "{:#?}", audit.differences);
}

/// A request id of so many seconds after the start.
pub fn minted(seconds: u64) -> RequestId {
    let start = u64::try_from(START.micros()).unwrap() / 1_000_000;
    RequestId::from_uuid(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, start + seconds, 0)))
}
