//! What a fallback, or a provider, may do to a balance.

use std::time::{Duration, Instant};

use gateway::options::Options;
use http::StatusCode;
use projector::GenerationQuery;
use serde_json::{Value, json};

use super::{Answer, Gateway, MODEL, PATIENCE, channel, with};

/// What the account of these tests has, in dollars.
const BALANCE: f64 = 10.0;

/// A channel that takes so many dollars for a million output tokens.
fn at_price(name: &str, priority: i32, script: &str, completion: &str) -> Value {
    let mut channel = channel(name, priority, script);
    channel["models"][0]["price"]["completion"] = json!(completion);
    channel
}

/// The cap that an upstream was sent which answers with its request.
fn cap_sent(answer: &Answer) -> u64 {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let sent: Value = serde_json::from_str(answer.json["choices"][0]["message"]["content"].as_str().unwrap()).unwrap();
    sent["max_tokens"].as_u64().unwrap()
}

#[tokio::test]
async fn a_dearer_fallback_costs_no_more_than_the_balance_covers() {
    let bad = || channel("bad", 0, "status=500");
    let gateway = Gateway::open(vec![bad(), at_price("dear", 1, "echo=body", "1000")]).await;
    // 32 dollars at the most, where ten are there.
    let answer = gateway.ask(json!({ "max_tokens": 32_000 })).await;
    let most = cap_sent(&answer) as f64 * 1_000.0 / 1e6;
    assert!(most > 1.0 && most <= BALANCE, "{most}");
    gateway.close().await;
    let gateway = Gateway::open(vec![bad(), at_price("dear", 1, "echo=body", "100")]).await;
    assert_eq!(cap_sent(&gateway.ask(json!({ "max_tokens": 32_000 })).await), 32_000, "three dollars are there");
    gateway.close().await;
}

#[tokio::test]
async fn a_low_balance_fails_over_like_any_other() {
    let gateway = Gateway::open(vec![at_price("bad", 0, "status=500", "5000"), at_price("good", 1, "echo=body", "5000")]).await;
    // Of twenty dollars ten are there: the answer is cut to half, wherever it comes from.
    let answer = gateway.ask(json!({ "max_tokens": 4_000 })).await;
    assert_eq!(answer.served_by(), "good");
    let most = cap_sent(&answer) as f64 * 5_000.0 / 1e6;
    assert!(most > 0.9 * BALANCE && most <= BALANCE, "{most}");
    gateway.close().await;
}

#[tokio::test]
async fn a_cheap_fallback_gives_what_was_asked_for_whatever_a_dear_one_would_have_been_cut_to() {
    let gateway = Gateway::open(vec![at_price("dear", 0, "status=500", "5000"), at_price("cheap", 1, "echo=body", "1")]).await;
    let answer = gateway.ask(json!({ "max_tokens": 4_000 })).await;
    assert_eq!((answer.served_by().as_str(), cap_sent(&answer)), ("cheap", 4_000));
    gateway.close().await;
}

#[tokio::test]
async fn who_was_not_asked_for_want_of_money_is_not_blamed() {
    let gateway = Gateway::open(vec![channel("bad", 0, "status=500"), at_price("dear", 1, "", "100000")]).await;
    let answer = gateway.ask(json!({ "max_tokens": 4_000 })).await;
    let outcomes: Vec<String> = answer.attempts().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes[1], "hold_refused", "{}", answer.text);
    assert_eq!(answer.error()["metadata"]["provider_name"], "bad", "{}", answer.text);
    assert!(answer.error()["metadata"]["previous_errors"].is_null(), "{}", answer.text);
    gateway.close().await;
}

/// Both are planned before either is at the channel, which takes one of them.
#[tokio::test]
async fn where_nobody_could_be_asked_but_for_want_of_money_the_balance_is_told() {
    let narrow = with(channel("narrow", 0, "first_byte_ms=500"), json!({ "limits": { "concurrency": 1 } }));
    let gateway = Gateway::open(vec![narrow, at_price("dear", 1, "", "100000")]).await;
    let body = json!({ "model": MODEL, "max_tokens": 4_000, "messages": [{ "role": "user", "content": "Say hello" }] });
    let ask = async |word: &str| {
        let headers = [("x-openrouter-metadata", "enabled"), ("idempotency-key", word)];
        gateway.send("/v1/chat/completions", gateway.books.inference(), &headers, &body).await
    };
    let (one, two) = tokio::join!(ask("one"), ask("two"));
    let (served, refused) = if one.status == StatusCode::OK { (one, two) } else { (two, one) };
    assert_eq!((served.status, refused.status), (StatusCode::OK, StatusCode::PAYMENT_REQUIRED), "{}", refused.text);
    assert_eq!(refused.attempts(), [("dear".to_owned(), "hold_refused".to_owned())]);
    let metadata = &refused.error()["metadata"];
    assert_eq!((&metadata["limit_source"], &metadata["reason"]), (&json!("openrouter_credits"), &json!("weight_exceeds_budget")));
    assert_eq!((&metadata["error_type"], refused.headers.contains_key("retry-after")), (&json!("payment_required"), false));
    gateway.close().await;
}

/// OpenAI's models show nothing of what they think, and tell how much it was when the stream has ended.
#[tokio::test]
async fn a_stream_that_thinks_unseen_is_held_to_what_the_balance_covers() {
    let asked = json!({ "stream": true, "max_tokens": 30_000 });
    let seen = Gateway::open(vec![at_price("seen", 0, "echo=body", "1000")]).await;
    let mut unseen = at_price("unseen", 0, "echo=body", "1000");
    unseen["provider"] = json!("openai");
    let unseen = Gateway::open(vec![unseen]).await;
    let cap = async |gateway: &Gateway| {
        let answer = gateway.ask(asked.clone()).await;
        let said: String =
            answer.frames().iter().filter_map(|frame| frame["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect();
        let sent: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {}", answer.text));
        sent["max_completion_tokens"].as_u64().or(sent["max_tokens"].as_u64()).unwrap()
    };
    assert_eq!(cap(&seen).await, 30_000, "its hold is raised as it goes on");
    let most = cap(&unseen).await as f64 * 1_000.0 / 1e6;
    assert!(most > 1.0 && most <= BALANCE + 1.0, "{most}");
    seen.close().await;
    unseen.close().await;
}

#[tokio::test]
async fn a_providers_endless_id_is_no_way_out_of_the_bill() {
    let gateway = Gateway::open(vec![channel("wordy", 0, "")]).await;
    // Longer than an event may be.
    let script = format!("mock:id={}&finish={}", "i".repeat(70_000), "f".repeat(70_000));
    let answer = gateway.ask(json!({ "messages": [{ "role": "user", "content": script }] })).await;
    assert_eq!(answer.served_by(), "wordy");
    let path = format!("/generation?id={}", answer.json["id"].as_str().unwrap());
    let kept = async {
        loop {
            let kept = gateway.books.get(&path, gateway.books.inference()).await;
            if kept.status == StatusCode::OK {
                return kept.json["data"].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let kept = tokio::time::timeout(PATIENCE, kept).await.unwrap();
    assert_eq!((kept["upstream_id"].as_str().unwrap().len(), kept["native_finish_reason"].as_str().unwrap().len()), (256, 256));
    assert_eq!(gateway.booked_requests().await[0].0, "usage.settled");
    gateway.close().await;
}

#[tokio::test]
async fn who_leaves_between_two_attempts_is_on_record_with_the_one_that_was_made() {
    let options = Options { retry_backoff: PATIENCE, retry_wait_max: PATIENCE * 2, ..Options::default() };
    let gateway = Gateway::open_with(options, vec![channel("bad", 0, "status=503")]).await;
    let asked = tokio::time::timeout(Duration::from_millis(500), gateway.ask(json!({ "stream": true }))).await;
    assert!(asked.is_err(), "it waits before it asks once more");
    assert_eq!(gateway.booked_requests().await[0].0, "usage.released");
    let made = async {
        loop {
            let page =
                gateway.books.services.analytics.generations(GenerationQuery { limit: 1, ..GenerationQuery::default() }).await.unwrap();
            if let Some(row) = page.items.first() {
                let kept = gateway.books.get(&format!("/generation?id={}", row.request_id), gateway.books.inference()).await;
                return kept.json["data"]["provider_responses"].as_array().unwrap().len();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, made).await.unwrap(), 1, "what had failed is not called off as well");
    gateway.close().await;
}

#[tokio::test]
async fn who_leaves_before_the_answer_begins_ends_the_attempt_and_pays_nothing() {
    let gateway = Gateway::open(vec![channel("slow", 0, "first_byte_ms=20000"), channel("next", 1, "")]).await;
    let begun = Instant::now();
    let asked = tokio::time::timeout(Duration::from_millis(300), gateway.ask(json!({ "stream": true }))).await;
    assert!(asked.is_err(), "nothing had come yet");
    let booked = gateway.booked_requests().await;
    assert_eq!((booked.len(), booked[0].0.as_str()), (1, "usage.released"));
    assert!(begun.elapsed() < Duration::from_secs(15), "the attempt was not waited for");
    let state = &gateway.channel("slow").state;
    assert_eq!(state.in_flight(), 0, "its place is free");
    assert_eq!(gateway.ask(json!({ "provider": { "only": ["next"] }, "model": MODEL })).await.served_by(), "next");
    gateway.close().await;
}
