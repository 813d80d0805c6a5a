//! What customers and finance read.

use ledger::apply::TransactionKind;
use ledger::store::{AccountTotals, JournalQuery, TransactionQuery};
use schemas::NanoUsd;
use schemas::terminal::Terminal;

use super::fixture::{Author, Engine, House, account, book, key, nanos, request};

fn all_of(account: schemas::AccountId) -> TransactionQuery {
    TransactionQuery { account: Some(account), limit: 100, ..TransactionQuery::default() }
}

#[tokio::test]
async fn transactions_come_newest_first_with_the_balance_after_each() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let payloads = [
        author.topup(who, "t", 1_000),
        author.settled(who, request(1), 300),
        author.settled(account(2), request(2), 7),
        author.settled(who, request(3), 0),
        author.released(who, request(4), false, Some(50)),
        author.refund(who, "r", 100, request(1)),
    ];
    book(&store, &payloads).await;
    let page = store.transactions(all_of(who)).await.unwrap();
    let shown: Vec<_> =
        page.items.iter().map(|item| (item.kind, item.amount.nanos(), item.balance_after.nanos(), item.request_id)).collect();
    let expected = [
        (TransactionKind::Refund, 100, 800, Some(request(1))),
        (TransactionKind::Usage, -300, 700, Some(request(1))),
        (TransactionKind::Topup, 1_000, 1_000, None),
    ];
    assert_eq!(shown, expected, "what cost nothing is no transaction");
    assert_eq!(page.next_cursor, None);
    assert_eq!(page.items[0].reason.as_deref(), Some("a reason"));
    assert_eq!(page.items[1].id, format!("{}:settled", request(1).uuid()));
    assert_eq!(store.transactions(TransactionQuery { limit: 100, ..TransactionQuery::default() }).await.unwrap().items.len(), 4);

    let totals = store.account_totals(who).await.unwrap();
    assert_eq!(totals, AccountTotals { credits: nanos(1_100), usage: nanos(300) });
    assert_eq!(store.account_totals(account(9)).await.unwrap(), AccountTotals::default());
    assert_eq!(store.balance(account(9)).await.unwrap(), None);
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition_while_new_transactions_arrive() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let payloads: Vec<_> = (0..25).map(|number| author.topup(who, &number.to_string(), number + 1)).collect();
    book(&store, &payloads).await;
    let mut cursor = None;
    let mut seen = Vec::new();
    loop {
        let query = TransactionQuery { limit: 10, cursor, ..all_of(who) };
        let page = store.transactions(query).await.unwrap();
        seen.extend(page.items.iter().map(|item| item.amount.nanos()));
        book(&store, &[author.topup(who, &format!("new {}", seen.len()), 5)]).await;
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=25).rev().collect::<Vec<i64>>());
    let odd = TransactionQuery { cursor: Some("page2".to_owned()), ..all_of(who) };
    assert!(matches!(store.transactions(odd).await, Err(ledger::LedgerError::Cursor)));
}

#[tokio::test]
async fn transactions_are_filtered_by_kind_and_time() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let first = author.topup(who, "1", 10);
    let middle = author.now.plus_micros(1);
    book(&store, &[first, author.settled(who, request(1), 4), author.adjust(who, "2", -3)]).await;
    let kinds = |kinds: &[TransactionKind]| TransactionQuery { kinds: kinds.to_vec(), ..all_of(who) };
    let amounts = async |query| store.transactions(query).await.unwrap().items.iter().map(|item| item.amount.nanos()).collect::<Vec<_>>();
    assert_eq!(amounts(kinds(&[TransactionKind::Usage, TransactionKind::Adjustment])).await, [-3, -4]);
    assert_eq!(amounts(TransactionQuery { from: Some(middle), ..all_of(who) }).await, [-3, -4]);
    assert_eq!(amounts(TransactionQuery { to: Some(middle), ..all_of(who) }).await, [10]);
}

#[tokio::test]
async fn a_request_is_found_by_its_id() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let payloads = [
        author.expired(who, request(1)),
        author.settled(who, request(1), 90),
        author.refund(who, "r", 40, request(1)),
        author.released(who, request(2), false, None),
    ];
    book(&store, &payloads).await;
    let charge = store.charge_of(request(1)).await.unwrap().unwrap();
    assert_eq!((charge.terminal, charge.charge, charge.refunded), (Terminal::Settled, nanos(90), nanos(40)));
    assert_eq!(charge.provider_cost, Some(nanos(45)));
    let released = store.charge_of(request(2)).await.unwrap().unwrap();
    assert_eq!((released.terminal, released.charge), (Terminal::Released { recovered: false }, nanos(0)));
    assert_eq!(released.provider_cost, None);
    assert!(store.charge_of(request(3)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_requests_refund_stands_in_its_journal() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let payloads = [
        author.topup(who, "t", 1_000),
        author.settled(who, request(1), 90),
        author.refund(who, "r", 40, request(1)),
        author.settled(who, request(2), 5),
    ];
    book(&store, &payloads).await;
    let of = |request| JournalQuery { account: who, event_id: None, request, from: None, to: None, cursor: None, limit: 10 };
    let entries = store.journal(of(Some(request(1)))).await.unwrap().items;
    let shown: Vec<_> = entries.iter().map(|entry| (entry.event_type.as_str(), entry.request_id)).collect();
    assert_eq!(shown, [("balance.refund", Some(request(1))), ("usage.settled", Some(request(1)))]);
    let all = store.journal(of(None)).await.unwrap().items;
    let requests: Vec<_> = all.iter().map(|entry| entry.request_id).collect();
    assert_eq!(requests, [Some(request(2)), Some(request(1)), Some(request(1)), None]);
}

#[tokio::test]
async fn provider_costs_are_summed_by_admission_day_as_they_were_posted() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let mut yesterday = author.record(request(1), Some(nanos(5)));
    yesterday.admitted_at = author.now.plus_micros(-1);
    let (known, unknown, free) =
        (author.record(request(2), Some(nanos(7))), author.record(request(3), None), author.record(request(4), Some(nanos(0))));
    let payloads = [
        author.settled_as(who, yesterday, 50),
        author.settled_as(who, known, 70),
        author.settled_as(who, unknown, 80),
        author.settled_as(who, free, 0),
    ];
    book(&store, &payloads).await;
    let today = author.now.day();
    let sums = [(-1, -1), (0, 0), (-1, 0), (-9, 9), (1, 9)].map(|(from, to)| store.provider_cost(today.plus(from), today.plus(to)));
    let sums: Vec<i64> = futures_util::future::try_join_all(sums).await.unwrap().into_iter().map(NanoUsd::nanos).collect();
    assert_eq!(sums, [5, 7, 12, 12, 0]);
}

#[tokio::test]
async fn charges_are_summed_by_account_and_admission_day() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let mut yesterday = author.record(request(1), None);
    yesterday.admitted_at = author.now.plus_micros(-1);
    let payloads = [
        author.settled_as(who, yesterday, 5),
        author.settled(who, request(2), 7),
        author.settled(who, request(3), 8),
        author.settled(who, request(4), 0),
    ];
    book(&store, &payloads).await;
    let totals = store.charge_totals().await.unwrap();
    let shown: Vec<_> = totals.iter().map(|total| (total.day, total.charged.nanos(), total.requests)).collect();
    let today = author.now.day();
    assert_eq!(shown, [(today.plus(-1), 5, 1), (today, 15, 2)]);
    assert_eq!(store.charge_totals_at(2).await.unwrap()[1].charged, nanos(7));
    assert_eq!(store.key_spend().await.unwrap(), [(key(1), today.plus(-1), nanos(5)), (key(1), today, nanos(15))]);
}

#[tokio::test]
async fn finance_reads_dollars_from_the_views() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    book(&store, &[author.topup(who, "t", 12_000_000_000), author.settled(who, request(1), 13_000_000_001)]).await;
    let created_at = match house.engine {
        Engine::Sqlite => "created_at",
        Engine::Postgres => "to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    };
    for (column, expected) in [
        ("amount", "-13.000000001".to_owned()),
        ("balance_after", "-1.000000001".to_owned()),
        ("provider_cost", "6.500000000".to_owned()),
        ("account", who.to_string()),
        ("api_key", key(1).to_string()),
        ("request", request(1).uuid().simple().to_string()),
        (created_at, author.now.to_string()),
    ] {
        let sql = format!("SELECT CAST({column} AS TEXT) FROM transactions WHERE kind = 'usage'");
        assert_eq!(house.texts(&sql).await, [expected], "{column}");
    }
    assert_eq!(house.texts("SELECT CAST(balance AS TEXT) FROM account_balances").await, ["-1.000000001"]);
    let legs = house.texts("SELECT ledger_account || ' ' || CAST(amount AS TEXT) FROM postings ORDER BY position, leg").await;
    let expected = [
        "customer 12.000000000",
        "clearing -12.000000000",
        "customer -13.000000001",
        "revenue 13.000000001",
        "payable 6.500000000",
        "provider_cost -6.500000000",
    ];
    assert_eq!(legs, expected);
}
