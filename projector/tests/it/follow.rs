//! The worker and the replay, on a real event log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::{EventLog, FileDisk, LogOptions, Message};
use projector::replay::{ReplayError, ReplayOptions, replay};
use projector::worker::{self, WorkerError};
use projector::{Access, AnalyticsStore};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::home::{Engine, empty_store, on_both_engines};
use crate::sample::{Traffic, entries};
use crate::store::MONDAY;
use crate::truth::{tables_in, tables_of};

on_both_engines! {
    the_worker_follows_the_log_and_leaves_fresh_tables,
    derived_tables_become_fresh_while_the_worker_waits,
    a_log_that_lost_its_end_stops_the_worker,
    a_log_that_has_another_event_there_stops_the_worker,
    replays_agree_whatever_the_batches_and_interruptions,
    one_projector_or_sixteen_make_the_tables_of_a_replay,
    a_replay_into_a_used_store_or_past_the_end_is_refused,
}

const PATIENCE: Duration = Duration::from_secs(30);

fn log_in(dir: &Path) -> EventLog {
    EventLog::open_segmented(Arc::new(FileDisk), dir, LogOptions { segment_bytes: 256 * 1024, ..LogOptions::default() }).unwrap()
}

pub async fn append(log: &EventLog, events: &[Vec<u8>]) {
    let message = |event: &Vec<u8>| Message { id: "any".into(), partition: 0, payload: Bytes::copy_from_slice(event) };
    log.append(events.iter().map(message).collect()).await.unwrap();
}

pub async fn filled_log(events: &[Vec<u8>]) -> (TempDir, EventLog) {
    let dir = tempfile::tempdir().unwrap();
    let log = log_in(dir.path());
    append(&log, events).await;
    (dir, log)
}

/// A worker in this test's own task: it runs while `until` does.
pub async fn work_until<T>(store: &AnalyticsStore, log: &EventLog, until: impl AsyncFnOnce(watch::Receiver<u64>) -> T) -> T {
    let (progress, watched) = watch::channel(0);
    let cancel = CancellationToken::new();
    let work = worker::run(store.clone(), log.clone(), progress, cancel.clone());
    let watching = async {
        let result = timeout(PATIENCE, until(watched)).await.expect("the worker is too slow");
        cancel.cancel();
        result
    };
    let (worked, result) = tokio::join!(work, watching);
    worked.unwrap();
    result
}

async fn the_worker_follows_the_log_and_leaves_fresh_tables(engine: Engine) {
    let events = Traffic::new(1).log(3_000, MONDAY, 30);
    let (first, rest) = events.split_at(2_500);
    let (_log_dir, log) = filled_log(first).await;
    let (home, store) = empty_store(engine).await;
    work_until(&store, &log, async |mut position| {
        position.wait_for(|position| *position == 2_500).await.unwrap();
        append(&log, rest).await;
        position.wait_for(|position| *position == 3_000).await.unwrap();
    })
    .await;
    if engine == Engine::ClickHouse {
        // Its refresh at shutdown may be cut short on a busy machine.
        store.refresh().await.unwrap();
    }
    assert_eq!(store.dirty_count().await.unwrap(), 0);
    assert_eq!(tables_in(&home).await, tables_of(&events));

    // Started again, it goes on where it stood.
    let more = Traffic::new(2).log(100, MONDAY, 30);
    append(&log, &more).await;
    work_until(&store, &log, async |mut position| {
        position.wait_for(|position| *position == 3_100).await.unwrap();
    })
    .await;
    store.refresh().await.unwrap();
    assert_eq!(tables_in(&home).await, tables_of(&[events, more].concat()));
}

async fn derived_tables_become_fresh_while_the_worker_waits(engine: Engine) {
    let events = Traffic::new(3).log(50, MONDAY, 2);
    let (_log_dir, log) = filled_log(&events).await;
    let (_dir, store) = empty_store(engine).await;
    let reader = store.clone();
    work_until(&store, &log, async |mut position| {
        position.wait_for(|position| *position == 50).await.unwrap();
        while reader.dirty_count().await.unwrap() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

async fn a_log_that_lost_its_end_stops_the_worker(engine: Engine) {
    let events = Traffic::new(4).log(20, MONDAY, 2);
    let (_log_dir, log) = filled_log(&events[..10]).await;
    let (_dir, store) = empty_store(engine).await;
    store.project(&entries(&events)).await.unwrap();
    let (progress, _watched) = watch::channel(0);
    let error = worker::run(store, log, progress, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, WorkerError::LogBehind { store: 20, log: 10 }), "{error}");
}

/// It is as long as the tables again, and longer.
async fn a_log_that_has_another_event_there_stops_the_worker(engine: Engine) {
    let events = Traffic::new(7).log(30, MONDAY, 2);
    let (_log_dir, log) = filled_log(&events[..10]).await;
    let (_dir, store) = empty_store(engine).await;
    work_until(&store, &log, async |mut position| position.wait_for(|position| *position == 10).await.map(|_| ()).unwrap()).await;
    work_until(&store, &log, async |_| ()).await;
    let others: Vec<Vec<u8>> = events[..9].iter().chain(&events[20..]).cloned().collect();
    let (_other_dir, other) = filled_log(&others).await;
    let (progress, _watched) = watch::channel(0);
    let error = worker::run(store, other, progress, CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, WorkerError::LogDiffers(10)), "{error}");
}

async fn replays_agree_whatever_the_batches_and_interruptions(engine: Engine) {
    let events = Traffic::new(5).log(2_000, MONDAY, 60);
    let (_log_dir, log) = filled_log(&events).await;
    let (home, live) = empty_store(engine).await;
    work_until(&live, &log, async |mut position| {
        position.wait_for(|position| *position == 2_000).await.unwrap();
    })
    .await;
    let expected = live.snapshot_digests().await.unwrap();
    assert_eq!(tables_in(&home).await, tables_of(&events));

    let mut rng = StdRng::seed_from_u64(6);
    for _ in 0..3 {
        let (_dir, store) = empty_store(engine).await;
        let options = ReplayOptions { batch: rng.random_range(1..700), ..ReplayOptions::default() };
        let mut steps = Vec::new();
        let report = replay(&log, &store, options, &mut |step| steps.push(step.position)).await.unwrap();
        assert_eq!((report.events, &report.digests), (2_000, &expected), "batches of {}", options.batch);
        assert!(steps.is_sorted() && steps.last() == Some(&2_000));
    }

    // Interrupted at a position, then by losing the process, then finished.
    let (home, store) = empty_store(engine).await;
    let part = ReplayOptions { to_position: Some(777), batch: 100, resume: false };
    assert_eq!(replay(&log, &store, part, &mut |_| ()).await.unwrap().digests.position, 777);
    drop(store);
    let store = home.open(Access::ReadWrite).await;
    let further = ReplayOptions { to_position: None, batch: 64, resume: true };
    let mut ignore = |_| ();
    let interrupted = tokio::select! {
        _ = replay(&log, &store, further, &mut ignore) => false,
        () = async { while store.position().await.unwrap() < 1_000 { tokio::task::yield_now().await } } => true,
    };
    assert!(interrupted);
    let report = replay(&log, &store, further, &mut |_| ()).await.unwrap();
    assert!(report.events < 1_300);
    assert_eq!(report.digests, expected);
}

async fn one_projector_or_sixteen_make_the_tables_of_a_replay(engine: Engine) {
    let wanted = events_wanted(1_500);
    let events = Traffic::new(8).log(wanted, MONDAY, 60);
    let (_log_dir, log) = filled_log(&events).await;
    let (_home, replayed) = empty_store(engine).await;
    let options = ReplayOptions { batch: StdRng::seed_from_u64(8).random_range(500..20_000), ..ReplayOptions::default() };
    let expected = replay(&log, &replayed, options, &mut |_| ()).await.unwrap().digests;
    // Sixteen on one small ClickHouse take a minute: the long proof has them.
    let many = if engine == Engine::Sqlite || std::env::var_os(EVENTS_VARIABLE).is_some() { 16 } else { 2 };
    for projectors in [1, 4, many] {
        let (home, store) = empty_store(engine).await;
        let cancel = CancellationToken::new();
        let tracker = TaskTracker::new();
        let mut running = Vec::new();
        for _ in 0..projectors {
            let (progress, watched) = watch::channel(0);
            let task = tracker.spawn(worker::run(home.open(Access::ReadWrite).await, log.clone(), progress, cancel.clone()));
            running.push((watched, task));
        }
        for (watched, _) in &mut running {
            let reached = watched.wait_for(|position| *position >= wanted as u64);
            timeout(PATIENCE * (1 + wanted as u32 / 20_000), reached).await.expect("a projector is too slow").unwrap();
        }
        cancel.cancel();
        for (_, task) in running {
            task.await.unwrap().unwrap();
        }
        assert_eq!(store.snapshot_digests().await.unwrap(), expected, "{projectors} projectors");
    }
}

/// Raises how many events the proof has, and how many projectors.
const EVENTS_VARIABLE: &str = "TOLLGATE_TEST_EVENTS";

fn events_wanted(default: usize) -> usize {
    std::env::var(EVENTS_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn a_replay_into_a_used_store_or_past_the_end_is_refused(engine: Engine) {
    let events = Traffic::new(7).log(20, MONDAY, 2);
    let (_log_dir, log) = filled_log(&events).await;
    let (_dir, store) = empty_store(engine).await;
    let beyond = ReplayOptions { to_position: Some(21), ..ReplayOptions::default() };
    assert!(matches!(replay(&log, &store, beyond, &mut |_| ()).await, Err(ReplayError::Beyond { wanted: 21, last: 20 })));
    store.project(&entries(&events[..3])).await.unwrap();
    let error = replay(&log, &store, ReplayOptions::default(), &mut |_| ()).await.unwrap_err();
    assert!(matches!(error, ReplayError::NotEmpty(3)), "{error}");
}
