//! A crash at every single change of the disk: before it, in its middle, after it; with everything
//! unsynced kept, lost, or kept by chance.

use eventlog::testing::{CrashPoint, Loss, SimDisk};
use eventlog::{Durability, EventLog};

use crate::model::{Act, Model, open};
use crate::scene::{messages, numbers, open_log, read_all, small_log};

const POINTS: [CrashPoint; 3] = [CrashPoint::Before, CrashPoint::Torn, CrashPoint::After];

fn losses(seed: u64) -> [Loss; 4] {
    [Loss::Process, Loss::PowerAll, Loss::PowerSome { seed }, Loss::PowerSome { seed: !seed }]
}

/// Two lives of a spool: requests, checkpoints, bursts, rotation, release.
const LIVES: [&[Act]; 2] = [
    &[
        Act::Accept,
        Act::Accept,
        Act::Progress(0),
        Act::Finish(0, 3),
        Act::Credits(4, 1),
        Act::Accept,
        Act::Progress(1),
        Act::Credits(3, 3),
        Act::Finish(0, 1),
        Act::Apply,
        Act::Credits(5, 1),
    ],
    &[Act::Finish(0, 3), Act::Accept, Act::Credits(6, 3), Act::Apply, Act::Finish(0, 3), Act::Credits(2, 0), Act::Apply],
];

/// Lives through the script, as far as the disk goes along.
async fn live(disk: &SimDisk, model: &mut Model, durability: Durability) {
    for acts in LIVES {
        let Ok((spool, recovery)) = open(disk, durability) else { return };
        model.check(disk, &spool, &recovery);
        for act in acts {
            if model.perform(&spool, *act).await.is_err() {
                return;
            }
        }
    }
}

async fn spool_survives_every_crash(durability: Durability, losses: fn(u64) -> Vec<Loss>) {
    let rehearsal = SimDisk::new();
    live(&rehearsal, &mut Model::default(), durability).await;
    let changes = rehearsal.changes();
    assert!(changes > 60, "the script exercises the disk: {changes}");
    for change in 0..changes {
        for point in POINTS {
            for loss in losses(change) {
                let disk = SimDisk::new();
                let mut model = Model::default();
                disk.crash_at(change, point);
                live(&disk, &mut model, durability).await;
                disk.restart(loss);
                let (spool, recovery) = open(&disk, durability).unwrap();
                model.check(&disk, &spool, &recovery);
                drop(spool);
                let (spool, again) = open(&disk, durability).unwrap();
                assert_eq!(again.unfinished, recovery.unfinished, "recovery is idempotent");
                assert_eq!(again.torn_bytes, 0, "what was torn is cut off once");
                model.check(&disk, &spool, &again);
                // And it still works.
                model.perform(&spool, Act::Credits(3, 1)).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_spool_on_disk_loses_nothing_acknowledged_at_any_crash() {
    spool_survives_every_crash(Durability::Disk, |seed| losses(seed).to_vec()).await;
}

#[tokio::test]
async fn a_spool_with_the_operating_system_loses_nothing_acknowledged_when_the_process_dies() {
    spool_survives_every_crash(Durability::Process, |_| vec![Loss::Process]).await;
}

#[tokio::test]
async fn a_crash_while_recovering_from_a_crash_loses_nothing_either() {
    let rehearsal = SimDisk::new();
    live(&rehearsal, &mut Model::default(), Durability::Disk).await;
    for change in (0..rehearsal.changes()).step_by(3) {
        for during_recovery in 0..12 {
            let disk = SimDisk::new();
            let mut model = Model::default();
            disk.crash_at(change, CrashPoint::Torn);
            live(&disk, &mut model, Durability::Disk).await;
            disk.restart(Loss::PowerSome { seed: change });
            disk.crash_at(disk.changes() + during_recovery, CrashPoint::Torn);
            drop(open(&disk, Durability::Disk));
            disk.restart(Loss::PowerSome { seed: during_recovery });
            let (spool, recovery) = open(&disk, Durability::Disk).unwrap();
            model.check(&disk, &spool, &recovery);
        }
    }
}

/// Appends in batches; answers how many events were acknowledged, seen by a reader, and begun.
async fn append_until_crash(log: &EventLog, from: u64) -> (u64, u64, u64) {
    let (mut acknowledged, mut seen, mut begun) = (from, from, from);
    for batch in 1..=7 {
        begun += batch;
        let appended = log.append(messages(begun - batch + 1..=begun)).await;
        if let Ok(bounds) = log.bounds().await {
            seen = seen.max(bounds.last);
        }
        match appended {
            Ok(last) => acknowledged = last,
            Err(_) => break,
        }
    }
    (acknowledged, seen, begun)
}

#[tokio::test]
async fn a_log_keeps_what_it_acknowledged_or_showed_at_any_crash() {
    let rehearsal = SimDisk::new();
    append_until_crash(&open_log(&rehearsal, small_log()), 0).await;
    for change in 0..rehearsal.changes() {
        for point in POINTS {
            for loss in losses(change) {
                let disk = SimDisk::new();
                disk.crash_at(change, point);
                let mut known = (0, 0, 0);
                if let Ok(log) = EventLog::open_segmented(crate::scene::sim(&disk), std::path::Path::new(crate::scene::DIR), small_log()) {
                    known = append_until_crash(&log, 0).await;
                }
                disk.restart(loss);
                let read_only = disk.copy();
                let log = open_log(&disk, small_log());
                let found = numbers(&read_all(&log).await);
                let last = found.len() as u64;
                assert_eq!(found, (1..=last).collect::<Vec<_>>());
                assert!(known.0.max(known.1) <= last && last <= known.2, "{last} is not between {known:?}");
                // Beside a stopped folder a reader sees the same, without repairing anything.
                let reader =
                    EventLog::open_segmented_read_only(crate::scene::sim(&read_only), std::path::Path::new(crate::scene::DIR)).unwrap();
                assert_eq!(numbers(&read_all(&reader).await), found);
                assert_eq!(log.append(messages(last + 1..=last + 3)).await.unwrap(), last + 3);
            }
        }
    }
}
