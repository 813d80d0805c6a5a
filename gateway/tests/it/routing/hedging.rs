//! A second attempt beside one that is slow to begin: who answers, who pays, what is kept of the other.

use std::time::Duration;

use gateway::options::Options;
use gateway::routing::{HedgingRules, RoutingRules};
use http::StatusCode;
use schemas::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Gateway, MODEL, PATIENCE, channel};

/// Longer than any test takes: an attempt that waits so long is never the one that answers.
const NEVER: &str = "first_chunk_ms=600000";
/// Prompt and answer of the mock, at the channels' price.
const ANSWER_NANOS: i64 = 10 * 1_000 + 8 * 2_000;
/// The prompt alone.
const PROMPT_NANOS: i64 = 10 * 1_000;

fn options(hedging: HedgingRules) -> Options {
    Options { retries_max: 0, routing: RoutingRules { hedging, ..RoutingRules::default() }, ..Options::default() }
}

fn soon() -> HedgingRules {
    HedgingRules { enabled: true, delay_min: Duration::from_millis(100), share_percent: 100, ..HedgingRules::default() }
}

async fn open(scripts: &[(&str, &str)]) -> Gateway {
    Gateway::open_with(options(soon()), channels(scripts)).await
}

fn channels(scripts: &[(&str, &str)]) -> Vec<Value> {
    scripts.iter().zip(0..).map(|((name, script), priority)| channel(name, priority, script)).collect()
}

async fn stream(gateway: &Gateway) -> Answer {
    let asked = gateway.ask(json!({ "stream": true, "stream_options": { "include_usage": true } }));
    tokio::time::timeout(PATIENCE, asked).await.expect("the slow attempt was waited for")
}

fn attempts(told: &[(&str, &str)]) -> Vec<(String, String)> {
    told.iter().map(|(channel, outcome)| ((*channel).to_owned(), (*outcome).to_owned())).collect()
}

/// Waits until the upstream has seen so many clients leave.
async fn hung_up(gateway: &Gateway, count: u64) {
    let seen = async {
        while gateway.upstream_count("aborted").await != count {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, seen).await.is_ok(), "the other attempt was not ended");
}

#[tokio::test]
async fn a_stream_that_is_slow_to_begin_is_answered_by_the_next_endpoint_and_paid_once() {
    let gateway = open(&[("slow", NEVER), ("fast", "")]).await;
    let answer = stream(&gateway).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(answer.attempts(), attempts(&[("slow", "hedge_lost"), ("fast", "ok")]));
    assert_eq!((&answer.route()["hedged"], &answer.route()["attempt"]), (&json!(true), &json!(2)));
    assert!(answer.text.ends_with("data: [DONE]\n\n"), "{}", answer.text);
    hung_up(&gateway, 1).await;
    // Charged for the one that answered; the other one may have read its prompt.
    let booked = gateway.booked_requests().await;
    assert_eq!(booked, [("usage.settled".to_owned(), -ANSWER_NANOS, Some(ANSWER_NANOS + PROMPT_NANOS))]);
    // Nobody's failure, but it is known to be slow.
    let slow = gateway.endpoint("slow");
    assert_eq!(slow.channel.state.breaker.consecutive_failures(), 0);
    assert_eq!(slow.channel.state.in_flight(), 0);
    assert!(slow.state.expected_ttft_ms(Timestamp::now()) >= 100.0);
    gateway.close().await;
}

#[tokio::test]
async fn the_first_attempt_answers_where_it_begins_before_the_second() {
    let gateway = open(&[("late", "first_chunk_ms=400"), ("later", NEVER)]).await;
    let answer = stream(&gateway).await;
    assert_eq!(answer.attempts(), attempts(&[("later", "hedge_lost"), ("late", "ok")]));
    hung_up(&gateway, 1).await;
    let booked = gateway.booked_requests().await;
    assert_eq!(booked, [("usage.settled".to_owned(), -ANSWER_NANOS, Some(ANSWER_NANOS + PROMPT_NANOS))]);
    gateway.close().await;
}

#[tokio::test]
async fn an_attempt_that_fails_leaves_the_answer_to_the_one_beside_it() {
    for (scripts, told) in [
        ([("bad", "first_byte_ms=300&status=500"), ("good", "first_chunk_ms=600")], [("bad", "provider_unavailable"), ("good", "ok")]),
        // The second one fails at once, the first goes on.
        ([("good", "first_chunk_ms=600"), ("bad", "status=503")], [("bad", "provider_overloaded"), ("good", "ok")]),
    ] {
        let gateway = open(&scripts).await;
        let answer = stream(&gateway).await;
        assert_eq!(answer.attempts(), attempts(&told));
        // What failed is not billed.
        assert_eq!(gateway.booked_requests().await, [("usage.settled".to_owned(), -ANSWER_NANOS, Some(ANSWER_NANOS))]);
        assert_eq!(gateway.channel("bad").state.breaker.consecutive_failures(), 1);
        gateway.close().await;
    }
}

#[tokio::test]
async fn where_both_fail_the_next_endpoint_is_asked_and_without_one_nothing_is_charged() {
    let bad = [("one", "first_byte_ms=300&status=500"), ("two", "first_byte_ms=300&status=500")];
    let gateway = open(&[bad[0], bad[1], ("good", "")]).await;
    let answer = stream(&gateway).await;
    let failed = "provider_unavailable";
    assert_eq!(answer.attempts(), attempts(&[("one", failed), ("two", failed), ("good", "ok")]));
    assert_eq!(gateway.booked_requests().await.len(), 1);
    gateway.close().await;

    let gateway = open(&bad).await;
    let answer = stream(&gateway).await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY, "{}", answer.text);
    assert_eq!(answer.attempts(), attempts(&[("one", failed), ("two", failed)]));
    assert_eq!(gateway.booked_requests().await, [("usage.released".to_owned(), 0, None)]);
    gateway.close().await;
}

#[tokio::test]
async fn a_callers_mistake_ends_both_attempts_and_what_the_other_may_cost_is_kept() {
    let gateway = open(&[("strict", "first_byte_ms=300&status=400&message=bad"), ("slow", NEVER)]).await;
    let answer = stream(&gateway).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    assert_eq!(answer.attempts(), attempts(&[("strict", "invalid_request"), ("slow", "hedge_lost")]));
    hung_up(&gateway, 1).await;
    let booked = gateway.booked_requests().await;
    assert!(matches!(&booked[..], [(event, 0, Some(cost))] if event == "usage.released" && *cost > 0), "{booked:?}");
    gateway.close().await;
}

#[tokio::test]
async fn nothing_is_begun_beside_an_attempt_where_that_is_not_wanted() {
    let slow = [("slow", "first_chunk_ms=500"), ("fast", "")];
    let streamed = json!({ "stream": true });
    let other_model = {
        let mut channels = channels(&slow);
        channels[1]["models"][0]["id"] = json!("acme/model-2");
        channels
    };
    for (what, options, channels, more) in [
        ("it is off by default", options(HedgingRules::default()), channels(&slow), streamed.clone()),
        ("whole answers are not hedged", options(soon()), channels(&slow), json!({})),
        ("attempts are capped", Options { attempts_max: 1, ..options(soon()) }, channels(&slow), streamed.clone()),
        (
            "the request wants no other endpoint",
            options(soon()),
            channels(&slow),
            json!({ "stream": true, "provider": { "allow_fallbacks": false } }),
        ),
        (
            "another model is for failures, not for slowness",
            options(soon()),
            other_model,
            json!({ "stream": true, "models": [MODEL, "acme/model-2"] }),
        ),
        (
            "it is waited for longer",
            options(HedgingRules { delay_min: Duration::from_secs(600), ..soon() }),
            channels(&slow),
            streamed.clone(),
        ),
    ] {
        let gateway = Gateway::open_with(options, channels).await;
        let answer = gateway.ask(more).await;
        assert_eq!((answer.attempts(), &answer.route()["hedged"]), (attempts(&[("slow", "ok")]), &json!(false)), "{what}");
        assert_eq!(gateway.upstream_count("requests").await, 1, "{what}");
        gateway.close().await;
    }
}

#[tokio::test]
async fn only_a_share_of_streams_is_hedged() {
    let rules = HedgingRules { share_percent: 0, delay_min: Duration::from_millis(10), ..soon() };
    let gateway = Gateway::open_with(options(rules), channels(&[("slow", "first_chunk_ms=200"), ("fast", "first_chunk_ms=600000")])).await;
    let mut hedged = 0;
    for _ in 0..14 {
        hedged += u32::from(stream(&gateway).await.route()["hedged"] == json!(true));
    }
    assert_eq!(hedged, 10, "what is saved, and nothing beyond it");
    gateway.close().await;
}

#[tokio::test]
async fn an_endpoint_that_has_been_slower_is_waited_for_longer() {
    let gateway = open(&[("slow", "first_chunk_ms=400"), ("fast", "")]).await;
    let slow = gateway.endpoint("slow");
    // What it took lately is far above the floor.
    let ending = gateway::routing::health::Ending::Succeeded { latency_ms: 60_000, output_tokens: 8, generation_ms: 60_000 };
    slow.state.ended(ending, Some(50_000), Timestamp::now());
    slow.state.judge(Timestamp::now());
    let answer = stream(&gateway).await;
    assert_eq!((answer.attempts(), &answer.route()["hedged"]), (attempts(&[("slow", "ok")]), &json!(false)));
    gateway.close().await;
}
