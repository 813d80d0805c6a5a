//! What is refused, by which level, why, and when to come back.

use bytes::Bytes;
use ledger::gate::{
    FreeLimits, GateError, GateOptions, GateState, KeyPolicy, LimitLevel, LimitWindow, Posted, RateLimits, RefusalCause, ReserveCommand,
    Reserved, SettleCommand,
};
use schemas::{AccountId, NanoUsd, Timestamp};

use super::setting::{
    Backend, NOW, UNLIMITED, account, asks, asks_with_key, closed_gate, gate_with, held, key, nanos, on_every_gate, refused, request,
    settles, today,
};

on_every_gate! {
    a_closed_gate_refuses_everything_until_it_is_rebuilt;
    the_account_says_whether_waiting_helps;
    what_settles_below_its_hold_is_available_at_once;
    what_settles_above_its_hold_counts_in_full_and_closes_the_account;
    free_models_need_no_balance;
    less_than_wanted_is_held_down_to_the_minimum;
    beyond_the_overdraft_the_worst_case_is_held;
    a_rich_account_does_not_lift_the_limit_of_its_key;
    a_request_counts_on_the_day_it_was_admitted;
    what_the_ledger_knows_of_a_key_counts_before_its_first_request;
    a_request_refused_for_money_takes_no_rate;
    a_request_refused_by_its_key_takes_no_rate_of_its_account;
    tokens_are_corrected_when_the_request_is_settled;
    concurrency_is_the_number_of_live_holds;
    parallel_requests_of_a_key_hold_no_more_than_its_limit;
    free_requests_are_counted_by_the_account_s_utc_day;
    free_requests_are_counted_by_the_minute_too;
    a_free_request_that_came_to_nothing_stays_counted;
    what_is_refused_uses_up_no_free_request;
    a_request_that_goes_on_to_a_free_model_is_counted_once;
    free_requests_of_many_callers_are_never_more_than_a_day_s;
    named_bounds_are_typed_errors_and_settling_goes_on;
    a_word_of_many_keys_and_days_is_taken_as_a_whole;
    an_account_that_is_refused_does_not_keep_the_word_from_another;
    amounts_that_make_no_sense_are_errors_and_change_nothing;
}

async fn a_closed_gate_refuses_everything_until_it_is_rebuilt(backend: Backend) {
    let gate = closed_gate(backend, GateOptions::default()).await;
    assert!(matches!(gate.reserve(NOW, asks(1, 1)).await, Err(GateError::NotReady { .. })));
    assert!(matches!(gate.settle(NOW, settles(1, 1)).await, Err(GateError::NotReady { .. })));
    assert!(matches!(gate.amounts(account(1)).await, Err(GateError::NotReady { .. })));
    assert!(matches!(gate.key_spend(NOW, key(1)).await, Err(GateError::NotReady { .. })));
    assert!(matches!(gate.overdue(NOW, 10).await, Err(GateError::NotReady { .. })));
    let first = gate.rebuild(NOW, GateState::default()).await.unwrap();
    assert!(gate.rebuild(NOW, GateState::default()).await.unwrap() > first, "every rebuild begins an epoch");
    assert!(gate.amounts(account(1)).await.is_ok());
}

async fn the_account_says_whether_waiting_helps(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 10)]).await;
    let poor = refused(gate.reserve(NOW, asks(1, 11)).await.unwrap());
    assert_eq!((poor.level, poor.cause, poor.retry_after_ms), (LimitLevel::Account, RefusalCause::Balance, None));
    assert_eq!(held(gate.reserve(NOW, asks(2, 6)).await.unwrap()), 6);
    let busy = refused(gate.reserve(NOW, asks(3, 6)).await.unwrap());
    assert_eq!((busy.cause, busy.retry_after_ms), (RefusalCause::InFlight, Some(1_000)));
    assert_eq!((busy.amounts.posted, busy.amounts.held, busy.amounts.available()), (nanos(10), nanos(6), nanos(4)));
}

async fn what_settles_below_its_hold_is_available_at_once(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 10)]).await;
    gate.reserve(NOW, asks(1, 10)).await.unwrap();
    let amounts = gate.settle(NOW, settles(1, 3)).await.unwrap();
    assert_eq!((amounts.pending, amounts.held, amounts.available()), (nanos(3), nanos(0), nanos(7)));
}

async fn what_settles_above_its_hold_counts_in_full_and_closes_the_account(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 10)]).await;
    gate.reserve(NOW, asks(1, 10)).await.unwrap();
    assert_eq!(gate.settle(NOW, settles(1, 12)).await.unwrap().available(), nanos(-2));
    let paid = refused(gate.reserve(NOW, asks(2, 1)).await.unwrap());
    let free = refused(gate.reserve(NOW, asks(3, 0)).await.unwrap());
    assert_eq!((paid.cause, free.cause), (RefusalCause::NegativeBalance, RefusalCause::NegativeBalance));
}

async fn free_models_need_no_balance(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 0)]).await;
    assert_eq!(held(gate.reserve(NOW, asks(1, 0)).await.unwrap()), 0);
    let used_up = ReserveCommand {
        hold: NanoUsd::ZERO,
        minimum: NanoUsd::ZERO,
        worst_case: NanoUsd::ZERO,
        ..asks_with_key(2, 0, 0, LimitWindow::Total)
    };
    assert_eq!(held(gate.reserve(NOW, used_up).await.unwrap()), 0);
}

async fn less_than_wanted_is_held_down_to_the_minimum(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 7)]).await;
    let modest = ReserveCommand { minimum: nanos(5), worst_case: nanos(20), overdraft_max: nanos(100), ..asks(1, 10) };
    let answer = gate.reserve(NOW, modest).await.unwrap();
    let Reserved::Held { hold, worst_case, .. } = answer else { panic!("{answer:?}") };
    assert_eq!((hold, worst_case), (nanos(7), nanos(7)), "the caller lowers its output cap to what is held");
    let proud = ReserveCommand { minimum: nanos(5), ..asks(2, 10) };
    assert_eq!(refused(gate.reserve(NOW, proud).await.unwrap()).cause, RefusalCause::InFlight);
}

async fn beyond_the_overdraft_the_worst_case_is_held(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 100)]).await;
    let risky = |number| ReserveCommand { worst_case: nanos(16), overdraft_max: nanos(10), ..asks(number, 10) };
    assert_eq!(held(gate.reserve(NOW, risky(1)).await.unwrap()), 10);
    assert_eq!(held(gate.reserve(NOW, risky(2)).await.unwrap()), 16, "6 + 6 would be more than 10");
    gate.release(NOW, request(1), account(1), None).await.unwrap();
    assert_eq!(held(gate.reserve(NOW, risky(3)).await.unwrap()), 10);
}

async fn a_rich_account_does_not_lift_the_limit_of_its_key(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 1_000_000)]).await;
    assert_eq!(held(gate.reserve(NOW, asks_with_key(1, 6, 10, LimitWindow::Daily)).await.unwrap()), 6);
    let busy = refused(gate.reserve(NOW, asks_with_key(2, 6, 10, LimitWindow::Daily)).await.unwrap());
    assert!(matches!(busy.cause, RefusalCause::KeyInFlight { spent: NanoUsd::ZERO, .. }), "{busy:?}");
    gate.settle(NOW, settles(1, 6)).await.unwrap();
    let spent = refused(gate.reserve(NOW, asks_with_key(3, 6, 10, LimitWindow::Daily)).await.unwrap());
    let resets_at = Some(today().plus(1).start());
    let cause = RefusalCause::KeyLimit { window: LimitWindow::Daily, limit: nanos(10), spent: nanos(6), held: nanos(0), resets_at };
    assert_eq!((spent.level, spent.cause, spent.retry_after_ms), (LimitLevel::Key, cause, Some(43_200_000)));
    assert_eq!(gate.amounts(account(1)).await.unwrap().held, nanos(0), "nothing is left behind");
}

async fn a_request_counts_on_the_day_it_was_admitted(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 1_000)]).await;
    let before_midnight = Timestamp::from_micros(today().plus(1).start().micros() - 1);
    let after_midnight = Timestamp::from_micros(today().plus(1).start().micros() + 1);
    let late = ReserveCommand { admitted_at: before_midnight, ..asks_with_key(1, 10, 10, LimitWindow::Daily) };
    held(gate.reserve(before_midnight, late).await.unwrap());
    let early = ReserveCommand { admitted_at: after_midnight, ..asks_with_key(2, 10, 10, LimitWindow::Daily) };
    assert_eq!(held(gate.reserve(after_midnight, early).await.unwrap()), 10, "the hold stays in the window it started in");
    gate.settle(after_midnight, settles(1, 8)).await.unwrap();
    let spend = gate.key_spend(after_midnight, key(1)).await.unwrap();
    assert_eq!((spend.daily, spend.weekly), (nanos(0), nanos(8)));
}

async fn what_the_ledger_knows_of_a_key_counts_before_its_first_request(backend: Backend) {
    let gate = closed_gate(backend, GateOptions::default()).await;
    let key_spend = vec![(key(1), today(), nanos(9)), (key(1), today().plus(-40), nanos(100))];
    let accounts = vec![(account(1), nanos(1_000), 5)];
    gate.rebuild(NOW, GateState { accounts, key_spend, ..GateState::default() }).await.unwrap();
    let spend = gate.key_spend(NOW, key(1)).await.unwrap();
    assert_eq!((spend.daily, spend.monthly, spend.total), (nanos(9), nanos(9), nanos(109)));
    assert_eq!(refused(gate.reserve(NOW, asks_with_key(1, 2, 10, LimitWindow::Daily)).await.unwrap()).level, LimitLevel::Key);
    assert_eq!(gate.key_spend(NOW, key(1)).await.unwrap(), spend);
    let older =
        Posted { account_id: account(1), posted: nanos(1), position: 4, requests: vec![], key_spend: vec![(key(1), today(), nanos(3))] };
    assert_eq!(gate.post(NOW, vec![older]).await, Ok(Vec::new()));
    assert_eq!(gate.key_spend(NOW, key(1)).await.unwrap(), spend, "a word from before the rebuild changes nothing");
}

/// A request of account 1 and key 1 under these rates at each level.
fn rated(number: u128, hold: i64, account_rates: RateLimits, rates: RateLimits) -> ReserveCommand {
    let policy = KeyPolicy { key_id: key(1), limit: None, rates };
    ReserveCommand { key: Some(policy), account_rates, ..asks(number, hold) }
}

async fn a_request_refused_for_money_takes_no_rate(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 5)]).await;
    let one = RateLimits { requests_per_minute: Some(1), tokens_per_minute: Some(100), ..UNLIMITED };
    for number in 0..5 {
        refused(gate.reserve(NOW, rated(number, 6, one, one)).await.unwrap());
    }
    held(gate.reserve(NOW, ReserveCommand { tokens: 100, ..rated(9, 5, one, one) }).await.unwrap());
}

async fn a_request_refused_by_its_key_takes_no_rate_of_its_account(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 100)]).await;
    let (two, none) = (RateLimits { requests_per_minute: Some(2), ..UNLIMITED }, RateLimits { requests_per_minute: Some(0), ..UNLIMITED });
    for number in 0..5 {
        let refusal = refused(gate.reserve(NOW, rated(number, 1, two, none)).await.unwrap());
        assert_eq!((refusal.level, refusal.retry_after_ms), (LimitLevel::Key, None));
    }
    held(gate.reserve(NOW, rated(6, 1, two, UNLIMITED)).await.unwrap());
    held(gate.reserve(NOW, rated(7, 1, two, UNLIMITED)).await.unwrap());
    let full = refused(gate.reserve(NOW, rated(8, 1, two, UNLIMITED)).await.unwrap());
    let cause = RefusalCause::Requests { limit: 2, remaining: 0 };
    assert_eq!((full.level, full.cause, full.retry_after_ms), (LimitLevel::Account, cause, Some(30_000)));
    assert_eq!(gate.amounts(account(1)).await.unwrap().held, nanos(2));
}

async fn tokens_are_corrected_when_the_request_is_settled(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 100)]).await;
    let rates = RateLimits { tokens_per_minute: Some(1_000), ..UNLIMITED };
    let asking = |number, tokens| ReserveCommand { tokens, ..rated(number, 1, rates, rates) };
    held(gate.reserve(NOW, asking(1, 900)).await.unwrap());
    let refusal = refused(gate.reserve(NOW, asking(2, 200)).await.unwrap());
    assert_eq!(refusal.cause, RefusalCause::Tokens { limit: 1_000, remaining: 100 });
    gate.settle(NOW, SettleCommand { tokens: 50, ..settles(1, 1) }).await.unwrap();
    held(gate.reserve(NOW, asking(3, 950)).await.unwrap());
    gate.release(NOW, request(3), account(1), None).await.unwrap();
    held(gate.reserve(NOW, asking(4, 950)).await.unwrap());
}

async fn concurrency_is_the_number_of_live_holds(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 100)]).await;
    let two = RateLimits { concurrency: Some(2), ..UNLIMITED };
    let asking = |number| rated(number, 1, UNLIMITED, two);
    held(gate.reserve(NOW, asking(1)).await.unwrap());
    held(gate.reserve(NOW, asking(2)).await.unwrap());
    let full = refused(gate.reserve(NOW, asking(3)).await.unwrap());
    assert_eq!((full.level, full.cause), (LimitLevel::Key, RefusalCause::Concurrency { limit: 2 }));
    gate.settle(NOW, settles(1, 1)).await.unwrap();
    held(gate.reserve(NOW, asking(4)).await.unwrap());
    gate.release(NOW, request(2), account(1), None).await.unwrap();
    held(gate.reserve(NOW, asking(5)).await.unwrap());
    gate.expire(NOW, request(4), account(1)).await.unwrap();
    held(gate.reserve(NOW, asking(6)).await.unwrap());
    let posted = Posted { account_id: account(1), posted: nanos(90), position: 2, requests: vec![request(5)], key_spend: vec![] };
    assert_eq!(gate.post(NOW, vec![posted]).await, Ok(Vec::new()));
    held(gate.reserve(NOW, asking(7)).await.unwrap());
    assert_eq!(refused(gate.reserve(NOW, asking(8)).await.unwrap()).cause, RefusalCause::Concurrency { limit: 2 });
}

async fn parallel_requests_of_a_key_hold_no_more_than_its_limit(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 1_000_000)]).await;
    for (day, held_before) in [(0, 0), (1, 7)] {
        let now = NOW.plus_micros(day * 86_400_000_000);
        let asking = (1..=40_u128).map(|number| {
            let gate = gate.clone();
            let command = ReserveCommand { admitted_at: now, ..asks_with_key(number + 100 * day as u128, 10, 79, LimitWindow::Daily) };
            async move { gate.reserve(now, command).await.unwrap() }
        });
        let answers = futures_util::future::join_all(asking).await;
        assert_eq!(answers.iter().filter(|answer| matches!(answer, Reserved::Held { .. })).count(), 7, "7 × 10 fit into 79");
        assert_eq!(gate.amounts(account(1)).await.unwrap().held, nanos(70 + 10 * held_before));
    }
}

/// A request to a free model, of which an account may make so many a minute and a day.
fn free(number: u128, requests_per_minute: u32, requests_per_day: u32) -> ReserveCommand {
    ReserveCommand { free: Some(FreeLimits { requests_per_minute, requests_per_day }), ..asks(number, 0) }
}

async fn free_requests_are_counted_by_the_account_s_utc_day(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 0), (account(2), 0)]).await;
    let keyed = |number: u128| ReserveCommand {
        key: Some(KeyPolicy { key_id: key(number), limit: None, rates: UNLIMITED }),
        ..free(number, 100, 3)
    };
    for number in 1..=3 {
        held(gate.reserve(NOW, keyed(number)).await.unwrap());
    }
    assert_eq!(gate.free_requests(NOW, account(1)).await.unwrap(), 3);
    let used_up = refused(gate.reserve(NOW, keyed(4)).await.unwrap());
    let midnight = today().plus(1).start();
    let cause = RefusalCause::FreeDay { limit: 3, resets_at: midnight };
    assert_eq!((used_up.level, used_up.cause, used_up.retry_after_ms), (LimitLevel::Account, cause, Some(43_200_000)));
    held(gate.reserve(NOW, ReserveCommand { account_id: account(2), ..free(5, 100, 3) }).await.unwrap());
    held(gate.reserve(NOW, asks(6, 0)).await.unwrap());
    held(gate.reserve(NOW, free(7, 100, 4)).await.unwrap());
    let last = Timestamp::from_micros(midnight.micros() - 1);
    assert_eq!(refused(gate.reserve(last, free(8, 100, 4)).await.unwrap()).retry_after_ms, Some(1));
    held(gate.reserve(midnight, free(9, 100, 3)).await.unwrap());
    assert_eq!(gate.free_requests(midnight, account(1)).await.unwrap(), 1);
    assert_eq!(gate.free_requests(NOW, account(9)).await.unwrap(), 0);
}

async fn free_requests_are_counted_by_the_minute_too(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 0)]).await;
    held(gate.reserve(NOW, free(1, 2, 50)).await.unwrap());
    held(gate.reserve(NOW, free(2, 2, 50)).await.unwrap());
    let fast = refused(gate.reserve(NOW, free(3, 2, 50)).await.unwrap());
    let cause = RefusalCause::FreeMinute { limit: 2, remaining: 0 };
    assert_eq!((fast.level, fast.cause, fast.retry_after_ms), (LimitLevel::Account, cause, Some(30_000)));
    assert!(
        matches!(refused(gate.reserve(NOW, free(4, 2, 2)).await.unwrap()).cause, RefusalCause::FreeDay { .. }),
        "the longer wait is told"
    );
    held(gate.reserve(NOW.plus_micros(30_000_000), free(5, 2, 50)).await.unwrap());
    let never = refused(gate.reserve(NOW, free(6, 2, 0)).await.unwrap());
    assert_eq!(never.retry_after_ms, None, "nothing is ever let through");
}

async fn a_free_request_that_came_to_nothing_stays_counted(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 0)]).await;
    held(gate.reserve(NOW, free(1, 100, 1)).await.unwrap());
    held(gate.reserve(NOW, free(1, 100, 1)).await.unwrap());
    gate.release(NOW, request(1), account(1), None).await.unwrap();
    assert!(matches!(refused(gate.reserve(NOW, free(2, 100, 1)).await.unwrap()).cause, RefusalCause::FreeDay { .. }));
}

async fn what_is_refused_uses_up_no_free_request(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 5)]).await;
    let limits = free(0, 100, 1).free;
    refused(gate.reserve(NOW, ReserveCommand { free: limits, ..asks(1, 6) }).await.unwrap());
    let (none, one) = (RateLimits { requests_per_minute: Some(0), ..UNLIMITED }, RateLimits { requests_per_minute: Some(1), ..UNLIMITED });
    refused(gate.reserve(NOW, ReserveCommand { free: limits, ..rated(2, 0, one, none) }).await.unwrap());
    held(gate.reserve(NOW, ReserveCommand { free: limits, ..rated(3, 0, UNLIMITED, UNLIMITED) }).await.unwrap());
    refused(gate.reserve(NOW, ReserveCommand { free: limits, ..rated(4, 5, one, one) }).await.unwrap());
    held(gate.reserve(NOW, rated(5, 5, one, one)).await.unwrap());
}

async fn a_request_that_goes_on_to_a_free_model_is_counted_once(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 100)]).await;
    let limits = FreeLimits { requests_per_minute: 100, requests_per_day: 2 };
    for number in 1..=3 {
        held(gate.reserve(NOW, asks(number, 10)).await.unwrap());
    }
    for _ in 0..3 {
        assert_eq!(held(gate.count_free(NOW, request(1), account(1), limits).await.unwrap()), 10, "the hold stays");
    }
    assert_eq!(gate.free_requests(NOW, account(1)).await.unwrap(), 1);
    held(gate.reserve(NOW, free(4, 100, 2)).await.unwrap());
    held(gate.count_free(NOW, request(4), account(1), limits).await.unwrap());
    let used_up = refused(gate.count_free(NOW, request(2), account(1), limits).await.unwrap());
    let cause = RefusalCause::FreeDay { limit: 2, resets_at: today().plus(1).start() };
    assert_eq!((used_up.level, used_up.cause, used_up.retry_after_ms), (LimitLevel::Account, cause, Some(43_200_000)));
    assert_eq!(gate.amounts(account(1)).await.unwrap().held, nanos(30), "refused, it is still in flight");
    gate.settle(NOW, settles(1, 0)).await.unwrap();
    let gone = gate.count_free(NOW, request(1), account(1), limits).await;
    assert_eq!(gone, Err(GateError::NoHold { request_id: request(1) }));
    assert!(matches!(gate.count_free(NOW, request(9), account(9), limits).await, Err(GateError::NoHold { .. })));
}

async fn free_requests_of_many_callers_are_never_more_than_a_day_s(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 0)]).await;
    let asking = (1..=40).map(|number| {
        let gate = gate.clone();
        async move { gate.reserve(NOW, free(number, 1_000, 25)).await.unwrap() }
    });
    let answers = futures_util::future::join_all(asking).await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Reserved::Held { .. })).count(), 25);
    assert_eq!(gate.free_requests(NOW, account(1)).await.unwrap(), 25);
}

async fn named_bounds_are_typed_errors_and_settling_goes_on(backend: Backend) {
    let mut options = GateOptions::default();
    options.rules.entries_max = 2;
    (options.accounts_max, options.shards) = (1, 1);
    let gate = closed_gate(backend, options).await;
    let accounts = vec![(account(1), nanos(100), 1)];
    gate.rebuild(NOW, GateState { accounts, ..GateState::default() }).await.unwrap();
    held(gate.reserve(NOW, asks(1, 1)).await.unwrap());
    held(gate.reserve(NOW, asks(2, 1)).await.unwrap());
    assert_eq!(gate.reserve(NOW, asks(3, 1)).await, Err(GateError::Full { bound: "entries_max", max: 2 }));
    gate.settle(NOW, SettleCommand { record: Bytes::from_static(b"{}"), ..settles(1, 1) }).await.unwrap();
    assert_eq!(gate.generation(request(1)).await.unwrap().as_deref(), Some(b"{}".as_slice()));
    let stranger = ReserveCommand { account_id: AccountId::mint(), ..asks(4, 0) };
    assert_eq!(gate.reserve(NOW, stranger).await, Err(GateError::Full { bound: "accounts_max", max: 1 }));
}

/// More than one call takes, in the gate that has calls.
async fn a_word_of_many_keys_and_days_is_taken_as_a_whole(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), 10_000)]).await;
    held(gate.reserve(NOW, asks_with_key(1, 30, 10_000, LimitWindow::Total)).await.unwrap());
    gate.settle(NOW, settles(1, 30)).await.unwrap();
    let days = |number| (0..300).map(move |day| (key(number), today().plus(day - 299), nanos(1)));
    let key_spend: Vec<_> = (1..=8).flat_map(days).collect();
    let word = Posted { account_id: account(1), posted: nanos(7_600), position: 9, requests: vec![request(1)], key_spend };
    assert_eq!(gate.post(NOW, vec![word.clone()]).await, Ok(Vec::new()));
    assert_eq!(gate.post(NOW, vec![word]).await, Ok(Vec::new()), "said again");
    let amounts = gate.amounts(account(1)).await.unwrap();
    assert_eq!((amounts.posted, amounts.pending, amounts.held), (nanos(7_600), NanoUsd::ZERO, NanoUsd::ZERO));
    for number in 1..=8 {
        let spend = gate.key_spend(NOW, key(number)).await.unwrap();
        assert_eq!((spend.daily, spend.total), (nanos(1), nanos(300)), "key {number}");
    }
}

async fn an_account_that_is_refused_does_not_keep_the_word_from_another(backend: Backend) {
    let mut options = GateOptions::default();
    (options.accounts_max, options.shards) = (1, 1);
    let gate = closed_gate(backend, options).await;
    let accounts = vec![(account(1), nanos(100), 1), (account(2), nanos(100), 1)];
    gate.rebuild(NOW, GateState { accounts, ..GateState::default() }).await.expect("what the books have is taken");
    let word = |number, posted| Posted {
        account_id: account(number),
        posted: nanos(posted),
        position: 2,
        requests: Vec::new(),
        key_spend: Vec::new(),
    };
    let refused = gate.post(NOW, vec![word(1, 7), word(3, 8), word(2, 9)]).await.unwrap();
    assert_eq!(refused, [(account(3), GateError::Full { bound: "accounts_max", max: 1 })]);
    let mut posted = Vec::new();
    for number in 1..=3 {
        posted.push(gate.amounts(account(number)).await.unwrap().posted.nanos());
    }
    assert_eq!(posted, [7, 9, 0]);
    held(gate.reserve(NOW, ReserveCommand { account_id: account(2), ..asks(1, 9) }).await.unwrap());
}

async fn amounts_that_make_no_sense_are_errors_and_change_nothing(backend: Backend) {
    let gate = gate_with(backend, &[(account(1), i64::MAX)]).await;
    let negative = ReserveCommand { minimum: nanos(-1), ..asks(1, 1) };
    assert_eq!(gate.reserve(NOW, negative).await, Err(GateError::Negative { name: "minimum" }));
    held(gate.reserve(NOW, asks(2, i64::MAX)).await.unwrap());
    assert_eq!(gate.settle(NOW, settles(2, -1)).await, Err(GateError::Negative { name: "actual" }));
    gate.settle(NOW, settles(2, i64::MAX)).await.unwrap();
    held(gate.reserve(NOW, asks(3, 0)).await.unwrap());
    assert_eq!(gate.settle(NOW, settles(3, 1)).await, Err(GateError::Overflow));
    assert_eq!(gate.amounts(account(1)).await.unwrap().pending, nanos(i64::MAX));
}
