//! What an account may ask with all its keys together.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Gateway, channel};

/// Sets limits of the first account, as an administrator of the platform.
async fn limit(gateway: &Gateway, limits: Value) {
    let books = &gateway.books;
    let path = format!("/admin/accounts/{}", books.first.account_id);
    let set = books.patch(&path, books.platform(), limits).await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.text);
}

async fn other_key(gateway: &Gateway) -> String {
    let made = gateway.books.post("/keys", gateway.books.platform(), json!({ "name": "other" })).await;
    made.json["key"].as_str().unwrap().to_owned()
}

/// The level that refused, and by which limit.
fn told(refused: &Answer) -> (&str, &str) {
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{}", refused.text);
    let metadata = &refused.error()["metadata"];
    (metadata["level"].as_str().unwrap(), metadata["limit_source"].as_str().unwrap())
}

#[tokio::test]
async fn requests_of_all_keys_of_an_account_are_counted_together() {
    let gateway = Gateway::open(vec![channel("main", 0, "")]).await;
    let other = other_key(&gateway).await;
    limit(&gateway, json!({ "requests_per_minute": 2 })).await;
    assert_eq!(gateway.ask(json!({})).await.status, StatusCode::OK);
    assert_eq!(gateway.ask_with(&other, json!({})).await.status, StatusCode::OK);
    for key in [gateway.books.inference(), &other] {
        let refused = gateway.ask_with(key, json!({})).await;
        assert_eq!(told(&refused), ("account", "requests_per_minute"));
        let words = "Rate limit exceeded: the account may send 2 requests a minute.";
        assert_eq!((&refused.error()["message"], &refused.error()["metadata"]["limit"]), (&json!(words), &json!(2)));
        let seconds: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=30).contains(&seconds), "{seconds}");
        assert_eq!(refused.headers["x-ratelimit-limit"], "2");
    }
    limit(&gateway, json!({ "requests_per_minute": null })).await;
    assert_eq!(gateway.ask(json!({})).await.status, StatusCode::OK, "the limit is lifted at once");
    gateway.close().await;
}

#[tokio::test]
async fn tokens_and_requests_in_flight_of_an_account_are_limited_too() {
    let gateway = Gateway::open(vec![channel("main", 0, "first_byte_ms=500")]).await;
    let other = other_key(&gateway).await;
    limit(&gateway, json!({ "tokens_per_minute": 100 })).await;
    let refused = gateway.ask_with(&other, json!({ "max_tokens": 1_000 })).await;
    assert_eq!(told(&refused), ("account", "tokens_per_minute"));
    assert!(!refused.headers.contains_key("retry-after"), "waiting does not help");
    limit(&gateway, json!({ "tokens_per_minute": null, "concurrency": 1 })).await;
    let (one, two) = tokio::join!(gateway.ask(json!({})), gateway.ask_with(&other, json!({})));
    let (served, refused) = if one.status == StatusCode::OK { (one, two) } else { (two, one) };
    assert_eq!((served.status, told(&refused)), (StatusCode::OK, ("account", "account_concurrency")));
    assert!(refused.headers.contains_key("retry-after"));
    gateway.close().await;
}
