//! How fast records are appended, and how long an event takes to the log: `cargo bench -p tollgate-eventlog`.
//!
//! Runs on the folder in `TOLLGATE_BENCH_DIR`, else on the system's temporary folder, which should be a real disk.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program for people: it prints, and stops at the first failure")]

#[path = "append/jetstream.rs"]
mod jetstream;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::{Durability, EventLog, FileDisk, LogOptions, Message, ReadLimit, Shipper, ShipperOptions, Spool, SpoolOptions};
use schemas::RequestId;
use tokio_util::sync::CancellationToken;

/// About what a settled request's event takes.
const EVENT_BYTES: usize = 1_000;
const RUN: Duration = Duration::from_secs(2);

fn main() {
    let root = std::env::var_os("TOLLGATE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let dir = tempfile::tempdir_in(root).unwrap();
    println!("folder {}, events of {EVENT_BYTES} bytes", dir.path().display());
    sync_cost(dir.path());
    append_process(dir.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for appenders in [1, 16, 64, 256] {
        runtime.block_on(append_disk(dir.path(), appenders));
    }
    for batch in [1, 100, 1_000] {
        runtime.block_on(append_log(dir.path(), batch));
    }
    for durability in [Durability::Process, Durability::Disk] {
        runtime.block_on(ship(dir.path(), durability));
    }
    runtime.block_on(jetstream::measure(dir.path()));
}

fn event() -> Vec<u8> {
    let mut bytes = b"{\"id\":\"a-request:settled\",\"data\":\"".to_vec();
    bytes.resize(EVENT_BYTES - 2, b'x');
    bytes.extend_from_slice(b"\"}");
    bytes
}

fn open_spool(dir: &Path, durability: Durability) -> Spool {
    let folder = tempfile::tempdir_in(dir).unwrap().keep();
    Spool::open(Arc::new(FileDisk), &folder, SpoolOptions { durability, ..SpoolOptions::default() }).unwrap().0
}

/// What the disk itself takes for a sync, into space that was zeroed before and into a growing file.
fn sync_cost(dir: &Path) {
    use std::os::unix::fs::FileExt;
    for (name, zeroed) in [("zeroed ahead", true), ("growing", false)] {
        let file = std::fs::File::create(dir.join(name)).unwrap();
        if zeroed {
            file.write_all_at(&vec![0; 4 << 20], 0).unwrap();
            file.sync_data().unwrap();
        }
        let (started, mut syncs) = (Instant::now(), 0);
        while started.elapsed() < RUN / 2 && syncs < 4_000 {
            file.write_all_at(&event(), syncs * EVENT_BYTES as u64).unwrap();
            file.sync_data().unwrap();
            syncs += 1;
        }
        println!("fdatasync, file {name:<13} {:>9.0} µs each", micros(started.elapsed()) / syncs as f64);
    }
}

/// The request path under `process`: an accepted record and a terminal, on one thread and on two.
fn append_process(dir: &Path) {
    for threads in [1, 2] {
        let spool = open_spool(dir, Durability::Process);
        let started = Instant::now();
        let counts: Vec<u64> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..threads).map(|_| scope.spawn(|| append_requests(&spool, started))).collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).collect()
        });
        let records = 2 * counts.iter().sum::<u64>();
        report(&format!("spool, process, {threads} threads"), records, started.elapsed());
    }
}

fn append_requests(spool: &Spool, started: Instant) -> u64 {
    let mut requests = 0;
    while started.elapsed() < RUN && requests < 400_000 {
        let request = RequestId::mint();
        drop(spool.accepted(request, &[7; 200]).unwrap());
        drop(spool.terminal(Some(request), 3, |_, _| Ok(event())).unwrap());
        requests += 1;
    }
    requests
}

/// Terminals under `disk`, each appender waiting for its own before the next.
async fn append_disk(dir: &Path, appenders: usize) {
    let spool = open_spool(dir, Durability::Disk);
    let started = Instant::now();
    let tasks: Vec<_> = (0..appenders)
        .map(|_| {
            let spool = spool.clone();
            async move {
                let mut records = 0;
                while started.elapsed() < RUN {
                    spool.terminal(None, 3, |_, _| Ok(event())).unwrap().1.await.unwrap();
                    records += 1;
                }
                records
            }
        })
        .collect();
    let records: u64 = futures_util::future::join_all(tasks).await.into_iter().sum();
    report(&format!("spool, disk, {appenders} waiting"), records, started.elapsed());
}

async fn append_log(dir: &Path, batch: usize) {
    let folder = tempfile::tempdir_in(dir).unwrap().keep();
    let log = EventLog::open_segmented(Arc::new(FileDisk), &folder, LogOptions::default()).unwrap();
    let messages: Vec<_> = (0..batch).map(|_| Message { id: String::new(), partition: 0, payload: event().into() }).collect();
    let (started, mut records) = (Instant::now(), 0);
    while started.elapsed() < RUN && records < 300_000 {
        log.append(messages.clone()).await.unwrap();
        records += batch as u64;
    }
    report(&format!("log, disk, batches of {batch}"), records, started.elapsed());
    let (started, mut after) = (Instant::now(), 0);
    loop {
        let entries = log.read(after, ReadLimit::default()).await.unwrap();
        let Some(last) = entries.last() else { break };
        after = last.position;
    }
    report(&format!("log, read, batches of {batch}"), after, started.elapsed());
}

/// From the append of a terminal until a reader of the log has its bytes, one at a time.
async fn ship(dir: &Path, durability: Durability) {
    let spool = open_spool(dir, durability);
    let folder = tempfile::tempdir_in(dir).unwrap().keep();
    let options = LogOptions { ack_unsynced: durability == Durability::Process, ..LogOptions::default() };
    let log = EventLog::open_segmented(Arc::new(FileDisk), &folder, options).unwrap();
    let cancel = CancellationToken::new();
    let shipper = Shipper::new(spool.clone(), log.clone(), Arc::new(|| Box::pin(async { Default::default() })), ShipperOptions::default());
    let measuring = async {
        let mut lags = Vec::new();
        for position in 0..500 {
            let started = Instant::now();
            drop(spool.terminal(None, 3, |_, _| Ok(event())).unwrap());
            log.wait_past(position).await;
            let entries: Vec<Bytes> =
                log.read(position, ReadLimit::default()).await.unwrap().into_iter().map(|entry| entry.payload).collect();
            lags.push(micros(started.elapsed()));
            assert_eq!(entries.len(), 1);
        }
        cancel.cancel();
        lags.sort_unstable_by(f64::total_cmp);
        println!("spool to reader, {durability:?}: p50 {:.0} µs, p99 {:.0} µs", lags[250], lags[495]);
    };
    let (stopped, ()) = tokio::join!(shipper.run(cancel.clone()), measuring);
    stopped.unwrap();
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn report(what: &str, records: u64, took: Duration) {
    println!("{what:<32} {:>9.0} records/s {:>8.2} µs each", records as f64 / took.as_secs_f64(), micros(took) / records as f64);
}
