//! Every failover rule, against upstreams that fail for real.

use std::time::{Duration, Instant};

use gateway::options::Options;
use gateway::routing::health::BreakerState;
use http::StatusCode;
use schemas::Timestamp;
use serde_json::json;

use super::{Gateway, channel, with};

#[tokio::test]
async fn a_failing_channel_is_passed_over_and_then_left_alone() {
    let gateway = Gateway::open(vec![channel("bad", 0, "status=500"), channel("good", 1, "")]).await;
    for _ in 0..3 {
        let answer = gateway.ask(json!({})).await;
        assert_eq!(answer.attempts(), [("bad".into(), "provider_unavailable".into()), ("good".into(), "ok".into())]);
    }
    // Three failures in a row opened the breaker; each failed probe opens it for longer.
    assert_ne!(gateway.channel("bad").state.breaker.state(Timestamp::now()), BreakerState::Closed);
    let is_open = || gateway.channel("bad").state.breaker.state(Timestamp::now()) == BreakerState::Open;
    for _ in 0..20 {
        let was_open = is_open();
        let answer = gateway.ask(json!({})).await;
        assert_eq!(answer.served_by(), "good");
        if was_open && is_open() {
            assert_eq!(answer.attempts(), [("good".into(), "ok".into())]);
            return gateway.close().await;
        }
    }
    panic!("the breaker never stayed open for the time of one request");
}

#[tokio::test]
async fn half_of_the_attempts_at_a_failing_channel_do_not_cost_a_single_answer() {
    let gateway = Gateway::open(vec![channel("bad", 0, "status=500"), channel("good", 0, "")]).await;
    for _ in 0..30 {
        assert_eq!(gateway.ask(json!({})).await.served_by(), "good");
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_breaker_closes_once_a_probe_succeeds() {
    let gateway = Gateway::open(vec![channel("flaky", 0, "status=503&fail_first=3"), channel("good", 1, "")]).await;
    for _ in 0..3 {
        assert_eq!(gateway.ask(json!({})).await.served_by(), "good");
    }
    let flaky = gateway.channel("flaky");
    let until = flaky.state.breaker.open_until().unwrap();
    tokio::time::sleep_until(
        tokio::time::Instant::now() + Duration::from_micros((until.micros() - Timestamp::now().micros()).max(0) as u64),
    )
    .await;
    assert_eq!(flaky.state.breaker.state(Timestamp::now()), BreakerState::HalfOpen);
    // Asked by name: it failed a moment ago, so the other one would go first.
    assert_eq!(gateway.ask(json!({ "provider": { "only": ["flaky"] } })).await.served_by(), "flaky");
    assert_eq!(flaky.state.breaker.state(Timestamp::now()), BreakerState::Closed);
    gateway.close().await;
}

#[tokio::test]
async fn when_nothing_works_the_answer_says_so_and_when_to_come_again() {
    let options = Options { retries_max: 0, ..Options::default() };
    let gateway = Gateway::open_with(options, vec![channel("bad", 0, "status=500")]).await;
    for _ in 0..3 {
        assert_eq!(gateway.ask(json!({})).await.status, StatusCode::BAD_GATEWAY);
    }
    let mut answer = gateway.ask(json!({})).await;
    for _ in 0..20 {
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            break;
        }
        answer = gateway.ask(json!({})).await;
    }
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let removed = &answer.error()["metadata"]["removed_endpoints"][0];
    assert_eq!(
        (&removed["channel"], &removed["step"], &removed["level"]),
        (&json!("bad"), &json!("health"), &json!("channel")),
        "{removed}"
    );
    gateway.close().await;
}

#[tokio::test]
async fn a_429_cools_the_channel_for_its_stated_time() {
    let gateway = Gateway::open(vec![channel("busy", 0, "status=429&retry_after=30"), channel("good", 1, "")]).await;
    assert_eq!(gateway.ask(json!({})).await.attempts().len(), 2);
    assert_eq!(gateway.ask(json!({})).await.attempts(), [("good".into(), "ok".into())]);
    let left = gateway.channel("busy").state.cool_until().unwrap().micros() - Timestamp::now().micros();
    assert!((25_000_000..=30_000_000).contains(&left), "{left}");
    let answer = gateway.ask(json!({ "provider": { "only": ["busy"] } })).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{}", answer.text);
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((25..=30).contains(&wait), "{wait}");
    // It is no failure.
    assert_eq!(gateway.channel("busy").state.breaker.consecutive_failures(), 0);
    gateway.close().await;
}

#[tokio::test]
async fn a_refused_key_is_left_out_and_the_next_one_takes_over() {
    let keys = json!({ "api_keys": ["sk-second", "sk-third"] });
    for status in ["401", "402"] {
        let gateway = Gateway::open(vec![with(channel("main", 0, &format!("status={status}&fail_first=1")), keys.clone())]).await;
        let answer = gateway.ask(json!({})).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert_eq!(answer.attempts().len(), 2, "the same channel with another key");
        let now = Timestamp::now();
        let refused: Vec<bool> = gateway.channel("main").keys.iter().map(|key| key.state.is_refused(now)).collect();
        assert_eq!(refused, [true, false, false]);
        gateway.close().await;
    }
}

#[tokio::test]
async fn a_channel_without_a_key_that_is_taken_is_not_asked() {
    let gateway = Gateway::open(vec![channel("unpaid", 0, "status=402")]).await;
    assert_eq!(gateway.ask(json!({})).await.status, StatusCode::BAD_GATEWAY);
    let answer = gateway.ask(json!({})).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    assert!(answer.text.contains("refuses the channel's keys") && !answer.text.contains("sk-unpaid"), "{}", answer.text);
    gateway.close().await;
}

#[tokio::test]
async fn a_callers_mistake_is_told_at_once_and_counts_against_nobody() {
    let gateway = Gateway::open(vec![channel("strict", 0, "status=400&message=bad"), channel("good", 1, "")]).await;
    for _ in 0..5 {
        let answer = gateway.ask(json!({})).await;
        assert_eq!((answer.status, answer.attempts().len()), (StatusCode::BAD_REQUEST, 1), "{}", answer.text);
    }
    let strict = gateway.channel("strict");
    assert_eq!((strict.state.breaker.state(Timestamp::now()), strict.state.breaker.consecutive_failures()), (BreakerState::Closed, 0));
    gateway.close().await;
}

#[tokio::test]
async fn each_attempt_has_its_own_time_to_begin() {
    let slow = with(channel("silent", 0, "hang=before_headers"), json!({ "timeouts": { "first_byte": "200ms" } }));
    let gateway = Gateway::open(vec![slow, channel("good", 1, "")]).await;
    for stream in [false, true] {
        let started = Instant::now();
        let answer = gateway.ask(json!({ "stream": stream })).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        assert!((Duration::from_millis(200)..Duration::from_secs(10)).contains(&started.elapsed()));
        assert!(answer.text.contains(r#""provider":"silent","status":null"#) || answer.text.contains("timeout"), "{}", answer.text);
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_ended_by_its_channels_idle_budget() {
    let stalls = with(channel("stalls", 0, "cut=hang&cut_after=3"), json!({ "timeouts": { "idle": "300ms" } }));
    let gateway = Gateway::open(vec![stalls]).await;
    let answer = tokio::time::timeout(Duration::from_secs(20), gateway.ask(json!({ "stream": true }))).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.contains("The provider stopped sending") && answer.text.ends_with("data: [DONE]\n\n"), "{}", answer.text);
    assert_eq!(gateway.channel("stalls").state.breaker.consecutive_failures(), 1, "a break in mid-stream is a failure");
    gateway.close().await;
}

#[tokio::test]
async fn a_channel_takes_no_more_at_once_than_it_may() {
    let narrow = with(channel("narrow", 0, "first_byte_ms=400"), json!({ "limits": { "concurrency": 2 } }));
    let gateway = Gateway::open(vec![narrow, channel("wide", 1, "")]).await;
    let asked = (0..5).map(|_| gateway.ask(json!({})));
    let answers = futures_util::future::join_all(asked).await;
    let narrow = answers.iter().filter(|answer| answer.served_by() == "narrow").count();
    assert_eq!((narrow, gateway.channel("narrow").state.in_flight()), (2, 0));
    gateway.close().await;
}

#[tokio::test]
async fn where_nothing_else_is_left_a_passing_trouble_is_given_a_second_chance() {
    let gateway = Gateway::open(vec![channel("only", 0, "status=503&fail_first=1")]).await;
    let answer = gateway.ask(json!({})).await;
    assert_eq!(answer.attempts(), [("only".into(), "provider_overloaded".into()), ("only".into(), "ok".into())]);
    gateway.offer(vec![channel("only", 0, "status=503&retry_after=60")]).await;
    let answer = gateway.ask(json!({})).await;
    assert_eq!((answer.status, answer.attempts().len()), (StatusCode::SERVICE_UNAVAILABLE, 1), "a minute is not waited for");
    gateway.close().await;
}

#[tokio::test]
async fn attempts_are_capped() {
    let mut channels: Vec<_> = (0..8).map(|number| channel(&format!("bad-{number}"), number, "status=500")).collect();
    channels.push(channel("good", 9, ""));
    let gateway = Gateway::open_with(Options { attempts_max: 3, ..Options::default() }, channels).await;
    let answer = gateway.ask(json!({})).await;
    assert_eq!((answer.status, answer.attempts().len()), (StatusCode::BAD_GATEWAY, 3), "{}", answer.text);
    gateway.close().await;
}
