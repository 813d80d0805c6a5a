//! The load generator against the mock: what it counts is what happened.
#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use std::process::{Command, Output};

use mock_provider::Running;
use serde_json::{Value, json};

async fn mock() -> (Running, String) {
    let running = mock_provider::start("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}/v1/chat/completions", running.address);
    (running, url)
}

async fn load(url: &str, rest: &[&str]) -> Output {
    let (url, rest) = (url.to_owned(), rest.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
    let run = move || Command::new(env!("CARGO_BIN_EXE_tollgate-load")).args(["--url", &url]).args(rest).output().unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn report(url: &str, rest: &[&str]) -> Value {
    let output = load(url, rest).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn counts_every_request_and_its_times() {
    let (running, url) = mock().await;
    let own = format!("mock={}", std::process::id());
    let report =
        report(&url, &["--requests", "200", "--warmup", "20", "--connections", "4", "--process", &own, "--body-bytes", "5000"]).await;
    assert_eq!((&report["requests"], &report["statuses"], &report["truncated"]), (&json!(200), &json!({ "200": 200 }), &json!(0)));
    assert_eq!((&report["latency_us"]["count"], &report["connects"]), (&json!(200), &json!(4)));
    assert!(report["latency_us"]["p50"].as_f64().unwrap() > 0.0);
    assert!(report["processes"]["mock"]["rss_bytes"].as_u64().unwrap() > 0);
    running.stop().await;
}

#[tokio::test]
async fn streams_have_gaps_and_cut_ones_are_truncated() {
    let (running, url) = mock().await;
    let whole = report(&url, &["--requests", "20", "--stream", "--model", "mock?chunks=10"]).await;
    assert_eq!((&whole["truncated"], &whole["errors"]), (&json!(0), &json!({})));
    assert!(whole["gap_us"]["count"].as_u64().unwrap() > 0);
    let cut = report(&url, &["--requests", "5", "--stream", "--model", "mock?cut=close&cut_after=3"]).await;
    assert_eq!((&cut["truncated"], &cut["requests"]), (&json!(5), &json!(5)));
    let unfinished = report(&url, &["--requests", "5", "--stream", "--model", "mock?done=0"]).await;
    assert_eq!(unfinished["truncated"], 5);
    running.stop().await;
}

#[tokio::test]
async fn held_streams_are_open_while_memory_is_read() {
    let (running, url) = mock().await;
    let own = format!("mock={}", std::process::id());
    let report = report(&url, &["--hold-open", "50", "--model", "mock?cut=hang&cut_after=1", "--process", &own]).await;
    assert_eq!((&report["streams_open"], &report["streams_alive"]), (&json!(50), &json!(50)));
    assert!(report["processes"]["mock"]["rss_per_stream_bytes"].is_i64());
    running.stop().await;
}

#[tokio::test]
async fn other_machines_are_refused() {
    for url in ["http://192.0.2.1/v1", "http://example.com/v1", "https://127.0.0.1/v1"] {
        let output = load(url, &["--requests", "1"]).await;
        assert!(!output.status.success());
        assert!(String::from_utf8_lossy(&output.stderr).contains("only") || String::from_utf8_lossy(&output.stderr).contains("loopback"));
    }
}

#[tokio::test]
async fn a_server_that_is_gone_gives_errors_not_answers() {
    let (running, url) = mock().await;
    running.stop().await;
    let report = report(&url, &["--requests", "3"]).await;
    assert_eq!((&report["requests"], &report["errors"]), (&json!(0), &json!({ "connect": 3 })));
}
