//! The stream: made as promised, refused when it is not, enlarged when it is full.

use eventlog::{EventLog, JetStreamError, JetStreamOptions, LogError, Message, ReadLimit};
use serde_json::{Value, json};

use super::server::{Server, api};
use crate::scene::{message, messages, number_of, numbers, read_all};

async fn config(url: &str) -> Value {
    api(url, "STREAM.INFO.USAGE", Value::Null).await["config"].clone()
}

/// The stream's settings with some of them changed.
fn with(config: &Value, changes: &Value) -> Value {
    let mut changed = config.clone();
    changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    changed
}

#[tokio::test]
async fn the_stream_is_made_with_the_settings_the_promises_rest_on() {
    let server = Server::start().await;
    let log = EventLog::connect_jetstream(&server.url(), JetStreamOptions::default()).await.unwrap();
    log.append(vec![message(1)]).await.unwrap();
    let config = config(&server.url()).await;
    for (setting, value) in [
        ("subjects", json!(["usage.v1.*"])),
        ("storage", json!("file")),
        ("retention", json!("limits")),
        ("discard", json!("new")),
        ("max_age", json!(0)),
        ("max_bytes", json!(-1)),
        ("duplicate_window", json!(120_000_000_000_u64)),
        ("deny_delete", json!(true)),
        ("deny_purge", json!(true)),
        ("allow_direct", json!(true)),
        ("allow_atomic", json!(true)),
        ("compression", json!("none")),
        ("num_replicas", json!(1)),
    ] {
        assert_eq!(config[setting], value, "{setting}");
    }
    let stored = api(&server.url(), "STREAM.MSG.GET.USAGE", json!({ "seq": 1 })).await;
    assert_eq!(stored["message"]["subject"], "usage.v1.000");
}

#[tokio::test]
async fn a_stream_that_breaks_a_promise_is_refused_and_told_what_to_write() {
    let server = Server::start().await;
    drop(EventLog::connect_jetstream(&server.url(), JetStreamOptions::default()).await.unwrap());
    let made = config(&server.url()).await;
    for (setting, value) in [
        ("discard", json!("old")),
        ("max_age", json!(86_400_000_000_000_u64)),
        ("max_msgs", json!(1_000)),
        ("max_msgs_per_subject", json!(1_000)),
        ("duplicate_window", json!(1_000_000_000)),
        ("max_msg_size", json!(1_024)),
        ("allow_direct", json!(false)),
        ("allow_atomic", json!(false)),
        ("subjects", json!(["usage.v1.*", "more.*"])),
        ("allow_msg_ttl", json!(true)),
        ("compression", json!("s2")),
    ] {
        api(&server.url(), "STREAM.DELETE.USAGE", Value::Null).await;
        api(&server.url(), "STREAM.CREATE.USAGE", with(&made, &json!({ setting: value, "duplicate_window": window(setting, &made) })))
            .await;
        if setting == "duplicate_window" {
            api(&server.url(), "STREAM.UPDATE.USAGE", with(&made, &json!({ setting: value }))).await;
        }
        let refused = EventLog::connect_jetstream(&server.url(), JetStreamOptions::default()).await.err().unwrap();
        let LogError::JetStream(JetStreamError::Settings { differences, .. }) = &refused else { panic!("{setting}: {refused}") };
        assert_eq!(differences.iter().map(|difference| difference.setting).collect::<Vec<_>>(), [setting]);
        assert!(refused.to_string().contains(&format!("{setting} is {value}, write ")), "{refused}");
    }
}

/// A window may not be longer than the age.
fn window(setting: &str, made: &Value) -> Value {
    if setting == "duplicate_window" { json!(1_000_000_000) } else { made["duplicate_window"].clone() }
}

#[tokio::test]
async fn a_stream_with_more_copies_room_or_time_than_asked_for_is_taken() {
    let server = Server::start().await;
    drop(EventLog::connect_jetstream(&server.url(), JetStreamOptions::default()).await.unwrap());
    let made = config(&server.url()).await;
    let more = json!({ "duplicate_window": 600_000_000_000_u64, "max_bytes": 500_000_000, "description": "ours" });
    api(&server.url(), "STREAM.UPDATE.USAGE", with(&made, &more)).await;
    let options = JetStreamOptions { max_bytes: Some(1_000_000), ..JetStreamOptions::default() };
    let EventLog::JetStream(log) = EventLog::connect_jetstream(&server.url(), options).await.unwrap() else { panic!("another backend") };
    assert!(log.warnings().iter().any(|warning| warning.contains("500000000") && warning.contains("1000000")), "{:?}", log.warnings());
}

#[tokio::test]
async fn a_full_stream_refuses_whole_batches_loses_nothing_and_goes_on_once_it_is_larger() {
    let server = Server::start().await;
    let options = JetStreamOptions { max_bytes: Some(40_000), ..JetStreamOptions::default() };
    let log = EventLog::connect_jetstream(&server.url(), options).await.unwrap();
    let mut appended = 0;
    while log.append(messages(appended + 1..=appended + 20)).await.is_ok() {
        appended += 20;
    }
    let refused = log.append(messages(appended + 1..=appended + 20)).await.unwrap_err();
    assert!(matches!(refused, LogError::Full { bytes_max: 40_000, .. }), "{refused}");
    assert_eq!(log.bounds().await.unwrap().last, appended, "nothing of a refused batch is there");
    assert!(!refused.is_transient() && log.is_healthy());
    let made = config(&server.url()).await;
    api(&server.url(), "STREAM.UPDATE.USAGE", with(&made, &json!({ "max_bytes": 400_000 }))).await;
    assert_eq!(log.append(messages(appended + 1..=appended + 20)).await.unwrap(), appended + 20);
    assert_eq!(numbers(&read_all(&log).await), (1..=appended + 20).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_full_stream_with_room_for_the_second_event_does_not_take_it_before_the_first() {
    let server = Server::start().await;
    let options = JetStreamOptions { max_bytes: Some(20_000), ..JetStreamOptions::default() };
    let log = EventLog::connect_jetstream(&server.url(), options).await.unwrap();
    let long = Message { payload: vec![b'x'; 30_000].into(), ..message(1) };
    let batch = vec![long.clone(), message(2), message(3)];
    assert!(matches!(log.append(batch.clone()).await, Err(LogError::Full { .. })));
    let made = config(&server.url()).await;
    api(&server.url(), "STREAM.UPDATE.USAGE", with(&made, &json!({ "max_bytes": 400_000 }))).await;
    assert_eq!(log.append(batch).await.unwrap(), 3);
    let entries = log.read(0, ReadLimit::default()).await.unwrap();
    assert_eq!(entries[0].payload, long.payload);
    assert_eq!(entries[1..].iter().map(|entry| number_of(&entry.payload)).collect::<Vec<_>>(), [2, 3]);
}
