//! What every ledger store promises.

use bytes::Bytes;
use ledger::gate::Posted;
use ledger::store::ProducerGap;
use ledger::{Access, LedgerError, LedgerStore};
use schemas::Body;
use schemas::event::Credit;

use super::fixture::{Author, House, account, book, entries, entries_after, nanos, request};

#[tokio::test]
async fn a_batch_is_applied_once_however_often_it_is_delivered() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let payloads: Vec<Bytes> = (0..10).map(|number| author.topup(account(1), &number.to_string(), 1)).collect();
    let batch = entries(&payloads);
    store.apply_batch(&batch[..6]).await.unwrap();
    let overlapping = store.apply_batch(&batch[2..]).await.unwrap();
    assert_eq!((overlapping.applied, overlapping.position), (4, 10));
    let again = store.apply_batch(&batch).await.unwrap();
    assert_eq!((again.applied, again.duplicates, again.position), (0, 0, 10));
    assert_eq!(store.balance(account(1)).await.unwrap(), Some(nanos(10)));
}

#[tokio::test]
async fn a_gap_in_the_log_stops_the_batch_and_changes_nothing() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let payload = author.topup(account(1), "1", 1);
    let ahead = store.apply_batch(&entries_after(1, std::slice::from_ref(&payload))).await;
    assert!(matches!(ahead, Err(LedgerError::Position { position: 0, found: 2 })));
    let mut holed = entries(&[payload.clone(), payload.clone(), payload]);
    holed.remove(1);
    assert!(matches!(store.apply_batch(&holed).await, Err(LedgerError::Position { position: 1, found: 3 })));
    assert_eq!(store.position().await.unwrap(), 0);
    assert_eq!(store.balance(account(1)).await.unwrap(), None);
}

#[tokio::test]
async fn two_writers_on_one_ledger_apply_every_entry_once() {
    let house = House::new();
    let (one, two) = (house.ledger().await, house.ledger().await);
    let mut author = Author::new(1);
    let payloads: Vec<Bytes> = (0..400).map(|number| author.settled(account(number % 7), request(number), 3)).collect();
    let batch = entries(&payloads);
    let feed = async |store: &LedgerStore, size: usize| {
        let mut applied = 0;
        for chunk in batch.chunks(size) {
            // The other writer may be ahead, never behind by more than this chunk's start.
            applied += store.apply_batch(chunk).await.unwrap().applied;
        }
        applied
    };
    let (first, second) = tokio::join!(feed(&one, 10), feed(&two, 10));
    assert_eq!(first + second, 400);
    let usage: i64 = one.balances().await.unwrap().iter().map(|(_, balance, _)| balance.nanos()).sum();
    assert_eq!(usage, -1_200);
}

#[tokio::test]
async fn poison_is_quarantined_with_its_bytes_and_harms_nobody() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let mut payloads: Vec<Bytes> = Vec::new();
    for number in 0..1_000 {
        payloads.push(match number % 100 {
            7 => Bytes::from_static(b"\x00\xffgarbage"),
            _ => author.settled(account(number % 5), request(number), 2),
        });
    }
    let outcome = book(&store, &payloads).await;
    assert_eq!((outcome.applied, outcome.quarantined, outcome.position), (990, 10, 1_000));
    assert_eq!(store.quarantined().await.unwrap(), 10);
    let kept = store.snapshot().await.unwrap().quarantine(7, 8).await.unwrap();
    assert!(kept[0].reason.contains("JSON"), "{kept:?}");
    assert_eq!(hex::decode(&kept[0].payload).unwrap(), b"\x00\xffgarbage");
    let usage: i64 = store.balances().await.unwrap().iter().map(|(_, balance, _)| balance.nanos()).sum();
    assert_eq!(usage, -1_980);
}

/// One engine could keep these texts, the other could not: both refuse them.
#[tokio::test]
async fn texts_that_not_every_store_can_keep_are_quarantined() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let order = Credit { reason: Some("a\0b".to_owned()), ..Author::plain_order("nul", nanos(5)) };
    let nul_in = |name: &str, author: &mut Author| {
        let text = String::from_utf8(author.topup(account(1), name, 5).to_vec()).unwrap();
        let (before, after) = text.split_once(&format!("\"{name}\":\"")).unwrap();
        Bytes::from(format!("{before}\"{name}\":\"\\u0000{after}"))
    };
    let payloads = [
        nul_in("type", &mut author),
        author.order(account(1), order, Body::BalanceTopup),
        author.topup(account(1), &"k".repeat(5_000), 5),
        author.topup(account(1), "a\0b", 5),
        author.topup(account(1), &"k".repeat(900), 5),
        nul_in("source", &mut author),
    ];
    let outcome = book(&store, &payloads).await;
    assert_eq!((outcome.applied, outcome.quarantined), (1, 5));
    assert_eq!(outcome.watermarks[0].2, 5, "quarantined is not lost, unless nobody can tell whose it is");
    assert_eq!(store.balance(account(1)).await.unwrap(), Some(nanos(5)));
}

#[tokio::test]
async fn an_event_of_a_later_version_is_quarantined_but_not_counted_as_lost() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let text = String::from_utf8(author.opened(account(1)).to_vec()).unwrap();
    let later = Bytes::from(text.replace("\"v\":1", "\"v\":99"));
    let outcome = book(&store, &[later, author.topup(account(1), "t", 1)]).await;
    assert_eq!((outcome.applied, outcome.quarantined), (1, 1));
    assert_eq!(store.watermarks(author.producer()).await.unwrap()[0].2, 2);
}

#[tokio::test]
async fn what_is_written_cannot_be_changed_or_removed() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    book(&store, &[author.topup(account(1), "t", 5), Bytes::from_static(b"poison")]).await;
    for sql in [
        "UPDATE ledger_entries SET amount_nanos = 6",
        "DELETE FROM ledger_entries",
        "UPDATE ledger_postings SET amount_nanos = 6",
        "DELETE FROM ledger_postings",
        "UPDATE ledger_orders SET actor = 'nobody'",
        "DELETE FROM ledger_orders",
        "DELETE FROM ledger_quarantine",
    ] {
        let error = house.execute(sql).await.unwrap_err();
        assert!(error.to_string().contains("insert-only"), "{sql}: {error}");
    }
}

#[tokio::test]
async fn sequences_tolerate_disorder_and_remember_gaps_over_restarts() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let first = author.topup(who, "1", 1);
    author.lose(who);
    let third = author.topup(who, "3", 1);
    let fourth = author.topup(who, "4", 1);
    author.lose(who);
    let sixth = author.topup(who, "6", 1);
    let outcome = book(&store, &[fourth, first.clone(), first]).await;
    assert_eq!(outcome.watermarks[0].2, 1);
    drop(store);
    let store = house.ledger().await;
    book(&store, &[sixth, third]).await;
    let gaps = store.producer_gaps().await.unwrap();
    let (producer, partition, contiguous) = store.watermarks(author.producer()).await.unwrap()[0];
    assert_eq!(contiguous, 1);
    let gap = |number| ProducerGap { producer, partition, first: number, last: number };
    assert_eq!(gaps, [gap(2), gap(5)]);
}

#[tokio::test]
async fn watermarks_are_of_one_node_from_a_boot_on() {
    let house = House::new();
    let store = house.ledger().await;
    let (mut before, mut now, mut other) = (Author::new(1), Author::in_boot(1, 1), Author::new(2));
    let who = account(1);
    let payloads = [before.topup(who, "1", 1), now.topup(who, "2", 1), now.topup(who, "3", 1), other.topup(who, "4", 1)];
    book(&store, &payloads).await;
    let told = async |from| {
        let watermarks = store.watermarks(from).await.unwrap();
        watermarks.into_iter().map(|(producer, _, contiguous)| (producer, contiguous)).collect::<Vec<_>>()
    };
    assert_eq!(told(before.producer()).await, [(before.producer(), 1), (now.producer(), 2)]);
    assert_eq!(told(now.producer()).await, [(now.producer(), 2)]);
    assert_eq!(told(Author::in_boot(1, 2).producer()).await, []);
}

#[tokio::test]
async fn the_gate_is_told_of_every_ended_request_also_of_repeated_and_late_ones() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let settled = author.settled(who, request(1), 10);
    book(&store, &[author.topup(who, "t", 100), settled.clone()]).await;
    let outcome =
        book(&store, &[settled, author.expired(who, request(1)), author.settled(who, request(2), 5), author.opened(account(2))]).await;
    assert_eq!(outcome.posted.len(), 1);
    let posted = &outcome.posted[0];
    assert_eq!((posted.account_id, posted.posted, posted.position), (who, nanos(85), 6));
    assert_eq!(posted.requests, [request(1), request(1), request(2)]);
    assert_eq!(posted.key_spend.iter().map(|(_, _, spent)| spent.nanos()).collect::<Vec<_>>(), [15]);
}

#[tokio::test]
async fn what_moved_after_a_position_is_said_again_and_nothing_else() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let (one, two) = (account(1), account(2));
    book(&store, &[author.topup(one, "1", 100), author.topup(two, "2", 50), author.settled(one, request(1), 10)]).await;
    author.now = author.now.plus_micros(86_400_000_000);
    book(&store, &[author.settled(one, request(2), 5), author.released(two, request(3), false, None)]).await;
    let said = async |after| {
        let (position, said) = store.posted_after(after).await.unwrap();
        assert!(position == 5 && said.iter().all(|word| word.position == 5 && word.requests.is_empty()));
        let spend = |word: &Posted| word.key_spend.iter().map(|(_, _, spent)| spent.nanos()).collect();
        said.iter().map(|word| (word.account_id, word.posted.nanos(), spend(word))).collect::<Vec<(_, _, Vec<i64>)>>()
    };
    assert_eq!(said(0).await, [(one, 85, vec![10, 5]), (two, 50, vec![])]);
    assert_eq!(said(2).await, [(one, 85, vec![10, 5])]);
    assert_eq!(said(3).await, [(one, 85, vec![5])], "of its key the day that moved");
    assert_eq!(said(4).await, []);
}

#[tokio::test]
async fn the_gate_keeps_an_expired_request_until_its_late_settle_is_booked() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let expired = author.expired(who, request(1));
    let outcome = book(&store, &[expired.clone(), expired, author.released(who, request(1), false, None)]).await;
    assert!(outcome.posted.is_empty(), "{:?}", outcome.posted);
    assert!(store.posted_for(&[(who, request(1))]).await.unwrap().is_empty());
    let outcome = book(&store, &[author.settled(who, request(1), 5), author.expired(who, request(1))]).await;
    assert_eq!(outcome.posted[0].requests, [request(1), request(1)]);
    assert_eq!(store.posted_for(&[(who, request(1))]).await.unwrap()[0].requests, [request(1)]);
}

/// A gate is rebuilt under load: then the books never stand still.
#[tokio::test]
async fn the_books_for_a_gate_are_of_one_position_while_they_go_on() {
    const REQUESTS: u128 = 300;
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let who = account(1);
    let mut payloads = vec![author.topup(who, "t", 1_000)];
    payloads.extend((0..REQUESTS).map(|number| author.settled(who, request(number), 1)));
    let requests: Vec<_> = (0..REQUESTS).map(request).collect();
    let booking = async {
        for batch in entries(&payloads).chunks(7) {
            store.apply_batch(batch).await.unwrap();
        }
    };
    let reading = async {
        loop {
            let books = store.books(&requests).await.unwrap();
            let charged = books.booked.len() as i64;
            let spent: i64 = books.key_spend.iter().map(|(_, _, spent)| spent.nanos()).sum();
            let expected: Vec<_> = books.accounts.iter().map(|_| (who, nanos(1_000 - charged), 1 + charged as u64)).collect();
            assert_eq!((spent, &books.accounts), (charged, &expected));
            if charged == REQUESTS as i64 {
                break;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(booking, reading);
    book(&store, &[author.expired(who, request(REQUESTS)), author.released(who, request(REQUESTS + 1), false, None)]).await;
    let ended = store.books(&[request(REQUESTS), request(REQUESTS + 1), request(REQUESTS + 2)]).await.unwrap().booked;
    assert_eq!(ended.into_iter().collect::<Vec<_>>(), [request(REQUESTS + 1)], "an expired one may still be settled");
}

#[tokio::test]
async fn a_reader_beside_a_writer_sees_the_books_and_cannot_write() {
    let house = House::new();
    let store = house.ledger().await;
    let reader = LedgerStore::open(&house.url("ledger.db"), Access::ReadOnly).await.unwrap();
    let mut author = Author::new(1);
    let payloads = [author.topup(account(1), "t", 5)];
    book(&store, &payloads).await;
    assert_eq!(reader.balance(account(1)).await.unwrap(), Some(nanos(5)));
    assert!(matches!(reader.apply_batch(&entries(&payloads)).await, Err(LedgerError::ReadOnly)));
    assert!(matches!(reader.migrate().await, Err(LedgerError::ReadOnly)));
    assert!(matches!(LedgerStore::open("mysql://user:password@host/db", Access::ReadWrite).await, Err(LedgerError::Address(_))));
}
