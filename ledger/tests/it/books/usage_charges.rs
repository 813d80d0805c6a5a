//! How a request's end is charged.

use ledger::apply::{Applied, LedgerAccount, Verdict};
use schemas::event::{UsageSettled, request_event_id};
use schemas::terminal::Terminal;
use schemas::{Body, NanoUsd, PriceTable, TokenKind, Usage, charge};

use super::fixture::{Author, account, fold, key, nanos, request};

fn verdicts(applied: &[Applied]) -> Vec<Option<Verdict>> {
    let verdict = |one: &Applied| if let Applied::Entered(entered) = one { Some(entered.booking.verdict) } else { None };
    applied.iter().map(verdict).collect()
}

#[test]
fn a_charge_is_booked_in_full_even_below_zero() {
    let mut author = Author::new(1);
    let (state, applied) = fold(&[author.topup(account(1), "k", 100), author.settled(account(1), request(1), 250)]);
    assert_eq!(state.account(account(1)).balance, nanos(-150));
    assert_eq!(state.account(account(1)).usage, nanos(250));
    let Applied::Entered(entered) = &applied[1] else { panic!("not booked") };
    let legs: Vec<(LedgerAccount, i64)> =
        entered.booking.postings.iter().map(|posting| (posting.account, posting.amount.nanos())).collect();
    let partition = entered.booking.partition;
    let expected = [
        (LedgerAccount::Customer(account(1)), -250),
        (LedgerAccount::Revenue(partition), 250),
        (LedgerAccount::Payable(partition), 125),
        (LedgerAccount::ProviderCost(partition), -125),
    ];
    assert_eq!(legs, expected);
}

#[test]
fn the_first_terminal_wins_but_a_late_settle_supersedes_an_expiry_and_a_recovered_release() {
    let mut author = Author::new(1);
    let who = account(1);
    let (state, applied) = fold(&[
        author.expired(who, request(1)),
        author.settled(who, request(1), 10),
        author.released(who, request(2), true, Some(4)),
        author.settled(who, request(2), 10),
        author.released(who, request(3), false, None),
        author.settled(who, request(3), 10),
        author.settled(who, request(4), 10),
        author.expired(who, request(4)),
    ]);
    let expected = [
        Verdict::Applied,
        Verdict::Superseding,
        Verdict::Applied,
        Verdict::Superseding,
        Verdict::Applied,
        Verdict::Ignored,
        Verdict::Applied,
        Verdict::Ignored,
    ];
    assert_eq!(verdicts(&applied), expected.map(Some));
    assert_eq!(state.account(who).usage, nanos(30));
    assert_eq!(state.requests[&request(3)].effective, Some(Terminal::Released { recovered: false }));
}

#[test]
fn a_superseding_settle_books_only_the_difference_of_the_provider_cost() {
    let mut author = Author::new(1);
    let who = account(1);
    let settled = |author: &mut Author, number, cost| {
        let record = author.record(request(number), cost);
        author.settled_as(who, record, 10)
    };
    let (state, applied) = fold(&[
        author.released(who, request(1), true, Some(4)),
        settled(&mut author, 1, Some(nanos(6))),
        author.released(who, request(2), true, Some(4)),
        settled(&mut author, 2, None),
    ]);
    let payable: Vec<i64> = applied
        .iter()
        .map(|one| {
            let Applied::Entered(entered) = one else { panic!("not booked") };
            let legs = entered.booking.postings.iter().filter(|posting| matches!(posting.account, LedgerAccount::Payable(_)));
            legs.map(|posting| posting.amount.nanos()).sum()
        })
        .collect();
    assert_eq!(payable, [4, 2, 4, 0]);
    assert_eq!(state.requests[&request(2)].provider_cost, Some(nanos(4)), "what was known stays known");
}

#[test]
fn an_unknown_provider_cost_is_unknown_and_not_zero() {
    let mut author = Author::new(1);
    let record = author.record(request(1), None);
    let (state, applied) = fold(&[author.settled_as(account(1), record, 10)]);
    let Applied::Entered(entered) = &applied[0] else { panic!("not booked") };
    assert_eq!(entered.booking.provider_cost, None);
    assert_eq!(entered.booking.postings.len(), 2);
    assert_eq!(state.requests[&request(1)].provider_cost, None);
}

#[test]
fn a_released_request_that_cost_us_something_books_the_cost_and_no_charge() {
    let mut author = Author::new(1);
    let (state, applied) = fold(&[author.released(account(1), request(1), false, Some(77))]);
    let Applied::Entered(entered) = &applied[0] else { panic!("not booked") };
    assert_eq!(entered.booking.postings.len(), 2);
    assert_eq!(entered.booking.amount, NanoUsd::ZERO);
    assert!(!state.accounts.contains_key(&account(1)), "no money of the customer moved");
}

#[test]
fn key_spend_counts_on_the_admission_day() {
    let mut author = Author::new(1);
    let mut record = author.record(request(1), None);
    record.admitted_at = author.now.plus_micros(-1);
    let (state, _) = fold(&[author.settled_as(account(1), record, 40), author.settled(account(1), request(2), 2)]);
    let day = author.now.day();
    assert_eq!(state.key_spend[&(key(1), day.plus(-1))].spent, nanos(40));
    assert_eq!(state.key_spend[&(key(1), day)].spent, nanos(2));
}

#[test]
fn an_itemised_charge_must_be_what_its_lines_say() {
    let mut author = Author::new(1);
    let usage = Usage { uncached_input: 1_001, text_output: 77, ..Usage::default() };
    let table: PriceTable = serde_json::from_value(serde_json::json!({ "prompt": "150000", "completion": "600000" })).unwrap();
    let cost = charge(&table, &usage).unwrap();
    assert!(cost.lines.iter().any(|line| line.kind == TokenKind::TextOutput));
    let mut write = |number, total, lines: &[schemas::CostLine]| {
        let record = author.record(request(number), None);
        let settled = UsageSettled {
            charge_nanos: total,
            lines: lines.to_vec(),
            provisional: false,
            request: record,
            rounding_picos: cost.rounding_picos,
        };
        author.write(request_event_id(request(number), "settled"), account(1), Body::UsageSettled(Box::new(settled)))
    };
    let mut dearer = cost.lines.clone();
    dearer[0].quantity += 1;
    let one_more = cost.total.checked_add(nanos(1)).unwrap();
    let payloads = [write(1, cost.total, &cost.lines), write(2, one_more, &cost.lines), write(3, cost.total, &dearer)];
    let (state, applied) = fold(&payloads);
    assert!(matches!(applied[0], Applied::Entered(_)));
    assert!(matches!(applied[1], Applied::Quarantined(_)), "the sum of the lines is another");
    assert!(matches!(applied[2], Applied::Quarantined(_)), "a line's product is another");
    assert_eq!(state.account(account(1)).usage, cost.total);
}

#[test]
fn what_cannot_be_a_charge_is_quarantined_and_moves_nothing() {
    let mut author = Author::new(1);
    let (state, applied) = fold(&[
        author.settled(account(1), request(1), -1),
        author.settled(account(1), request(2), 5),
        author.settled(account(2), request(2), 5),
        author.settled(schemas::AccountId::SYSTEM, request(3), 5),
        author.settled(account(1), request(4), i64::MAX - 4),
        author.settled(account(1), request(5), i64::MAX - 4),
    ]);
    let quarantined: Vec<bool> = applied.iter().map(|one| matches!(one, Applied::Quarantined(_))).collect();
    assert_eq!(quarantined, [true, false, true, true, true, true], "negative, fine, foreign, system, out of range");
    assert_eq!(state.account(account(1)).balance, nanos(-5));
}

#[test]
fn a_repeated_event_changes_nothing_and_does_not_extend_the_chain() {
    let mut author = Author::new(1);
    let payload = author.settled(account(1), request(1), 10);
    let (once, _) = fold(std::slice::from_ref(&payload));
    let (thrice, applied) = fold(&[payload.clone(), payload.clone(), payload]);
    assert_eq!(thrice.partitions, once.partitions);
    assert_eq!(thrice.account(account(1)), once.account(account(1)));
    assert!(matches!(applied[2], Applied::Duplicate { conflict: false, ended: Some(id), .. } if id == request(1)));
}
