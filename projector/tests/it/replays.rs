//! The same log makes the same tables, byte for byte, however it is cut up, interrupted or repeated.

use projector::{AnalyticsStore, Digests};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries};
use crate::store::MONDAY;
use crate::truth::{tables_in, tables_of};

on_both_engines! {
    random_batches_give_identical_digests,
    another_log_gives_other_digests,
}

/// Projects in batches of random size, now and then again from a little before, with refreshes in between.
async fn project_at_random(store: &AnalyticsStore, events: &[Vec<u8>], rng: &mut StdRng) -> Digests {
    let entries = entries(events);
    let mut done = 0;
    while done < entries.len() {
        let end = (done + rng.random_range(1..400)).min(entries.len());
        let start = if rng.random_ratio(1, 4) { done.saturating_sub(rng.random_range(0..50)) } else { done };
        store.project(&entries[start..end]).await.unwrap();
        if rng.random_ratio(1, 5) {
            store.refresh().await.unwrap();
        }
        done = end;
    }
    store.snapshot_digests().await.unwrap()
}

async fn random_batches_give_identical_digests(engine: Engine) {
    let events = Traffic::new(11).log(3_000, MONDAY, 60);
    let (home, store) = empty_store(engine).await;
    store.project(&entries(&events)).await.unwrap();
    let expected = store.snapshot_digests().await.unwrap();
    assert_eq!(expected.position, 3_000);
    assert_eq!(expected.tables.len(), 10);
    assert_eq!(tables_in(&home).await, tables_of(&events));
    for seed in 0..3 {
        let (_dir, replayed) = empty_store(engine).await;
        let found = project_at_random(&replayed, &events, &mut StdRng::seed_from_u64(seed)).await;
        assert_eq!(found, expected, "seed {seed}");
    }
}

async fn another_log_gives_other_digests(engine: Engine) {
    let mut digests = Vec::new();
    for seed in [1, 2] {
        let (_dir, store) = empty_store(engine).await;
        store.project(&entries(&Traffic::new(seed).log(200, MONDAY, 5))).await.unwrap();
        digests.push(store.digests().await.unwrap());
    }
    for (table, digest) in &digests[0] {
        assert!(digests[1][table] != *digest, "{table}");
    }
}
