//! Derived tables equal a plain recomputation from the raw events, to the last digit.

use projector::{ActivityQuery, AnalyticsStore, ChargeTotal, RankingKind, RankingPeriod};
use schemas::event::RequestRecord;
use schemas::{Day, NanoUsd, Timestamp, Usage};

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries, entries_after};
use crate::store::MONDAY;
use crate::truth::{tables_in, tables_of};

on_both_engines! {
    rollups_equal_an_independent_computation,
    a_refresh_after_every_batch_changes_nothing,
    a_request_counts_on_the_utc_day_it_was_admitted,
    activity_is_exact_before_and_after_a_refresh,
    equal_tokens_are_ranked_by_name_and_change_looks_one_period_back,
    model_statistics_read_back_with_their_histograms,
    days_that_were_derived_before_endpoints_had_a_table_get_theirs,
}

/// What the migration does to a store that has been at work without the table.
async fn days_that_were_derived_before_endpoints_had_a_table_get_theirs(engine: Engine) {
    let (home, store) = empty_store(engine).await;
    store.project(&entries(&Traffic::new(5).log(900, MONDAY, 60))).await.unwrap();
    let expected = store.snapshot_digests().await.unwrap();
    home.execute("DELETE FROM endpoint_daily", "TRUNCATE TABLE stored_endpoint_daily").await;
    assert_ne!(store.snapshot_digests().await.unwrap(), expected);
    let [sqlite, clickhouse] = ["sqlite/analytics", "clickhouse"].map(|engine| {
        let text = std::fs::read_to_string(format!("../migrations/{engine}/0004_endpoint_daily.sql")).unwrap();
        let insert = text.find("INSERT INTO").unwrap();
        text[insert..].trim_end().trim_end_matches(';').to_owned()
    });
    home.execute(&sqlite, &clickhouse).await;
    assert_eq!(store.snapshot_digests().await.unwrap(), expected);
}

async fn rollups_equal_an_independent_computation(engine: Engine) {
    for seed in 0..3 {
        let (home, store) = empty_store(engine).await;
        // Across a week, a month and a year: 2026-12-30 and on.
        let events = Traffic::new(seed).log(2_000, MONDAY.plus_micros(37 * 86_400_000_000), 72);
        for batch in entries(&events).chunks(333) {
            store.project(batch).await.unwrap();
        }
        store.refresh().await.unwrap();
        let (found, expected) = (tables_in(&home).await, tables_of(&events));
        for (table, rows) in &expected.0 {
            assert!(!rows.is_empty(), "{table} is empty");
            assert_eq!(&found.0[table], rows, "{table}, seed {seed}");
        }
    }
}

async fn a_refresh_after_every_batch_changes_nothing(engine: Engine) {
    let events = Traffic::new(9).log(600, MONDAY, 50);
    let (home, store) = empty_store(engine).await;
    for batch in entries(&events).chunks(50) {
        store.project(batch).await.unwrap();
        store.refresh().await.unwrap();
    }
    assert_eq!(tables_in(&home).await, tables_of(&events));
}

async fn a_request_counts_on_the_utc_day_it_was_admitted(engine: Engine) {
    let (home, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(3);
    let midnight = MONDAY.plus_micros(86_400_000_000);
    let account = traffic.account(0);
    let charge = NanoUsd::from_nanos(7);
    let events: Vec<Vec<u8>> = [midnight.plus_micros(-1), midnight]
        .into_iter()
        .map(|at| {
            // Both end on Tuesday.
            let request = RequestRecord { model: "a/b".into(), cancelled: false, duration_ms: 5_000, ..traffic.request(at) };
            traffic.settled_for(account, request, charge)
        })
        .collect();
    store.project(&entries(&events)).await.unwrap();
    store.refresh().await.unwrap();
    let found = home.lines("SELECT date, request_count, total_cost FROM model_stats ORDER BY date").await;
    assert_eq!(found, ["2026-11-23|1|0.000000007", "2026-11-24|1|0.000000007"]);
    let hours = home.lines("SELECT hour FROM usage_hourly ORDER BY hour").await;
    assert_eq!(hours, ["2026-11-23T23:00:00Z", "2026-11-24T00:00:00Z"]);
    let monday = MONDAY.day();
    let expected = [monday, monday.plus(1)].map(|day| ChargeTotal { account_id: account, day, charged: charge, requests: 1 });
    assert_eq!(store.charge_totals().await.unwrap(), expected);
}

async fn activity_is_exact_before_and_after_a_refresh(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(4);
    let events = traffic.log(1_500, MONDAY, 80);
    let (first, second) = events.split_at(700);
    store.project(&entries(first)).await.unwrap();
    store.refresh().await.unwrap();
    store.project(&entries_after(700, second)).await.unwrap();
    assert!(store.dirty_count().await.unwrap() > 0);

    let everything = ActivityQuery { account: None, key: None, from: MONDAY.day(), to: MONDAY.day().plus(9) };
    let one = ActivityQuery { account: Some(traffic.account(2)), from: MONDAY.day().plus(1), to: MONDAY.day().plus(2), ..everything };
    let mut before = Vec::new();
    for query in [everything, one] {
        before.push((store.activity(query).await.unwrap(), store.model_usage(query).await.unwrap()));
    }
    store.refresh().await.unwrap();
    for (query, (activity, usage)) in [everything, one].into_iter().zip(before) {
        assert!(activity.len() > 3);
        assert_eq!(store.activity(query).await.unwrap(), activity);
        assert_eq!(store.model_usage(query).await.unwrap(), usage);
        let sum = |amounts: Vec<NanoUsd>| NanoUsd::checked_sum(amounts).unwrap();
        assert_eq!(sum(activity.iter().map(|row| row.usage).collect()), sum(usage.iter().map(|row| row.usage).collect()));
    }
    let charged = NanoUsd::checked_sum(store.charge_totals().await.unwrap().into_iter().map(|total| total.charged)).unwrap();
    let active = NanoUsd::checked_sum(store.activity(everything).await.unwrap().into_iter().map(|row| row.usage)).unwrap();
    assert_eq!(active, charged);
}

async fn equal_tokens_are_ranked_by_name_and_change_looks_one_period_back(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(5);
    let tuesday = MONDAY.plus_micros(86_400_000_000);
    let mut events = vec![tokens(&mut traffic, MONDAY, "z/last", 50), tokens(&mut traffic, MONDAY, "b/two", 400)];
    for model in ["z/last", "a/one", "b/two"] {
        events.push(tokens(&mut traffic, tuesday, model, 100));
    }
    store.project(&entries(&events)).await.unwrap();
    store.refresh().await.unwrap();
    let found = ranking(&store, RankingPeriod::Day(tuesday.day())).await;
    let third = 100.0 / 300.0;
    assert_eq!(found, [(1, "a/one".into(), third, None), (2, "b/two".into(), third, Some(-0.75)), (3, "z/last".into(), third, Some(1.0))]);
    let week = ranking(&store, RankingPeriod::Week(tuesday.day())).await;
    assert_eq!(week.iter().map(|row| row.1.as_str()).collect::<Vec<_>>(), ["b/two", "z/last", "a/one"]);

    // A late event on Monday changes what Tuesday is compared with.
    let late = [tokens(&mut traffic, MONDAY, "z/last", 50)];
    store.project(&entries_after(5, &late)).await.unwrap();
    store.refresh().await.unwrap();
    assert_eq!(ranking(&store, RankingPeriod::Day(tuesday.day())).await[2].3, Some(0.0));
}

async fn ranking(store: &AnalyticsStore, period: RankingPeriod) -> Vec<(u64, String, f64, Option<f64>)> {
    let rows = store.rankings(period, RankingKind::Model, 10).await.unwrap();
    rows.into_iter().map(|row| (row.rank, row.subject, row.share, row.change)).collect()
}

fn tokens(traffic: &mut Traffic, at: Timestamp, model: &str, count: u64) -> Vec<u8> {
    let usage = Usage { uncached_input: count, ..Usage::default() };
    let request = RequestRecord { model: model.into(), usage, ..traffic.request(at) };
    traffic.settled(traffic.account(0), request)
}

async fn model_statistics_read_back_with_their_histograms(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(6);
    let events: Vec<Vec<u8>> = (1..=100)
        .map(|index| {
            let request = traffic.request(MONDAY);
            let usage = Usage { text_output: 200, ..Usage::default() };
            let request = RequestRecord {
                model: "a/b".into(),
                ttft_ms: Some(index * 10),
                duration_ms: 4_000,
                usage,
                cancelled: false,
                error_type: None,
                http_status: 200,
                ..request
            };
            traffic.settled_for(traffic.account(0), request, NanoUsd::from_nanos(5))
        })
        .collect();
    store.project(&entries(&events)).await.unwrap();
    store.refresh().await.unwrap();
    let monday: Day = MONDAY.day();
    let stats = store.model_stats(monday, monday).await.unwrap();
    assert_eq!(stats.len(), 1);
    assert_eq!((stats[0].request_count, stats[0].ok_count, stats[0].total_cost_nanos), (100, 100, NanoUsd::from_nanos(500)));
    assert_eq!((stats[0].avg_latency_ms, stats[0].avg_ttft_ms), (4_000.0, Some(505.0)));
    let p50 = stats[0].ttft.percentile(50).unwrap();
    assert!((p50 - 500.0).abs() <= 500.0 / 32.0, "{p50}");
    let throughput = stats[0].throughput.percentiles(0.001).unwrap();
    assert!((throughput.p99 - 50.0).abs() <= 50.0 / 32.0, "{throughput:?}");
}
