//! Limits of free models: what a client is told, and what counts.

use gateway::admission::FreeTierRules;
use gateway::options::Options;
use http::StatusCode;
use schemas::{NanoUsd, Timestamp};
use serde_json::{Value, json};

use super::{Answer, Gateway, MODEL, channel, with};

const FREE: &str = "acme/small:free";
/// Paid, and its provider fails.
const DOWN: &str = "acme/down";

fn rules() -> FreeTierRules {
    FreeTierRules {
        requests_per_minute: 100,
        requests_per_day: 2,
        requests_per_day_with_credits: 4,
        credits: NanoUsd::from_usd(20),
        zero_priced: false,
    }
}

/// A channel with a free variant, a model that costs nothing under another name, and a paid one.
async fn gateway(rules: FreeTierRules) -> Gateway {
    let model = |id: &str, upstream: &str, price: Value| json!({ "id": id, "upstream": upstream, "price": price });
    let models = [
        model(FREE, "mock", json!("free")),
        model("acme/broken:free", "mock?status=500", json!("free")),
        model("acme/gratis", "mock", json!("free")),
        model(MODEL, "mock", json!({ "prompt": "1", "completion": "2" })),
        model(DOWN, "mock?status=500", json!({ "prompt": "1", "completion": "2" })),
    ];
    let main = with(channel("main", 0, ""), json!({ "models": models }));
    let options = Options { free_tier: Some(rules), retries_max: 0, ..Options::default() };
    Gateway::open_with(options, vec![main]).await
}

async fn ask(gateway: &Gateway, model: &str) -> Answer {
    gateway.ask(json!({ "model": model })).await
}

fn limit_source(answer: &Answer) -> &str {
    answer.error()["metadata"]["limit_source"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_used_up_day_is_told_as_openrouter_tells_it() {
    let gateway = gateway(rules()).await;
    assert_eq!(ask(&gateway, FREE).await.status, StatusCode::OK);
    assert_eq!(ask(&gateway, "acme/broken:free").await.status, StatusCode::BAD_GATEWAY, "a failed attempt counts");
    let refused = ask(&gateway, FREE).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
    let error = refused.error();
    let words = "Rate limit exceeded: free-models-per-day. Add 20 credits to unlock 4 free model requests per day";
    assert_eq!((&error["message"], &error["code"]), (&json!(words), &json!(429)));
    assert_eq!(limit_source(&refused), "openrouter_free_tier_daily");
    let midnight = Timestamp::now().day().plus(1).start().millis().to_string();
    let shown = json!({ "X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": midnight });
    assert_eq!(error["metadata"]["headers"], shown);
    for (name, value) in shown.as_object().unwrap() {
        assert_eq!(refused.headers[name.as_str()], *value.as_str().unwrap(), "{name}");
    }
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(ask(&gateway, MODEL).await.status, StatusCode::OK, "others go on");
    assert_eq!(ask(&gateway, "acme/gratis").await.status, StatusCode::OK, "another name does not count");
    let key = gateway.books.get("/key", gateway.books.inference()).await;
    assert_eq!(key.json["data"]["free_model_daily_requests"], json!({ "used": 2, "limit": 2, "remaining": 0 }));
    gateway.close().await;
}

#[tokio::test]
async fn credits_ever_received_unlock_more_requests() {
    let gateway = gateway(rules()).await;
    gateway.books.top_up("10").await;
    for _ in 0..4 {
        assert_eq!(ask(&gateway, FREE).await.status, StatusCode::OK);
    }
    let refused = ask(&gateway, FREE).await;
    assert_eq!(refused.error()["message"], "Rate limit exceeded: free-models-per-day-high-balance");
    gateway.close().await;
}

#[tokio::test]
async fn a_minute_has_a_limit_of_its_own() {
    let gateway = gateway(FreeTierRules { requests_per_minute: 1, ..rules() }).await;
    assert_eq!(ask(&gateway, FREE).await.status, StatusCode::OK);
    let refused = ask(&gateway, FREE).await;
    assert_eq!((refused.status, limit_source(&refused)), (StatusCode::TOO_MANY_REQUESTS, "openrouter_free_tier_per_minute"));
    assert_eq!(refused.error()["message"], "Rate limit exceeded: free-models-per-min");
    assert_eq!(refused.error()["metadata"]["headers"]["X-RateLimit-Limit"], "1");
    gateway.close().await;
}

#[tokio::test]
async fn what_costs_nothing_counts_where_that_is_configured_or_asked_for() {
    let gateway = gateway(FreeTierRules { requests_per_day: 1, ..rules() }).await;
    assert_eq!(ask(&gateway, "acme/gratis:free").await.status, StatusCode::OK);
    assert_eq!(limit_source(&ask(&gateway, "acme/gratis:free").await), "openrouter_free_tier_daily");
    assert_eq!(ask(&gateway, "acme/gratis").await.status, StatusCode::OK);
    gateway.close().await;
    let gateway = self::gateway(FreeTierRules { zero_priced: true, requests_per_day: 0, ..rules() }).await;
    assert_eq!(limit_source(&ask(&gateway, "acme/gratis").await), "openrouter_free_tier_daily");
    gateway.close().await;
}

#[tokio::test]
async fn a_fallback_that_is_paid_for_is_taken_when_the_free_one_is_used_up() {
    let gateway = gateway(FreeTierRules { requests_per_day: 0, ..rules() }).await;
    let answer = gateway.ask(json!({ "model": FREE, "models": [FREE, MODEL] })).await;
    assert_eq!((answer.status, &answer.json["model"]), (StatusCode::OK, &json!(MODEL)), "{}", answer.text);
    gateway.close().await;
}

async fn free_requests_used(gateway: &Gateway) -> Value {
    gateway.books.get("/key", gateway.books.inference()).await.json["data"]["free_model_daily_requests"]["used"].clone()
}

#[tokio::test]
async fn a_paid_model_that_fails_is_no_way_around_the_limits_of_free_ones() {
    let gateway = gateway(rules()).await;
    gateway.books.top_up("5").await;
    let through_paid = async || gateway.ask(json!({ "model": DOWN, "models": [DOWN, "acme/broken:free", FREE] })).await;
    for used in 1..=2 {
        let answer = through_paid().await;
        assert_eq!((answer.status, &answer.json["model"]), (StatusCode::OK, &json!(FREE)), "{}", answer.text);
        assert_eq!(free_requests_used(&gateway).await, used, "two free models were asked by one request");
    }
    let refused = through_paid().await;
    assert_eq!(refused.status, StatusCode::BAD_GATEWAY, "the paid model's own failure is told: {}", refused.text);
    assert_eq!(free_requests_used(&gateway).await, 2);
    let answer = gateway.ask(json!({ "model": MODEL, "models": [MODEL, FREE] })).await;
    assert_eq!((answer.status, &answer.json["model"]), (StatusCode::OK, &json!(MODEL)), "what is paid for goes on");
    gateway.close().await;
}

#[tokio::test]
async fn a_paid_answer_uses_up_no_free_request() {
    let gateway = gateway(rules()).await;
    for _ in 0..3 {
        let answer = gateway.ask(json!({ "model": MODEL, "models": [MODEL, FREE] })).await;
        assert_eq!((answer.status, &answer.json["model"]), (StatusCode::OK, &json!(MODEL)), "{}", answer.text);
    }
    assert_eq!(free_requests_used(&gateway).await, 0);
    gateway.close().await;
}
