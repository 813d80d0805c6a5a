//! The ledger role on a log that grows.

use std::time::Duration;

use bytes::Bytes;
use eventlog::EventLog;
use ledger::gate::{BalanceGate, GateOptions, GateState, SettleCommand};
use ledger::replay::replay_in;
use ledger::worker::{WorkerError, WorkerProgress, run};
use ledger::{Access, HeadsLog, LedgerError, LedgerStore, audit};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use schemas::{NanoUsd, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::fixture::{Author, House, account, append, entries_after, log_in, nanos, request};
use super::history::{events_wanted, history};

const PATIENCE: Duration = Duration::from_secs(60);

struct Running {
    progress: watch::Receiver<WorkerProgress>,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), WorkerError>>,
}

impl Running {
    fn start(store: &LedgerStore, log: &EventLog, gate: Option<BalanceGate>) -> Self {
        let (sender, progress) = watch::channel(WorkerProgress::default());
        let cancel = CancellationToken::new();
        let task = TaskTracker::new().spawn(run(store.clone(), log.clone(), gate, Author::new(1).producer(), sender, cancel.clone()));
        Self { progress, cancel, task }
    }

    async fn reached(&mut self, position: u64) {
        self.reached_in(position, PATIENCE).await;
    }

    async fn reached_in(&mut self, position: u64, patience: Duration) {
        let reached = self.progress.wait_for(|progress| progress.position >= position);
        tokio::time::timeout(patience, reached).await.expect("the worker is too slow").unwrap();
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap().unwrap();
    }
}

async fn posted(gate: &BalanceGate, number: u128, wanted: i64) {
    let told = async {
        while gate.amounts(account(number)).await.map(|amounts| amounts.posted) != Ok(nanos(wanted)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("the gate was not told");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worker_books_what_is_there_and_what_comes_and_tells_the_gate() {
    let house = House::new();
    let (store, log) = (house.ledger().await, house.log());
    let gate = BalanceGate::memory(GateOptions::default());
    gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
    let mut author = Author::new(1);
    append(&log, &[author.topup(account(1), "t", 100)]).await;
    let mut running = Running::start(&store, &log, Some(gate.clone()));
    running.reached(1).await;
    posted(&gate, 1, 100).await;

    let settle = SettleCommand {
        request_id: request(1),
        account_id: account(1),
        actual: nanos(30),
        tokens: 5,
        record: Bytes::from_static(b"record"),
    };
    gate.settle(Timestamp::now(), settle).await.unwrap();
    let position = append(&log, &[author.settled(account(1), request(1), 30)]).await;
    running.reached(position).await;
    posted(&gate, 1, 70).await;
    let amounts = gate.amounts(account(1)).await.unwrap();
    assert_eq!((amounts.pending, amounts.held), (NanoUsd::ZERO, NanoUsd::ZERO));
    assert_eq!(running.progress.borrow().watermarks[0].2, 2);
    running.stop().await;
}

/// There are more producers every day, and whoever waits for the books waits for its own.
#[tokio::test]
async fn a_worker_tells_the_watermarks_of_its_own_node_alone() {
    let house = House::new();
    let (store, log) = (house.ledger().await, house.log());
    let (mut own, mut other) = (Author::new(1), Author::new(2));
    append(&log, &[own.topup(account(1), "1", 1), other.topup(account(1), "2", 1)]).await;
    let nodes = |running: &Running| {
        let progress = running.progress.borrow();
        progress.watermarks.iter().map(|(producer, _, contiguous)| (*producer, *contiguous)).collect::<Vec<_>>()
    };
    let mut running = Running::start(&store, &log, None);
    running.reached(2).await;
    assert_eq!(nodes(&running), [(own.producer(), 1)], "of batches");
    running.stop().await;
    let mut running = Running::start(&store, &log, None);
    running.reached(2).await;
    assert_eq!(nodes(&running), [(own.producer(), 1)], "of the books as they are");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_opens_late_is_told_everything() {
    let house = House::new();
    let (store, log) = (house.ledger().await, house.log());
    let gate = BalanceGate::memory(GateOptions::default());
    let mut author = Author::new(1);
    let position = append(&log, &[author.topup(account(1), "t", 100), author.topup(account(2), "t", 7)]).await;
    let mut running = Running::start(&store, &log, Some(gate.clone()));
    running.reached(position).await;
    gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
    posted(&gate, 1, 100).await;
    posted(&gate, 2, 7).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_worker_says_again_what_the_books_hold() {
    let house = House::new();
    let (store, log) = (house.ledger().await, house.log());
    let mut author = Author::new(1);
    let payloads = [author.topup(account(1), "t", 100)];
    append(&log, &payloads).await;
    store.apply_batch(&entries_after(0, &payloads)).await.unwrap();
    let gate = BalanceGate::memory(GateOptions::default());
    gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
    let running = Running::start(&store, &log, Some(gate.clone()));
    posted(&gate, 1, 100).await;
    running.stop().await;
}

#[tokio::test]
async fn a_worker_halts_when_the_log_lost_its_end() {
    let house = House::new();
    let store = house.ledger().await;
    let mut author = Author::new(1);
    store.apply_batch(&entries_after(0, &[author.topup(account(1), "t", 100)])).await.unwrap();
    let running = Running::start(&store, &house.log(), None);
    assert!(matches!(running.task.await.unwrap(), Err(WorkerError::LogBehind { ledger: 1, log: 0 })));
}

/// It is as long as the books again, and longer.
#[tokio::test]
async fn a_worker_halts_when_the_log_has_another_event_than_the_books() {
    let house = House::new();
    let (store, log) = (house.ledger().await, house.log());
    let mut author = Author::new(1);
    let [kept, lost, other, later] = ["a", "b", "c", "d"].map(|id| author.topup(account(1), id, 100));
    append(&log, &[kept.clone(), other, later]).await;
    store.apply_batch(&entries_after(0, &[kept, lost])).await.unwrap();
    let running = Running::start(&store, &log, None);
    assert!(matches!(running.task.await.unwrap(), Err(WorkerError::LogDiffers(2))));
    assert_eq!(store.position().await.unwrap(), 2, "nothing behind it is booked");
}

#[tokio::test]
async fn a_worker_halts_when_a_checkpointed_head_is_another() {
    let house = House::new();
    let log = house.log();
    let heads = || HeadsLog::open(house.dir.path(), Access::ReadWrite).unwrap();
    let store = house.ledger().await.with_heads(heads());
    let mut author = Author::new(1);
    let payloads = [author.topup(account(1), "t", 100)];
    append(&log, &payloads).await;
    store.apply_batch(&entries_after(0, &payloads)).await.unwrap();
    house.vandalise("UPDATE ledger_entries SET head = zeroblob(32)").await;
    let running = Running::start(&store, &log, None);
    let halted = running.task.await.unwrap();
    assert!(matches!(halted, Err(WorkerError::Ledger(LedgerError::Checkpoint { ordinal: 1, .. }))), "{halted:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_on_one_ledger_book_everything_once() {
    let house = House::new();
    let log = house.log();
    let (one, two) = (house.ledger().await, house.ledger().await);
    let mut first = Running::start(&one, &log, None);
    let mut second = Running::start(&two, &log, None);
    let payloads = history(31, events_wanted(3_000));
    let mut position = 0;
    for chunk in payloads.chunks(97) {
        position = append(&log, chunk).await;
    }
    first.reached(position).await;
    second.reached(position).await;
    first.stop().await;
    second.stop().await;
    let report = audit(&one, &log, None, &mut |_| {}).await.unwrap();
    assert!(report.ok, "{:#?}", report.differences);
}

/// T1: however many book, and whatever batches they find, the rows and the heads are those of a replay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_or_sixteen_make_the_books_of_a_replay() {
    let house = House::new();
    let log = house.log();
    for chunk in history(34, events_wanted(2_000)).chunks(5_000) {
        append(&log, chunk).await;
    }
    let last = log.bounds().await.unwrap().last;
    let mut random = StdRng::seed_from_u64(34);
    let replayed = house.ledger_named("replayed.db").await;
    let expected = replay_in(&log, &replayed, None, &mut || random.random_range(1..=2_000), &mut |_| {}).await.unwrap();
    for workers in [1_usize, 4, 16] {
        let name = format!("workers{workers}.db");
        let mut running = Vec::new();
        for _ in 0..workers {
            running.push(Running::start(&house.ledger_named(&name).await, &log, None));
        }
        for worker in &mut running {
            worker.reached_in(last, PATIENCE * (1 + last as u32 / 50_000)).await;
        }
        for worker in running {
            worker.stop().await;
        }
        let store = house.ledger_named(&name).await;
        assert_eq!(store.heads().await.unwrap(), expected.heads, "{workers} workers");
        assert_eq!(store.digests().await.unwrap(), expected.digests, "{workers} workers");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standing_by_worker_takes_over_when_the_first_is_gone() {
    let house = House::new();
    let log = house.log();
    let (one, two) = (house.ledger().await, house.ledger().await);
    let mut author = Author::new(1);
    let mut first = Running::start(&one, &log, None);
    let position = append(&log, &[author.topup(account(1), "1", 1)]).await;
    first.reached(position).await;
    let mut second = Running::start(&two, &log, None);
    let payloads = history(33, 1_000);
    let mut position = position;
    for chunk in payloads.chunks(100) {
        position = append(&log, chunk).await;
    }
    first.reached(position).await;
    second.reached(position).await;
    first.stop().await;
    let position = append(&log, &[author.topup(account(1), "2", 1)]).await;
    second.reached(position).await;
    second.stop().await;
    let report = audit(&one, &log, None, &mut |_| {}).await.unwrap();
    assert!(report.ok, "{:#?}", report.differences);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_audit_beside_a_live_worker_finds_nothing() {
    let house = House::new();
    let log = house.log();
    let store = house.ledger().await.with_heads(HeadsLog::open(house.dir.path(), Access::ReadWrite).unwrap());
    let gate = BalanceGate::memory(GateOptions::default());
    gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
    let mut running = Running::start(&store, &log, Some(gate.clone()));
    let payloads = history(32, events_wanted(4_000));
    let writer = TaskTracker::new().spawn({
        let log = log.clone();
        async move {
            let mut last = 0;
            for chunk in payloads.chunks(13) {
                last = append(&log, chunk).await;
                tokio::task::yield_now().await;
            }
            last
        }
    });
    let mut audits = 0;
    while !writer.is_finished() || audits < 3 {
        let report = audit(&store, &log, Some(&gate), &mut |_| {}).await.unwrap();
        assert!(report.ok, "audit {audits}: {:#?}", report.differences);
        audits += 1;
    }
    running.reached(writer.await.unwrap()).await;
    let report = audit(&store, &log, Some(&gate), &mut |_| {}).await.unwrap();
    assert!(report.ok, "{:#?}", report.differences);
    running.stop().await;
}

/// T22: money only moves between accounts; at every read everything adds up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bank_keeps_its_sum_while_many_write() {
    let house = House::new();
    let log = log_in(&house.dir.path().join("log"));
    let store = house.ledger().await;
    let mut running = Running::start(&store, &log, None);
    let each = events_wanted(2_000) / 8;
    let writers: Vec<JoinHandle<u64>> = (0..8_u128)
        .map(|writer| {
            let log = log.clone();
            TaskTracker::new().spawn(async move {
                let mut author = Author::new(100 + writer);
                let mut random = StdRng::seed_from_u64(writer as u64);
                let mut last = 0;
                for number in 0..each as u128 {
                    let who = account(random.random_range(0..10));
                    let id = request(writer << 32 | number);
                    let amount = random.random_range(1..1_000);
                    let payloads = match random.random_range(0..3) {
                        0 => vec![author.topup(who, &format!("{writer}-{number}"), amount)],
                        1 => vec![author.settled(who, id, amount)],
                        _ => vec![author.settled(who, id, amount), author.refund(who, &format!("{writer}-{number}"), amount / 2 + 1, id)],
                    };
                    last = append(&log, &payloads).await;
                }
                last
            })
        })
        .collect();
    while !writers.iter().all(JoinHandle::is_finished) {
        let mut snapshot = store.snapshot().await.unwrap();
        let postings = snapshot.postings(0, u64::MAX >> 1).await.unwrap();
        let balances = snapshot.balances().await.unwrap();
        let sum = |code: Option<i64>| -> i128 {
            postings.iter().filter(|row| code.is_none_or(|code| row.account_code == code)).map(|row| i128::from(row.amount_nanos)).sum()
        };
        assert_eq!(sum(None), 0);
        assert_eq!(sum(Some(1)), balances.iter().map(|row| i128::from(row.balance_nanos)).sum::<i128>());
        assert!(balances.iter().all(|row| row.balance_nanos == row.credits_nanos - row.usage_nanos));
    }
    let mut last = 0;
    for writer in writers {
        last = last.max(writer.await.unwrap());
    }
    running.reached(last).await;
    running.stop().await;
    let report = audit(&store, &log, None, &mut |_| {}).await.unwrap();
    assert!(report.ok, "{:#?}", report.differences);
}
