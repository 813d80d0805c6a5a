//! How long holds live: renewed, fenced, expired, posted, announced to a rebuilt gate.

use ledger::gate::{BalanceGate, GateError, GateOptions, GateState, LimitWindow, Posted, RestoredHold, RestoredSpend};
use schemas::{NodeId, RequestId, Timestamp};
use uuid::Uuid;

use super::setting::{
    Backend, NOW, account, asks, asks_with_key, closed_gate, gate_with, held, key, nanos, on_every_gate, request, settles, today,
};

on_every_gate! {
    a_hold_that_is_renewed_never_falls_due;
    an_overdue_hold_stays_until_it_is_expired_and_can_no_longer_be_renewed;
    a_hold_made_after_a_look_at_all_holds_falls_due_too;
    a_late_settle_of_an_expired_hold_still_counts_once;
    tombstones_leave_after_a_while;
    the_first_ending_wins_in_any_order;
    the_ledgers_word_is_set_by_position_and_clears_exactly_the_named;
    a_raise_is_all_or_nothing_and_never_lowers;
    a_rebuilt_gate_has_what_is_announced_and_nothing_else;
    a_snapshot_counts_what_is_in_flight;
}

fn after(seconds: i64) -> Timestamp {
    NOW.plus_micros(seconds * 1_000_000)
}

fn says(posted: i64, position: u64, requests: &[RequestId]) -> Vec<Posted> {
    vec![Posted { account_id: account(1), posted: nanos(posted), position, requests: requests.to_vec(), key_spend: vec![] }]
}

/// (posted, pending, held)
async fn stands(gate: &BalanceGate) -> (i64, i64, i64) {
    let amounts = gate.amounts(account(1)).await.unwrap();
    (amounts.posted.nanos(), amounts.pending.nanos(), amounts.held.nanos())
}

async fn a_hold_that_is_renewed_never_falls_due(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 10)]).await;
    held(gate.reserve(NOW, asks(1, 10)).await.unwrap());
    for minute in 0..100 {
        assert_eq!(gate.renew(after(minute * 60), &[(account(1), request(1))]).await.unwrap(), []);
        assert_eq!(gate.overdue(after(minute * 60 + 64), 10).await.unwrap(), []);
    }
    assert_eq!(stands(&gate).await, (10, 0, 10));
}

async fn an_overdue_hold_stays_until_it_is_expired_and_can_no_longer_be_renewed(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 10)]).await;
    held(gate.reserve(NOW, asks(1, 10)).await.unwrap());
    assert_eq!(gate.overdue(after(65), 10).await.unwrap(), [], "60 s to live and 5 s of grace");
    let overdue = gate.overdue(after(66), 10).await.unwrap();
    assert_eq!(overdue.iter().map(|hold| (hold.request_id, hold.hold)).collect::<Vec<_>>(), [(request(1), nanos(10))]);
    assert_eq!(gate.overdue(after(66), 10).await.unwrap(), overdue, "until it is expired it is found again");
    assert_eq!(stands(&gate).await, (10, 0, 10));
    assert_eq!(gate.renew(after(67), &[(account(1), request(1))]).await.unwrap(), [request(1)]);
    let raise = gate.resize(after(67), request(1), account(1), nanos(10)).await;
    assert_eq!(raise, Err(GateError::NoHold { request_id: request(1) }));
    gate.expire(after(67), request(1), account(1)).await.unwrap();
    assert_eq!(stands(&gate).await, (10, 0, 0));
    assert_eq!(gate.reserve(after(68), asks(1, 10)).await, Err(GateError::Ended { request_id: request(1) }));
}

async fn a_hold_made_after_a_look_at_all_holds_falls_due_too(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 10)]).await;
    assert_eq!(gate.overdue(NOW, 10).await.unwrap(), []);
    held(gate.reserve(NOW, asks(1, 5)).await.unwrap());
    assert_eq!(gate.overdue(after(60), 10).await.unwrap(), []);
    held(gate.reserve(after(60), asks(2, 5)).await.unwrap());
    assert_eq!(gate.overdue(after(66), 10).await.unwrap().len(), 1);
    assert_eq!(gate.overdue(after(126), 10).await.unwrap().len(), 2);
}

async fn a_late_settle_of_an_expired_hold_still_counts_once(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 10)]).await;
    held(gate.reserve(NOW, asks(1, 10)).await.unwrap());
    gate.expire(after(70), request(1), account(1)).await.unwrap();
    gate.settle(after(80), settles(1, 7)).await.unwrap();
    gate.settle(after(80), settles(1, 7)).await.unwrap();
    gate.expire(after(81), request(1), account(1)).await.unwrap();
    assert_eq!(stands(&gate).await, (10, 7, 0));
    assert_eq!(gate.post(after(82), says(3, 2, &[request(1)])).await, Ok(Vec::new()));
    assert_eq!(stands(&gate).await, (3, 0, 0));
    gate.settle(after(83), settles(1, 7)).await.unwrap();
    assert_eq!(stands(&gate).await, (3, 0, 0), "what is posted is not pending again");
}

async fn tombstones_leave_after_a_while(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 10)]).await;
    held(gate.reserve(NOW, asks(1, 10)).await.unwrap());
    gate.expire(after(70), request(1), account(1)).await.unwrap();
    gate.overdue(after(3_000), 10).await.unwrap();
    assert_eq!(gate.snapshot().await.unwrap().tombstones, 1);
    gate.overdue(after(4_000), 10).await.unwrap();
    assert_eq!(gate.snapshot().await.unwrap().tombstones, 0);
}

async fn the_first_ending_wins_in_any_order(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 100)]).await;
    for number in 1..=3 {
        held(gate.reserve(NOW, asks(number, 10)).await.unwrap());
    }
    gate.settle(NOW, settles(1, 4)).await.unwrap();
    gate.release(NOW, request(1), account(1), None).await.unwrap();
    gate.settle(NOW, settles(1, 9)).await.unwrap();
    gate.release(NOW, request(2), account(1), None).await.unwrap();
    gate.settle(NOW, settles(2, 4)).await.unwrap();
    assert_eq!(gate.post(NOW, says(92, 2, &[request(3)])).await, Ok(Vec::new()));
    gate.settle(NOW, settles(3, 8)).await.unwrap();
    gate.release(NOW, request(3), account(1), None).await.unwrap();
    assert_eq!(stands(&gate).await, (92, 4, 0));
}

async fn the_ledgers_word_is_set_by_position_and_clears_exactly_the_named(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 100)]).await;
    for number in 1..=3 {
        held(gate.reserve(NOW, asks(number, 10)).await.unwrap());
        gate.settle(NOW, settles(number, 10)).await.unwrap();
    }
    assert_eq!(gate.post(NOW, says(80, 9, &[request(2)])).await, Ok(Vec::new()));
    assert_eq!(stands(&gate).await, (80, 20, 0));
    assert_eq!(gate.post(NOW, says(90, 8, &[request(1)])).await, Ok(Vec::new()));
    assert_eq!(stands(&gate).await, (80, 10, 0), "an older word clears its requests: the newer balance includes them");
    assert_eq!(gate.post(NOW, says(80, 9, &[request(2)])).await, Ok(Vec::new()));
    assert_eq!(stands(&gate).await, (80, 10, 0));
    assert_eq!(gate.unposted(after(1), 10).await.unwrap(), [(account(1), request(3))]);
    assert_eq!(gate.unposted(NOW, 10).await.unwrap(), [], "not before that");
}

async fn a_raise_is_all_or_nothing_and_never_lowers(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 100)]).await;
    held(gate.reserve(NOW, asks_with_key(1, 10, 30, LimitWindow::Total)).await.unwrap());
    assert_eq!(held(gate.resize(NOW, request(1), account(1), nanos(5)).await.unwrap()), 10);
    assert_eq!(held(gate.resize(NOW, request(1), account(1), nanos(30)).await.unwrap()), 30);
    let over = gate.resize(NOW, request(1), account(1), nanos(31)).await.unwrap();
    assert!(matches!(over, ledger::gate::Reserved::Refused(_)), "the key's limit of the reservation counts");
    assert_eq!(stands(&gate).await, (100, 0, 30));
    let unknown = gate.resize(NOW, request(9), account(1), nanos(1)).await;
    assert_eq!(unknown, Err(GateError::NoHold { request_id: request(9) }));
}

async fn a_rebuilt_gate_has_what_is_announced_and_nothing_else(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 1_000)]).await;
    held(gate.reserve(NOW, asks(1, 400)).await.unwrap());
    let owner = NodeId::from_uuid(Uuid::from_u128(1));
    let restored = RestoredHold {
        request_id: request(2),
        account_id: account(1),
        key_id: Some(key(1)),
        limit: None,
        hold: nanos(30),
        worst_case: nanos(30),
        tokens: 0,
        admitted_at: NOW,
        owner,
    };
    let spend =
        RestoredSpend { request_id: request(3), account_id: account(1), key_id: Some(key(1)), actual: nanos(5), admission_day: today() };
    let state = GateState {
        accounts: vec![(account(1), nanos(500), 7)],
        key_spend: vec![(key(1), today(), nanos(11))],
        pending: vec![spend, spend],
        holds: vec![restored, restored],
    };
    let first = gate.snapshot().await.unwrap().epoch;
    assert!(gate.rebuild(NOW, state).await.unwrap() > first);
    assert_eq!(stands(&gate).await, (500, 5, 30));
    assert_eq!(gate.key_spend(NOW, key(1)).await.unwrap().daily, nanos(16));
    assert_eq!(gate.renew(NOW, &[(account(1), request(1)), (account(1), request(2))]).await.unwrap(), [request(1)]);
    gate.settle(NOW, settles(1, 400)).await.unwrap();
    gate.settle(NOW, settles(2, 30)).await.unwrap();
    assert_eq!(stands(&gate).await, (500, 35, 0));
}

async fn a_snapshot_counts_what_is_in_flight(backend: Backend) {
    let gate = closed_gate(backend, GateOptions::default()).await;
    assert_eq!(gate.snapshot().await.unwrap(), ledger::gate::GateSnapshot::default());
    let gate = gate_with(backend, &[(account(1), 100), (account(2), 7)]).await;
    for number in 1..=4 {
        held(gate.reserve(NOW, asks(number, 10)).await.unwrap());
    }
    gate.settle(NOW, settles(1, 1)).await.unwrap();
    gate.expire(NOW, request(2), account(1)).await.unwrap();
    let snapshot = gate.snapshot().await.unwrap();
    assert!(snapshot.open && snapshot.epoch > 0);
    assert_eq!((snapshot.holds, snapshot.pending, snapshot.tombstones, snapshot.accounts.len()), (2, 1, 1, 2));
}
