//! Uptime and speed of endpoints in a window of time.

use projector::GenerationQuery;
use projector::endpoint::EndpointAttempts;
use schemas::event::{Attempt, RequestRecord};
use schemas::{Timestamp, Usage};

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries, entries_after};
use crate::store::MONDAY;

on_both_engines! {
    uptime_counts_every_attempt_in_the_window,
    attempts_of_long_windows_equal_a_count_of_every_request,
    an_attempt_in_the_first_second_of_an_hour_counts_in_that_hour_only,
    speed_has_percentiles_by_the_endpoint_that_served,
}

const HALF_HOUR_MICROS: i64 = 1_800_000_000;

fn attempt(channel: &str, outcome: &str, status: Option<u16>) -> Attempt {
    Attempt { channel: channel.into(), outcome: outcome.into(), duration_ms: 5, model: "a/b".into(), provider_cost_nanos: None, status }
}

fn record(traffic: &mut Traffic, at: Timestamp, attempts: Vec<Attempt>) -> Vec<u8> {
    let request = RequestRecord { attempts, ..traffic.request(at) };
    traffic.settled(traffic.account(0), request)
}

async fn uptime_counts_every_attempt_in_the_window(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(1);
    let mut events = Vec::new();
    for index in 0..120 {
        let at = MONDAY.plus_micros(index);
        let first = match index {
            0..6 => attempt("first", "upstream_error", Some(503)),
            6..8 => attempt("first", "timeout", None),
            8..10 => attempt("first", "rate_limit_exceeded", Some(429)),
            10 => attempt("first", "invalid_request", Some(400)),
            _ => attempt("first", "ok", Some(200)),
        };
        let failed_over = first.outcome != "ok";
        let mut attempts = vec![first];
        attempts.extend(failed_over.then(|| attempt("second", "ok", Some(200))));
        events.push(record(&mut traffic, at, attempts));
    }
    events.push(record(&mut traffic, MONDAY.plus_micros(-1), vec![attempt("first", "timeout", None)]));
    events.push(record(&mut traffic, MONDAY.plus_micros(HALF_HOUR_MICROS), vec![attempt("first", "timeout", None)]));
    store.project(&entries(&events)).await.unwrap();
    let found = store.endpoint_attempts(MONDAY, MONDAY.plus_micros(HALF_HOUR_MICROS)).await.unwrap();
    let counts = |channel: &str, success_count, error_count, rate_limited_count, not_counted| EndpointAttempts {
        channel: channel.into(),
        model: "a/b".into(),
        success_count,
        error_count,
        rate_limited_count,
        not_counted,
    };
    assert_eq!(found, [counts("first", 109, 8, 2, 1), counts("second", 11, 0, 0, 0)]);
    assert_eq!((found[0].uptime(), found[1].uptime()), (Some(109.0 / 117.0), None));
}

async fn attempts_of_long_windows_equal_a_count_of_every_request(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(3);
    let events = traffic.log(1_200, MONDAY, 9);
    let (first, late) = events.split_at(900);
    store.project(&entries(first)).await.unwrap();
    store.refresh().await.unwrap();
    // Part of the hours is stale now, whole or at the window's edge.
    store.project(&entries_after(900, late)).await.unwrap();
    let all = store.generations(GenerationQuery { limit: 1_000, ..GenerationQuery::default() }).await.unwrap().items;
    assert!(all.len() > 500);
    let hour = 2 * HALF_HOUR_MICROS;
    let windows = [
        (0, 9 * hour),
        (1, 9 * hour),
        (hour - 1, hour + 1),
        (hour, 2 * hour),
        (HALF_HOUR_MICROS, 7 * hour + 5),
        (7, 9),
        (3 * hour, 3 * hour),
    ];
    let counts = async || {
        let mut counts = Vec::new();
        for (from, to) in windows {
            let endpoints = store.endpoint_attempts(MONDAY.plus_micros(from), MONDAY.plus_micros(to)).await.unwrap();
            counts.push(endpoints.iter().map(|endpoint| endpoint.success_count + endpoint.error_count).sum::<u64>());
        }
        counts
    };
    let expected: [u64; 7] = windows.map(|(from, to)| {
        let window = MONDAY.plus_micros(from)..MONDAY.plus_micros(to);
        all.iter().filter(|row| window.contains(&row.admitted_at)).map(|row| row.attempts.len() as u64).sum()
    });
    assert_eq!(counts().await, expected);
    store.refresh().await.unwrap();
    assert_eq!(counts().await, expected);
}

async fn an_attempt_in_the_first_second_of_an_hour_counts_in_that_hour_only(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(4);
    let hour = 2 * HALF_HOUR_MICROS;
    let events = [hour, hour + 500_000].map(|micros| {
        let attempts = vec![attempt("first", "timeout", None)];
        record(&mut traffic, MONDAY.plus_micros(micros), attempts)
    });
    store.project(&entries(&events)).await.unwrap();
    for _ in 0..2 {
        for (from, to, expected) in
            [(0, hour, None), (0, hour + 1, Some(1)), (0, 2 * hour, Some(2)), (hour, 2 * hour, Some(2)), (1, 3 * hour, Some(2))]
        {
            let found = store.endpoint_attempts(MONDAY.plus_micros(from), MONDAY.plus_micros(to)).await.unwrap();
            assert_eq!(found.first().map(|endpoint| endpoint.error_count), expected, "{from}..{to}");
        }
        store.refresh().await.unwrap();
    }
}

async fn speed_has_percentiles_by_the_endpoint_that_served(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(2);
    let mut events = Vec::new();
    for index in 1..=200_u64 {
        let request = RequestRecord {
            model: "a/b".into(),
            channel: if index % 2 == 0 { "even" } else { "odd" }.into(),
            ttft_ms: Some(index * 5),
            duration_ms: 2_000,
            usage: Usage { text_output: index, ..Usage::default() },
            cancelled: false,
            error_type: None,
            http_status: 200,
            ..traffic.request(MONDAY.plus_micros(index as i64))
        };
        events.push(traffic.settled(traffic.account(0), request));
    }
    store.project(&entries(&events)).await.unwrap();
    let found = store.endpoint_speed(MONDAY, MONDAY.plus_micros(HALF_HOUR_MICROS)).await.unwrap();
    assert_eq!(found.iter().map(|speed| speed.channel.as_str()).collect::<Vec<_>>(), ["even", "odd"]);
    let ttft = found[0].ttft_ms().unwrap();
    // The nearest ranks among 10, 20 … 1,000 ms.
    for (exact, found) in [(500.0, ttft.p50), (750.0, ttft.p75), (900.0, ttft.p90), (990.0, ttft.p99)] {
        assert!((exact - found).abs() <= exact / 32.0, "{found} is not near {exact}");
    }
    // 99 of 100: 198 tokens in two seconds.
    let throughput = found[0].throughput_tokens_per_second().unwrap();
    assert!((throughput.p99 - 99.0).abs() <= 99.0 / 32.0, "{throughput:?}");
    assert!(store.endpoint_speed(MONDAY.plus_micros(-9), MONDAY).await.unwrap().is_empty());
}
