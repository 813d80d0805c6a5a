//! T5, T16: connections and servers that die in the middle of batches; nothing is lost, nothing doubled.

use std::time::Duration;

use eventlog::EventLog;
use ledger::worker::{WorkerProgress, run};
use ledger::{Access, HeadsLog, LedgerStore, audit};
use sqlx::{Connection as _, PgConnection};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fixture::{Author, Engine, House, append, entries};
use super::history::{events_wanted, history};
use super::server::Server;
use crate::books::fixture;

const PATIENCE: Duration = Duration::from_secs(90);

/// Books a growing log with one worker while `disturb` is called again and again, until all is booked.
async fn book_under(store: &LedgerStore, log: &EventLog, payloads: &[bytes::Bytes], mut disturb: impl AsyncFnMut(u32)) {
    let (sender, mut progress) = watch::channel(WorkerProgress::default());
    let cancel = CancellationToken::new();
    let worker = TaskTracker::new().spawn(run(store.clone(), log.clone(), None, Author::new(1).producer(), sender, cancel.clone()));
    let mut position = 0;
    for (number, chunk) in (0..).zip(payloads.chunks(payloads.len().div_ceil(12))) {
        position = append(log, chunk).await;
        disturb(number).await;
    }
    let reached = progress.wait_for(|progress| progress.position >= position);
    tokio::time::timeout(PATIENCE, reached).await.expect("the worker is too slow").unwrap();
    cancel.cancel();
    worker.await.unwrap().unwrap();
}

/// The same events in a store that nobody disturbed.
async fn undisturbed(payloads: &[bytes::Bytes]) -> ledger::store::Digests {
    let files = fixture::House::on(Engine::Sqlite);
    let store = files.ledger().await;
    store.apply_batch(&entries(payloads)).await.unwrap();
    store.snapshot_digests().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_that_are_ended_in_the_middle_of_batches_lose_and_double_nothing() {
    let house = House::new();
    let (store, log) = (house.ledger().await, house.log());
    let payloads = history(70, events_wanted(6_000));
    let url = house.url("ledger.db");
    let store = store.with_heads(HeadsLog::open(house.dir.path(), Access::ReadWrite).unwrap());
    let mut terminated = 0;
    let terminate = async |_| {
        let mut other = PgConnection::connect(&url).await.unwrap();
        // Whoever writes now: the session is found in the middle of its batch, not between two.
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'tollgate-ledger' AND xact_start IS NOT NULL";
        for _ in 0..200 {
            let ended: i64 = sqlx::query_scalar(sql).fetch_one(&mut other).await.unwrap();
            terminated += ended;
            if ended > 0 {
                break;
            }
        }
    };
    book_under(&store, &log, &payloads, terminate).await;
    assert!(terminated > 0, "no batch was met");
    assert_eq!(store.snapshot_digests().await.unwrap(), undisturbed(&payloads).await);
    let report = audit(&store, &log, None, &mut |_| {}).await.unwrap();
    let real: Vec<_> = report.differences.iter().filter(|difference| difference.kind != "producer_gap").collect();
    assert!(real.is_empty(), "{real:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_in_the_middle_of_batches_loses_and_doubles_nothing() {
    let house = House::new();
    let log = house.log();
    let payloads = history(71, events_wanted(6_000));
    let mut server = Server::start().await;
    let store = LedgerStore::open(&server.url(), Access::ReadWrite).await.unwrap();
    store.migrate().await.unwrap();
    let kill = async |number| {
        if number % 4 == 1 {
            server.kill();
            server.run().await;
        }
    };
    book_under(&store, &log, &payloads, kill).await;
    assert_eq!(store.snapshot_digests().await.unwrap(), undisturbed(&payloads).await);
}
