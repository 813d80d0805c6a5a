//! Top-ups, grants, refunds, adjustments and expiries.

use ledger::apply::{Applied, LedgerAccount, Rejection, Verdict};
use schemas::event::Credit;
use schemas::{AccountId, Body};

use super::fixture::{Author, House, START, account, book, fold, nanos, request};

fn rejection(applied: &Applied) -> Option<Rejection> {
    if let Applied::Entered(entered) = applied { entered.booking.verdict.rejection() } else { None }
}

#[test]
fn every_kind_of_credit_has_its_counterpart() {
    let mut author = Author::new(1);
    let who = account(1);
    let (state, applied) = fold(&[
        author.topup(who, "1", 100),
        author.grant(who, "2", 50, None),
        author.settled(who, request(1), 30),
        author.refund(who, "3", 20, request(1)),
        author.adjust(who, "4", -5),
    ]);
    let counterparts: Vec<&str> = [0, 1, 3, 4]
        .iter()
        .map(|index| {
            let Applied::Entered(entered) = &applied[*index] else { panic!("not booked") };
            assert_eq!(entered.booking.postings[0].account, LedgerAccount::Customer(who));
            entered.booking.postings[1].account.name()
        })
        .collect();
    assert_eq!(counterparts, ["clearing", "promotions", "revenue", "adjustments"]);
    assert_eq!(state.account(who).balance, nanos(135));
    assert_eq!(state.account(who).credits, nanos(165));
}

#[test]
fn orders_that_make_no_sense_are_rejected_for_good() {
    let mut author = Author::new(1);
    let who = account(1);
    let later = author.now.plus_micros(1_000_000_000);
    let payloads = [
        author.topup(who, "negative", -1),
        author.adjust(who, "zero", 0),
        author.order(who, Credit { expires_at: Some(later), ..Author::plain_order("expiring", nanos(1)) }, Body::BalanceTopup),
        author.grant(who, "late", 5, Some(START)),
        author.refund(who, "unknown", 5, request(9)),
        author.topup(AccountId::SYSTEM, "system", 5),
        author.topup(who, "much", i64::MAX),
        author.topup(who, "too much", 1),
        author.grant_expired(who, "no such grant"),
    ];
    let (_, applied) = fold(&payloads);
    let expected = [
        Some(Rejection::Amount),
        Some(Rejection::Amount),
        Some(Rejection::ExpiryNotAllowed),
        Some(Rejection::AlreadyExpired),
        Some(Rejection::UnknownRequest),
        Some(Rejection::SystemAccount),
        None,
        Some(Rejection::OutOfRange),
        Some(Rejection::UnknownGrant),
    ];
    assert_eq!(applied.iter().map(rejection).collect::<Vec<_>>(), expected);
}

#[test]
fn refunds_of_a_request_never_exceed_its_charge() {
    let mut author = Author::new(1);
    let who = account(1);
    let (state, applied) = fold(&[
        author.settled(who, request(1), 100),
        author.refund(who, "1", 60, request(1)),
        author.refund(who, "2", 41, request(1)),
        author.refund(who, "3", 40, request(1)),
        author.refund(account(2), "4", 1, request(1)),
    ]);
    let rejections: Vec<_> = applied[1..].iter().map(rejection).collect();
    assert_eq!(rejections, [None, Some(Rejection::RefundExceedsCharge), None, Some(Rejection::UnknownRequest)]);
    assert_eq!(state.account(who).balance, nanos(0));
}

#[test]
fn grants_burn_earliest_expiry_first_and_what_is_left_expires_to_breakage() {
    let mut author = Author::new(1);
    let who = account(1);
    let (soon, later) = (START.plus_micros(20_000_000), START.plus_micros(40_000_000));
    let mut payloads = vec![
        author.topup(who, "paid", 1_000),
        author.grant(who, "for ever", 100, None),
        author.grant(who, "later", 100, Some(later)),
        author.grant(who, "soon", 100, Some(soon)),
        author.settled(who, request(1), 150),
    ];
    let (state, _) = fold(&payloads);
    let left = |key: &str| state.lots[&schemas::event::credit_event_id(who, key)].remaining.nanos();
    assert_eq!([left("soon"), left("later"), left("for ever")], [0, 50, 100]);

    payloads.push(author.grant_expired(who, "later"));
    author.now = later;
    payloads.extend([author.grant_expired(who, "soon"), author.grant_expired(who, "for ever")]);
    let (state, applied) = fold(&payloads);
    assert_eq!(applied[5..].iter().map(rejection).collect::<Vec<_>>(), [Some(Rejection::GrantNotDue), None, Some(Rejection::GrantNotDue)]);
    let Applied::Entered(nothing_left) = &applied[6] else { panic!("not booked") };
    assert_eq!((nothing_left.booking.verdict, nothing_left.booking.postings.len()), (Verdict::Applied, 0));
    assert_eq!(state.account(who).balance, nanos(1_150));
}

#[test]
fn an_expiry_takes_exactly_what_is_left() {
    let mut author = Author::new(1);
    let who = account(1);
    let payloads = {
        let granted = author.grant(who, "g", 100, Some(START.plus_micros(5_000_000)));
        let settled = author.settled(who, request(1), 30);
        author.now = START.plus_micros(6_000_000);
        [granted, settled, author.grant_expired(who, "g")]
    };
    let (state, applied) = fold(&payloads);
    let Applied::Entered(expiry) = &applied[2] else { panic!("not booked") };
    assert_eq!(expiry.booking.amount, nanos(-70));
    assert_eq!(expiry.booking.postings[1].account.name(), "breakage");
    assert_eq!(state.account(who).balance, nanos(0));
    assert!(state.account(who).open_lots.is_empty());
}

#[test]
fn a_grant_into_a_negative_balance_pays_the_debt_first() {
    let mut author = Author::new(1);
    let who = account(1);
    let payloads = {
        let settled = author.settled(who, request(1), 80);
        let granted = author.grant(who, "g", 100, Some(START.plus_micros(5_000_000)));
        author.now = START.plus_micros(6_000_000);
        [settled, granted, author.grant_expired(who, "g")]
    };
    let (state, _) = fold(&payloads);
    assert_eq!(state.account(who).balance, nanos(0), "20 were left to expire, never more than there is");
}

#[tokio::test]
async fn a_repeated_order_keeps_its_first_result_and_another_order_under_its_key_is_a_conflict() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let first = author.topup(who, "key", 100);
    let same = author.topup(who, "key", 100);
    let other = author.topup(who, "key", 999);
    assert_ne!(first, same, "a retried order is another event with the same id");

    let outcome = book(&store, &[first]).await;
    assert_eq!((outcome.applied, outcome.duplicates), (1, 0));
    let outcome = book(&store, &[same, other]).await;
    assert_eq!((outcome.applied, outcome.duplicates, outcome.conflicts), (0, 2, 1));

    let id = schemas::event::credit_event_id(who, "key");
    let result = store.credit_outcome(&id).await.unwrap().unwrap();
    assert_eq!(result.input_sha256, "order of 100");
    assert_eq!(result.rejected, None);
    let transaction = result.transaction.unwrap();
    assert_eq!((transaction.id, transaction.amount, transaction.balance_after), (id, nanos(100), nanos(100)));
    assert_eq!(store.balance(who).await.unwrap(), Some(nanos(100)));
}

#[tokio::test]
async fn a_rejected_order_says_why() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    book(&store, &[author.refund(account(1), "r", 5, request(1))]).await;
    let id = schemas::event::credit_event_id(account(1), "r");
    let result = store.credit_outcome(&id).await.unwrap().unwrap();
    assert_eq!(result.rejected.as_deref(), Some("unknown_request"));
    assert_eq!(result.transaction, None);
    assert_eq!(store.credit_outcome("credit:none").await.unwrap(), None);
}

#[tokio::test]
async fn grants_are_due_once_their_time_is_up_and_something_is_left() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let (soon, later) = (START.plus_micros(100_000_000), START.plus_micros(200_000_000));
    let payloads = [
        author.grant(who, "b", 70, Some(later)),
        author.grant(who, "a", 50, Some(soon)),
        author.grant(who, "c", 50, None),
        author.settled(who, request(1), 20),
    ];
    book(&store, &payloads).await;
    assert!(store.due_grants(soon.plus_micros(-1), 10).await.unwrap().is_empty());
    let due = store.due_grants(soon, 10).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!((due[0].grant_id.as_str(), due[0].remaining), (schemas::event::credit_event_id(who, "a").as_str(), nanos(30)));
    assert_eq!(store.due_grants(later, 1).await.unwrap(), due, "oldest first");

    author.now = soon;
    book(&store, &[author.grant_expired(who, "a")]).await;
    assert!(store.due_grants(soon, 10).await.unwrap().is_empty());
    assert_eq!(store.balance(who).await.unwrap(), Some(nanos(120)));
}
