//! The audit finds whatever was changed behind the ledger's back, and nothing else.

use bytes::Bytes;
use eventlog::EventLog;
use ledger::gate::{BalanceGate, GateOptions, GateState};
use ledger::posted::Posted;
use ledger::{Access, AuditReport, HeadsLog, LedgerStore, audit};

use super::fixture::{Author, House, START, account, append, entries_after, log_in, nanos, request};
use super::history::history;

/// Books in which every table has rows, beside a log that says the same.
async fn books(house: &House) -> (LedgerStore, EventLog) {
    let log = house.log();
    let payloads = story();
    append(&log, &payloads).await;
    let store = house.ledger().await.with_heads(HeadsLog::open(house.dir.path(), Access::ReadWrite).unwrap());
    store.apply_batch(&entries_after(0, &payloads)).await.unwrap();
    (store, log)
}

fn story() -> Vec<Bytes> {
    let mut author = Author::new(1);
    let who = account(1);
    vec![
        author.topup(who, "t", 1_000),
        author.grant(who, "g", 100, Some(START.plus_micros(90_000_000))),
        author.settled(who, request(1), 30),
        author.settled(account(2), request(2), 10),
        author.released(who, request(3), false, None),
        Bytes::from_static(b"poison"),
        author.settled(who, request(4), 20),
    ]
}

async fn report(store: &LedgerStore, log: &EventLog) -> AuditReport {
    audit(store, log, None, &mut |_| {}).await.unwrap()
}

fn kinds(report: &AuditReport) -> Vec<&str> {
    let mut kinds: Vec<&str> = report.differences.iter().map(|difference| difference.kind.as_str()).collect();
    kinds.dedup();
    kinds
}

#[tokio::test]
async fn untouched_books_are_clean() {
    let house = House::new();
    let (store, log) = books(&house).await;
    let report = report(&store, &log).await;
    assert!(report.ok, "{:#?}", report.differences);
    for (what, number) in
        [("events", 7), ("ledger_entries", 6), ("ledger_quarantine", 1), ("ledger_orders", 2), ("ledger_balances", 2), ("position", 7)]
    {
        assert_eq!(report.checked[what], number, "{what}");
    }
    assert_eq!(report.checked["checkpoints"], 2);
}

#[tokio::test]
async fn every_tampered_row_is_found() {
    let cases: [(&str, &str); 21] = [
        ("UPDATE ledger_entries SET amount_nanos = -29 WHERE position = 3", "ledger_entries"),
        ("UPDATE ledger_entries SET balance_after_nanos = 0 WHERE position = 3", "ledger_entries"),
        ("UPDATE ledger_entries SET provider_cost_nanos = NULL WHERE position = 3", "ledger_entries"),
        (
            "UPDATE ledger_entries SET account_id = (SELECT account_id FROM ledger_entries WHERE position = 4) WHERE position = 3",
            "ledger_entries",
        ),
        ("UPDATE ledger_entries SET verdict = 'ignored' WHERE position = 3", "ledger_entries"),
        ("UPDATE ledger_entries SET event_sha256 = zeroblob(32) WHERE position = 5", "ledger_entries"),
        ("UPDATE ledger_entries SET head = zeroblob(32) WHERE position = 3", "ledger_entries"),
        ("DELETE FROM ledger_entries WHERE position = 5", "ledger_entries"),
        (
            "INSERT INTO ledger_entries SELECT 99, partition, 99, 'forged', event_type, verdict, rejection, account_id, zeroblob(16), key_id, \
          admission_day, amount_nanos, balance_after_nanos, provider_cost_nanos, provisional, occurred_at_micros, event_sha256, head \
          FROM ledger_entries WHERE position = 3",
            "ledger_entries",
        ),
        ("UPDATE ledger_postings SET amount_nanos = amount_nanos + 1 WHERE position = 3 AND leg = 0", "ledger_postings"),
        ("DELETE FROM ledger_postings WHERE position = 3", "ledger_postings"),
        ("UPDATE ledger_postings SET account_code = 8 WHERE position = 1 AND leg = 1", "ledger_postings"),
        (
            "INSERT INTO ledger_postings SELECT position, leg + 10, account_code, account_id, partition, amount_nanos FROM ledger_postings",
            "ledger_postings",
        ),
        ("UPDATE ledger_orders SET reason = 'another' WHERE position = 1", "ledger_orders"),
        ("UPDATE ledger_quarantine SET payload = x'00'", "ledger_quarantine"),
        ("UPDATE ledger_balances SET balance_nanos = balance_nanos + 1", "double_entry"),
        ("INSERT INTO ledger_balances VALUES (zeroblob(16), 5, 5, 0, 1)", "double_entry"),
        ("UPDATE ledger_key_spend SET spent_nanos = 0", "ledger_key_spend"),
        ("UPDATE ledger_lots SET remaining_nanos = remaining_nanos + 1", "ledger_lots"),
        ("UPDATE ledger_partitions SET head = zeroblob(32)", "ledger_partitions"),
        ("UPDATE ledger_producers SET contiguous = contiguous + 1", "ledger_producers"),
    ];
    for (sql, kind) in cases {
        let house = House::new();
        let (store, log) = books(&house).await;
        house.vandalise(sql).await;
        let report = report(&store, &log).await;
        assert!(!report.ok && kinds(&report).contains(&kind), "{sql}: {:#?}", report.differences);
    }
}

#[tokio::test]
async fn a_consistent_forgery_of_rows_and_sums_is_found() {
    let house = House::new();
    let (store, log) = books(&house).await;
    house
        .vandalise("UPDATE ledger_entries SET amount_nanos = -20, balance_after_nanos = balance_after_nanos + 10 WHERE position = 3")
        .await;
    house.vandalise("UPDATE ledger_postings SET amount_nanos = CASE leg WHEN 0 THEN -20 ELSE 20 END WHERE position = 3 AND leg < 2").await;
    house
        .vandalise("UPDATE ledger_balances SET balance_nanos = balance_nanos + 10, usage_nanos = usage_nanos - 10 WHERE position = 7")
        .await;
    let report = report(&store, &log).await;
    assert!(!report.ok);
    assert!(!kinds(&report).contains(&"double_entry"), "the forgery is balanced: {:#?}", report.differences);
    assert!(kinds(&report).contains(&"ledger_postings"));
}

#[tokio::test]
async fn a_changed_event_is_found() {
    let house = House::new();
    let (store, _) = books(&house).await;
    let mut payloads = story();
    let mut author = Author::new(1);
    payloads[0] = author.topup(account(1), "t", 2_000);
    let forged = log_in(&house.dir.path().join("forged"));
    append(&forged, &payloads).await;
    let report = report(&store, &forged).await;
    let found: Vec<&str> = report.differences.iter().map(|difference| difference.subject.as_str()).collect();
    assert!(found.contains(&"1 event_sha256") && found.contains(&"1 head"), "{found:?}");
    assert!(kinds(&report).contains(&"checkpoint"), "{:?}", kinds(&report));
}

#[tokio::test]
async fn a_log_that_lost_its_end_is_found() {
    let house = House::new();
    let (store, _) = books(&house).await;
    let short = log_in(&house.dir.path().join("short"));
    append(&short, &story()[..5]).await;
    let report = report(&store, &short).await;
    assert!(kinds(&report).contains(&"log"));
    assert!(kinds(&report).contains(&"ledger_entries"), "rows without an event: {:?}", kinds(&report));
}

#[tokio::test]
async fn a_changed_or_missing_checkpoint_is_found() {
    let house = House::new();
    let (store, log) = books(&house).await;
    let path = house.dir.path().join("heads.log");
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().next().unwrap();
    let head = serde_json::from_str::<serde_json::Value>(line).unwrap()["head"].as_str().unwrap().to_owned();
    std::fs::write(&path, text.replace(&head, &"0".repeat(64))).unwrap();
    assert!(kinds(&report(&store, &log).await).contains(&"checkpoint"));
    assert!(store.verify_heads().await.is_err(), "a worker would not start on these books");

    std::fs::write(&path, text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    assert!(kinds(&report(&store, &log).await).contains(&"checkpoint"), "the first line is missing");
}

#[tokio::test]
async fn checkpoints_that_a_crash_left_out_are_written_at_the_next_start() {
    let house = House::new();
    let (store, log) = books(&house).await;
    let path = house.dir.path().join("heads.log");
    let text = std::fs::read_to_string(&path).unwrap();
    let first = text.lines().next().unwrap();
    std::fs::write(&path, format!("{first}\n{}", &first[..20])).unwrap();
    let torn = report(&store, &log).await;
    assert!(torn.ok && torn.checked["checkpoints_not_yet_written"] == 1, "{torn:#?}");

    let store = store.with_heads(HeadsLog::open(house.dir.path(), Access::ReadWrite).unwrap());
    store.verify_heads().await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn an_event_that_never_arrived_is_found() {
    let house = House::new();
    let log = house.log();
    let mut author = Author::new(1);
    let first = author.topup(account(1), "1", 1);
    author.lose(account(1));
    let payloads = [first, author.topup(account(1), "3", 1)];
    append(&log, &payloads).await;
    let store = house.ledger().await;
    store.apply_batch(&entries_after(0, &payloads)).await.unwrap();
    let report = report(&store, &log).await;
    assert_eq!(kinds(&report), ["producer_gap"]);
    assert_eq!(report.differences[0].expected, "events 2 to 2");
}

async fn gate_of(store: &LedgerStore) -> BalanceGate {
    let gate = BalanceGate::memory(GateOptions::default());
    let accounts = store.balances().await.unwrap();
    gate.rebuild(START, GateState { accounts, ..GateState::default() }).await.unwrap();
    gate
}

#[tokio::test]
async fn a_gate_that_believes_another_balance_is_found() {
    let house = House::new();
    let (store, log) = books(&house).await;
    let gate = gate_of(&store).await;
    let clean = audit(&store, &log, Some(&gate), &mut |_| {}).await.unwrap();
    assert!(clean.ok, "{:#?}", clean.differences);
    assert_eq!((clean.checked["gate_holds"], clean.checked["gate_pending"]), (0, 0));

    let drifted = Posted { account_id: account(1), posted: nanos(9_999), position: 100, requests: Vec::new(), key_spend: Vec::new() };
    assert_eq!(gate.post(START, vec![drifted]).await, Ok(Vec::new()));
    let report = audit(&store, &log, Some(&gate), &mut |_| {}).await.unwrap();
    assert_eq!(kinds(&report), ["gate_posted"]);
    assert_eq!(report.differences[0].subject, account(1).to_string());
}

#[tokio::test]
async fn random_books_are_clean() {
    for seed in 20..24 {
        let house = House::new();
        let log = house.log();
        let payloads = history(seed, 1_500);
        append(&log, &payloads).await;
        let store = house.ledger().await;
        for (number, chunk) in payloads.chunks(37).enumerate() {
            store.apply_batch(&entries_after(number as u64 * 37, chunk)).await.unwrap();
        }
        let report = report(&store, &log).await;
        assert!(report.ok, "seed {seed}: {:#?}", report.differences);
    }
}
