//! What a client says of itself is told by `/generation`: its names for the conversation and for its user, and its program.

use http::StatusCode;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, Gateway, MODEL, PATIENCE, channel};

const EMBEDDER: &str = "acme/embed-1";

async fn gateway() -> Gateway {
    let mut embedder = channel("embedder", 0, "prompt_tokens=3");
    embedder["models"][0]["id"] = json!(EMBEDDER);
    embedder["models"][0]["output_modalities"] = json!(["embeddings"]);
    Gateway::open(vec![channel("main", 0, ""), embedder]).await
}

/// A request of every kind there is: where it is sent, and its body.
fn requests() -> Vec<(&'static str, Value)> {
    let messages = json!([{ "role": "user", "content": "Say hello" }]);
    vec![
        ("/v1/chat/completions", json!({ "model": MODEL, "max_tokens": 16, "messages": messages })),
        ("/v1/chat/completions", json!({ "model": MODEL, "max_tokens": 16, "messages": messages, "stream": true })),
        ("/v1/messages", json!({ "model": MODEL, "max_tokens": 16, "messages": messages })),
        ("/v1/responses", json!({ "model": MODEL, "max_output_tokens": 16, "input": "Say hello" })),
        ("/v1/completions", json!({ "model": MODEL, "max_tokens": 16, "prompt": "Say" })),
        ("/v1/embeddings", json!({ "model": EMBEDDER, "input": "hello" })),
    ]
}

fn with(body: &Value, more: &Value) -> Value {
    let mut body = body.clone();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// `session_id`, `external_user` and `user_agent` of the record of an answered request.
async fn said(gateway: &Gateway, answer: &Answer) -> [Value; 3] {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let path = format!("/generation?id={}", answer.headers["x-generation-id"].to_str().unwrap());
    let record = async {
        loop {
            let record = gateway.books.get(&path, gateway.books.inference()).await;
            if record.status == StatusCode::OK {
                return ["session_id", "external_user", "user_agent"].map(|field| record.json["data"][field].clone());
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, record).await.unwrap()
}

#[tokio::test]
async fn a_record_tells_what_a_request_of_any_kind_said_of_itself() {
    let gateway = gateway().await;
    let headers = [("x-session-id", " from the header "), ("user-agent", "a-program/1.0 (test)")];
    for (path, body) in requests() {
        let ask = async |headers: &[(&str, &str)], more: Value| {
            let answer = gateway.send(path, gateway.books.inference(), headers, &with(&body, &more)).await;
            said(&gateway, &answer).await
        };
        let own = json!({ "session_id": "from the body", "user": "user-7" });
        assert_eq!(ask(&headers, own).await, [json!("from the body"), json!("user-7"), json!("a-program/1.0 (test)")], "{path}");
        assert_eq!(ask(&headers, json!({})).await, [json!("from the header"), Value::Null, json!("a-program/1.0 (test)")], "{path}");
        assert_eq!(ask(&[], json!({})).await, [Value::Null, Value::Null, Value::Null], "{path}");
    }
    gateway.close().await;
}

#[tokio::test]
async fn words_are_bounded_and_nothing_is_kept_that_holds_an_address_or_a_key() {
    let gateway = gateway().await;
    let (path, body) = requests().remove(0);
    let ask = async |agent: &str, session: &str, user: Value| {
        let more = json!({ "session_id": session, "user": user });
        let answer = gateway.send(path, gateway.books.inference(), &[("user-agent", agent)], &with(&body, &more)).await;
        said(&gateway, &answer).await
    };
    let long = "x".repeat(256);
    let bounded = ask(&format!("{long}y"), &long, json!(format!("{long}y"))).await;
    assert_eq!(bounded, [json!(long), json!(long), json!(long)]);
    let none = [Value::Null, Value::Null, Value::Null];
    assert_eq!(ask("bot (ops@bot.example)", "ada@example.com", json!("ada@example.com")).await, none);
    let key = gateway.books.inference();
    assert_eq!(ask(key, key, json!(key)).await, none);
    assert_eq!(ask("\t", "", json!(7)).await, none);
    gateway.close().await;
}

#[tokio::test]
async fn the_user_of_an_anthropic_client_is_named_in_its_metadata_unless_the_body_names_one() {
    let gateway = gateway().await;
    let (path, body) = requests().remove(2);
    let long = "u".repeat(65);
    let hashed = hex::encode(Sha256::digest(long.as_bytes()));
    for (more, user) in [
        (json!({ "metadata": { "user_id": "of-metadata" } }), json!("of-metadata")),
        (json!({ "metadata": { "user_id": "of-metadata" }, "user": "of-body" }), json!("of-body")),
        (json!({ "metadata": { "user_id": "of-metadata" }, "user": null }), json!("of-metadata")),
        (json!({ "metadata": { "user_id": long } }), json!(hashed)),
    ] {
        let answer = gateway.send(path, gateway.books.inference(), &[], &with(&body, &more)).await;
        assert_eq!(said(&gateway, &answer).await[1], user, "{more}");
    }
    gateway.close().await;
}
