//! `kill -9` of a real process on real files: whatever it had acknowledged is there in the next life.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use eventlog::{Durability, FileDisk, Recovery, Spool, SpoolOptions};
use schemas::{Partition, RequestId};

use crate::scene::payload;

const DIR_VARIABLE: &str = "EVENTLOG_TEST_DIR";
const DURABILITY_VARIABLE: &str = "EVENTLOG_TEST_DURABILITY";
const KILLS: u64 = 12;

fn open(dir: &Path, durability: Durability) -> (Spool, Recovery) {
    let options = SpoolOptions { durability, segment_bytes: 16 * 1024, ..SpoolOptions::default() };
    Spool::open(Arc::new(FileDisk), dir, options).unwrap()
}

/// The process that is killed: eight requests at a time, for ever, telling what was acknowledged.
#[tokio::test]
#[ignore = "is started, and killed, by the other tests here"]
async fn victim() {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else { return };
    let durability = if std::env::var_os(DURABILITY_VARIABLE).is_some() { Durability::Disk } else { Durability::Process };
    let (spool, _) = open(Path::new(&dir), durability);
    futures_util::future::join_all((0..8).map(|partition| requests(&spool, partition))).await;
}

async fn requests(spool: &Spool, partition: Partition) {
    let tell = |line: String| std::io::stdout().write_all(line.as_bytes()).unwrap();
    loop {
        let request = RequestId::mint();
        spool.accepted(request, b"terms").unwrap().await.unwrap();
        tell(format!("\naccepted {}\n", request.uuid()));
        spool.progress(request, b"half").unwrap();
        let mut place = None;
        let encode = |producer: schemas::Producer, pseq| {
            place = Some((producer.boot, pseq));
            Ok(payload(pseq))
        };
        let (_, durable) = spool.terminal(Some(request), partition, encode).unwrap();
        durable.await.unwrap();
        let (boot, pseq) = place.unwrap();
        tell(format!("\nterminal {} {} {partition} {pseq}\n", request.uuid(), boot.uuid()));
        tokio::task::yield_now().await;
    }
}

/// What a victim told before it was killed.
#[derive(Default)]
struct Told {
    accepted: BTreeSet<String>,
    ended: BTreeSet<String>,
    events: BTreeSet<(String, Partition, u64)>,
}

impl Told {
    /// A line that the kill cut short tells nothing.
    fn hear(&mut self, line: &str) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["accepted", request] if request.len() == 36 => {
                self.accepted.insert(request.to_owned());
            }
            ["terminal", request, boot, partition, pseq] => {
                self.ended.insert(request.to_owned());
                self.events.insert((boot.to_owned(), partition.parse().unwrap(), pseq.parse().unwrap()));
            }
            _ => {}
        }
    }
}

fn run_and_kill(dir: &Path, durability: Durability, after_lines: usize, told: &mut Told) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::victim", "--ignored", "--nocapture"]).env(DIR_VARIABLE, dir).stdout(Stdio::piped());
    if durability == Durability::Disk {
        command.env(DURABILITY_VARIABLE, "disk");
    }
    let mut victim = command.spawn().unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).split(b'\n').map(|line| String::from_utf8(line.unwrap()).unwrap());
    lines.by_ref().take(after_lines).for_each(|line| told.hear(&line));
    victim.kill().unwrap();
    let mut rest: Vec<_> = lines.collect();
    // Cut short, perhaps in the middle of a number.
    rest.pop();
    rest.iter().for_each(|line| told.hear(line));
    victim.wait().unwrap();
}

fn check(dir: &Path, durability: Durability, told: &Told) {
    let (spool, recovery) = open(dir, durability);
    let mut last: BTreeMap<(String, Partition), u64> = BTreeMap::new();
    let mut found = BTreeSet::new();
    spool
        .unapplied(&mut |producer, partition, pseq, bytes| {
            assert_eq!(bytes, &payload(pseq));
            let boot = producer.boot.uuid().to_string();
            let before = last.insert((boot.clone(), partition), pseq).unwrap_or(0);
            assert_eq!(pseq, before + 1, "a hole, or an event twice");
            found.insert((boot, partition, pseq));
        })
        .unwrap();
    let lost: Vec<_> = told.events.difference(&found).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let unfinished: BTreeSet<_> = recovery.unfinished.iter().map(|unfinished| unfinished.request.uuid().to_string()).collect();
    assert!(unfinished.is_disjoint(&told.ended), "ended requests are unfinished");
    let forgotten = told.accepted.difference(&told.ended).filter(|request| !unfinished.contains(*request)).count();
    // Their terminals were written and not yet told of: at most one for each writer and life.
    assert!(forgotten as u64 <= 8 * KILLS, "{forgotten} accepted requests are neither ended nor unfinished");
}

fn nothing_acknowledged_is_lost(durability: Durability) {
    let dir = tempfile::tempdir().unwrap();
    let mut told = Told::default();
    for kill in 0..KILLS {
        run_and_kill(dir.path(), durability, 20 + usize::try_from(kill * 97 % 400).unwrap(), &mut told);
        check(dir.path(), durability, &told);
    }
    assert!(told.events.len() > 200, "the victims did something: {}", told.events.len());
}

#[test]
fn a_killed_process_on_disk_durability_loses_nothing_acknowledged() {
    nothing_acknowledged_is_lost(Durability::Disk);
}

#[test]
fn a_killed_process_on_process_durability_loses_nothing_acknowledged() {
    nothing_acknowledged_is_lost(Durability::Process);
}
