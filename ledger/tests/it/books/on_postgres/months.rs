//! Monthly partitions: made ahead, insert-only each, and no batch fails for want of one.

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::engines_agree::minted;
use super::fixture::{Author, House, account, append, book, nanos};

const MONTH_SECONDS: u64 = 31 * 86_400;

#[tokio::test]
async fn the_month_after_the_one_in_use_has_its_partition_already() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    book(&store, &[author.settled(account(1), minted(2 * MONTH_SECONDS), 5)]).await;
    let sql = "SELECT inhrelid::regclass::TEXT FROM pg_inherits WHERE inhparent = 'ledger_postings'::regclass ORDER BY 1";
    let partitions = house.texts(sql).await;
    for month in ["ledger_postings_2027_01", "ledger_postings_2027_02", "ledger_postings_other"] {
        assert!(partitions.iter().any(|partition| partition == month), "{month} in {partitions:?}");
    }
}

#[tokio::test]
async fn a_batch_does_not_wait_for_a_partition_that_cannot_be_made() {
    let house = House::new();
    let (store, log) = (house.ledger().await, house.log());
    let mut reader = PgConnection::connect(&house.url("ledger.db")).await.unwrap();
    reader.execute("BEGIN; SELECT count(*) FROM ledger_entries_other").await.unwrap();
    let mut author = Author::new(1);
    let settled = author.settled(account(1), minted(3 * MONTH_SECONDS), 5);
    let payloads = [settled.clone(), settled];
    append(&log, &payloads).await;
    let outcome = book(&store, &payloads).await;
    assert_eq!((outcome.applied, outcome.duplicates), (1, 1));
    let homes = "SELECT tableoid::regclass::TEXT FROM ledger_entries";
    assert_eq!(house.texts(homes).await, ["ledger_entries_other"]);

    // The month stays where it began: another process tries again, in vain, and goes on.
    reader.execute("ROLLBACK").await.unwrap();
    let again = house.ledger().await;
    let more = [author.settled(account(1), minted(3 * MONTH_SECONDS + 60), 7)];
    append(&log, &more).await;
    assert_eq!(book(&again, &more).await.applied, 1);
    assert_eq!(again.balance(account(1)).await.unwrap(), Some(nanos(-12)));
    assert_eq!(house.texts(homes).await, ["ledger_entries_other", "ledger_entries_other"]);
    let audit = ledger::audit(&again, &log, None, &mut |_| {}).await.unwrap();
    assert!(audit.ok, "{:#?}", audit.differences);
}

#[tokio::test]
async fn no_partition_and_no_table_can_be_changed_or_emptied() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    book(&store, &[author.topup(account(1), "t", 5), author.settled(account(1), minted(0), 5)]).await;
    for table in ["ledger_entries", "ledger_entries_2026_11", "ledger_entries_other", "ledger_postings", "ledger_postings_2026_11"] {
        for sql in [format!("UPDATE {table} SET amount_nanos = 6"), format!("DELETE FROM {table}"), format!("TRUNCATE {table}")] {
            let error = house.execute(&sql).await.unwrap_err();
            assert!(error.to_string().contains("insert-only"), "{sql}: {error}");
        }
    }
    for table in ["ledger_orders", "ledger_quarantine"] {
        let error = house.execute(&format!("TRUNCATE {table}")).await.unwrap_err();
        assert!(error.to_string().contains("insert-only"), "{table}: {error}");
    }
}
