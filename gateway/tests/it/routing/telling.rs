//! What a client says of its conversation and is told of its route, in both dialects.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Gateway, MODEL, channel};

const WANTS_ROUTE: (&str, &str) = ("x-openrouter-metadata", "enabled");

fn cached(name: &str) -> Value {
    let mut channel = channel(name, 0, "cached_tokens=5&prompt_tokens=20");
    channel["models"][0]["price"] = json!({ "prompt": "1", "completion": "2", "cache_read": "0.1" });
    channel
}

/// The same question to both doors.
async fn ask(gateway: &Gateway, path: &str, headers: &[(&str, &str)], more: Value) -> Answer {
    let mut body = json!({ "model": MODEL, "max_tokens": 16, "messages": [{ "role": "user", "content": "Say hello" }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    gateway.send(path, gateway.books.inference(), headers, &body).await
}

#[tokio::test]
async fn a_session_header_names_the_conversation_unless_the_body_does() {
    let gateway = Gateway::open((0..6).map(|number| cached(&format!("channel-{number}"))).collect()).await;
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let headers = [WANTS_ROUTE, ("x-session-id", path)];
        let first = ask(&gateway, path, &headers, json!({})).await;
        assert_eq!(first.status, StatusCode::OK, "{}", first.text);
        // Another beginning, the same name.
        let other = json!({ "messages": [{ "role": "user", "content": "Something else" }] });
        for _ in 0..6 {
            let again = ask(&gateway, path, &headers, other.clone()).await;
            assert_eq!((again.served_by(), &again.route()["sticky"]), (first.served_by(), &json!(true)), "{path}");
        }
        // The body's word goes first: this conversation is not known.
        let own = ask(&gateway, path, &headers, json!({ "session_id": format!("own {path}") })).await;
        assert_eq!(own.route()["sticky"], json!(false), "{path}: {}", own.text);
        // The same name in the body is the same conversation.
        let named = ask(&gateway, path, &[WANTS_ROUTE], json!({ "session_id": path })).await;
        assert_eq!((named.served_by(), &named.route()["sticky"]), (first.served_by(), &json!(true)), "{path}");
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_name_that_is_too_long_or_no_text_is_refused() {
    let gateway = Gateway::open(vec![channel("main", 0, "")]).await;
    let (longest, longer) = ("ä".repeat(256), "ä".repeat(257));
    for path in ["/v1/chat/completions", "/v1/messages"] {
        assert_eq!(ask(&gateway, path, &[("x-session-id", &longest)], json!({ "session_id": longest })).await.status, StatusCode::OK);
        assert_eq!(ask(&gateway, path, &[], json!({ "session_id": null })).await.status, StatusCode::OK);
        for (headers, more) in
            [(&[("x-session-id", &*longer)][..], json!({})), (&[], json!({ "session_id": longer })), (&[], json!({ "session_id": 7 }))]
        {
            let refused = ask(&gateway, path, headers, more).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
            assert!(refused.text.contains("session_id") || refused.text.contains("X-Session-Id"), "{}", refused.text);
        }
    }
    gateway.close().await;
}

#[tokio::test]
async fn clients_of_anthropics_dialect_are_told_their_route_where_they_ask_for_it() {
    let gateway = Gateway::open(vec![channel("bad", 0, "status=500"), channel("good", 1, "")]).await;
    let tried = [("bad".to_owned(), "provider_unavailable".to_owned()), ("good".to_owned(), "ok".to_owned())];
    for header in [WANTS_ROUTE, ("x-openrouter-experimental-metadata", "Enabled")] {
        let whole = ask(&gateway, "/v1/messages", &[header], json!({})).await;
        assert_eq!((&whole.json["type"], whole.attempts()), (&json!("message"), tried.to_vec()), "{}", whole.text);
        gateway.offer(vec![channel("bad", 0, "status=500"), channel("good", 1, "")]).await;
    }
    let streamed = ask(&gateway, "/v1/messages", &[WANTS_ROUTE], json!({ "stream": true, "provider": { "order": ["bad", "good"] } })).await;
    let frames = streamed.frames();
    let last = frames.last().unwrap();
    assert_eq!((&last["type"], &last["openrouter_metadata"]["requested"]), (&json!("message_stop"), &json!(MODEL)), "{}", streamed.text);
    assert_eq!(frames.iter().filter(|frame| frame.get("openrouter_metadata").is_some()).count(), 1);
    assert_eq!(streamed.attempts().last().unwrap().0, "good");
    for stream in [false, true] {
        let quiet = ask(&gateway, "/v1/messages", &[], json!({ "stream": stream })).await;
        assert!(quiet.status == StatusCode::OK && !quiet.text.contains("openrouter_metadata"), "{}", quiet.text);
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_failure_is_told_with_its_route_in_both_dialects() {
    for path in ["/v1/chat/completions", "/v1/messages"] {
        let gateway = Gateway::open(vec![channel("strict", 0, "status=400&message=bad")]).await;
        for stream in [false, true] {
            let refused = ask(&gateway, path, &[WANTS_ROUTE], json!({ "stream": stream })).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
            assert_eq!(refused.attempts(), [("strict".to_owned(), "invalid_request".to_owned())], "{path}");
        }
        gateway.offer(vec![channel("breaks", 0, "error_after=3")]).await;
        let broken = ask(&gateway, path, &[WANTS_ROUTE], json!({ "stream": true })).await;
        assert_eq!(broken.attempts().len(), 1, "{}", broken.text);
        if path == "/v1/messages" {
            assert_eq!(broken.frames().last().unwrap()["type"], "error");
        }
        gateway.close().await;
    }
}

#[tokio::test]
async fn an_app_that_wants_to_be_hidden_is_not_on_record() {
    let gateway = Gateway::open(vec![channel("main", 0, "")]).await;
    let app = [("x-title", "Secret app"), ("http-referer", "https://secret.example")];
    let hidden = [app[0], app[1], ("x-openrouter-app-visibility", "hidden")];
    let mut kept = Vec::new();
    for headers in [&app[..], &hidden[..]] {
        let answer = ask(&gateway, "/v1/chat/completions", headers, json!({})).await;
        let path = format!("/generation?id={}", answer.json["id"].as_str().unwrap());
        let record = async {
            loop {
                let record = gateway.books.get(&path, gateway.books.inference()).await;
                if record.status == StatusCode::OK {
                    return record.json["data"]["http_referer"].clone();
                }
                tokio::task::yield_now().await;
            }
        };
        kept.push(tokio::time::timeout(super::PATIENCE, record).await.unwrap());
    }
    assert_eq!(kept, [json!("https://secret.example"), Value::Null]);
    gateway.close().await;
}
