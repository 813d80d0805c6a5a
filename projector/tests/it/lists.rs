//! Single requests and pages of them.

use std::collections::BTreeSet;
use std::fs;

use projector::{AnalyticsError, GenerationQuery, Status};
use schemas::terminal::Terminal;
use schemas::{Event, NanoUsd, Timestamp};

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries};
use crate::store::MONDAY;

on_both_engines! {
    the_golden_settlement_reads_back_field_by_field,
    every_golden_event_is_read,
    pages_show_every_request_once_newest_first,
    filters_narrow_a_list,
    a_foreign_cursor_is_refused,
    amounts_read_as_exact_dollars,
}

async fn the_golden_settlement_reads_back_field_by_field(engine: Engine) {
    // With what clients say of themselves, and as it was before that was kept.
    for file in ["usage.settled.v1.json", "usage.settled.v1.client.json"] {
        reads_back(engine, file).await;
    }
}

async fn reads_back(engine: Engine, file: &str) {
    let golden = fs::read(format!("../schemas/tests/golden/{file}")).unwrap();
    let golden = golden.trim_ascii_end().to_vec();
    let (_dir, store) = empty_store(engine).await;
    store.project(&entries(std::slice::from_ref(&golden))).await.unwrap();
    let event = Event::decode(&golden).unwrap();
    let schemas::Body::UsageSettled(settled) = event.body else { unreachable!("the golden event is a settlement") };
    let row = store.generation(settled.request.request_id).await.unwrap().unwrap();
    let request = &settled.request;
    assert_eq!((row.event_id.as_str(), row.log_position), (event.header.id.as_str(), 1));
    assert_eq!((row.account_id, row.key_id, row.user_id), (event.header.account, request.api_key_id, request.user_id));
    assert_eq!((&row.model, &row.model_requested, &row.channel), (&request.model, &request.model_requested, &request.channel));
    assert_eq!((&row.provider, &row.api_type), (&request.provider, &request.api_type));
    assert_eq!((&row.app_url, &row.app_title), (&request.app_url, &request.app_title));
    assert_eq!((row.admitted_at, row.ended_at), (request.admitted_at, event.header.time));
    assert_eq!((row.terminal, row.status, row.provisional), (Terminal::Settled, Status::Ok, settled.provisional));
    assert_eq!((row.http_status, &row.error_type), (Some(request.http_status), &request.error_type));
    assert_eq!((&row.finish_reason, &row.native_finish_reason), (&request.finish_reason, &request.native_finish_reason));
    assert_eq!((row.streamed, row.cancelled, row.usage), (request.streamed, request.cancelled, request.usage));
    assert_eq!((row.charge_nanos, row.provider_cost_nanos), (settled.charge_nanos, request.provider_cost_nanos));
    assert_eq!((row.rounding_picos, row.hold_nanos), (settled.rounding_picos, request.hold_nanos));
    assert_eq!((row.ttft_ms, row.duration_ms, row.epoch), (request.ttft_ms, request.duration_ms, request.epoch));
    assert_eq!((&row.price_version, &row.upstream_id), (&request.price_version, &request.upstream_id));
    assert_eq!((&row.attempts, &row.cost_lines), (&request.attempts, &settled.lines));
    assert_eq!((&row.session_id, &row.external_user, &row.user_agent), (&request.session_id, &request.external_user, &request.user_agent));
    assert_eq!(row.session_id.is_some() && row.external_user.is_some() && row.user_agent.is_some(), file.contains("client"));
}

async fn every_golden_event_is_read(engine: Engine) {
    let mut events = Vec::new();
    for file in fs::read_dir("../schemas/tests/golden").unwrap() {
        events.push(fs::read(file.unwrap().path()).unwrap().trim_ascii_end().to_vec());
    }
    let (_dir, store) = empty_store(engine).await;
    let outcome = store.project(&entries(&events)).await.unwrap();
    assert!(events.len() >= 13);
    assert_eq!((outcome.position, outcome.quarantined), (events.len() as u64, 0));
    assert_eq!(outcome.inserted + outcome.superseded + outcome.ignored, 5);
}

async fn pages_show_every_request_once_newest_first(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(2);
    // Few distinct instants: the cursor has to tell requests of the same microsecond apart.
    let events: Vec<Vec<u8>> = (0..230)
        .map(|index| {
            let request = traffic.request(MONDAY.plus_micros(index % 7));
            traffic.settled(traffic.account(0), request)
        })
        .collect();
    store.project(&entries(&events)).await.unwrap();
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let query = GenerationQuery { account: Some(traffic.account(0)), limit: 23, cursor, ..GenerationQuery::default() };
        let page = store.generations(query).await.unwrap();
        assert!(page.items.len() <= 23);
        seen.extend(page.items.iter().map(|row| (row.admitted_at, row.request_id)));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert!(seen.is_sorted_by(|newer, older| newer > older));
    assert_eq!(seen.len(), 230);
}

async fn filters_narrow_a_list(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(3);
    store.project(&entries(&traffic.log(800, MONDAY, 30))).await.unwrap();
    let all = store.generations(GenerationQuery { limit: 1_000, ..GenerationQuery::default() }).await.unwrap();
    assert_eq!(all.next_cursor, None);
    let (from, to) = (MONDAY.plus_micros(7_200_000_000), MONDAY.plus_micros(50_000_000_000));
    let key = all.items.iter().find_map(|row| row.key_id);
    let model = Some("openai/gpt-4o".to_owned());
    let any = || GenerationQuery { limit: 1_000, ..GenerationQuery::default() };
    let queries = [
        GenerationQuery { account: Some(traffic.account(3)), ..any() },
        GenerationQuery { key, ..any() },
        GenerationQuery { model: model.clone(), ..any() },
        GenerationQuery { status: Some(Status::Expired), ..any() },
        GenerationQuery { from: Some(from), to: Some(to), ..any() },
        GenerationQuery { account: Some(traffic.account(3)), key, model, from: Some(from), ..any() },
    ];
    for query in queries {
        let expected: BTreeSet<_> = all
            .items
            .iter()
            .filter(|row| query.account.is_none_or(|account| row.account_id == account))
            .filter(|row| query.key.is_none_or(|key| row.key_id == Some(key)))
            .filter(|row| query.model.as_ref().is_none_or(|model| row.model == *model))
            .filter(|row| query.status.is_none_or(|status| row.status == status))
            .filter(|row| query.from.is_none_or(|from: Timestamp| row.admitted_at >= from))
            .filter(|row| query.to.is_none_or(|to: Timestamp| row.admitted_at < to))
            .map(|row| row.request_id)
            .collect();
        let found = store.generations(query.clone()).await.unwrap();
        assert!(!expected.is_empty(), "{query:?}");
        assert_eq!(found.items.iter().map(|row| row.request_id).collect::<BTreeSet<_>>(), expected, "{query:?}");
    }
}

async fn a_foreign_cursor_is_refused(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let query = GenerationQuery { cursor: Some("tomorrow".into()), limit: 5, ..GenerationQuery::default() };
    assert!(matches!(store.generations(query).await, Err(AnalyticsError::Cursor)));
}

async fn amounts_read_as_exact_dollars(engine: Engine) {
    let (home, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(4);
    let mut events = Vec::new();
    for nanos in [1, 1_000_000_001, 123_456_789_012] {
        let request = traffic.request(MONDAY);
        events.push(traffic.settled_for(traffic.account(0), request, NanoUsd::from_nanos(nanos)));
    }
    store.project(&entries(&events)).await.unwrap();
    let found = home.lines("SELECT charge FROM usage_events ORDER BY charge_nanos").await;
    assert_eq!(found, ["0.000000001", "1.000000001", "123.456789012"]);
}
