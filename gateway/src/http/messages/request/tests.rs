#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::http::chat::ChatRequest;
use crate::providers::anthropic::OutputLimits;
use crate::providers::anthropic::request::messages_body;

fn chat(body: &Value) -> Value {
    let text = body.to_string();
    let request = read(text.as_bytes(), 64).unwrap();
    let chat = chat_body(&request, "anthropic/claude-x").unwrap();
    ChatRequest::parse(&chat, 64).unwrap();
    serde_json::from_slice(&chat).unwrap()
}

/// Everything both dialects can say.
fn full() -> Value {
    json!({
        "model": "claude-x", "max_tokens": 5000, "stream": true, "stop_sequences": ["END"], "metadata": { "user_id": "u-1" },
        "system": [{ "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral", "ttl": "1h" } }],
        "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "Look" },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "QUJD" }, "cache_control": { "type": "ephemeral" } },
                { "type": "image", "source": { "type": "url", "url": "https://x.example/a.jpg" } },
            ]},
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Hm", "signature": "c2ln" }, { "type": "redacted_thinking", "data": "eHh4" },
                { "type": "text", "text": "I call" }, { "type": "tool_use", "id": "t1", "name": "f", "input": { "x": 1 } },
            ]},
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "t1", "content": [{ "type": "text", "text": "42" }] }, { "type": "text", "text": "And?" },
            ]},
        ],
        "tools": [{ "name": "f", "description": "d", "input_schema": { "type": "object" } }],
        "tool_choice": { "type": "auto", "disable_parallel_tool_use": true },
        "thinking": { "type": "enabled", "budget_tokens": 2000 },
        "output_config": { "format": { "type": "json_schema", "schema": { "type": "object" } } },
    })
}

#[test]
fn a_request_becomes_a_chat_request() {
    let chat = chat(&full());
    assert_eq!(
        (&chat["model"], &chat["max_tokens"], &chat["stream"], &chat["user"]),
        (&json!("anthropic/claude-x"), &json!(5000), &json!(true), &json!("u-1"))
    );
    let roles: Vec<&str> = chat["messages"].as_array().unwrap().iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "user"]);
    assert_eq!(chat["messages"][1]["content"][1]["image_url"]["url"], "data:image/png;base64,QUJD");
    assert_eq!(chat["messages"][2]["tool_calls"][0]["function"], json!({ "name": "f", "arguments": "{\"x\":1}" }));
    assert_eq!(chat["messages"][2]["reasoning_details"][0]["signature"], "c2ln");
    assert_eq!(chat["messages"][3], json!({ "role": "tool", "tool_call_id": "t1", "content": [{ "type": "text", "text": "42" }] }));
    assert_eq!((&chat["stop"], &chat["parallel_tool_calls"], &chat["tool_choice"]), (&json!(["END"]), &json!(false), &json!("auto")));
    assert_eq!(chat["reasoning"], json!({ "max_tokens": 2000 }));
}

/// Two translations, one after the other, lose nothing that both dialects can say.
#[test]
fn there_and_back_again_is_the_same_request() {
    let text = full().to_string();
    let request = read(text.as_bytes(), 64).unwrap();
    let chat = chat_body(&request, "claude-x").unwrap();
    let back = messages_body(&chat, OutputLimits { tokens_default: 1, tokens_max: None }).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&back).unwrap(), full());
}

#[test]
fn plain_texts_stay_plain() {
    let chat = chat(
        &json!({ "model": "m", "max_tokens": 1, "system": "S", "messages": [{ "role": "user", "content": "U" }, { "role": "assistant", "content": "A" }] }),
    );
    assert_eq!(
        chat["messages"],
        json!([
            { "role": "system", "content": "S" }, { "role": "user", "content": "U" }, { "role": "assistant", "content": "A" },
        ])
    );
}

#[test]
fn what_only_anthropic_can_do_is_noted() {
    let noted = |body: Value| {
        let text = body.to_string();
        let request = read(text.as_bytes(), 64).unwrap();
        native(Bytes::from(text.clone()), &request, None).only_anthropic
    };
    assert_eq!(noted(full()), None);
    assert!(noted(json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "tools": [{ "type": "web_search_20250305", "name": "web_search" }] })).is_some());
    assert!(noted(json!({ "model": "m", "messages": [{ "role": "assistant", "content": [{ "type": "server_tool_use", "id": "s", "name": "n", "input": {} }] }] })).is_some());
}

#[test]
fn fallbacks_are_models_to_be_tried() {
    let chat = chat(
        &json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "fallbacks": [{ "model": "a/b" }, { "model": "c/d" }] }),
    );
    assert_eq!(chat["models"], json!(["a/b", "c/d"]));
}

#[test]
fn wrong_input_names_its_place() {
    for (body, word) in [
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"messages":[{"role":"user","content":"x"}]}"#, "model"),
        (r#"{"model":"m","messages":[]}"#, "messages"),
        (r#"{"model":"m","max_tokens":0,"messages":[{"role":"user","content":"x"}]}"#, "max_tokens"),
        (r#"{"model":"m","max_tokens":-1,"messages":[{"role":"user","content":"x"}]}"#, "max_tokens"),
        (r#"{"model":"m","messages":[{"role":"user","content":3}]}"#, "messages[0]"),
        (r#"{"model":"m","messages":[{"role":"wizard","content":"x"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"fallbacks":[{"model":"a","x":1}]}"#, "fallbacks[0]"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"fallbacks":[],"models":[]}"#, "fallbacks"),
        ("{", "body"),
    ] {
        let error = read(body.as_bytes(), 64).and_then(|request| chat_body(&request, "m").map(drop)).unwrap_err();
        assert_eq!(error.status(), 400, "{body}");
        assert!(error.message().contains(word), "{body}: {}", error.message());
    }
}

#[test]
fn documents_are_their_text_and_what_only_anthropic_reads_goes_there() {
    let asks = |content: Value| json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": content }] });
    let document = |source: Value| json!({ "type": "document", "source": source });
    let text = |text: &str| json!({ "type": "text", "text": text });
    let plain = document(json!({ "type": "text", "media_type": "text/plain", "data": "a \"b\"" }));
    let parts = document(json!({ "type": "content", "content": [text("c"), text("d")] }));
    let whole = document(json!({ "type": "content", "content": "e" }));
    let said = chat(&asks(json!([plain, parts, whole])));
    assert_eq!(said["messages"][0]["content"], json!([text("a \"b\""), text("c"), text("d"), text("e")]));
    let result = json!({ "type": "tool_result", "tool_use_id": "t", "content": [plain] });
    assert_eq!(chat(&asks(json!([result])))["messages"][0]["content"], json!([text("a \"b\"")]));
    for block in [
        json!({ "type": "image", "source": { "type": "file", "file_id": "file_1" } }),
        document(json!({ "type": "file", "file_id": "file_1" })),
        json!({ "type": "container_upload", "file_id": "file_1" }),
        json!({ "type": "search_result", "source": "https://a.example", "title": "t", "content": [text("x")] }),
        json!({ "type": "tool_result", "tool_use_id": "t", "content": [document(json!({ "type": "file", "file_id": "f" }))] }),
    ] {
        let body = asks(json!([block])).to_string();
        let request = read(body.as_bytes(), 64).unwrap();
        assert!(only_anthropic(&request).is_some(), "{body}");
        ChatRequest::parse(&chat_body(&request, "m").unwrap(), 64).unwrap();
    }
    let body = asks(json!([plain])).to_string();
    assert_eq!(only_anthropic(&read(body.as_bytes(), 64).unwrap()), None);
}
