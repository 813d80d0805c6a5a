//! The archive: what goes in comes out, and nothing can be changed unnoticed.

use bytes::Bytes;
use eventlog::archive::{Archive, ArchiveError, PART_EVENTS_MAX};
use eventlog::{Entry, EventLog, LogError, ReadLimit};

use crate::scene::{message, numbers, open_log, payload, read_all, small_log};
use eventlog::testing::SimDisk;

fn entries(positions: std::ops::RangeInclusive<u64>) -> Vec<Entry> {
    positions.map(|position| Entry { position, payload: Bytes::from(payload(position)) }).collect()
}

fn filled(dir: &std::path::Path) -> Archive {
    let mut archive = Archive::open(dir).unwrap();
    for range in [1..=40, 41..=41, 42..=100] {
        let part = entries(range);
        assert_eq!(archive.append(&part).unwrap(), part.len());
    }
    archive
}

#[test]
fn what_was_archived_is_read_again_by_position_and_the_archive_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let head = filled(folder.path()).head().unwrap().to_owned();
    let mut archive = Archive::open(folder.path()).unwrap();
    assert_eq!((archive.first(), archive.last(), archive.parts().len()), (Some(1), 100, 3));
    assert_eq!(archive.head(), Some(&*head));
    for (position, part) in [(1, 1..=40), (40, 1..=40), (41, 41..=41), (99, 42..=100)] {
        assert_eq!(archive.part_with(position).unwrap(), entries(part));
    }
    archive.verify().unwrap();
    archive.append(&entries(101..=105)).unwrap();
    assert_eq!(Archive::open(folder.path()).unwrap().last(), 105);
    assert!(matches!(archive.part_with(106), Err(ArchiveError::NotThere { position: 106, .. })));
}

#[test]
fn a_gap_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut archive = filled(folder.path());
    for gap in [entries(100..=101), entries(102..=103), [entries(101..=101), entries(103..=103)].concat()] {
        assert!(matches!(archive.append(&gap), Err(ArchiveError::DoesNotFollow { .. })));
    }
    assert_eq!(archive.append(&[]).unwrap(), 0);
    assert_eq!(Archive::open(folder.path()).unwrap().last(), 100);
}

#[test]
fn a_part_takes_a_bounded_number_of_events() {
    let folder = tempfile::tempdir().unwrap();
    let many = entries(1..=PART_EVENTS_MAX as u64 + 5);
    assert_eq!(Archive::open(folder.path()).unwrap().append(&many).unwrap(), PART_EVENTS_MAX);
}

#[test]
fn every_kind_of_tampering_is_found() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 6);
    for path in &names {
        let whole = std::fs::read(path).unwrap();
        for change in [flipped(&whole), whole[..whole.len() - 1].to_vec(), Vec::new()] {
            std::fs::write(path, change).unwrap();
            let found = Archive::open(folder.path()).and_then(|archive| archive.verify());
            // The last manifest ends the chain: only who kept its hash can tell that white space was changed in it.
            assert!(found.is_err() || path == names.last().unwrap(), "{}", path.display());
        }
        std::fs::remove_file(path).unwrap();
        let without = Archive::open(folder.path()).and_then(|archive| archive.verify().map(|()| archive.last()));
        assert!(without.is_err() || without.unwrap() == 41, "{}", path.display());
        std::fs::write(path, whole).unwrap();
    }
    Archive::open(folder.path()).unwrap().verify().unwrap();
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[bytes.len() / 2] ^= 1;
    changed
}

#[test]
fn a_part_whose_manifest_was_not_written_is_archived_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let last = folder.path().join("manifest-000000000042-000000000100.json");
    std::fs::rename(&last, last.with_extension("json.new")).unwrap();
    let mut archive = Archive::open(folder.path()).unwrap();
    assert_eq!(archive.last(), 41);
    archive.append(&entries(42..=120)).unwrap();
    Archive::open(folder.path()).unwrap().verify().unwrap();
}

#[tokio::test]
async fn archive_and_log_are_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = open_log(&SimDisk::new(), small_log());
    log.append((1..=130).map(message).collect()).await.unwrap();
    drop(filled(folder.path()));
    let both = EventLog::with_archive(log.clone(), Archive::open(folder.path()).unwrap());
    assert_eq!(numbers(&read_all(&both).await), (1..=130).collect::<Vec<_>>());
    assert_eq!(both.bounds().await.unwrap(), log.bounds().await.unwrap());
    let across = both.read(98, ReadLimit::default()).await.unwrap();
    assert_eq!(across.first().unwrap().position, 99);
    both.append(vec![message(131)]).await.unwrap();
    assert_eq!(both.bounds().await.unwrap().last, 131);
}

#[tokio::test]
async fn a_damaged_archive_is_an_error_and_not_an_end() {
    let folder = tempfile::tempdir().unwrap();
    drop(filled(folder.path()));
    let log = open_log(&SimDisk::new(), small_log());
    log.append((1..=130).map(message).collect()).await.unwrap();
    let both = EventLog::with_archive(log, Archive::open(folder.path()).unwrap());
    let part = folder.path().join("events-000000000001-000000000040.ndjson.zst");
    std::fs::write(&part, b"nothing").unwrap();
    assert!(matches!(both.read(0, ReadLimit::default()).await, Err(LogError::Archive(ArchiveError::Altered { .. }))));
}
