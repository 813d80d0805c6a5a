//! What an endpoint is sent, and what of its answer a client sees.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Answer, Gateway, MODEL, channel, with};

/// A channel with more said of its model.
fn with_model(name: &str, script: &str, more: Value) -> Value {
    let mut channel = channel(name, 0, script);
    channel["models"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    channel
}

/// What an upstream that answers with the request's body was sent.
fn echoed(answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    serde_json::from_str(answer.json["choices"][0]["message"]["content"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn another_model_answers_where_one_finds_fault_with_the_request() {
    let other = with_model("other", "", json!({ "id": "acme/model-2" }));
    for stream in [false, true] {
        for status in [400, 413, 422] {
            let bad = |name| channel(name, 0, &format!("status={status}"));
            let gateway = Gateway::open(vec![bad("bad"), bad("as-bad"), other.clone()]).await;
            let alone = gateway.ask(json!({ "stream": stream })).await;
            assert_eq!(alone.status.as_u16(), status, "{}", alone.text);
            let answer = gateway.ask(json!({ "stream": stream, "models": ["acme/model-2"] })).await;
            assert_eq!(answer.served_by(), "other");
            assert_eq!(answer.attempts().len(), 2, "the other endpoint of the same model would say the same");
            gateway.close().await;
        }
    }
}

#[tokio::test]
async fn what_an_endpoint_does_not_understand_is_not_sent_unless_it_has_to() {
    let plain = with_model("plain", "echo=body", json!({ "supported_parameters": ["max_tokens", "tools"], "max_completion_tokens": 100 }));
    let gateway = Gateway::open(vec![plain]).await;
    let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
    let more = json!({ "top_k": 5, "seed": 7, "tools": tools, "max_tokens": 5_000, "x_new": true });
    let sent = echoed(&gateway.ask(more.clone()).await);
    assert_eq!((&sent["tools"], &sent["x_new"], &sent["max_tokens"]), (&tools, &json!(true), &json!(100)), "the cap is the endpoint's");
    assert_eq!((sent.get("top_k"), sent.get("seed")), (None, None));
    let mut wanted = more;
    wanted["provider"] = json!({ "require_parameters": true });
    let refused = gateway.ask(wanted).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
    gateway.close().await;
}

#[tokio::test]
async fn reasoning_goes_by_one_name_and_is_left_out_where_it_is_not_wanted() {
    let gateway = Gateway::open(vec![channel("thinker", 0, "reasoning=3")]).await;
    let deltas = |answer: &Answer| -> Vec<Value> {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.frames().iter().map(|frame| frame["choices"][0]["delta"].clone()).collect()
    };
    let seen = gateway.ask(json!({ "stream": true })).await;
    assert_eq!(deltas(&seen).iter().filter(|delta| delta["reasoning"].is_string()).count(), 3, "{}", seen.text);
    assert!(!seen.text.contains("reasoning_content"));
    for unwanted in [json!({ "reasoning": { "exclude": true } }), json!({ "include_reasoning": false })] {
        let mut more = unwanted;
        more["stream"] = json!(true);
        let hidden = gateway.ask(more.clone()).await;
        assert!(deltas(&hidden).iter().all(|delta| delta["reasoning"].is_null()), "{}", hidden.text);
        assert!(deltas(&hidden).iter().any(|delta| delta["content"].as_str().is_some_and(|text| !text.is_empty())));
        more["stream"] = json!(false);
        let whole = gateway.ask(more).await;
        assert!(whole.json["choices"][0]["message"]["reasoning"].is_null(), "{}", whole.text);
        assert!(whole.json["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64() > Some(0), "it was thought and is paid");
    }
    let bad = gateway.ask(json!({ "reasoning": { "effort": "bogus" } })).await;
    assert_eq!((bad.status, &bad.error()["param"]), (StatusCode::BAD_REQUEST, &json!("reasoning.effort")), "{}", bad.text);
    gateway.close().await;
}

#[tokio::test]
async fn a_channel_that_failed_and_asked_to_wait_is_no_matter_of_limits() {
    let gateway = Gateway::open(vec![channel("down", 0, "status=503&retry_after=30")]).await;
    gateway.ask(json!({})).await;
    let waiting = gateway.ask(json!({})).await;
    assert_eq!(waiting.status, StatusCode::SERVICE_UNAVAILABLE, "{}", waiting.text);
    let wait: u64 = waiting.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((20..=30).contains(&wait), "{wait}");
    gateway.close().await;
}

#[tokio::test]
async fn an_operators_test_that_succeeds_ends_what_was_held_against_a_key() {
    let named = with(channel("main", 0, "status=401&fail_first=1"), json!({ "provider_name": "Acme" }));
    let gateway = Gateway::open(vec![named]).await;
    let refused = gateway.ask(json!({})).await;
    assert_eq!(refused.error()["metadata"]["provider_name"], "Acme", "{}", refused.text);
    let closed = gateway.ask(json!({})).await;
    assert_eq!(closed.status, StatusCode::SERVICE_UNAVAILABLE, "{}", closed.text);
    let wait: u64 = closed.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait > 600, "until it is tried again: {wait}");
    let path = format!("/api/v1/admin/channels/{}/test", gateway.channel("main").id);
    // The upstream refuses the first request of each kind.
    for ok in [false, true] {
        let tested = gateway.send(&path, gateway.books.platform(), &[], &json!({})).await;
        assert_eq!(tested.json["data"]["ok"], ok, "{}", tested.text);
    }
    assert_eq!(gateway.ask(json!({})).await.served_by(), "Acme");
    gateway.close().await;
}

/// Reads one answer with its body from a connection.
async fn answer_of(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut buffer)).await.unwrap().unwrap();
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if count == 0 || (body.is_some() && body >= length) {
            return text;
        }
    }
}

#[tokio::test]
async fn a_connection_serves_on_after_a_refusal_that_did_not_wait_for_the_body() {
    let gateway = Gateway::open(vec![channel("good", 0, "")]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = async {
        for path in ["/v1/chat/completions", "/v1/keys", "/v1/nowhere"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = |length: usize| {
                format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
            };
            stream.write_all(head(2).as_bytes()).await.unwrap();
            // The body comes a moment after its head, as from most clients.
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream.write_all(b"{}").await.unwrap();
            let refused = answer_of(&mut stream).await;
            assert!(refused.starts_with("http/1.1 40") && !refused.contains("connection: close"), "{path}: {refused}");
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            assert!(answer_of(&mut stream).await.starts_with("http/1.1 200"), "{path}");
            // One that never comes is not waited for, and the client is told what becomes of the connection.
            stream.write_all(head(1_000_000_000).as_bytes()).await.unwrap();
            let ended = answer_of(&mut stream).await;
            assert!(ended.contains("connection: close"), "{path}: {ended}");
        }
    };
    tokio::select! {
        served = axum::serve(listener, gateway.router()).into_future() => served.unwrap(),
        () = client => {}
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_price_of_images_is_a_matter_of_requests_that_have_some() {
    let gateway = Gateway::open(vec![channel("good", 0, "")]).await;
    let dear =
        json!({ "max_price": { "prompt": 10, "completion": 10, "image": 1, "audio": 1 }, "only": [], "sort": { "partition": "none" } });
    assert_eq!(gateway.ask(json!({ "provider": dear })).await.served_by(), "good");
    let image = json!([{ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }]);
    let refused = gateway.ask(json!({ "provider": dear, "model": MODEL, "messages": [{ "role": "user", "content": image }] })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert!(refused.text.contains("provider.max_price.image"), "{}", refused.text);
    gateway.close().await;
}
