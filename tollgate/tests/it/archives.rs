//! `export`, `import` and `--archive` as an operator uses them: on a stopped deployment, through the executable.

use std::path::Path;

use serde_json::Value;

use crate::shell::{Ran, tollgate};

const FIRST_SEGMENT: &str = "tollgate-data/log/0000000001.seg";

fn succeeds(folder: &Path, arguments: &[&str]) -> Value {
    let ran = tollgate(folder, arguments);
    assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}

fn fails(folder: &Path, arguments: &[&str], because: &str) -> Ran {
    let ran = tollgate(folder, arguments);
    assert!(ran.code == 1 && ran.stderr.contains(because), "{arguments:?}: {ran:?}");
    ran
}

fn credit(folder: &Path, account: &str, amount: &str) {
    succeeds(folder, &["accounts", "credit", account, amount, "--reason", "test", "--json"]);
}

/// A deployment with an account and some credits, stopped.
fn deployment(folder: &Path) -> String {
    std::fs::write(folder.join("tollgate.toml"), "").unwrap();
    let begun = tollgate(folder, &["migrate"]);
    assert_eq!(begun.code, 0, "{begun:?}");
    let account = succeeds(folder, &["accounts", "create", "--name", "archived", "--json"])["id"].as_str().unwrap().to_owned();
    for amount in ["10", "0.000000001", "2.5"] {
        credit(folder, &account, amount);
    }
    account
}

#[test]
fn an_export_is_continued_and_an_import_has_the_same_books() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let account = deployment(one.path());
    let first = succeeds(one.path(), &["export", "--into", "archive", "--json"]);
    assert!(first["added"].as_u64().unwrap() >= 4 && first["first"] == 1, "{first}");
    credit(one.path(), &account, "7");
    let second = succeeds(one.path(), &["export", "--into", "archive", "--json"]);
    assert_eq!((second["added"].as_u64(), second["parts"].as_u64()), (Some(1), Some(2)), "{second}");
    assert_eq!(succeeds(one.path(), &["export", "--into", "archive", "--json"])["head"], second["head"]);

    let archive = one.path().join("archive");
    let (archive, head) = (archive.to_str().unwrap(), second["head"].as_str().unwrap());
    fails(other.path(), &["import", archive, "--head", first["head"].as_str().unwrap()], "not the one that was asked for");
    assert!(!other.path().join("tollgate-data").join("log").join("0000000001.seg").exists());
    let imported = succeeds(other.path(), &["import", archive, "--head", head, "--json"]);
    assert_eq!(imported["events"], second["last"]);
    fails(other.path(), &["import", archive], "the event log is not empty");
    for folder in [one.path(), other.path()] {
        assert_eq!(succeeds(folder, &["audit", "--json"])["differences"], serde_json::json!([]));
    }
    let made = [one.path(), other.path()].map(|folder| succeeds(folder, &["replay", "--verify", "--json"]));
    assert_eq!((&made[0]["digests"], &made[0]["heads"]), (&made[1]["digests"], &made[1]["heads"]));
    assert!(made[0]["digests"].as_object().is_some_and(|digests| digests.len() > 10), "{}", made[0]);
}

#[test]
fn a_log_whose_beginning_was_removed_is_read_from_its_archive() {
    let folder = tempfile::tempdir().unwrap();
    let account = deployment(folder.path());
    let before = succeeds(folder.path(), &["replay", "--verify", "--json"]);
    succeeds(folder.path(), &["export", "--into", "archive", "--json"]);
    std::fs::remove_file(folder.path().join(FIRST_SEGMENT)).unwrap();

    let without = tollgate(folder.path(), &["audit", "--json"]);
    assert!(without.code == 1 && without.stdout.contains("was archived"), "{without:?}");
    assert_eq!(succeeds(folder.path(), &["audit", "--archive", "archive", "--json"])["ok"], true);
    let after = succeeds(folder.path(), &["replay", "--verify", "--archive", "archive", "--json"]);
    assert_eq!((&after["digests"], &after["heads"], &after["events"]), (&before["digests"], &before["heads"], &before["events"]));

    // The log goes on behind what was archived, and so does the archive.
    credit(folder.path(), &account, "3");
    assert_eq!(succeeds(folder.path(), &["audit", "--archive", "archive", "--json"])["ok"], true);
    assert_eq!(succeeds(folder.path(), &["export", "--into", "archive", "--json"])["added"], 1);
}

#[test]
fn only_this_logs_whole_and_unchanged_archive_is_read() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    deployment(one.path());
    deployment(other.path());
    succeeds(one.path(), &["export", "--into", "archive", "--json"]);
    let archive = one.path().join("archive");
    fails(other.path(), &["audit", "--archive", archive.to_str().unwrap()], "it is another log's");
    fails(one.path(), &["audit", "--archive", "archives"], "there is no archive in");
    let part = std::fs::read_dir(&archive).unwrap().map(|entry| entry.unwrap().path());
    let part = part.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "zst")).unwrap();
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    std::fs::remove_file(one.path().join(FIRST_SEGMENT)).unwrap();
    fails(one.path(), &["audit", "--archive", "archive"], "is not what it was when it was archived");
}
