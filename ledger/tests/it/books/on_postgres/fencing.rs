//! Two writers on one ledger: the loser changes nothing and knows it.

use std::time::Duration;

use ledger::LedgerError;
use ledger::worker::{WorkerProgress, run};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fixture::{Author, House, account, append, book, entries, nanos};

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_writer_does_not_wait_for_ever_for_another_ones_batch() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let payloads = [author.topup(account(1), "t", 5)];
    let mut other = PgConnection::connect(&house.url("ledger.db")).await.unwrap();
    other.execute("BEGIN; SELECT position FROM ledger_position FOR UPDATE").await.unwrap();
    let refused = store.apply_batch(&entries(&payloads)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Busy(_)) && refused.is_conflict(), "{refused:?}");
    assert_eq!(store.position().await.unwrap(), 0);
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(book(&store, &payloads).await.applied, 1);
}

#[tokio::test]
async fn a_batch_on_an_old_position_has_no_effect_whatever_the_lock() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    let payloads = [author.topup(account(1), "t", 5)];
    // As if the position were another one by the time it is compared.
    house.execute("CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'").await.unwrap();
    house.execute("CREATE TRIGGER moved BEFORE UPDATE ON ledger_position FOR EACH ROW EXECUTE FUNCTION moved()").await.unwrap();
    let refused = store.apply_batch(&entries(&payloads)).await.unwrap_err();
    assert!(matches!(refused, LedgerError::Overtaken { position: 0 }) && refused.is_conflict(), "{refused:?}");
    for table in ["ledger_entries", "ledger_postings", "ledger_orders", "ledger_balances", "ledger_partitions", "ledger_producers"] {
        assert_eq!(house.texts(&format!("SELECT count(*)::TEXT FROM {table}")).await, ["0"], "{table}");
    }
    house.execute("DROP TRIGGER moved ON ledger_position").await.unwrap();
    assert_eq!(book(&store, &payloads).await.applied, 1);
    assert_eq!(store.balance(account(1)).await.unwrap(), Some(nanos(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_met_another_one_takes_over_when_the_books_stand_still() {
    let house = House::new();
    let (store, log) = (house.ledger().await, house.log());
    let mut author = Author::new(1);
    // Another worker that hangs in its batch, and then is gone.
    let mut other = PgConnection::connect(&house.url("ledger.db")).await.unwrap();
    other.execute("BEGIN; SELECT position FROM ledger_position FOR UPDATE").await.unwrap();
    append(&log, &[author.topup(account(1), "t", 5)]).await;
    let (sender, mut progress) = watch::channel(WorkerProgress::default());
    let cancel = CancellationToken::new();
    let worker = TaskTracker::new().spawn(run(store.clone(), log, None, author.producer(), sender, cancel.clone()));
    let waits = "SELECT count(*)::TEXT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let waiting = async |count: &str| {
        while house.texts(waits).await != [count] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, async {
        waiting("1").await;
        waiting("0").await;
    })
    .await
    .expect("the worker did not give up the lock");
    assert_eq!(store.position().await.unwrap(), 0);
    other.execute("ROLLBACK").await.unwrap();
    tokio::time::timeout(PATIENCE, progress.wait_for(|progress| progress.position == 1)).await.expect("nobody took over").unwrap();
    cancel.cancel();
    worker.await.unwrap().unwrap();
    assert_eq!(store.balance(account(1)).await.unwrap(), Some(nanos(5)));
}
