//! Both engines give the same answers and the same digests for the same log.

use std::fmt::Debug;

use projector::{ActivityQuery, AnalyticsStore, GenerationQuery, RankingKind, RankingPeriod, Status};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::Timestamp;

use crate::home::{Engine, empty_store};
use crate::sample::{Traffic, entries};
use crate::store::MONDAY;

const HOUR_MICROS: i64 = 3_600_000_000;

#[tokio::test]
async fn tables_have_the_same_digests_whatever_the_batches() {
    for seed in 0..2 {
        // Across a month and a year.
        let events = Traffic::new(seed).log(1_500, MONDAY.plus_micros(37 * 24 * HOUR_MICROS), 60);
        let entries = entries(&events);
        let mut digests = Vec::new();
        for engine in [Engine::Sqlite, Engine::ClickHouse] {
            let (_home, store) = empty_store(engine).await;
            let mut rng = StdRng::seed_from_u64(seed + engine as u64);
            let mut done = 0;
            while done < entries.len() {
                let end = (done + rng.random_range(50..900)).min(entries.len());
                store.project(&entries[done..end]).await.unwrap();
                done = end;
            }
            digests.push(store.snapshot_digests().await.unwrap());
        }
        for (table, digest) in &digests[0].tables {
            assert_eq!(digests[1].tables[table], *digest, "{table}, seed {seed}");
        }
        assert_eq!(digests[0], digests[1]);
    }
}

#[tokio::test]
async fn every_query_has_the_same_answer() {
    let mut traffic = Traffic::new(21);
    let events = traffic.log(1_200, MONDAY, 70);
    let (first, rest) = events.split_at(800);
    let (_sqlite_home, sqlite) = empty_store(Engine::Sqlite).await;
    let (_clickhouse_home, clickhouse) = empty_store(Engine::ClickHouse).await;
    let both = [&sqlite, &clickhouse];
    for store in both {
        store.project(&entries(first)).await.unwrap();
        store.refresh().await.unwrap();
        store.project(&entries(&events)[first.len()..]).await.unwrap();
    }
    assert_eq!(rest.len(), 400);
    // Once with stale buckets, once without.
    for _ in 0..2 {
        same(both, async |store| store.charge_totals().await.unwrap()).await;
        for position in [0, 1, 777, 1_200] {
            same(both, async |store| store.charge_totals_at(position).await.unwrap()).await;
        }
        for query in activity_queries(&traffic) {
            same(both, async |store| store.activity(query).await.unwrap()).await;
            same(both, async |store| store.model_usage(query).await.unwrap()).await;
        }
        for (from, to) in [(0, 0), (0, 9), (2, 1), (-3, 1)] {
            let day = |days: i32| MONDAY.day().plus(days);
            same(both, async |store| store.provider_costs(day(from), day(to)).await.unwrap()).await;
        }
        for query in crate::usage::queries(&traffic) {
            same(both, async |store| store.usage(&query).await.unwrap()).await;
        }
        for (from, to) in [(0, 70), (3, 4), (-5, 200), (7, 7)] {
            let window = |hours: i64| MONDAY.plus_micros(hours * HOUR_MICROS + 1);
            same(both, async |store| store.endpoint_attempts(window(from), window(to)).await.unwrap()).await;
            same(both, async |store| store.endpoint_speed(window(from), window(to)).await.unwrap()).await;
        }
        for query in generation_queries(&traffic) {
            same(both, async |store| every_page(store, query.clone()).await).await;
        }
        for store in both {
            store.refresh().await.unwrap();
        }
    }
    let monday = MONDAY.day();
    let end = MONDAY.plus_micros(200 * HOUR_MICROS);
    same(both, async |store| store.endpoint_hours("openai/gpt-4o", MONDAY, end).await.unwrap()).await;
    assert!(sqlite.endpoint_hours("openai/gpt-4o", MONDAY, end).await.unwrap().len() > 20);
    same(both, async |store| store.model_stats(monday, monday.plus(9)).await.unwrap()).await;
    for period in [RankingPeriod::Day(monday.plus(1)), RankingPeriod::Week(monday.plus(6)), RankingPeriod::Month(monday)] {
        for kind in [RankingKind::Model, RankingKind::Author, RankingKind::App] {
            same(both, async |store| store.rankings(period, kind, 4).await.unwrap()).await;
        }
    }
    same(both, async |store| store.quarantined().await.unwrap()).await;
}

/// Handlers on many threads await these: it compiles or it does not.
#[expect(dead_code, reason = "for the compiler only")]
fn every_query_can_move_between_threads(store: &AnalyticsStore) {
    const fn is_send<T: Send>(_: &T) {}
    let query = ActivityQuery { account: None, key: None, from: MONDAY.day(), to: MONDAY.day() };
    is_send(&store.activity(query));
    is_send(&store.model_usage(query));
    is_send(&store.generations(GenerationQuery::default()));
    is_send(&store.endpoint_attempts(MONDAY, MONDAY));
    is_send(&store.project(&[]));
    is_send(&store.refresh());
    is_send(&store.snapshot_digests());
}

/// Asks both, and wants something to compare.
async fn same<T: PartialEq + Debug>(stores: [&AnalyticsStore; 2], ask: impl AsyncFn(&AnalyticsStore) -> T) {
    let [expected, found] = stores;
    assert_eq!(ask(found).await, ask(expected).await);
}

fn activity_queries(traffic: &Traffic) -> [ActivityQuery; 4] {
    let everything = ActivityQuery { account: None, key: None, from: MONDAY.day(), to: MONDAY.day().plus(9) };
    [
        everything,
        ActivityQuery { account: Some(traffic.account(2)), ..everything },
        ActivityQuery { key: Some(traffic.key(0)), ..everything },
        ActivityQuery { from: MONDAY.day().plus(1), to: MONDAY.day().plus(1), ..everything },
    ]
}

fn generation_queries(traffic: &Traffic) -> Vec<GenerationQuery> {
    let any = || GenerationQuery { limit: 97, ..GenerationQuery::default() };
    let at = |hours: i64| Some::<Timestamp>(MONDAY.plus_micros(hours * HOUR_MICROS));
    vec![
        any(),
        GenerationQuery { account: Some(traffic.account(3)), ..any() },
        GenerationQuery { key: Some(traffic.key(0)), model: Some("openai/gpt-4o".to_owned()), ..any() },
        GenerationQuery { status: Some(Status::Expired), ..any() },
        GenerationQuery { from: at(3), to: at(9), ..any() },
        GenerationQuery { app: Some("https://chat.example".to_owned()), ..any() },
        GenerationQuery { from: Some(Timestamp::from_micros(i64::MIN)), to: Some(Timestamp::from_micros(i64::MAX)), ..any() },
    ]
}

async fn every_page(store: &AnalyticsStore, mut query: GenerationQuery) -> Vec<projector::UsageRow> {
    let mut rows = Vec::new();
    loop {
        let page = store.generations(query.clone()).await.unwrap();
        rows.extend(page.items);
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            return rows;
        }
    }
}
