//! Disks that lie, fill up and fail.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use eventlog::testing::{Loss, SimDisk};
use eventlog::{Disk, Durability, EventLog, LogError, LogOptions, Message, ReadLimit, SpoolError};
use schemas::RequestId;

use crate::model::{Act, Model, open};
use crate::scene::{DIR, messages, numbers, open_log, open_spool, payload, read_all, sim, small_log, write_terminal};

/// Where records begin in a segment file; before them stand the header and its sync marks.
const RECORDS_START: u64 = 512;

fn segments(disk: &SimDisk) -> Vec<PathBuf> {
    let mut names = disk.list(Path::new(DIR)).unwrap();
    names.retain(|name| name.ends_with(".seg"));
    names.sort_unstable();
    names.iter().map(|name| Path::new(DIR).join(name)).collect()
}

/// Where the last record of a segment ends.
fn written_end(disk: &SimDisk, segment: &Path) -> u64 {
    disk.contents(segment).iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

/// Reads a log to its end or to the first error.
async fn read_whole(log: &EventLog) -> Result<Vec<u64>, LogError> {
    let mut found = Vec::new();
    loop {
        let entries = log.read(found.len() as u64, ReadLimit { entries: 5, bytes: 1_000 }).await?;
        if entries.is_empty() {
            return Ok(found);
        }
        found.extend(entries.iter().map(|entry| crate::scene::number_of(&entry.payload)));
    }
}

#[tokio::test]
async fn every_flipped_bit_in_an_acknowledged_event_of_a_log_is_found() {
    for killed in [true, false] {
        let disk = SimDisk::new();
        let log = open_log(&disk, small_log());
        log.append(messages(1..=25)).await.unwrap();
        log.append(messages(26..=40)).await.unwrap();
        if killed {
            // What the sync thread does right after acknowledging, it has done once another append is.
            log.append(messages(41..=41)).await.unwrap();
            disk.restart(Loss::Process);
        }
        drop(log);
        for segment in segments(&disk) {
            let end = written_end(&disk, &segment);
            for byte in (0..end).filter(|byte| *byte >= RECORDS_START || *byte < 20) {
                let flipped = disk.copy();
                flipped.flip_bit(&segment, byte, u8::try_from(byte % 8).unwrap());
                check_found(&flipped, 40, &segment, byte).await;
            }
        }
    }
}

async fn check_found(disk: &SimDisk, acknowledged: u64, segment: &Path, byte: u64) {
    for read_only in [false, true] {
        let disk = disk.copy();
        let opened = if read_only {
            EventLog::open_segmented_read_only(sim(&disk), Path::new(DIR))
        } else {
            EventLog::open_segmented(sim(&disk), Path::new(DIR), small_log())
        };
        let read = match opened {
            Ok(log) => read_whole(&log).await,
            Err(error) => Err(error),
        };
        match read {
            Err(LogError::Corrupt { .. }) => {}
            // Damage to the event whose sync mark may not have been written when the process was killed.
            Ok(found) if found.len() as u64 >= acknowledged => {}
            other => panic!("byte {byte} of {segment:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_spool_with_a_flipped_bit_in_an_acknowledged_record_is_not_opened() {
    let disk = SimDisk::new();
    let (spool, _) = open_spool(&disk, Durability::Disk);
    for number in 1..=30 {
        write_terminal(&spool, None, 0, number).await;
    }
    drop(spool);
    for segment in segments(&disk) {
        for byte in RECORDS_START..written_end(&disk, &segment) {
            let flipped = disk.copy();
            flipped.flip_bit(&segment, byte, 3);
            let opened = open(&flipped, Durability::Disk);
            assert!(matches!(opened.err(), Some(SpoolError::Corrupt { .. })), "byte {byte} of {segment:?}");
        }
    }
}

#[tokio::test]
async fn damage_to_the_sync_marks_loses_nothing() {
    let disk = SimDisk::new();
    let log = open_log(&disk, small_log());
    log.append(messages(1..=40)).await.unwrap();
    drop(log);
    for segment in segments(&disk) {
        for byte in 20..RECORDS_START {
            let flipped = disk.copy();
            flipped.flip_bit(&segment, byte, 0);
            assert_eq!(numbers(&read_all(&open_log(&flipped, small_log())).await), (1..=40).collect::<Vec<_>>());
        }
    }
}

#[tokio::test]
async fn a_missing_segment_is_corruption() {
    let disk = SimDisk::new();
    let log = open_log(&disk, small_log());
    log.append(messages(1..=60)).await.unwrap();
    drop(log);
    let all = segments(&disk);
    for missing in &all[1..all.len() - 2] {
        let damaged = disk.copy();
        damaged.remove(missing).unwrap();
        let opened = EventLog::open_segmented(sim(&damaged), Path::new(DIR), small_log());
        assert!(matches!(opened.err(), Some(LogError::Corrupt { .. })), "{missing:?}");
    }
}

#[tokio::test]
async fn a_failed_sync_is_never_repeated_and_nothing_is_accepted_any_more() {
    let rehearsal = SimDisk::new();
    let (spool, _) = open_spool(&rehearsal, Durability::Disk);
    let first = rehearsal.syncs();
    for number in 1..=20 {
        write_terminal(&spool, None, 0, number).await;
    }
    drop(spool);
    for successes in 0..rehearsal.syncs() - first {
        let disk = SimDisk::new();
        let mut model = Model::default();
        let (spool, recovery) = open(&disk, Durability::Disk).unwrap();
        model.check(&disk, &spool, &recovery);
        disk.fail_sync_after(successes);
        let mut failed = false;
        for _ in 0..60 {
            failed = model.perform(&spool, Act::Credits(1, 0)).await.is_err();
            if failed {
                break;
            }
        }
        assert!(failed, "the failing sync was noticed");
        assert!(!spool.is_healthy());
        let syncs = disk.syncs();
        assert!(matches!(spool.accepted(RequestId::mint(), b""), Err(SpoolError::Unhealthy)));
        assert!(matches!(spool.terminal(None, 0, |_, _| Ok(payload(1))), Err(SpoolError::Unhealthy)));
        drop(spool);
        assert_eq!(disk.syncs(), syncs, "no sync after the one that failed");
        disk.restart(Loss::PowerAll);
        let (spool, recovery) = open(&disk, Durability::Disk).unwrap();
        model.check(&disk, &spool, &recovery);
    }
}

#[tokio::test]
async fn a_full_disk_refuses_without_harm_and_goes_on_when_there_is_room() {
    let disk = SimDisk::new();
    let mut model = Model::default();
    let (spool, recovery) = open(&disk, Durability::Disk).unwrap();
    model.check(&disk, &spool, &recovery);
    disk.set_capacity(Some(6_000));
    let refused = loop {
        if let Err(error) = model.perform(&spool, Act::Credits(1, 0)).await {
            break error;
        }
    };
    assert!(matches!(refused, SpoolError::Full { .. }), "{refused}");
    assert!(spool.is_healthy());
    disk.set_capacity(None);
    // The first append after it may still be refused: it is the one that makes the disk be tried again.
    while model.perform(&spool, Act::Credits(1, 0)).await.is_err() {
        tokio::task::yield_now().await;
    }
    model.perform(&spool, Act::Credits(9, 0)).await.unwrap();
    drop(spool);
    disk.restart(Loss::PowerAll);
    let (spool, recovery) = open(&disk, Durability::Disk).unwrap();
    model.check(&disk, &spool, &recovery);
}

/// Of one length, so that one event's bytes fit exactly where another's were.
fn equal_message(letter: u8) -> Message {
    Message { id: String::new(), partition: 0, payload: vec![letter; 60].into() }
}

#[tokio::test]
async fn a_batch_that_was_refused_half_way_leaves_no_event_behind() {
    let disk = SimDisk::new();
    let log = open_log(&disk, LogOptions { segment_bytes: 64 * 1024, ..small_log() });
    log.append(vec![equal_message(b'a')]).await.unwrap();
    disk.fail_next_write(&segments(&disk)[0], ErrorKind::StorageFull);
    // Four events, two of which reach the file.
    let refused = log.append([b'b', b'c', b'd', b'e'].map(equal_message).to_vec()).await;
    assert!(matches!(refused, Err(LogError::Full { .. })));
    assert_eq!(log.append(vec![equal_message(b'f')]).await.unwrap(), 2);
    assert!(log.is_healthy());
    disk.restart(Loss::Process);
    drop(log);
    let entries = open_log(&disk, small_log()).read(0, ReadLimit::default()).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.payload[0]).collect::<Vec<_>>(), [b'a', b'f']);
}

#[tokio::test]
async fn a_write_that_fails_for_another_reason_makes_the_spool_unhealthy_for_ever() {
    let disk = SimDisk::new();
    let (spool, _) = open_spool(&disk, Durability::Disk);
    // Once this is safe, the sync thread has no write of its own to make any more.
    write_terminal(&spool, None, 0, 1).await;
    disk.fail_next_write(&segments(&disk)[0], ErrorKind::Other);
    assert!(matches!(spool.terminal(None, 0, |_, _| Ok(payload(2))), Err(SpoolError::Io { .. })));
    assert!(!spool.is_healthy());
    assert!(matches!(spool.terminal(None, 0, |_, _| Ok(payload(2))), Err(SpoolError::Unhealthy)));
    // Requests that are still running can be finished in the log; the sequence goes on.
    let bytes = spool.terminal_unspooled(0, |_, pseq| Ok(payload(pseq))).unwrap();
    assert_eq!(bytes, payload(2));
    drop(spool);
    let mut found = Vec::new();
    let (spool, _) = open_spool(&disk, Durability::Disk);
    spool.unapplied(&mut |_, _, pseq, bytes| found.push((pseq, bytes.to_vec()))).unwrap();
    assert_eq!(found, [(1, payload(1))]);
}

#[tokio::test]
async fn short_reads_change_nothing() {
    let disk = SimDisk::new();
    disk.set_short_reads(true);
    for round in 0..3 {
        let log = open_log(&disk, small_log());
        log.append(messages(round * 20 + 1..=round * 20 + 20)).await.unwrap();
        assert_eq!(numbers(&read_all(&log).await), (1..=round * 20 + 20).collect::<Vec<_>>());
    }
}
