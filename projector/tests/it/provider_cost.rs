//! What a provider should have invoiced: every request's cost once, at whose channel it arose.

use projector::{ProviderCost, ProviderTokens};
use schemas::event::{Attempt, RequestRecord};
use schemas::{NanoUsd, Usage, UsageSource};

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries};
use crate::store::MONDAY;

on_both_engines! {
    costs_are_told_by_day_channel_and_model_with_what_is_estimated_and_what_is_unknown,
    an_attempt_that_another_one_was_faster_than_costs_at_its_own_channel,
}

/// A request of one channel whose provider counted ten tokens.
fn request(traffic: &mut Traffic, days: i64, channel: &str, cost: Option<i64>) -> RequestRecord {
    RequestRecord {
        model: "a/b".into(),
        channel: channel.into(),
        provider: "Acme".into(),
        attempts: Vec::new(),
        provider_cost_nanos: cost.map(NanoUsd::from_nanos),
        usage: Usage { uncached_input: 6, cache_read: 1, text_output: 2, reasoning: 1, source: UsageSource::Provider, ..Usage::default() },
        ..traffic.request(MONDAY.plus_micros(days * 86_400_000_000))
    }
}

/// Requests, estimated, unknown; then the cost and what of it is estimated.
fn told(row: &ProviderCost) -> (String, [u64; 3], [i64; 2]) {
    let what = format!("{} {} {}", row.day, row.channel, row.model);
    (what, [row.requests, row.estimated_requests, row.unknown_requests], [row.cost.nanos(), row.estimated_cost.nanos()])
}

async fn costs_are_told_by_day_channel_and_model_with_what_is_estimated_and_what_is_unknown(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(31);
    let who = traffic.account(0);
    let estimated = Usage { uncached_input: 4, source: UsageSource::Estimate, ..Usage::default() };
    let records = [
        request(&mut traffic, 0, "one", Some(5)),
        request(&mut traffic, 0, "one", None),
        RequestRecord { usage: estimated, ..request(&mut traffic, 0, "one", Some(7)) },
        request(&mut traffic, 0, "two", Some(11)),
        request(&mut traffic, 1, "one", Some(13)),
        request(&mut traffic, 2, "one", Some(17)),
    ];
    let mut events: Vec<Vec<u8>> = records.into_iter().map(|record| traffic.settled(who, record)).collect();
    // The answer was empty and cost the customer nothing; nobody answered; nobody knows.
    let (empty, refused, lost) =
        (request(&mut traffic, 0, "two", Some(3)), request(&mut traffic, 0, "two", None), request(&mut traffic, 0, "two", None));
    events.push(traffic.released(who, empty, false));
    events.push(traffic.released(who, refused, false));
    events.push(traffic.expired(who, lost.request_id));
    store.project(&entries(&events)).await.unwrap();
    let monday = MONDAY.day();
    let found = store.provider_costs(monday, monday.plus(1)).await.unwrap();
    let expected = [
        (format!("{monday}  "), [1, 0, 1], [0, 0]),
        (format!("{monday} one a/b"), [3, 1, 1], [12, 7]),
        (format!("{monday} two a/b"), [2, 0, 0], [14, 0]),
        (format!("{} one a/b", monday.plus(1)), [1, 0, 0], [13, 0]),
    ];
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), expected);
    let tokens = ProviderTokens { uncached_input: 16, cache_read: 2, text_output: 4, reasoning: 2, ..ProviderTokens::default() };
    assert_eq!((found[1].tokens, found[1].provider.as_str()), (tokens, "Acme"));
}

async fn an_attempt_that_another_one_was_faster_than_costs_at_its_own_channel(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(32);
    let attempt = |channel: &str, outcome: &str, cost: i64| Attempt {
        channel: channel.into(),
        duration_ms: 1,
        model: "a/b".into(),
        outcome: outcome.into(),
        provider_cost_nanos: Some(NanoUsd::from_nanos(cost)),
        status: None,
    };
    let hedged =
        |record: RequestRecord, by: &str| RequestRecord { attempts: vec![attempt(by, "hedge_lost", 4), attempt("one", "ok", 6)], ..record };
    let first = request(&mut traffic, 0, "one", Some(10));
    let second =
        RequestRecord { usage: Usage { source: UsageSource::Estimate, ..Usage::default() }, ..request(&mut traffic, 0, "one", Some(10)) };
    let third = request(&mut traffic, 0, "two", Some(1));
    let records = [hedged(first, "two"), hedged(second, "three"), third];
    let who = traffic.account(0);
    let events: Vec<Vec<u8>> = records.into_iter().map(|record| traffic.settled(who, record)).collect();
    store.project(&entries(&events)).await.unwrap();
    let found = store.provider_costs(MONDAY.day(), MONDAY.day()).await.unwrap();
    let of = |channel: &str| format!("{} {channel} a/b", MONDAY.day());
    let expected = [(of("one"), [2, 1, 0], [12, 6]), (of("three"), [1, 1, 0], [4, 4]), (of("two"), [2, 1, 0], [5, 4])];
    assert_eq!(found.iter().map(told).collect::<Vec<_>>(), expected);
    let sum: i64 = found.iter().map(|row| row.cost.nanos()).sum();
    assert_eq!(sum, 21, "what the ledger booked");
}
