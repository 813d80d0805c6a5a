//! The reaper: orphans end in the log first, due grants once, and a failed append is repeated as it was.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use eventlog::disk::SimDisk;
use eventlog::{Entry, EventLog, LogOptions, ReadLimit};
use ledger::gate::{BalanceGate, GateOptions, GateState, ReserveCommand};
use ledger::reaper::{Clock, DueGrant, DueGrants, Reaped, Reaper, ReaperOptions};
use parking_lot::Mutex;
use schemas::{AccountId, BootId, Event, NanoUsd, NodeId, Producer, RequestId, Timestamp};
use tokio_util::sync::CancellationToken;

const START: Timestamp = Timestamp::from_micros(1_795_392_000_000_000);

/// A gate, a log on a simulated disk and a clock that stands until it is moved.
struct House {
    gate: BalanceGate,
    disk: SimDisk,
    log: EventLog,
    clock: Arc<AtomicI64>,
    due: Arc<Mutex<Vec<DueGrant>>>,
}

impl House {
    async fn new() -> Self {
        let disk = SimDisk::new();
        // Small segments, so that a batch needs new space on the disk.
        let options = LogOptions { segment_bytes: 2_048, ..LogOptions::default() };
        let log = EventLog::open_segmented(Arc::new(disk.clone()), Path::new("/log"), options).unwrap();
        let gate = BalanceGate::memory(GateOptions::default());
        gate.rebuild(START, GateState::default()).await.unwrap();
        Self { gate, disk, log, clock: Arc::new(AtomicI64::new(START.micros())), due: Arc::default() }
    }

    fn reaper(&self, options: ReaperOptions) -> Reaper {
        let due = self.due.clone();
        let due: DueGrants = Arc::new(move |_, limit| {
            let grants: Vec<DueGrant> = due.lock().iter().take(limit).cloned().collect();
            Box::pin(async move { Ok(grants) })
        });
        self.reaper_of(due, options)
    }

    fn reaper_of(&self, due: DueGrants, options: ReaperOptions) -> Reaper {
        let producer = Producer { node: NodeId::mint(), boot: BootId::mint() };
        let clock = self.clock.clone();
        let clock: Clock = Arc::new(move || Timestamp::from_micros(clock.load(Ordering::Relaxed)));
        Reaper::new(self.gate.clone(), self.log.clone(), producer, due, clock, options)
    }

    fn advance(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// Holds money for a free request of an account, as a gateway that then dies.
    async fn orphan(&self, account_id: AccountId) -> RequestId {
        let request_id = RequestId::mint();
        let command = ReserveCommand {
            request_id,
            account_id,
            key: None,
            account_rates: Default::default(),
            free: None,
            hold: NanoUsd::ZERO,
            minimum: NanoUsd::ZERO,
            worst_case: NanoUsd::ZERO,
            overdraft_max: NanoUsd::ZERO,
            tokens: 0,
            admitted_at: START,
            owner: NodeId::mint(),
        };
        self.gate.reserve(START, command).await.unwrap();
        request_id
    }

    async fn holds(&self) -> u64 {
        self.gate.snapshot().await.unwrap().holds
    }

    async fn events(&self) -> Vec<Event> {
        let read = self.log.read(0, ReadLimit::default()).await.unwrap();
        read.iter().map(|Entry { payload, .. }| Event::decode(payload).unwrap()).collect()
    }
}

#[tokio::test]
async fn an_orphan_ends_in_the_log_and_then_at_the_gate() {
    let house = House::new().await;
    let orphan = house.orphan(AccountId::mint()).await;
    let mut reaper = house.reaper(ReaperOptions::default());
    assert_eq!(reaper.round().await.unwrap(), Reaped::default());
    house.advance(66);
    assert_eq!(reaper.round().await.unwrap(), Reaped { holds: 1, grants: 0, full: false });
    assert_eq!(reaper.round().await.unwrap(), Reaped::default());
    let events = house.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].body.kind(), events[0].body.request_id()), ("hold.expired", Some(orphan)));
    assert_eq!(events[0].header.id, format!("{}:expired", orphan.uuid().hyphenated()));
    assert_eq!(house.holds().await, 0);
}

#[tokio::test]
async fn a_hold_stays_while_the_log_is_full_and_its_event_keeps_its_sequence() {
    let house = House::new().await;
    let accounts: Vec<AccountId> = (0..20).map(|_| AccountId::mint()).collect();
    for account in &accounts {
        house.orphan(*account).await;
    }
    house.advance(66);
    let mut reaper = house.reaper(ReaperOptions { batch_max: 8, ..ReaperOptions::default() });
    house.disk.set_capacity(Some(0));
    for _ in 0..3 {
        assert!(reaper.round().await.is_err());
    }
    assert_eq!(house.holds().await, 20, "what the log has not is not ended");
    house.disk.set_capacity(None);
    // The log may say once more that it was full; nobody is told how often.
    let mut rounds = 0;
    while house.holds().await > 0 {
        rounds += 1;
        assert!(rounds < 100, "the reaper gave up");
        drop(reaper.round().await);
    }
    let mut sequences: Vec<(u16, u64)> = house.events().await.iter().map(|event| (event.header.partition(), event.header.pseq)).collect();
    sequences.sort_unstable();
    sequences.dedup();
    assert_eq!(sequences.len(), 20, "no sequence is used twice");
    let gapless = |pair: &[(u16, u64)]| if pair[0].0 == pair[1].0 { pair[1].1 == pair[0].1 + 1 } else { pair[1].1 == 1 };
    assert!(sequences[0].1 == 1 && sequences.windows(2).all(gapless), "none is missing: {sequences:?}");
}

#[tokio::test]
async fn a_due_grant_is_announced_once_while_the_ledger_still_names_it() {
    let house = House::new().await;
    let grant = |name: &str| DueGrant { account_id: AccountId::SYSTEM, grant_id: name.to_owned(), expires_at: START };
    *house.due.lock() = vec![grant("credit:a:welcome"), grant("credit:b:welcome")];
    let mut reaper = house.reaper(ReaperOptions::default());
    assert_eq!(reaper.round().await.unwrap().grants, 2);
    assert_eq!(reaper.round().await.unwrap().grants, 0);
    house.due.lock().push(grant("credit:c:welcome"));
    assert_eq!(reaper.round().await.unwrap().grants, 1);
    let ids: Vec<String> = house.events().await.into_iter().map(|event| event.header.id).collect();
    assert_eq!(ids, ["grant_expired:credit:a:welcome", "grant_expired:credit:b:welcome", "grant_expired:credit:c:welcome"]);
}

/// Or the books would refuse the expiry as not due, and what is left of the grant could be spent for ever.
#[tokio::test]
async fn a_grant_that_was_due_expires_though_the_clock_steps_back_meanwhile() {
    let house = House::new().await;
    let due = DueGrant { account_id: AccountId::SYSTEM, grant_id: "credit:a:welcome".to_owned(), expires_at: START };
    let clock = house.clock.clone();
    let stepping: DueGrants = Arc::new(move |now, _| {
        clock.fetch_sub(5_000_000, Ordering::Relaxed);
        let due = due.clone();
        Box::pin(async move { Ok(if due.expires_at <= now { vec![due] } else { Vec::new() }) })
    });
    assert_eq!(house.reaper_of(stepping, ReaperOptions::default()).round().await.unwrap().grants, 1);
    // The one who says what is due may also have another clock.
    let ahead = DueGrant { account_id: AccountId::SYSTEM, grant_id: "credit:b:welcome".to_owned(), expires_at: START.plus_micros(7) };
    house.due.lock().push(ahead);
    assert_eq!(house.reaper(ReaperOptions::default()).round().await.unwrap().grants, 1);
    let times: Vec<Timestamp> = house.events().await.into_iter().map(|event| event.header.time).collect();
    assert_eq!(times, [START, START.plus_micros(7)]);
}

#[tokio::test]
async fn a_closed_gate_does_not_keep_grants_from_expiring() {
    let mut house = House::new().await;
    house.gate = BalanceGate::memory(GateOptions::default());
    house.due.lock().push(DueGrant { account_id: AccountId::SYSTEM, grant_id: "credit:a:welcome".to_owned(), expires_at: START });
    assert_eq!(house.reaper(ReaperOptions::default()).round().await.unwrap().grants, 1);
}

#[tokio::test]
async fn it_runs_every_period_until_it_is_cancelled() {
    let house = House::new().await;
    let cancel = CancellationToken::new();
    let reaper = house.reaper(ReaperOptions { period: Duration::from_millis(5), batch_max: 3 });
    let running = reaper.run(cancel.clone());
    let watching = async {
        let accounts: Vec<AccountId> = (0..10).map(|_| AccountId::mint()).collect();
        for account in accounts {
            house.orphan(account).await;
        }
        house.advance(66);
        house.log.wait_past(9).await;
        cancel.cancel();
    };
    tokio::join!(running, watching);
    assert_eq!(house.holds().await, 0, "full rounds follow each other at once");
}
