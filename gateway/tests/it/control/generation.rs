//! `/generation?id=`.

use http::StatusCode;
use ledger::gate::GateState;
use schemas::{NanoUsd, Timestamp};
use serde_json::json;

use crate::books::Books;

#[tokio::test]
async fn a_record_is_there_at_once_with_every_digit() {
    let books = Books::open().await;
    books.top_up("10").await;
    let request = books.settle_request("acme/model-1", NanoUsd::from_nanos(4_567)).await;
    let answer = books.get(&format!("/generation?id={request}"), books.inference()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let data = &answer.json["data"];
    assert_eq!(data["id"], request.to_string());
    assert!(answer.text.contains(r#""usage":0.000004567,"total_cost":0.000004567"#), "{}", answer.text);
    assert_eq!((&data["native_tokens_prompt"], &data["native_tokens_completion"]), (&json!(20), &json!(10)));
    assert_eq!((&data["native_tokens_cached"], &data["latency"], &data["generation_time"]), (&json!(10), &json!(120), &json!(300)));
    assert_eq!((&data["streamed"], &data["finish_reason"], &data["api_type"]), (&json!(true), &json!("stop"), &json!("completions")));
    let said = ["session_id", "external_user", "user_agent"].map(|field| data[field].clone());
    assert_eq!(said, [json!("conversation 1"), json!("user-7"), json!("a program/1.0")]);
    assert!(answer.text.contains(r#""cache_discount":0.00000075"#), "ten tokens read at half price: {}", answer.text);
    let responses = data["provider_responses"].as_array().unwrap();
    assert_eq!((&responses[0]["status"], &responses[1]["status"]), (&json!(503), &json!(200)));
    assert!(!answer.text.contains("\"main\""), "channel names stay inside: {}", answer.text);
}

#[tokio::test]
async fn analytics_answer_when_the_gate_no_longer_knows() {
    let books = Books::open().await;
    books.top_up("10").await;
    let request = books.settle_request("acme/model-1", NanoUsd::from_nanos(4_567)).await;
    let path = format!("/generation?id={request}");
    let from_gate = books.get(&path, books.inference()).await;
    books.booked(books.first.account_id).await;
    books.projected(3).await;
    books.services.gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
    assert_eq!(books.get(&path, books.inference()).await.text, from_gate.text);
}

#[tokio::test]
async fn another_account_cannot_tell_that_a_generation_exists() {
    let books = Books::open().await;
    books.top_up("10").await;
    let request = books.settle_request("acme/model-1", NanoUsd::from_nanos(4_567)).await;
    let account = books.post("/admin/accounts", books.platform(), json!({ "name": "other" })).await;
    let body = json!({ "name": "k", "account_id": account.json["data"]["id"] });
    let key = books.post("/keys", books.platform(), body).await;
    let key = key.json["key"].as_str().unwrap();
    let path = format!("/generation?id={request}");
    let refused = books.get(&path, key).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
    assert_eq!(refused.json["error"]["message"], format!("Generation {request} not found"));
    assert_eq!(books.get(&path, books.platform()).await.status, StatusCode::OK);
    for (query, status) in [("", StatusCode::BAD_REQUEST), ("?id=nonsense", StatusCode::NOT_FOUND), ("?id=%00", StatusCode::NOT_FOUND)] {
        assert_eq!(books.get(&format!("/generation{query}"), key).await.status, status, "{query}");
    }
}
