//! From the spool to the log, whatever happens in between.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use eventlog::testing::{CrashPoint, Loss, SimDisk};
use eventlog::{Applied, AppliedSource, Booked, Durability, EventLog, LogOptions, Shipper, ShipperOptions, Spool};
use parking_lot::Mutex;
use schemas::Partition;
use tokio_util::sync::CancellationToken;

use crate::scene::{number_of, numbers, open_spool, payload, read_all, sim, small_log, within, write_terminal};

const LOG_DIR: &str = "/data/log";

fn open_log(disk: &SimDisk, options: LogOptions) -> EventLog {
    EventLog::open_segmented(sim(disk), Path::new(LOG_DIR), options).unwrap()
}

/// A ledger that has applied what it is told, and read the log to where it is told.
#[derive(Clone, Default)]
struct Ledger {
    position: Arc<AtomicU64>,
    applied: Arc<Mutex<Vec<Applied>>>,
}

impl Ledger {
    fn source(&self) -> AppliedSource {
        let (position, applied) = (Arc::clone(&self.position), Arc::clone(&self.applied));
        Arc::new(move || {
            let now = Booked { position: position.load(Ordering::SeqCst), applied: applied.lock().clone() };
            Box::pin(async move { now })
        })
    }
}

fn shipper(spool: &Spool, log: &EventLog, ledger: &Ledger) -> Shipper {
    let options = ShipperOptions { batch_events_max: 10, release_interval: Duration::from_millis(5), ..ShipperOptions::default() };
    Shipper::new(spool.clone(), log.clone(), ledger.source(), options)
}

fn shipper_that_resends(spool: &Spool, log: &EventLog, ledger: &Ledger, resend_after: Duration) -> Shipper {
    let options = ShipperOptions { release_interval: Duration::from_millis(5), resend_after, ..ShipperOptions::default() };
    Shipper::new(spool.clone(), log.clone(), ledger.source(), options)
}

/// Runs a shipper while something else happens, then stops it and lets it ship what is left.
async fn ship_during<T>(shipper: Shipper, during: impl Future<Output = T>) -> T {
    let cancel = CancellationToken::new();
    let running = shipper.run(cancel.clone());
    let meanwhile = async {
        let result = during.await;
        cancel.cancel();
        result
    };
    let (stopped, result) = within(async { tokio::join!(running, meanwhile) }).await;
    stopped.unwrap();
    result
}

#[tokio::test]
async fn terminals_reach_the_log_in_order_with_the_same_bytes() {
    let disk = SimDisk::new();
    let (spool, _) = open_spool(&disk, Durability::Disk);
    let log = open_log(&disk, small_log());
    let during = async {
        for number in 1..=100 {
            write_terminal(&spool, None, 0, number).await;
        }
        log.wait_past(99).await;
    };
    ship_during(shipper(&spool, &log, &Ledger::default()), during).await;
    assert_eq!(numbers(&read_all(&log).await), (1..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_earlier_lives_left_is_shipped_first_and_what_is_applied_is_not_shipped_again() {
    let disk = SimDisk::new();
    let mut producers = Vec::new();
    for life in 0..3 {
        let (spool, recovery) = open_spool(&disk, Durability::Disk);
        producers.push(recovery.producer);
        for number in life * 20 + 1..=life * 20 + 20 {
            write_terminal(&spool, None, 4, number).await;
        }
    }
    let (spool, _) = open_spool(&disk, Durability::Disk);
    write_terminal(&spool, None, 4, 61).await;
    let ledger = Ledger::default();
    *ledger.applied.lock() = vec![(producers[0], 4, 20), (producers[1], 4, 5)];
    let log = open_log(&disk, small_log());
    ship_during(shipper(&spool, &log, &ledger), log.wait_past(35)).await;
    assert_eq!(numbers(&read_all(&log).await), (26..=61).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_log_that_refuses_gets_the_same_events_again_until_it_takes_them() {
    let disk = SimDisk::new();
    let log_disk = SimDisk::new();
    let (spool, _) = open_spool(&disk, Durability::Disk);
    let log = open_log(&log_disk, small_log());
    log_disk.set_capacity(Some(4_096));
    let during = async {
        for number in 1..=60 {
            write_terminal(&spool, None, 0, number).await;
        }
        tokio::time::timeout(Duration::from_millis(200), log.wait_past(59)).await.unwrap_err();
        log_disk.set_capacity(None);
        log.wait_past(59).await;
    };
    ship_during(shipper(&spool, &log, &Ledger::default()), during).await;
    let mut shipped: Vec<u64> = read_all(&log).await.iter().map(|entry| number_of(&entry.payload)).collect();
    // Repeated batches may repeat events; without them every event is there once, in order.
    shipped.sort_unstable();
    shipped.dedup();
    assert_eq!(shipped, (1..=60).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_the_log_lost_after_it_had_acknowledged_it_is_sent_again_and_nothing_else() {
    let disk = SimDisk::new();
    let (spool, recovery) = open_spool(&disk, Durability::Disk);
    let log = open_log(&disk, small_log());
    let ledger = Ledger::default();
    let resend_after = Duration::from_millis(60);
    let shipper = shipper_that_resends(&spool, &log, &ledger, resend_after);
    let during = async {
        for number in 1..=9 {
            write_terminal(&spool, None, 0, number).await;
        }
        log.wait_past(8).await;
        // Books that have not come that far miss nothing.
        *ledger.applied.lock() = vec![(recovery.producer, 0, 4)];
        tokio::time::timeout(4 * resend_after, log.wait_past(9)).await.unwrap_err();
        // Now they have, and from the fifth on nothing was there.
        ledger.position.store(9, Ordering::SeqCst);
        log.wait_past(9).await;
        *ledger.applied.lock() = vec![(recovery.producer, 0, 9)];
        // All that is sent from now on was under way already.
        tokio::time::sleep(2 * resend_after).await;
        let end = log.bounds().await.unwrap().last;
        ledger.position.store(end, Ordering::SeqCst);
        tokio::time::timeout(6 * resend_after, log.wait_past(end)).await.unwrap_err();
    };
    ship_during(shipper, during).await;
    let shipped = numbers(&read_all(&log).await);
    assert_eq!(shipped[..9], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(shipped[9] == 5 && shipped[9..].iter().all(|number| *number >= 5), "{shipped:?}");
}

#[tokio::test]
async fn a_life_that_was_applied_and_released_lost_nothing() {
    let disk = SimDisk::new();
    let (spool, before) = open_spool(&disk, Durability::Disk);
    for number in 1..=5 {
        write_terminal(&spool, None, 0, number).await;
    }
    drop(spool);
    let (spool, recovery) = open_spool(&disk, Durability::Disk);
    write_terminal(&spool, None, 0, 6).await;
    let log = open_log(&disk, small_log());
    let ledger = Ledger::default();
    let resend_after = Duration::from_millis(40);
    let shipper = shipper_that_resends(&spool, &log, &ledger, resend_after);
    let during = async {
        log.wait_past(5).await;
        // The earlier life is released with this, and no longer held.
        *ledger.applied.lock() = vec![(before.producer, 0, 5), (recovery.producer, 0, 1)];
        ledger.position.store(6, Ordering::SeqCst);
        tokio::time::timeout(4 * resend_after, log.wait_past(6)).await.unwrap_err();
        // What is lost after that is found all the same.
        for number in 7..=9 {
            write_terminal(&spool, None, 0, number).await;
        }
        log.wait_past(8).await;
        ledger.position.store(9, Ordering::SeqCst);
        log.wait_past(9).await;
    };
    ship_during(shipper, during).await;
    let shipped = numbers(&read_all(&log).await);
    assert_eq!(shipped[..10], [1, 2, 3, 4, 5, 6, 7, 8, 9, 7], "{shipped:?}");
}

#[tokio::test]
async fn the_spool_shrinks_as_the_ledger_applies() {
    let disk = SimDisk::new();
    let (spool, recovery) = open_spool(&disk, Durability::Disk);
    let log = open_log(&disk, small_log());
    let ledger = Ledger::default();
    let during = async {
        for number in 1..=100 {
            write_terminal(&spool, None, 0, number).await;
        }
        log.wait_past(99).await;
        let before = spool.usage().bytes;
        *ledger.applied.lock() = vec![(recovery.producer, 0, 100)];
        while spool.usage().bytes > before / 4 {
            tokio::task::yield_now().await;
        }
    };
    ship_during(shipper(&spool, &log, &ledger), during).await;
    assert_eq!(spool.usage().unapplied_events, 0);
}

#[tokio::test]
async fn under_log_durability_a_shipped_terminal_is_safe_and_the_log_is_no_longer_behind() {
    let disk = SimDisk::new();
    let (spool, _) = open_spool(&disk, Durability::Log { ack_timeout: Duration::from_secs(15) });
    let log = open_log(&disk, small_log());
    let during = async {
        write_terminal(&spool, None, 0, 1).await;
        assert_eq!(numbers(&read_all(&log).await), [1]);
        assert!(!spool.is_log_behind());
    };
    ship_during(shipper(&spool, &log, &Ledger::default()), during).await;
}

#[tokio::test]
async fn under_log_durability_a_terminal_is_not_safe_before_the_log_has_it() {
    let disk = SimDisk::new();
    let log_disk = SimDisk::new();
    let (spool, _) = open_spool(&disk, Durability::Log { ack_timeout: Duration::from_secs(60) });
    let log = open_log(&log_disk, small_log());
    // Longer than the log has room for at once.
    let event = format!("{{\"id\":\"long\",\"x\":\"{}\"}}", "y".repeat(6_000)).into_bytes();
    let during = async {
        write_terminal(&spool, None, 0, 1).await;
        log_disk.set_capacity(Some(0));
        let (_, mut durable) = spool.terminal(None, 0, |_, _| Ok(event.clone())).unwrap();
        tokio::time::timeout(Duration::from_millis(300), &mut durable).await.unwrap_err();
        assert_eq!(log.bounds().await.unwrap().last, 1);
        log_disk.set_capacity(None);
        durable.await.unwrap();
        assert_eq!(log.bounds().await.unwrap().last, 2);
    };
    ship_during(shipper(&spool, &log, &Ledger::default()), during).await;
}

/// Opens both, ships while three partitions are written to in turn, until the disk dies or all is done; answers
/// which numbers were acknowledged.
async fn live_until_crash(disk: &SimDisk, first: u64) -> Vec<u64> {
    let mut acknowledged = Vec::new();
    let Ok((spool, _)) = crate::model::open(disk, Durability::Disk) else { return acknowledged };
    let Ok(log) = EventLog::open_segmented(sim(disk), Path::new(LOG_DIR), small_log()) else { return acknowledged };
    let cancel = CancellationToken::new();
    let writing = async {
        for number in first..first + 30 {
            let partition = Partition::try_from(number % 3).unwrap();
            let Ok((_, durable)) = spool.terminal(None, partition, |_, _| Ok(payload(number))) else { break };
            if durable.await.is_err() {
                break;
            }
            acknowledged.push(number);
        }
        cancel.cancel();
    };
    // A shipper that can no longer read the dead disk ends with an error, as it should.
    let (_, ()) = within(async { tokio::join!(shipper(&spool, &log, &Ledger::default()).run(cancel.clone()), writing) }).await;
    acknowledged
}

#[tokio::test]
async fn what_the_spool_acknowledged_is_in_the_log_after_a_crash_at_any_change() {
    let rehearsal = SimDisk::new();
    live_until_crash(&rehearsal, 1).await;
    for change in (0..rehearsal.changes()).step_by(2) {
        let disk = SimDisk::new();
        disk.crash_at(change, CrashPoint::Torn);
        let mut acknowledged = live_until_crash(&disk, 1).await;
        disk.restart(Loss::PowerSome { seed: change });
        acknowledged.extend(live_until_crash(&disk, 101).await);
        let log = open_log(&disk, small_log());
        let mut firsts = Vec::new();
        for entry in read_all(&log).await {
            let number = number_of(&entry.payload);
            if !firsts.contains(&number) {
                firsts.push(number);
            }
        }
        let missing: Vec<_> = acknowledged.iter().filter(|number| !firsts.contains(number)).collect();
        assert!(missing.is_empty(), "crash at {change}: {missing:?} acknowledged and not in the log");
        assert!(firsts.is_sorted(), "crash at {change}: out of order: {firsts:?}");
    }
}
