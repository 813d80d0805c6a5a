//! Opening, positions, poison, crashes: what the store promises whatever the events say.

use projector::{Access, AnalyticsError, AnalyticsStore, ChargeTotal};
use schemas::event::RequestRecord;
use schemas::{AccountId, NanoUsd, Timestamp, Usage};

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries, entries_after};
use crate::truth::{tables_in, tables_of};

on_both_engines! {
    entries_delivered_again_are_skipped,
    a_hole_in_the_log_projects_nothing,
    events_of_other_kinds_advance_the_position_only,
    poison_goes_to_quarantine_and_stops_nothing,
    a_crash_between_projecting_and_refreshing_loses_nothing,
    work_given_up_halfway_leaves_no_half_batch,
    a_reader_beside_the_writer_sees_whole_batches_and_cannot_write,
    digests_tell_one_changed_digit,
}

/// 2026-11-23T00:00:00Z, a Monday.
pub const MONDAY: Timestamp = Timestamp::from_micros(1_795_392_000_000_000);

async fn entries_delivered_again_are_skipped(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let events = entries(&Traffic::new(1).log(100, MONDAY, 3));
    store.project(&events[..60]).await.unwrap();
    let outcome = store.project(&events[20..]).await.unwrap();
    assert_eq!((outcome.skipped, outcome.position), (40, 100));
    let again = store.project(&events).await.unwrap();
    assert_eq!((again.skipped, again.position, again.inserted), (100, 100, 0));
    let (_dir, once) = empty_store(engine).await;
    once.project(&events).await.unwrap();
    assert_eq!(store.snapshot_digests().await.unwrap(), once.snapshot_digests().await.unwrap());
}

async fn a_hole_in_the_log_projects_nothing(engine: Engine) {
    let (_dir, store) = empty_store(engine).await;
    let events = entries(&Traffic::new(2).log(30, MONDAY, 3));
    store.project(&events[..10]).await.unwrap();
    let error = store.project(&events[11..]).await.unwrap_err();
    assert!(matches!(error, AnalyticsError::Gap { expected: 11, found: 12 }), "{error}");
    let holed: Vec<_> = events[10..].iter().filter(|entry| entry.position != 20).cloned().collect();
    assert!(matches!(store.project(&holed).await, Err(AnalyticsError::Gap { expected: 20, found: 21 })));
    assert_eq!(store.position().await.unwrap(), 10);
}

async fn events_of_other_kinds_advance_the_position_only(engine: Engine) {
    let (home, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(3);
    let events = [traffic.opened(traffic.account(0)), traffic.opened(traffic.account(1))];
    let outcome = store.project(&entries(&events)).await.unwrap();
    assert_eq!((outcome.position, outcome.other), (2, 2));
    assert_eq!(store.dirty_count().await.unwrap(), 0);
    assert_eq!(home.lines("SELECT count(*) FROM usage_events").await, ["0"]);
}

async fn poison_goes_to_quarantine_and_stops_nothing(engine: Engine) {
    let (home, store) = empty_store(engine).await;
    let mut traffic = Traffic::new(4);
    let account = traffic.account(0);
    let good = traffic.request(MONDAY);
    let absurd_tokens = RequestRecord { usage: Usage { uncached_input: u64::MAX, ..Usage::default() }, ..traffic.request(MONDAY) };
    let absurd_time = RequestRecord { duration_ms: u64::MAX, ..traffic.request(MONDAY) };
    let absurd_charge = traffic.request(MONDAY);
    let text = |event: Vec<u8>| String::from_utf8(event).unwrap();
    let newer = text(traffic.opened(account)).replace("\"v\":1", "\"v\":99").into_bytes();
    let elsewhere = text(traffic.opened(account));
    let part = &elsewhere[elsewhere.find("\"part\":").unwrap()..elsewhere.find(",\"pseq\"").unwrap()];
    let elsewhere = elsewhere.replace(part, "\"part\":99").into_bytes();
    let events = [
        b"not json \xff\x00".to_vec(),
        vec![b' '; 70_000],
        newer,
        elsewhere,
        traffic.settled(account, absurd_tokens),
        traffic.settled(account, absurd_time),
        traffic.settled_for(account, absurd_charge.clone(), NanoUsd::MAX),
        traffic.settled_for(account, absurd_charge, NanoUsd::from_nanos(-1)),
        Vec::new(),
        text(traffic.settled_for(account, good.clone(), NanoUsd::from_nanos(9)))
            .replace("\"rounding_picos\":-3", "\"rounding_picos\":4")
            .into_bytes(),
        traffic.settled_for(AccountId::SYSTEM, good.clone(), NanoUsd::from_nanos(9)),
        traffic.settled_for(account, good.clone(), NanoUsd::from_nanos(9)),
    ];
    let outcome = store.project(&entries(&events)).await.unwrap();
    assert_eq!((outcome.position, outcome.quarantined, outcome.inserted), (12, 11, 1));
    assert_eq!(store.quarantined().await.unwrap(), 11);
    assert_eq!(
        home.lines("SELECT position, reason FROM projection_quarantine ORDER BY position").await,
        [
            "1|invalid_json",
            "2|too_long",
            "3|unknown_type",
            "4|wrong_partition",
            "5|out_of_range",
            "6|out_of_range",
            "7|out_of_range",
            "8|out_of_range",
            "9|invalid_json",
            "10|lines_do_not_add_up",
            "11|system_charged"
        ]
    );
    store.refresh().await.unwrap();
    let charged = NanoUsd::from_nanos(9);
    assert_eq!(store.charge_totals().await.unwrap(), [ChargeTotal { account_id: account, day: MONDAY.day(), charged, requests: 1 }]);
}

async fn a_crash_between_projecting_and_refreshing_loses_nothing(engine: Engine) {
    let events = Traffic::new(5).log(400, MONDAY, 30);
    let (home, store) = empty_store(engine).await;
    store.project(&entries(&events[..250])).await.unwrap();
    store.refresh().await.unwrap();
    store.project(&entries_after(250, &events[250..])).await.unwrap();
    let dirty = store.dirty_count().await.unwrap();
    drop(store);

    let store = home.open(Access::ReadWrite).await;
    assert_eq!(store.position().await.unwrap(), 400);
    assert!(dirty > 0);
    assert_eq!(store.dirty_count().await.unwrap(), dirty);
    store.refresh().await.unwrap();
    assert_eq!(store.dirty_count().await.unwrap(), 0);
    assert_eq!(tables_in(&home).await, tables_of(&events));
}

async fn work_given_up_halfway_leaves_no_half_batch(engine: Engine) {
    let events = Traffic::new(6).log(2_000, MONDAY, 30);
    let batch = entries(&events);
    let (home, store) = empty_store(engine).await;
    let mut given_up = 0;
    for polls in (0..200).step_by(3) {
        let mut work = Box::pin(store.project(&batch));
        let mut left = polls;
        let finished = std::future::poll_fn(|context| {
            if left == 0 {
                return std::task::Poll::Ready(None);
            }
            left -= 1;
            work.as_mut().poll(context).map(Some)
        });
        match finished.await {
            Some(outcome) => {
                outcome.unwrap();
                break;
            }
            None => given_up += 1,
        }
        drop(work);
        let position = store.position().await.unwrap();
        assert!(position == 0 || position == 2_000, "{position}");
        if engine == Engine::Sqlite {
            // Given up while the commit was under way, all of it is there: never a part.
            let rows = home.lines("SELECT count(*) > 0 FROM usage_events").await;
            assert_eq!(rows, [if position == 0 { "0" } else { "1" }]);
        }
        if position == 2_000 {
            break;
        }
    }
    assert!(given_up > 5, "only {given_up}");
    store.project(&batch).await.unwrap();
    store.refresh().await.unwrap();
    assert_eq!(tables_in(&home).await, tables_of(&events));
}

async fn a_reader_beside_the_writer_sees_whole_batches_and_cannot_write(engine: Engine) {
    let (home, store) = empty_store(engine).await;
    let events = entries(&Traffic::new(7).log(50, MONDAY, 2));
    let reader = home.open(Access::ReadOnly).await;
    assert_eq!(reader.position().await.unwrap(), 0);
    store.project(&events).await.unwrap();
    assert_eq!(reader.position().await.unwrap(), 50);
    assert!(matches!(reader.project(&events).await, Err(AnalyticsError::ReadOnly)));
    assert!(matches!(reader.migrate().await, Err(AnalyticsError::ReadOnly)));
    assert!(matches!(reader.digests().await, Err(AnalyticsError::Dirty(_))));
    let digests = store.snapshot_digests().await.unwrap();
    assert_eq!(reader.snapshot_digests().await.unwrap(), digests);
}

#[tokio::test]
async fn an_address_of_no_known_engine_is_refused() {
    let error = AnalyticsStore::open("mysql://somewhere", Access::ReadWrite).await.unwrap_err();
    assert!(matches!(error, AnalyticsError::Url(_)), "{error}");
}

async fn digests_tell_one_changed_digit(engine: Engine) {
    let (home, store) = empty_store(engine).await;
    store.project(&entries(&Traffic::new(8).log(50, MONDAY, 2))).await.unwrap();
    let before = store.digests().await.unwrap();
    home.execute(
        "UPDATE usage_events SET charge_nanos = charge_nanos + 1 WHERE request_id = (SELECT min(request_id) FROM usage_events)",
        "INSERT INTO stored_usage_events SELECT * REPLACE (charge_nanos + 1 AS charge_nanos) FROM stored_usage_events FINAL LIMIT 1",
    )
    .await;
    let after = store.digests().await.unwrap();
    let changed: Vec<_> = before.keys().filter(|table| before[*table] != after[*table]).collect();
    assert_eq!(changed, ["usage_events"]);
}
