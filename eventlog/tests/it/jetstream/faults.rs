//! A stream that lost, skips or hides events is never read as if nothing had happened.

use std::path::Path;
use std::time::Duration;

use eventlog::{Bounds, EventLog, JetStreamError, JetStreamOptions, LogError, Message, ReadLimit};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::appending::{connect, hasty};
use super::server::{Server, api};
use crate::scene::{message, messages, within};

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What the server has on its disk now; it goes on.
async fn kept(server: &mut Server) -> TempDir {
    let backup = tempfile::tempdir().unwrap();
    server.kill();
    copy_folder(&server.store(), backup.path());
    server.restart().await;
    backup
}

/// The server has what was kept, and nothing newer.
async fn put_back(server: &mut Server, backup: &TempDir) {
    server.kill();
    std::fs::remove_dir_all(server.store()).unwrap();
    copy_folder(backup.path(), &server.store());
    server.restart().await;
}

/// The log refuses everything from now on and says so.
async fn assert_unusable(log: &EventLog) {
    assert!(!log.is_healthy());
    assert!(log.append(vec![message(900)]).await.is_err());
    assert!(log.read(0, ReadLimit::default()).await.is_err());
    assert!(log.bounds().await.is_err());
    within(log.wait_past(u64::MAX)).await;
}

#[tokio::test]
async fn a_log_put_back_to_an_older_state_is_found_out() {
    let mut server = Server::start().await;
    let log = connect(&server.url()).await;
    log.append(messages(1..=5)).await.unwrap();
    let backup = kept(&mut server).await;
    super::appending::append_until_taken(&log, 6, 10).await;
    put_back(&mut server, &backup).await;
    let error = within(log.bounds()).await.unwrap_err();
    assert!(matches!(error, LogError::JetStream(JetStreamError::Regressed { last: 5, seen: 10 })), "{error}");
    assert_unusable(&log).await;
}

/// No position tells it: the log is longer than it was.
#[tokio::test]
async fn a_log_that_lost_its_end_and_grew_past_it_again_is_found_out() {
    let mut server = Server::start().await;
    let log = connect(&server.url()).await;
    log.append(messages(1..=5)).await.unwrap();
    let backup = kept(&mut server).await;
    super::appending::append_until_taken(&log, 6, 10).await;
    let read = within(log.read(0, ReadLimit::default())).await.unwrap();
    assert_eq!(read.last().unwrap().position, 10);
    let known = read.iter().map(|entry| (entry.position, Sha256::digest(&entry.payload).into())).collect();
    assert_eq!(within(log.first_difference(&known)).await.unwrap(), None);
    put_back(&mut server, &backup).await;
    // Another process, which has seen nothing of what is lost.
    let other = connect(&server.url()).await;
    super::appending::append_until_taken(&other, 20, 30).await;
    let error = within(log.read(10, ReadLimit::default())).await.unwrap_err();
    assert!(matches!(error, LogError::JetStream(JetStreamError::Rewritten { position: 10 })), "{error}");
    assert_unusable(&log).await;
    // And one that comes later, with the books of before.
    assert_eq!(within(other.first_difference(&known)).await.unwrap(), Some(6));
}

#[tokio::test]
async fn a_reader_that_was_overtaken_by_the_archive_reads_on() {
    let server = Server::start().await;
    let log = connect(&server.url()).await;
    log.append(messages(1..=5)).await.unwrap();
    assert_eq!(within(log.read(0, ReadLimit { entries: 3, bytes: 1 << 20 })).await.unwrap().len(), 3);
    let mut config = api(&server.url(), "STREAM.INFO.USAGE", Value::Null).await["config"].clone();
    config["max_msgs"] = json!(2);
    config["discard"] = json!("old");
    api(&server.url(), "STREAM.UPDATE.USAGE", config).await;
    let next = within(log.read(3, ReadLimit::default())).await.unwrap();
    assert_eq!(next.iter().map(|entry| entry.position).collect::<Vec<_>>(), [4, 5]);
}

#[tokio::test]
async fn a_stream_that_was_deleted_or_made_again_is_found_out() {
    for made_again in [false, true] {
        let server = Server::start().await;
        let log = connect(&server.url()).await;
        log.append(messages(1..=3)).await.unwrap();
        api(&server.url(), "STREAM.DELETE.USAGE", Value::Null).await;
        if made_again {
            connect(&server.url()).await.append(messages(1..=4)).await.unwrap();
        }
        let error = within(log.bounds()).await.unwrap_err();
        assert!(matches!(error, LogError::JetStream(JetStreamError::Replaced { .. })), "{made_again}: {error}");
        assert_unusable(&log).await;
    }
}

#[tokio::test]
async fn who_only_waits_or_writes_finds_it_out_as_well() {
    for made_again in [false, true] {
        let server = Server::start().await;
        let (waiting, writing) = (connect(&server.url()).await, connect(&server.url()).await);
        writing.append(messages(1..=3)).await.unwrap();
        within(waiting.wait_past(2)).await;
        let lost = async {
            api(&server.url(), "STREAM.DELETE.USAGE", Value::Null).await;
            if made_again {
                connect(&server.url()).await;
            }
        };
        // Nothing ever comes: it is woken because the log is none any more.
        tokio::join!(within(waiting.wait_past(3)), lost);
        assert_unusable(&waiting).await;
        let error = within(writing.append(messages(4..=4))).await.unwrap_err();
        if made_again {
            assert!(matches!(error, LogError::JetStream(JetStreamError::Regressed { last: 1, seen: 3 })), "{error}");
        } else {
            assert!(matches!(error, LogError::JetStream(JetStreamError::Replaced { .. })), "{error}");
        }
        assert_unusable(&writing).await;
    }
}

#[tokio::test]
async fn who_reads_for_ever_is_told_what_another_found_out() {
    let server = Server::start().await;
    let patient = JetStreamOptions { patience: Duration::from_secs(3_600), ..hasty() };
    let log = EventLog::connect_jetstream(&server.url(), patient).await.unwrap();
    log.append(messages(1..=3)).await.unwrap();
    api(&server.url(), "STREAM.DELETE.USAGE", Value::Null).await;
    let (read, ()) = tokio::join!(within(log.read(3, ReadLimit::default())), within(log.wait_past(3)));
    assert!(read.is_err());
    assert_unusable(&log).await;
}

#[tokio::test]
async fn a_missing_stream_is_made_for_those_only_who_rely_on_nothing_in_it() {
    let server = Server::start().await;
    let relying = JetStreamOptions { may_create: false, ..hasty() };
    let error = within(EventLog::connect_jetstream(&server.url(), relying.clone())).await.map(|_| ()).unwrap_err();
    assert!(matches!(&error, LogError::JetStream(JetStreamError::Missing { stream }) if stream == "USAGE"), "{error}");
    connect(&server.url()).await.append(messages(1..=1)).await.unwrap();
    let log = within(EventLog::connect_jetstream(&server.url(), relying)).await.unwrap();
    assert_eq!(log.bounds().await.unwrap(), Bounds { first: 1, last: 1 });
}

#[tokio::test]
async fn a_hole_in_the_stream_is_an_error_and_never_skipped() {
    let server = Server::start().await;
    let log = connect(&server.url()).await;
    let spread = [1, 2, 2, 2, 3].into_iter().zip(1..).map(|(partition, number)| Message { partition, ..message(number) });
    log.append(spread.collect()).await.unwrap();
    // Somebody lets the stream keep one event a subject: positions 2 and 3 are gone.
    let mut config = api(&server.url(), "STREAM.INFO.USAGE", Value::Null).await["config"].clone();
    config["max_msgs_per_subject"] = json!(1);
    config["discard"] = json!("old");
    api(&server.url(), "STREAM.UPDATE.USAGE", config).await;
    assert_eq!(log.read(0, ReadLimit::default()).await.unwrap().len(), 1, "what stands before the hole");
    let error = log.read(1, ReadLimit::default()).await.unwrap_err();
    let is_hole = matches!(error, LogError::JetStream(JetStreamError::Hole { .. } | JetStreamError::Holes { .. }));
    assert!(is_hole, "{error}");
    assert_unusable(&log).await;
}

#[tokio::test]
async fn a_log_that_begins_later_says_so() {
    let server = Server::start().await;
    drop(connect(&server.url()).await);
    let mut config = api(&server.url(), "STREAM.INFO.USAGE", Value::Null).await["config"].clone();
    api(&server.url(), "STREAM.DELETE.USAGE", Value::Null).await;
    config["first_seq"] = json!(5);
    api(&server.url(), "STREAM.CREATE.USAGE", config).await;
    let log = connect(&server.url()).await;
    assert_eq!(log.bounds().await.unwrap(), Bounds { first: 5, last: 4 });
    assert_eq!(log.append(messages(5..=6)).await.unwrap(), 6);
    assert_eq!(log.read(4, ReadLimit::default()).await.unwrap().len(), 2);
    let error = log.read(0, ReadLimit::default()).await.unwrap_err();
    assert!(matches!(error, LogError::Archived { position: 1, first: 5 }), "{error}");
    assert!(log.is_healthy());
}

#[tokio::test]
async fn reading_and_waiting_outlast_a_server_that_is_away_and_appending_says_so_at_once() {
    let mut server = Server::start().await;
    let log = connect(&server.url()).await;
    log.append(messages(1..=5)).await.unwrap();
    server.kill();
    let EventLog::JetStream(jetstream) = &log else { panic!("another backend") };
    within(async {
        while jetstream.is_connected() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let refused = tokio::time::timeout(Duration::from_secs(1), log.append(messages(6..=9))).await.unwrap().unwrap_err();
    assert!(refused.is_transient() && refused.to_string().contains("no connection"), "{refused}");
    let coming_back = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.restart().await;
    };
    let (read, bounds, ()) = within(async { tokio::join!(log.read(0, ReadLimit::default()), log.bounds(), coming_back) }).await;
    assert_eq!((read.unwrap().len(), bounds.unwrap().last), (5, 5));
}
