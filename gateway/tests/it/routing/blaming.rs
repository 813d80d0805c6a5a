//! Whose failure each way is in which an upstream can fail, and what follows: the rules of docs/routing.md, one by one.

use std::time::Duration;

use gateway::options::Options;
use gateway::routing::health::{BreakerState, Counts, Window};
use http::StatusCode;
use schemas::Timestamp;
use serde_json::json;

use super::{Gateway, MODEL, channel, with};

/// What is counted of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counted {
    Error,
    RateLimited,
    Nothing,
}

/// What the client gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// The next endpoint's answer.
    Next,
    /// The failure, at once.
    Told(u16),
    /// What had begun, with its failure at its end.
    Broken,
}

fn counts(gateway: &Gateway, name: &str) -> Counts {
    gateway.endpoint(name).state.counts(Window::FiveMinutes, Timestamp::now())
}

async fn check(script: &str, stream: bool, counted: Counted, then: Then) {
    let first = with(channel("first", 0, script), json!({ "timeouts": { "first_byte": "1s", "idle": "1s" } }));
    let gateway = Gateway::open_with(Options { retries_max: 0, ..Options::default() }, vec![first, channel("next", 1, "")]).await;
    let answer = gateway.ask(json!({ "stream": stream })).await;
    let what = format!("{script} (stream: {stream}): {}", answer.text);
    let tried: Vec<String> = answer.attempts().into_iter().map(|(channel, _)| channel).collect();
    match then {
        Then::Next => assert_eq!((answer.status, &tried[..]), (StatusCode::OK, &["first".to_owned(), "next".to_owned()][..]), "{what}"),
        Then::Told(status) => assert_eq!((answer.status.as_u16(), &tried[..]), (status, &["first".to_owned()][..]), "{what}"),
        Then::Broken => {
            assert_eq!((answer.status, &tried[..]), (StatusCode::OK, &["first".to_owned()][..]), "{what}");
            assert!(answer.text.contains(r#""finish_reason":"error""#), "{what}");
        }
    }
    let found = counts(&gateway, "first");
    let expected = match counted {
        Counted::Error => (0, 1, 0, 0),
        Counted::RateLimited => (0, 0, 1, 0),
        Counted::Nothing => (0, 0, 0, 1),
    };
    assert_eq!((found.success, found.error, found.rate_limited, found.not_counted), expected, "{what}");
    gateway.close().await;
}

#[tokio::test]
async fn a_callers_mistake_counts_against_nobody_and_is_told() {
    for status in [400_u16, 413, 422] {
        for stream in [false, true] {
            check(&format!("status={status}"), stream, Counted::Nothing, Then::Told(status)).await;
        }
    }
}

#[tokio::test]
async fn a_403_counts_against_nobody_and_goes_on() {
    check("status=403", false, Counted::Nothing, Then::Next).await;
    check("status=403", true, Counted::Nothing, Then::Next).await;
}

#[tokio::test]
async fn a_429_is_counted_apart_and_goes_on() {
    check("status=429", false, Counted::RateLimited, Then::Next).await;
    check("status=429&retry_after=7", true, Counted::RateLimited, Then::Next).await;
}

#[tokio::test]
async fn what_the_endpoint_could_have_spared_the_client_is_an_error_and_goes_on() {
    for status in [401, 402, 404, 500, 502, 503, 504, 529] {
        check(&format!("status={status}"), status % 2 == 0, Counted::Error, Then::Next).await;
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_an_error_and_goes_on() {
    for script in ["fault=html", "fault=bad_json", "fault=empty", "cut=close&cut_bytes=20", "cut=reset&cut_bytes=20"] {
        check(script, false, Counted::Error, Then::Next).await;
    }
}

#[tokio::test]
async fn a_stream_that_fails_before_its_first_frame_is_an_error_and_goes_on() {
    for script in ["error_after=0", "bad_frame_after=0", "cut=close", "cut=reset", "cut=clean", "hang=after_headers", "hang=before_headers"]
    {
        check(script, true, Counted::Error, Then::Next).await;
    }
}

#[tokio::test]
async fn a_stream_that_fails_after_its_first_frame_is_an_error_and_ends_there() {
    for script in ["error_after=3", "bad_frame_after=3", "cut=close&cut_after=3", "cut=reset&cut_after=3", "cut=hang&cut_after=3"] {
        check(script, true, Counted::Error, Then::Broken).await;
    }
}

#[tokio::test]
async fn an_answer_that_says_itself_that_it_failed_is_an_error() {
    for stream in [false, true] {
        check("finish=error", stream, Counted::Error, Then::Broken).await;
    }
}

#[tokio::test]
async fn a_provider_that_says_it_is_busy_is_alive_and_a_silent_one_is_not() {
    let patient = |script: &str| with(channel("busy", 0, script), json!({ "timeouts": { "first_byte": "800ms" } }));
    let gateway = Gateway::open(vec![patient("first_chunk_ms=2400&comment_ms=200"), channel("next", 1, "")]).await;
    let answer = gateway.ask(json!({ "stream": true })).await;
    assert_eq!(answer.attempts(), [("busy".into(), "ok".into())], "comments are a sign of life");
    gateway.offer(vec![patient("first_chunk_ms=2400"), channel("next", 1, "")]).await;
    let answer = gateway.ask(json!({ "stream": true })).await;
    assert_eq!(answer.attempts(), [("busy".into(), "timeout".into()), ("next".into(), "ok".into())]);
    // The attempt as a whole has a budget, too.
    let capped = with(patient("first_chunk_ms=600000&comment_ms=100"), json!({ "timeouts": { "first_byte": "800ms", "total": "1500ms" } }));
    gateway.offer(vec![capped, channel("next", 1, "")]).await;
    let answer = gateway.ask(json!({ "stream": true })).await;
    assert_eq!(answer.attempts(), [("busy".into(), "timeout".into()), ("next".into(), "ok".into())]);
    gateway.close().await;
}

#[tokio::test]
async fn a_model_the_provider_does_not_have_rests_alone() {
    let mut both = channel("both", 0, "status=404");
    let mut other = both["models"][0].clone();
    (other["id"], other["upstream"]) = (json!("acme/model-2"), json!("mock"));
    both["models"].as_array_mut().unwrap().push(other);
    let gateway = Gateway::open(vec![both, channel("next", 1, "")]).await;
    for _ in 0..2 {
        assert_eq!(gateway.ask(json!({})).await.attempts().len(), 2);
    }
    let now = Timestamp::now();
    assert_ne!(gateway.endpoint("both").state.breaker.state(now), BreakerState::Closed, "the model rests");
    assert_eq!(gateway.channel("both").state.breaker.consecutive_failures(), 0, "the channel does not");
    assert_eq!(gateway.ask(json!({ "model": "acme/model-2" })).await.served_by(), "both");
    gateway.close().await;
}

#[tokio::test]
async fn a_channel_that_cannot_be_reached_is_not_asked_for_another_model() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut away = with(channel("away", 0, ""), json!({ "base_url": format!("http://{free}/v1") }));
    let mut other = away["models"][0].clone();
    other["id"] = json!("acme/model-2");
    away["models"].as_array_mut().unwrap().push(other);
    let mut here = channel("here", 1, "");
    here["models"][0]["id"] = json!("acme/model-2");
    let gateway = Gateway::open(vec![away, here]).await;
    let answer = gateway.ask(json!({ "models": [MODEL, "acme/model-2"] })).await;
    assert_eq!(answer.attempts(), [("away".into(), "provider_unavailable".into()), ("here".into(), "ok".into())]);
    assert_eq!(answer.json["model"], "acme/model-2");
    gateway.close().await;
}

#[tokio::test]
async fn a_silent_channel_is_not_asked_for_another_model() {
    let mut silent = channel("silent", 0, "hang=after_headers");
    let mut other = silent["models"][0].clone();
    other["id"] = json!("acme/model-2");
    silent["models"].as_array_mut().unwrap().push(other);
    let mut here = channel("here", 1, "");
    here["models"][0]["id"] = json!("acme/model-2");
    let options = Options { first_byte_timeout: Duration::from_millis(300), ..Options::default() };
    let gateway = Gateway::open_with(options, vec![silent, here]).await;
    let answer = gateway.ask(json!({ "stream": true, "models": [MODEL, "acme/model-2"] })).await;
    assert_eq!(answer.attempts(), [("silent".into(), "timeout".into()), ("here".into(), "ok".into())]);
    gateway.close().await;
}

#[tokio::test]
async fn of_several_keys_only_the_one_that_is_limited_rests() {
    let keys = json!({ "api_keys": ["sk-second"] });
    let gateway = Gateway::open(vec![with(channel("main", 0, "status=429&fail_first=1&retry_after=30"), keys)]).await;
    let answer = gateway.ask(json!({})).await;
    assert_eq!(answer.attempts(), [("main".into(), "rate_limit_exceeded".into()), ("main".into(), "ok".into())]);
    let now = Timestamp::now();
    let usable: Vec<bool> = gateway.channel("main").keys.iter().map(|key| key.state.is_usable(now)).collect();
    assert_eq!((usable, gateway.channel("main").state.cool_until()), (vec![false, true], None));
    assert_eq!(gateway.ask(json!({})).await.attempts().len(), 1);
    gateway.close().await;
}

#[tokio::test]
async fn a_provider_that_is_down_and_says_for_how_long_is_left_alone_for_that_time() {
    let gateway = Gateway::open(vec![channel("down", 0, "status=503&retry_after=30"), channel("next", 1, "")]).await;
    assert_eq!(gateway.ask(json!({})).await.attempts().len(), 2);
    let left = gateway.channel("down").state.cool_until().unwrap().micros() - Timestamp::now().micros();
    assert!((20_000_000..=30_000_000).contains(&left), "{left}");
    assert_eq!(gateway.ask(json!({})).await.attempts(), [("next".into(), "ok".into())]);
    gateway.close().await;
}

#[tokio::test]
async fn a_channel_takes_no_more_requests_and_tokens_a_minute_than_it_may() {
    for (limits, most) in [(json!({ "requests_per_minute": 60 }), 11), (json!({ "tokens_per_minute": 600 }), 11)] {
        let narrow = with(channel("narrow", 0, ""), json!({ "limits": limits }));
        let gateway = Gateway::open(vec![narrow, channel("wide", 1, "")]).await;
        let mut served = 0;
        for _ in 0..20 {
            served += usize::from(gateway.ask(json!({})).await.served_by() == "narrow");
        }
        // A sixth of a minute's worth at once, and what came back meanwhile.
        assert!((1..=most + 4).contains(&served), "{limits}: {served}");
        let alone = gateway.ask(json!({ "provider": { "only": ["narrow"] } })).await;
        if alone.status != StatusCode::OK {
            assert_eq!(alone.status, StatusCode::TOO_MANY_REQUESTS, "{}", alone.text);
            assert!(alone.headers.contains_key("retry-after"));
        }
        gateway.close().await;
    }
}

#[tokio::test]
async fn a_request_ends_in_its_time_however_many_endpoints_are_left() {
    let silent = (0..4).map(|number| channel(&format!("silent-{number}"), number, "hang=before_headers"));
    let options =
        Options { total_timeout: Duration::from_millis(1_500), whole_answer_timeout: Duration::from_secs(1), ..Options::default() };
    let gateway = Gateway::open_with(options, silent.collect()).await;
    let answer = tokio::time::timeout(Duration::from_secs(30), gateway.ask(json!({}))).await.unwrap();
    assert_eq!((answer.status, answer.attempts().len()), (StatusCode::GATEWAY_TIMEOUT, 2), "{}", answer.text);
    gateway.close().await;
}
