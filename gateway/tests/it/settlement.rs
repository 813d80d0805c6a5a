//! How a request ends when its end cannot be written down at once, or not here.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eventlog::testing::{Loss, SimDisk};
use eventlog::{Disk, Durability, EventLog, LogOptions, ReadLimit, Recovery, Spool, SpoolOptions};
use gateway::settlement::{OpenRequest, ProgressRecord, Settlement};
use ledger::gate::{BalanceGate, GateOptions, GateState, RestoredHold};
use schemas::event::{Body, Event};
use schemas::{AccountId, Charge, KeyId, NanoUsd, RequestId, Timestamp};
use tokio::time::Instant;

use crate::books::settled;

const SPOOL: &str = "/spool";
const COST_NANOS: i64 = 50_000;

/// A gateway's settlement on a disk that fails when it is told to; the event log is on another.
struct Bench {
    disk: SimDisk,
    settlement: Arc<Settlement>,
    log: EventLog,
}

fn open_spool(disk: &SimDisk) -> (Spool, Recovery) {
    let options = SpoolOptions { durability: Durability::Disk, background_sync: None, ..SpoolOptions::default() };
    Spool::open(Arc::new(disk.clone()), Path::new(SPOOL), options).unwrap()
}

impl Bench {
    async fn open() -> Self {
        let disk = SimDisk::new();
        let (spool, _) = open_spool(&disk);
        let log_options = LogOptions { ack_unsynced: true, ..LogOptions::default() };
        let log = EventLog::open_segmented(Arc::new(SimDisk::new()), Path::new("/log"), log_options).unwrap();
        let gate = BalanceGate::memory(GateOptions::default());
        gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
        let settlement = Arc::new(Settlement::new(spool, log.clone(), gate));
        Self { disk, settlement, log }
    }

    /// A stream of which something was delivered.
    async fn stream(&self) -> OpenRequest {
        let (id, account, hold) = (RequestId::mint(), AccountId::SYSTEM, NanoUsd::from_nanos(COST_NANOS));
        let record = settled(id, "a/b", hold, KeyId::mint(), Timestamp::now()).request;
        let restored = RestoredHold {
            request_id: id,
            account_id: account,
            key_id: None,
            limit: None,
            hold,
            worst_case: hold,
            tokens: 0,
            admitted_at: Timestamp::now(),
            owner: self.settlement.spool.producer().node,
        };
        let mut open = self.settlement.accept(account, (restored, Instant::now()), record, 10).unwrap();
        open.take_accepted().unwrap().await.unwrap();
        open.checkpoint(&ProgressRecord {
            channel: "main".to_owned(),
            completion_tokens: 7,
            model: "a/b".to_owned(),
            price_version: "pv_1".to_owned(),
            prompt_tokens: 10,
            provider: "OpenAI".to_owned(),
        });
        open
    }

    fn newest_segment(&self) -> PathBuf {
        let mut names = self.disk.list(Path::new(SPOOL)).unwrap();
        names.retain(|name| name.ends_with(".seg"));
        // The last one is made ahead of its time.
        names.sort_unstable();
        Path::new(SPOOL).join(&names[0])
    }

    /// The ends in the spool.
    fn spooled(&self) -> Vec<Event> {
        let mut found = Vec::new();
        self.settlement.spool.unapplied(&mut |_, _, _, bytes| found.push(Event::decode(bytes).unwrap())).unwrap();
        found
    }

    async fn logged(&self) -> Vec<Event> {
        let entries = self.log.read(0, ReadLimit::default()).await.unwrap();
        entries.iter().map(|entry| Event::decode(&entry.payload).unwrap()).collect()
    }
}

fn charge(nanos: i64) -> Charge {
    Charge { total: NanoUsd::from_nanos(nanos), ..Charge::default() }
}

fn charged(event: &Event) -> Option<i64> {
    match &event.body {
        Body::UsageSettled(settled) => Some(settled.charge_nanos.nanos()),
        _ => None,
    }
}

#[tokio::test]
async fn an_end_that_is_refused_once_is_tried_again_and_charged() {
    let bench = Bench::open().await;
    let open = bench.stream().await;
    bench.disk.fail_next_write(&bench.newest_segment(), ErrorKind::StorageFull);
    let finished = open.settle(charge(COST_NANOS), false).await.unwrap();
    assert_eq!(finished.charge.nanos(), COST_NANOS);
    assert_eq!(bench.spooled().iter().map(charged).collect::<Vec<_>>(), [Some(COST_NANOS)]);
}

#[tokio::test(start_paused = true)]
async fn a_delivered_answer_whose_end_is_never_taken_is_not_given_away() {
    let bench = Bench::open().await;
    let open = bench.stream().await;
    let id = open.id();
    bench.disk.set_capacity(Some(0));
    let mut long = open;
    long.record.app_title = Some("x".repeat(40_000));
    // What was allocated ahead is used up first, but for less than the end needs.
    while bench.settlement.spool.progress(RequestId::mint(), &[b'x'; 30_000]).is_ok() {}
    assert!(long.settle(charge(COST_NANOS), false).await.is_err());
    assert!(bench.settlement.spool.is_healthy());
    assert_eq!(bench.spooled().len(), 0, "and it is not released either");
    let disk = bench.disk.clone();
    drop(bench);
    disk.set_capacity(None);
    disk.restart(Loss::Process);
    let (_, recovery) = open_spool(&disk);
    let left = recovery.unfinished.iter().find(|unfinished| unfinished.request == id).unwrap();
    assert!(left.progress.is_some(), "its checkpoint is charged at the next start");
}

#[tokio::test]
async fn a_stream_that_runs_when_the_disk_fails_is_charged_in_the_event_log() {
    let bench = Bench::open().await;
    let (first, second) = (bench.stream().await, bench.stream().await);
    bench.disk.fail_next_write(&bench.newest_segment(), ErrorKind::Other);
    first.settle(charge(COST_NANOS), false).await.unwrap();
    assert!(!bench.settlement.spool.is_healthy());
    second.settle(charge(2 * COST_NANOS), false).await.unwrap();
    let logged = bench.logged().await;
    assert_eq!(logged.iter().map(charged).collect::<Vec<_>>(), [Some(COST_NANOS), Some(2 * COST_NANOS)]);
    let numbers: Vec<u64> = logged.iter().map(|event| event.header.pseq).collect();
    assert_eq!(numbers, [1, 2], "their producer's sequence has no gap");
    assert_eq!(bench.spooled().len(), 0);
}

#[tokio::test]
async fn an_end_whose_sync_fails_is_made_safe_in_the_event_log() {
    let bench = Bench::open().await;
    let open = bench.stream().await;
    bench.disk.fail_sync_after(0);
    open.settle(charge(COST_NANOS), false).await.unwrap();
    assert!(!bench.settlement.spool.is_healthy());
    assert_eq!(bench.logged().await.iter().map(charged).collect::<Vec<_>>(), [Some(COST_NANOS)]);
}
