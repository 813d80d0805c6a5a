#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use serde_json::{Value, json};

use super::*;
use crate::http::chat::ChatRequest;
use crate::providers::anthropic::OutputLimits;
use crate::providers::anthropic::request::messages_body;
use crate::wire::sealed;

fn chat(body: &Value) -> Value {
    let text = body.to_string();
    let request = read(text.as_bytes(), 64).unwrap();
    let chat = chat_body(&request, &|name| format!("anthropic/{name}")).unwrap();
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
    assert_eq!(chat["messages"][3], json!({ "role": "tool", "tool_call_id": "t1", "content": "42" }));
    assert_eq!((&chat["stop"], &chat["parallel_tool_calls"], &chat["tool_choice"]), (&json!(["END"]), &json!(false), &json!("auto")));
    assert_eq!(chat["reasoning"], json!({ "max_tokens": 2000 }));
}

/// Two translations, one after the other, lose nothing that both dialects can say.
#[test]
fn there_and_back_again_is_the_same_request() {
    let text = full().to_string();
    let request = read(text.as_bytes(), 64).unwrap();
    let chat = chat_body(&request, &str::to_owned).unwrap();
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
    let with = |more: Value| {
        let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        noted(body)
    };
    assert!(with(json!({ "tools": [{ "type": "mcp_toolset", "mcp_server_name": "s" }] })).is_some(), "a set of tools has no name");
    assert!(with(json!({ "mcp_servers": [{ "type": "url", "name": "s", "url": "https://s.example" }] })).is_some());
    assert!(with(json!({ "container": { "skills": [] } })).is_some() && with(json!({ "container": "container_1" })).is_some());
    let edits = json!([{ "type": "clear_tool_uses_20250919" }, { "type": "clear_thinking_20251015" }]);
    assert_eq!(with(json!({ "mcp_servers": [], "container": null, "context_management": { "edits": edits } })), None);
    assert!(noted(json!({ "model": "m", "messages": [{ "role": "assistant", "content": [{ "type": "server_tool_use", "id": "s", "name": "n", "input": {} }] }] })).is_some());
}

#[test]
fn fallbacks_are_models_to_be_tried() {
    let chat = chat(
        &json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "fallbacks": [{ "model": "a/b" }, { "model": "c/d" }] }),
    );
    assert_eq!(chat["models"], json!(["anthropic/a/b", "anthropic/c/d"]), "each by its full name");
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
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"input_schema":{}}]}"#, "tools[0].name"),
        (r#"{"model":"m","messages":[{"role":"wizard","content":"x"}]}"#, "messages[0].role"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"fallbacks":[{"model":"a","x":1}]}"#, "fallbacks[0]"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}],"fallbacks":[],"models":[]}"#, "fallbacks"),
        ("{", "body"),
    ] {
        let error = read(body.as_bytes(), 64).and_then(|request| chat_body(&request, &str::to_owned).map(drop)).unwrap_err();
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
    assert_eq!(chat(&asks(json!([result])))["messages"][0]["content"], "a \"b\"");
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
        ChatRequest::parse(&chat_body(&request, &str::to_owned).unwrap(), 64).unwrap();
    }
    let body = asks(json!([plain])).to_string();
    assert_eq!(only_anthropic(&read(body.as_bytes(), 64).unwrap()), None);
}

/// A request of one user's turn with more beside it.
fn asked(content: &Value, more: Value) -> Value {
    let mut body = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": content }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn marks_of_the_cache_are_kept_wherever_they_stand() {
    let mark = json!({ "type": "ephemeral" });
    let document =
        json!({ "type": "document", "source": { "type": "text", "media_type": "text/plain", "data": "d" }, "cache_control": mark });
    let pdf = json!({ "type": "document", "source": { "type": "url", "url": "https://x.example/a.pdf" }, "cache_control": mark });
    let tools = json!([{ "name": "f", "input_schema": {}, "cache_control": mark }]);
    let mut body = asked(&json!([document, pdf]), json!({ "tools": tools, "cache_control": mark }));
    let call = json!({ "type": "tool_use", "id": "t", "name": "f", "input": {}, "cache_control": mark });
    let result = |content: Value| json!({ "type": "tool_result", "tool_use_id": "t", "content": content, "cache_control": mark });
    let two = json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }]);
    let turns = [
        json!({ "role": "assistant", "content": [call] }),
        json!({ "role": "user", "content": [result(json!("42")), result(two), result(json!(""))] }),
    ];
    body["messages"].as_array_mut().unwrap().extend(turns);
    let chat = chat(&body);
    assert_eq!((&chat["cache_control"], &chat["tools"][0]["cache_control"]), (&mark, &mark));
    let messages = &chat["messages"];
    assert_eq!(messages[0]["content"][0], json!({ "type": "text", "text": "d", "cache_control": mark }));
    assert_eq!(messages[0]["content"][1]["cache_control"], mark);
    assert_eq!(messages[1]["tool_calls"][0]["cache_control"], mark);
    assert_eq!(messages[2]["content"], json!([{ "type": "text", "text": "42", "cache_control": mark }]));
    assert_eq!(messages[3]["content"], json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b", "cache_control": mark }]));
    assert_eq!(messages[4]["content"], "", "an empty text takes no mark");
}

#[test]
fn results_without_a_mark_are_plain_texts() {
    let result = |content: Value| json!({ "type": "tool_result", "tool_use_id": "t", "content": content });
    let given = json!([
        result(json!("a\n\"b\"")),
        result(json!([{ "type": "text", "text": "a\"" }, { "type": "text", "text": "b" }])),
        result(json!([])),
        result(Value::Null)
    ]);
    let chat = chat(&asked(&given, json!({})));
    let contents: Vec<&Value> = chat["messages"].as_array().unwrap().iter().map(|message| &message["content"]).collect();
    assert_eq!(contents, ["a\n\"b\"", "a\"\nb", "", ""]);
}

#[test]
fn what_a_tool_shows_is_shown_by_the_user_after_the_last_result() {
    let image = |address: &str| json!({ "type": "image", "source": { "type": "url", "url": address } });
    let given = json!([
        { "type": "text", "text": "And?" },
        { "type": "tool_result", "tool_use_id": "a", "content": [{ "type": "text", "text": "seen" }, image("https://x.example/1"), image("https://x.example/2")],
            "cache_control": { "type": "ephemeral" } },
        { "type": "tool_result", "tool_use_id": "b", "content": [{ "type": "document", "source": { "type": "base64", "media_type": "application/pdf", "data": "REVG" } }] },
    ]);
    let text = |text: &str| json!({ "type": "text", "text": text });
    let shown = |address: &str| json!({ "type": "image_url", "image_url": { "url": address } });
    let mut last = shown("https://x.example/2");
    last["cache_control"] = json!({ "type": "ephemeral" });
    assert_eq!(
        chat(&asked(&given, json!({})))["messages"],
        json!([
            { "role": "tool", "tool_call_id": "a", "content": "seen" },
            { "role": "tool", "tool_call_id": "b", "content": "" },
            { "role": "user", "content": [
                text("Image from tool call a:"), shown("https://x.example/1"), text("Image from tool call a:"), last,
                text("File from tool call b:"), { "type": "file", "file": { "filename": "document", "file_data": "data:application/pdf;base64,REVG" } },
                text("And?"),
            ]},
        ])
    );
}

#[test]
fn a_tool_that_failed_says_so() {
    for (content, wanted) in [
        (json!("no such file"), "Error: no such file"),
        (json!("ERROR 5"), "ERROR 5"),
        (json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }]), "Error: a\nb"),
        (json!("é"), "Error: é"),
        (json!(""), "Error"),
    ] {
        let given = json!([{ "type": "tool_result", "tool_use_id": "t", "is_error": true, "content": content }]);
        assert_eq!(chat(&asked(&given, json!({})))["messages"][0]["content"], wanted);
    }
}

#[test]
fn a_users_long_name_becomes_its_digest() {
    let user = |name: &str| chat(&asked(&json!("x"), json!({ "metadata": { "user_id": name } })))["user"].clone();
    let (short, long) = ("é".repeat(64), "u".repeat(65));
    assert_eq!(user(&short), json!(short));
    assert_eq!(user(&long).as_str().unwrap().len(), 64);
    assert_ne!(user(&long), user(&"v".repeat(65)));
    assert_eq!(user(&long), user(&long));
}

#[test]
fn thoughts_that_nobody_signed_go_back_as_plain_text() {
    let thinking = |text: &str, signature: Value| json!({ "type": "thinking", "thinking": text, "signature": signature });
    let said = json!([
        thinking("One", json!("")), thinking("Signed", json!("c2ln")), thinking("\"Two\"", Value::Null), thinking("", json!("")),
        { "type": "text", "text": "Hi" },
    ]);
    let mut body = asked(&json!("x"), json!({}));
    body["messages"].as_array_mut().unwrap().push(json!({ "role": "assistant", "content": said }));
    let chat = chat(&body);
    let message = &chat["messages"][1];
    assert_eq!((&message["reasoning"], &message["reasoning_content"]), (&json!("One\n\"Two\""), &json!("One\n\"Two\"")));
    assert_eq!(
        message["reasoning_details"],
        json!([
            { "type": "reasoning.text", "text": "One", "index": 0 },
            { "type": "reasoning.text", "text": "Signed", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 1 },
            { "type": "reasoning.text", "text": "\"Two\"", "index": 2 },
        ])
    );
    // Anthropic takes its own back and refuses the others: they are left out there.
    let text = body.to_string();
    let request = read(text.as_bytes(), 64).unwrap();
    let back = messages_body(&chat_body(&request, &str::to_owned).unwrap(), OutputLimits { tokens_default: 1, tokens_max: None }).unwrap();
    let back: Value = serde_json::from_slice(&back).unwrap();
    let kept = json!([{ "type": "thinking", "thinking": "Signed", "signature": "c2ln" }, { "type": "text", "text": "Hi" }]);
    assert_eq!(back["messages"][1]["content"], kept);
}

#[test]
fn how_much_is_thought_is_kept_in_every_way_to_say_it() {
    let reasoning = |more: Value| chat(&asked(&json!("x"), more)).get("reasoning").cloned();
    let thinking = |kind: &str| json!({ "type": kind });
    assert_eq!(reasoning(json!({})), None);
    assert_eq!(reasoning(json!({ "output_config": { "effort": "low" } })), Some(json!({ "effort": "low" })));
    assert_eq!(
        reasoning(json!({ "thinking": thinking("adaptive"), "output_config": { "effort": "max" } })),
        Some(json!({ "effort": "max" }))
    );
    assert_eq!(reasoning(json!({ "thinking": thinking("adaptive") })), Some(json!({ "enabled": true })));
    assert_eq!(reasoning(json!({ "thinking": { "type": "enabled", "budget_tokens": 2000 } })), Some(json!({ "max_tokens": 2000 })));
    assert_eq!(
        reasoning(json!({ "thinking": thinking("disabled"), "output_config": { "effort": "low" } })),
        Some(json!({ "enabled": false }))
    );
}

#[test]
fn strict_tools_stay_strict_and_sets_of_tools_are_not_functions() {
    let tools = json!([
        { "name": "f", "input_schema": { "type": "object" }, "strict": true }, { "type": "mcp_toolset", "mcp_server_name": "s" },
    ]);
    let function = json!({ "name": "f", "parameters": { "type": "object" }, "strict": true });
    assert_eq!(chat(&asked(&json!("x"), json!({ "tools": tools })))["tools"], json!([{ "type": "function", "function": function }]));
}

#[test]
fn the_older_place_of_a_schema_is_read() {
    let format = |kind: &str| json!({ "type": "json_schema", "schema": { "type": kind } });
    let schema = |more: Value| chat(&asked(&json!("x"), more))["response_format"]["json_schema"]["schema"]["type"].clone();
    assert_eq!(schema(json!({ "output_format": format("object") })), "object");
    assert_eq!(schema(json!({ "output_format": format("object"), "output_config": { "format": format("array") } })), "array");
}

#[test]
fn a_turn_of_thoughts_alone_has_an_empty_text_and_one_of_nothing_is_none() {
    let asked = json!({ "role": "user", "content": "x" });
    let of = |content: Value| {
        chat(&json!({ "model": "m", "messages": [asked, { "role": "assistant", "content": content }] }))["messages"].clone()
    };
    let thought = of(json!([{ "type": "thinking", "thinking": "Hm", "signature": "" }]));
    assert_eq!((&thought[1]["content"], &thought[1]["reasoning"]), (&json!(""), &json!("Hm")));
    assert_eq!(of(json!([])), json!([asked]));
}

#[test]
fn what_was_sealed_beside_a_call_goes_back_with_that_call() {
    let answer = json!({ "id": "gen-1", "model": "m", "usage": {}, "choices": [{ "finish_reason": "tool_calls", "message": { "tool_calls": [
        { "id": "a", "function": { "name": "f", "arguments": "{}" } },
        { "id": "b", "function": { "name": "f", "arguments": "{}" }, "extra_content": { "google": { "thought_signature": "s" } } },
    ] } }] });
    let message: Value = serde_json::from_slice(&crate::http::messages::message::message(answer.to_string().as_bytes()).unwrap()).unwrap();
    let kinds: Vec<&str> = message["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["tool_use", "redacted_thinking", "tool_use"]);
    let back = chat(
        &json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }, { "role": "assistant", "content": message["content"] }] }),
    );
    let sent = &back["messages"][1];
    let extras = [0, 1].map(|place| sent["tool_calls"][place].get("extra_content"));
    assert_eq!(extras, [None, Some(&json!({ "google": { "thought_signature": "s" } }))]);
    assert_eq!((sent.get("reasoning_details"), &sent["content"]), (None, &Value::Null), "it is no thought");
}

#[test]
fn a_thread_is_refused_in_the_words_that_anthropics_sdks_go_on_from() {
    let body = json!({ "model": "m", "thread": { "type": "create" }, "messages": [{ "role": "user", "content": "x" }] });
    let error = read(body.to_string().as_bytes(), 64).unwrap_err();
    let told: Value = serde_json::from_str(&crate::http::error::anthropic_error_json(&error.error_json(), None, None)).unwrap();
    assert_eq!(told["error"]["details"], json!({ "error_code": "thread_unsupported_request", "unsupported": ["thread"] }));
    assert_eq!(told["error"]["type"], "invalid_request_error");
}

#[test]
fn a_signature_of_ours_is_none() {
    let thought = json!([{ "type": "thinking", "thinking": "Hm", "signature": sealed::UNSIGNED }]);
    let sent =
        chat(&json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }, { "role": "assistant", "content": thought }] }));
    let told = &sent["messages"][1];
    assert_eq!((&told["reasoning_content"], told["reasoning_details"][0].get("signature")), (&json!("Hm"), None));
}
