use std::path::PathBuf;

use schemas::event::{
    AccountOpened, Attempt, Body, Credit, DecodeError, Event, GrantExpired, Header, HoldExpired, PricePublished, Producer, RequestRecord,
    UsageAccepted, UsageReleased, UsageSettled, credit_event_id, request_event_id,
};
use schemas::json_schema::event_schemas;
use schemas::terminal::{Precedence, Terminal};
use schemas::{AccountId, BootId, KeyId, NanoUsd, NodeId, PicoUsd, PriceTable, RequestId, Timestamp, Usage, charge};
use uuid::Uuid;

fn uuid(low: u128) -> Uuid {
    Uuid::from_u128(0x0198_f3c2_7d11_7000_8000_0000_0000_0000 | low)
}

fn header(id: String, pseq: u64) -> Header {
    Header {
        id,
        account: AccountId::from_uuid(uuid(1)),
        producer: Producer { node: NodeId::from_uuid(uuid(2)), boot: BootId::from_uuid(uuid(3)) },
        pseq,
        time: Timestamp::from_micros(1_795_398_011_123_456),
    }
}

fn record() -> RequestRecord {
    RequestRecord {
        admitted_at: Timestamp::from_micros(1_795_398_009_000_000),
        api_key_id: Some(KeyId::from_uuid(uuid(4))),
        api_type: "completions".to_owned(),
        app_title: Some("Notes".to_owned()),
        app_url: Some("https://notes.example".to_owned()),
        attempts: vec![Attempt {
            channel: "openai-main".to_owned(),
            outcome: "ok".to_owned(),
            duration_ms: 2_110,
            model: "openai/gpt-4o-mini".to_owned(),
            provider_cost_nanos: Some(NanoUsd::from_nanos(480_000)),
            status: Some(200),
        }],
        cancelled: false,
        channel: "openai-main".to_owned(),
        duration_ms: 2_123,
        epoch: 7,
        error_type: None,
        external_user: None,
        finish_reason: Some("stop".to_owned()),
        hold_nanos: NanoUsd::from_nanos(5_200_000),
        http_status: 200,
        model: "openai/gpt-4o-mini".to_owned(),
        model_requested: "openai/gpt-4o-mini".to_owned(),
        native_finish_reason: Some("stop".to_owned()),
        price_version: Some("pv_1".to_owned()),
        provider: "OpenAI".to_owned(),
        provider_cost_nanos: Some(NanoUsd::from_nanos(480_000)),
        request_id: RequestId::from_uuid(uuid(5)),
        session_id: None,
        streamed: true,
        ttft_ms: Some(312),
        upstream_id: Some("chatcmpl-1".to_owned()),
        usage: Usage { uncached_input: 812, cache_read: 4_096, text_output: 301, ..Usage::default() },
        user_agent: None,
        user_id: None,
    }
}

/// The same of a client that says who it is.
fn told_record() -> RequestRecord {
    RequestRecord {
        external_user: Some("user-7".to_owned()),
        session_id: Some("conversation 1".to_owned()),
        user_agent: Some("openai-python/2.0".to_owned()),
        ..record()
    }
}

fn price() -> PriceTable {
    PriceTable {
        prompt: PicoUsd::from_picos(150_000).unwrap(),
        completion: PicoUsd::from_picos(600_000).unwrap(),
        cache_read: PicoUsd::from_picos(75_000).ok(),
        ..PriceTable::default()
    }
}

fn credit(key: &str) -> Credit {
    Credit {
        actor: "key_1".to_owned(),
        amount_nanos: NanoUsd::from_usd(10),
        expires_at: None,
        idempotency_key: key.to_owned(),
        input_sha256: "00".repeat(32),
        reason: Some("invoice 7".to_owned()),
        reference: None,
        request_id: None,
    }
}

/// One event of every type, as this build writes it.
fn every_event() -> Vec<Event> {
    let request = record().request_id;
    let cost = charge(&price(), &record().usage).unwrap();
    let account = AccountId::from_uuid(uuid(1));
    let settled = UsageSettled {
        charge_nanos: cost.total,
        lines: cost.lines,
        provisional: false,
        request: record(),
        rounding_picos: cost.rounding_picos,
    };
    let released = UsageReleased { reason: "upstream_error".to_owned(), recovered: false, request: record() };
    let published = PricePublished {
        channel: "openai-main".to_owned(),
        cost: price(),
        effective_at: Timestamp::from_micros(0),
        model: "openai/gpt-4o-mini".to_owned(),
        price: price(),
        version: "pv_1".to_owned(),
    };
    let expired = HoldExpired { api_key_id: None, epoch: 7, hold_nanos: NanoUsd::from_nanos(9), request_id: request };
    let accepted = UsageAccepted { api_key_id: None, hold_nanos: NanoUsd::from_usd(2), model: "m".to_owned(), request_id: request };
    let bodies = vec![
        (request_event_id(request, "accepted"), Body::UsageAccepted(accepted)),
        (request_event_id(request, "settled"), Body::UsageSettled(Box::new(settled))),
        (request_event_id(request, "released"), Body::UsageReleased(Box::new(released))),
        (request_event_id(request, "expired"), Body::HoldExpired(expired)),
        (credit_event_id(account, "a"), Body::BalanceTopup(credit("a"))),
        (credit_event_id(account, "b"), Body::BalanceGrant(Credit { expires_at: Some(Timestamp::from_micros(1)), ..credit("b") })),
        (credit_event_id(account, "c"), Body::BalanceRefund(Credit { request_id: Some(request), ..credit("c") })),
        (credit_event_id(account, "d"), Body::BalanceAdjust(Credit { amount_nanos: NanoUsd::from_nanos(-5), ..credit("d") })),
        ("grant_expired:b".to_owned(), Body::BalanceGrantExpired(GrantExpired { grant_id: credit_event_id(account, "b") })),
        ("account:opened".to_owned(), Body::AccountOpened(AccountOpened { currency: "USD".to_owned() })),
        ("price:pv_1".to_owned(), Body::PricePublished(Box::new(published))),
    ];
    bodies.into_iter().zip(1..).map(|((id, body), pseq)| Event { header: header(id, pseq), body }).collect()
}

/// What was added to an event's data without raising its version: the name of its golden file, and the event.
fn events_with_additions() -> Vec<(&'static str, Event)> {
    let told = every_event().into_iter().filter_map(|event| {
        let (name, body) = match event.body {
            Body::UsageSettled(settled) => {
                ("usage.settled.v1.client.json", Body::UsageSettled(Box::new(UsageSettled { request: told_record(), ..*settled })))
            }
            Body::UsageReleased(released) => {
                ("usage.released.v1.client.json", Body::UsageReleased(Box::new(UsageReleased { request: told_record(), ..*released })))
            }
            _ => return None,
        };
        Some((name, Event { header: event.header, body }))
    });
    told.collect()
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with what this build makes of it; `UPDATE_GOLDEN=1` writes files that are missing.
fn assert_file(path: &PathBuf, made: &str, changeable: bool) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    if update && (changeable || !path.exists()) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, made).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}; run with UPDATE_GOLDEN=1", path.display()));
    assert_eq!(kept, made, "{}", path.display());
}

#[test]
fn every_event_version_ever_written_still_reads_and_writes_the_same_bytes() {
    for event in every_event() {
        let bytes = event.encode().unwrap();
        let file = folder("tests/golden").join(format!("{}.v{}.json", event.body.kind(), event.body.version()));
        // Golden files are history: they are added, never changed.
        assert_file(&file, std::str::from_utf8(&bytes).unwrap(), false);
        assert_eq!(Event::decode(&bytes).unwrap(), event);
    }
    for (file, event) in events_with_additions() {
        let bytes = event.encode().unwrap();
        assert_file(&folder("tests/golden").join(file), std::str::from_utf8(&bytes).unwrap(), false);
        assert_eq!(Event::decode(&bytes).unwrap(), event);
    }
}

#[test]
fn a_reader_passes_over_members_that_were_added_since_it_was_built() {
    for event in every_event() {
        let text = String::from_utf8(event.encode().unwrap()).unwrap();
        // At the end of the data, and of the request within it.
        let newer = text.replacen("},\"id\":", ",\"zz_added\":{\"since\":[1]}},\"id\":", 1);
        let newer = newer.replacen("\"streamed\":", "\"session_zz_added\":\"x\",\"streamed\":", 1);
        assert_ne!(newer, text);
        assert_eq!(Event::decode(newer.as_bytes()).unwrap(), event, "{}", event.body.kind());
    }
}

#[test]
fn the_json_schema_on_disk_is_the_one_of_the_types() {
    for (name, schema) in event_schemas() {
        let made = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        assert_file(&folder("json").join(format!("{name}.schema.json")), &made, true);
    }
}

#[test]
fn event_bytes_are_canonical_json() {
    for event in every_event().into_iter().chain(events_with_additions().into_iter().map(|(_, event)| event)) {
        let bytes = event.encode().unwrap();
        // serde_json's map sorts keys and its writer puts no white space: for our integers and strings, RFC 8785.
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value.to_string(), String::from_utf8(bytes).unwrap(), "{}", event.body.kind());
    }
}

#[test]
fn foreign_bytes_are_refused_with_their_reason() {
    let event = every_event().remove(1);
    let text = String::from_utf8(event.encode().unwrap()).unwrap();
    assert!(matches!(Event::decode(b"{}"), Err(DecodeError::Json(_))));
    assert!(matches!(Event::decode(b"\x00\xff"), Err(DecodeError::Json(_))));
    let newer = text.replace("\"v\":1", "\"v\":2");
    assert!(matches!(Event::decode(newer.as_bytes()), Err(DecodeError::UnknownType { v: 2, .. })));
    let part = format!("\"part\":{}", event.header.partition());
    let moved = text.replace(&part, "\"part\":99");
    assert!(matches!(Event::decode(moved.as_bytes()), Err(DecodeError::Partition { found: 99, .. })));
    let long = vec![b' '; schemas::event::EVENT_BYTES_MAX + 1];
    assert!(matches!(Event::decode(&long), Err(DecodeError::TooLong)));
}

#[test]
fn the_first_terminal_wins_unless_money_was_spent_after_all() {
    let settled = Terminal::Settled;
    let released = Terminal::Released { recovered: false };
    let recovered = Terminal::Released { recovered: true };
    let all = [settled, released, recovered, Terminal::Expired];
    for arriving in all {
        assert_eq!(arriving.against(None), Precedence::First);
        for effective in all {
            let late_money = arriving == settled && (effective == recovered || effective == Terminal::Expired);
            let wanted = if late_money { Precedence::Supersedes } else { Precedence::Ignored };
            assert_eq!(arriving.against(Some(effective)), wanted, "{arriving:?} after {effective:?}");
        }
    }
}
