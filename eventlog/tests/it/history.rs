//! Random histories of a spool: acts, clean restarts and crashes, against the reference model.

use eventlog::Durability;
use eventlog::testing::{CrashPoint, Loss, SimDisk};
use proptest::prelude::*;

use crate::model::{Act, Model, open};

#[derive(Debug, Clone, Copy)]
enum Step {
    Act(Act),
    Reopen,
    /// The disk crashes so many changes later.
    Crash {
        after: u64,
        point: CrashPoint,
        seed: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let act = prop_oneof![
        4 => Just(Act::Accept),
        2 => any::<u8>().prop_map(Act::Progress),
        4 => (any::<u8>(), 0..3_u16).prop_map(|(nth, partition)| Act::Finish(nth, partition)),
        3 => (1..6_u8, 0..3_u16).prop_map(|(count, partition)| Act::Credits(count, partition)),
        2 => Just(Act::Apply),
    ];
    let point = prop_oneof![Just(CrashPoint::Before), Just(CrashPoint::Torn), Just(CrashPoint::After)];
    let step = prop_oneof![
        12 => act.prop_map(Step::Act),
        1 => Just(Step::Reopen),
        2 => (0..25_u64, point, any::<u64>()).prop_map(|(after, point, seed)| Step::Crash { after, point, seed }),
    ];
    prop::collection::vec(step, 1..60)
}

async fn run(durability: Durability, loss_of: fn(u64) -> Loss, steps: &[Step]) {
    let disk = SimDisk::new();
    let mut model = Model::default();
    let mut spool = None;
    let mut pending = Loss::Process;
    for step in steps {
        if disk.has_crashed() {
            drop(spool.take());
            disk.restart(pending);
        }
        if spool.is_none() {
            let Ok((opened, recovery)) = open(&disk, durability) else {
                assert!(disk.has_crashed(), "only a crash keeps it from opening");
                continue;
            };
            model.check(&disk, &opened, &recovery);
            spool = Some(opened);
        }
        match (step, &spool) {
            (Step::Act(act), Some(spool)) => {
                let outcome = model.perform(spool, *act).await;
                assert!(outcome.is_ok() || disk.has_crashed(), "{outcome:?}");
            }
            (Step::Reopen, _) => spool = None,
            (Step::Crash { after, point, seed }, _) => {
                pending = loss_of(*seed);
                disk.crash_at(disk.changes() + after, *point);
            }
            (Step::Act(_), None) => {}
        }
    }
    drop(spool);
    disk.restart(pending);
    let (spool, recovery) = open(&disk, durability).unwrap();
    model.check(&disk, &spool, &recovery);
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn any_history_keeps_what_was_acknowledged_on_disk(steps in steps()) {
        block_on(run(Durability::Disk, |seed| match seed % 4 {
            0 => Loss::Process,
            1 => Loss::PowerAll,
            _ => Loss::PowerSome { seed },
        }, &steps));
    }

    #[test]
    fn any_history_of_dying_processes_keeps_what_was_handed_to_the_operating_system(steps in steps()) {
        block_on(run(Durability::Process, |_| Loss::Process, &steps));
    }
}
