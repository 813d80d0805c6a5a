//! One row a request, whatever the log repeats and whenever it says so.

use projector::{AnalyticsStore, ChargeTotal, Status, UsageRow};
use schemas::event::RequestRecord;
use schemas::terminal::Terminal;
use schemas::{AccountId, NanoUsd, RequestId};

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries};
use crate::store::MONDAY;
use crate::truth::{tables_in, tables_of};

on_both_engines! {
    an_event_delivered_five_times_counts_once,
    a_second_settlement_with_another_amount_has_no_effect,
    a_late_settlement_supersedes_an_expiry_and_moves_to_its_own_hour,
    a_late_settlement_supersedes_a_recovered_release_but_no_other,
    nothing_supersedes_a_settlement,
    another_accounts_claim_to_a_request_is_quarantined,
    the_ledgers_view_at_an_earlier_position_is_still_there_after_a_supersession,
}

/// Projects all at once, then in a second store one by one with a refresh after each: the tables must be the same.
async fn row_of(engine: Engine, events: &[Vec<u8>], request: RequestId) -> UsageRow {
    let (whole_home, whole) = empty_store(engine).await;
    whole.project(&entries(events)).await.unwrap();
    let (_dir, single) = empty_store(engine).await;
    for entry in entries(events) {
        single.project(&[entry]).await.unwrap();
        single.refresh().await.unwrap();
    }
    assert_eq!(whole.snapshot_digests().await.unwrap(), single.snapshot_digests().await.unwrap());
    assert_eq!(tables_in(&whole_home).await, tables_of(events));
    whole.generation(request).await.unwrap().unwrap()
}

fn charged(traffic: &mut Traffic, request: &RequestRecord, nanos: i64) -> Vec<u8> {
    traffic.settled_for(traffic.account(0), request.clone(), NanoUsd::from_nanos(nanos))
}

fn total(account_id: AccountId, nanos: i64, requests: u64) -> ChargeTotal {
    ChargeTotal { account_id, day: MONDAY.day(), charged: NanoUsd::from_nanos(nanos), requests }
}

async fn an_event_delivered_five_times_counts_once(engine: Engine) {
    let mut traffic = Traffic::new(1);
    let request = traffic.request(MONDAY);
    let events = vec![charged(&mut traffic, &request, 77); 5];
    let row = row_of(engine, &events, request.request_id).await;
    assert_eq!((row.charge_nanos, row.log_position), (NanoUsd::from_nanos(77), 1));

    let (_dir, store) = empty_store(engine).await;
    let outcome = store.project(&entries(&events)).await.unwrap();
    assert_eq!((outcome.inserted, outcome.ignored), (1, 4));
    assert_eq!(store.charge_totals().await.unwrap(), [total(traffic.account(0), 77, 1)]);
}

async fn a_second_settlement_with_another_amount_has_no_effect(engine: Engine) {
    let mut traffic = Traffic::new(2);
    let request = traffic.request(MONDAY);
    let events = [charged(&mut traffic, &request, 77), charged(&mut traffic, &request, 99)];
    assert_eq!(row_of(engine, &events, request.request_id).await.charge_nanos, NanoUsd::from_nanos(77));
}

async fn a_late_settlement_supersedes_an_expiry_and_moves_to_its_own_hour(engine: Engine) {
    let mut traffic = Traffic::new(3);
    let minted = traffic.request(MONDAY);
    let request = RequestRecord { admitted_at: MONDAY.plus_micros(3_700_000_000), ..minted };
    let account = traffic.account(0);
    let events = [traffic.expired(account, request.request_id), charged(&mut traffic, &request, 5), charged(&mut traffic, &request, 6)];
    let row = row_of(engine, &events, request.request_id).await;
    assert_eq!((row.terminal, row.charge_nanos, row.log_position), (Terminal::Settled, NanoUsd::from_nanos(5), 2));
    assert_eq!(row.admitted_at, request.admitted_at);
}

async fn a_late_settlement_supersedes_a_recovered_release_but_no_other(engine: Engine) {
    let mut traffic = Traffic::new(4);
    for (recovered, charge) in [(true, 5), (false, 0)] {
        let request = RequestRecord { cancelled: false, error_type: None, http_status: 200, ..traffic.request(MONDAY) };
        let account = traffic.account(0);
        let events = [traffic.released(account, request.clone(), recovered), charged(&mut traffic, &request, 5)];
        let row = row_of(engine, &events, request.request_id).await;
        assert_eq!(row.charge_nanos, NanoUsd::from_nanos(charge), "recovered: {recovered}");
        assert_eq!(row.status, if recovered { Status::Ok } else { Status::Released });
    }
}

async fn nothing_supersedes_a_settlement(engine: Engine) {
    let mut traffic = Traffic::new(5);
    let request = traffic.request(MONDAY);
    let account = traffic.account(0);
    let events = [
        charged(&mut traffic, &request, 5),
        traffic.expired(account, request.request_id),
        traffic.released(account, request.clone(), true),
        traffic.released(account, request.clone(), false),
    ];
    let row = row_of(engine, &events, request.request_id).await;
    assert_eq!((row.terminal, row.charge_nanos), (Terminal::Settled, NanoUsd::from_nanos(5)));
}

async fn another_accounts_claim_to_a_request_is_quarantined(engine: Engine) {
    let mut traffic = Traffic::new(7);
    let request = traffic.request(MONDAY);
    let (mine, theirs) = (traffic.account(0), traffic.account(1));
    let events = [
        traffic.expired(mine, request.request_id),
        traffic.settled_for(theirs, request.clone(), NanoUsd::from_nanos(5)),
        charged(&mut traffic, &request, 6),
    ];
    for batch in [1, 3] {
        let (_dir, store) = empty_store(engine).await;
        for entries in entries(&events).chunks(batch) {
            store.project(entries).await.unwrap();
        }
        assert_eq!(store.quarantined().await.unwrap(), 1);
        assert_eq!(store.charge_totals().await.unwrap(), [total(mine, 6, 1)]);
    }
}

async fn the_ledgers_view_at_an_earlier_position_is_still_there_after_a_supersession(engine: Engine) {
    let mut traffic = Traffic::new(6);
    let request = traffic.request(MONDAY);
    let other = traffic.request(MONDAY);
    let account = traffic.account(0);
    let events = [charged(&mut traffic, &other, 3), traffic.expired(account, request.request_id), charged(&mut traffic, &request, 5)];
    let (_dir, store): (_, AnalyticsStore) = empty_store(engine).await;
    store.project(&entries(&events)).await.unwrap();
    let totals = async |position| store.charge_totals_at(position).await.unwrap();
    assert_eq!(totals(0).await, []);
    assert_eq!(totals(2).await, [total(account, 3, 1)]);
    assert_eq!(totals(3).await, [total(account, 8, 2)]);
}
