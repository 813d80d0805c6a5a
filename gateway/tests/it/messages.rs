//! Anthropic's dialect on a whole deployment: the same admission, metering and settlement as every request.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use gateway::providers::demo::catalog::MODELS;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::books::Books;
use crate::chat::app;

struct Door {
    books: Books,
    router: axum::Router,
}

impl Door {
    /// A deployment with the demo channel and credit.
    async fn open() -> Self {
        let books = Books::open().await;
        books.top_up("1").await;
        let price = json!({ "prompt": "3", "completion": "15" });
        let models = json!([
            { "id": "anthropic/claude-x", "upstream": MODELS[0].upstream, "price": price },
            { "id": "demo/other", "upstream": "claude-y-4-5", "price": price },
        ]);
        let made = books.post("/admin/channels", books.platform(), json!({ "name": "demo", "provider": "demo", "models": models })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let router = gateway::http::router(app(&books), Arc::clone(&books.dashboard), Arc::new(String::new));
        Self { books, router }
    }

    async fn post(&self, path: &str, body: Value) -> (StatusCode, http::HeaderMap, String) {
        self.post_with(path, body, &[]).await
    }

    async fn post_with(&self, path: &str, body: Value, more: &[(&str, &str)]) -> (StatusCode, http::HeaderMap, String) {
        let request = Request::post(path).header("x-api-key", self.books.inference()).header("anthropic-version", "2023-06-01");
        let request = more.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = self.router.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        (head.status, head.headers, text)
    }
}

fn ask(model: &str) -> Value {
    json!({ "model": model, "max_tokens": 50, "messages": [{ "role": "user", "content": "Say hello" }] })
}

#[tokio::test]
async fn a_message_is_answered_and_billed_at_both_addresses_and_by_its_short_name() {
    let door = Door::open().await;
    for (path, model) in [("/v1/messages", "anthropic/claude-x"), ("/api/v1/messages", "claude-x")] {
        let (status, headers, text) = door.post(path, ask(model)).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let message: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&message["type"], &message["model"]), (&json!("message"), &json!("anthropic/claude-x")));
        assert_eq!(headers["request-id"], message["id"].as_str().unwrap());
        let usage = &message["usage"];
        let tokens = |name: &str| usage[name].as_f64().unwrap();
        let expected = (tokens("input_tokens") * 3.0 + tokens("output_tokens") * 15.0) / 1e6;
        assert!((usage["cost"].as_f64().unwrap() - expected).abs() < 1e-9, "{usage}");
    }
    door.books.booked(door.books.first.account_id).await;
    door.books.close().await;
}

#[tokio::test]
async fn a_stream_begins_with_its_message_and_ends_with_its_cost() {
    let door = Door::open().await;
    let mut body = ask("claude-x");
    body["stream"] = json!(true);
    let (status, headers, text) = door.post("/v1/messages", body).await;
    assert_eq!((status, &headers["content-type"]), (StatusCode::OK, &http::HeaderValue::from_static("text/event-stream")));
    assert!(
        text.contains("event: message_start\n") && text.ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
        "{text}"
    );
    assert!(!text.contains("[DONE]") && text.contains("\"cost\":0.0"), "{text}");
    door.books.close().await;
}

#[tokio::test]
async fn refusals_are_written_in_anthropics_envelope() {
    let door = Door::open().await;
    for (body, kind) in [(ask("nobody/nothing"), "invalid_request_error"), (json!({ "model": "claude-x" }), "invalid_request_error")] {
        let (status, _, text) = door.post("/v1/messages", body).await;
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, &error["type"], &error["error"]["type"]), (StatusCode::BAD_REQUEST, &json!("error"), &json!(kind)), "{text}");
    }
    let mut tool = ask("claude-x");
    tool["tools"] = json!([{ "type": "web_search_20250305", "name": "web_search" }]);
    let (status, _, text) = door.post("/v1/messages", tool).await;
    assert!(status == StatusCode::BAD_REQUEST && text.contains("server tool") && text.contains("\"request_id\":\"gen-"), "{text}");
    door.books.close().await;
}

#[tokio::test]
async fn a_repeated_idempotency_key_is_refused_in_anthropics_envelope_and_costs_nothing() {
    let door = Door::open().await;
    let post = async |body: Value| door.post_with("/v1/messages", body, &[("idempotency-key", "order-1")]).await;
    let (status, headers, first) = post(ask("claude-x")).await;
    assert_eq!(status, StatusCode::OK, "{first}");
    let first: Value = serde_json::from_str(&first).unwrap();
    let (status, again_headers, again) = post(ask("claude-x")).await;
    let error: Value = serde_json::from_str(&again).unwrap();
    let metadata = &error["error"]["metadata"];
    assert_eq!((status, &error["type"], &metadata["reason"]), (StatusCode::CONFLICT, &json!("error"), &json!("idempotency_key_repeated")));
    assert_eq!((&metadata["generation_id"], &metadata["state"]), (&first["id"], &json!("settled")), "{again}");
    assert_eq!((&metadata["cost"], &again_headers["request-id"]), (&first["usage"]["cost"], &headers["request-id"]), "{again}");
    door.books.booked(door.books.first.account_id).await;
    door.books.close().await;
}

#[tokio::test]
async fn requests_that_differ_only_in_what_a_chat_request_cannot_say_are_not_the_same() {
    let door = Door::open().await;
    let post = async |body: Value| door.post_with("/v1/messages", body, &[("idempotency-key", "order-1")]).await;
    assert_eq!(post(ask("claude-x")).await.0, StatusCode::OK);
    let mut other = ask("claude-x");
    other["x_new"] = json!(true);
    let (status, _, text) = post(other).await;
    assert!(status == StatusCode::CONFLICT && text.contains("idempotency_key_reused"), "{text}");
    door.books.close().await;
}

#[tokio::test]
async fn a_word_that_cannot_be_one_is_refused_in_anthropics_envelope() {
    let door = Door::open().await;
    let (status, _, text) = door.post_with("/v1/messages", ask("claude-x"), &[("idempotency-key", "two words")]).await;
    assert!(status == StatusCode::BAD_REQUEST && text.starts_with("{\"type\":\"error\"") && text.contains("Idempotency-Key"), "{text}");
    door.books.close().await;
}

#[tokio::test]
async fn tokens_are_counted_and_a_dated_name_is_found() {
    let door = Door::open().await;
    let count = |text: &str| json!({ "model": "claude-y-4-5-20250929", "messages": [{ "role": "user", "content": text }] });
    let (status, _, short) = door.post("/v1/messages/count_tokens", count("hello")).await;
    let (_, _, long) = door.post("/v1/messages/count_tokens", count("hello wonderful world of counting")).await;
    assert_eq!(status, StatusCode::OK, "{short}");
    let tokens = |text: &str| serde_json::from_str::<Value>(text).unwrap()["input_tokens"].as_u64().unwrap();
    assert!(0 < tokens(&short) && tokens(&short) < tokens(&long), "{short} {long}");
    door.books.close().await;
}
