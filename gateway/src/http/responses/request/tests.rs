#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use http::StatusCode;
use serde_json::json;

use super::*;
use crate::http::chat::ChatRequest;
use crate::wire::sealed::seal;

const DEPTH_MAX: usize = 64;

fn read(body: &Value) -> Result<Translated, ApiError> {
    translate(body.to_string().as_bytes(), DEPTH_MAX)
}

/// The chat request, checked to be one.
fn chat_of(body: Value) -> Value {
    let translated = read(&body).unwrap();
    ChatRequest::parse(&translated.chat, DEPTH_MAX).unwrap();
    serde_json::from_slice(&translated.chat).unwrap()
}

fn messages_of(input: Value) -> Value {
    chat_of(json!({ "model": "a/b", "input": input }))["messages"].clone()
}

/// The field that is to blame, and what is wrong with it.
fn refusal(body: &Value) -> (String, String) {
    let error = read(body).unwrap_err();
    assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    let json: Value = serde_json::from_str(&error.error_json()).unwrap();
    (json["param"].as_str().unwrap_or_default().to_owned(), error.message().to_owned())
}

#[test]
fn a_text_and_its_instructions_are_two_messages() {
    let chat = chat_of(
        json!({ "model": "a/b", "instructions": "Be kind.", "input": "Hi", "stream": true, "max_output_tokens": 7, "temperature": 0.5, "seed": 3 }),
    );
    assert_eq!(
        chat,
        json!({
            "model": "a/b", "messages": [{ "role": "system", "content": "Be kind." }, { "role": "user", "content": "Hi" }],
            "stream": true, "max_tokens": 7, "temperature": 0.5, "seed": 3,
        })
    );
}

#[test]
fn texts_are_copied_as_they_were_written() {
    let body =
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"h\u00ef \ud83d\ude00"}]}],"x_new":{"k":[1.50]}}"#;
    let chat = String::from_utf8(translate(body.as_bytes(), DEPTH_MAX).unwrap().chat.to_vec()).unwrap();
    assert!(chat.contains(r#""h\u00ef \ud83d\ude00""#) && chat.ends_with(r#""model":"m","x_new":{"k":[1.50]}}"#), "{chat}");
}

#[test]
fn messages_of_every_role_and_part() {
    let messages = messages_of(json!([
        { "role": "system", "content": "One" },
        { "type": "message", "role": "developer", "content": [{ "type": "input_text", "text": "Two" }] },
        { "role": "user", "content": [
            { "type": "input_text", "text": "Look", "cache_control": { "type": "ephemeral" } },
            { "type": "input_image", "image_url": "https://x.example/a.png", "detail": "low" },
            { "type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA==" },
            { "type": "input_file", "file_url": "https://x.example/b.pdf" },
            { "type": "input_audio", "input_audio": { "data": "AA==", "format": "wav" } },
        ] },
        { "type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [
            { "type": "output_text", "text": "I see", "annotations": [], "logprobs": [] }, { "type": "refusal", "refusal": "and stop" },
        ] },
        { "role": "user", "content": [{ "type": "input_text", "text": "Go on" }] },
    ]));
    assert_eq!(
        messages,
        json!([
            { "role": "system", "content": "One" },
            { "role": "system", "content": "Two" },
            { "role": "user", "content": [
                { "type": "text", "text": "Look", "cache_control": { "type": "ephemeral" } },
                { "type": "image_url", "image_url": { "url": "https://x.example/a.png", "detail": "low" } },
                { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA==" } },
                { "type": "file", "file": { "file_data": "https://x.example/b.pdf" } },
                { "type": "input_audio", "input_audio": { "data": "AA==", "format": "wav" } },
            ] },
            { "role": "assistant", "content": [{ "type": "text", "text": "I see" }, { "type": "text", "text": "and stop" }] },
            { "role": "user", "content": "Go on" },
        ])
    );
}

#[test]
fn a_turn_of_several_items_is_one_message_and_results_follow_it_at_once() {
    let image = json!({ "type": "input_image", "image_url": "data:image/png;base64,AA==" });
    let messages = messages_of(json!([
        { "role": "user", "content": "x" },
        { "type": "reasoning", "id": "rs_1", "summary": [], "content": [{ "type": "reasoning_text", "text": "Hm" }] },
        { "role": "assistant", "content": "Let me look" },
        { "type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{\"x\":1}", "status": "completed" },
        { "type": "custom_tool_call", "call_id": "b", "name": "patch", "input": "*** Begin" },
        { "type": "function_call_output", "call_id": "a", "output": [{ "type": "input_text", "text": "one" }, image, { "type": "input_text", "text": "two" }] },
        { "type": "custom_tool_call_output", "call_id": "b", "output": "done" },
        { "role": "assistant", "content": [{ "type": "output_text", "text": "Both" }] },
    ]));
    assert_eq!(
        messages,
        json!([
            { "role": "user", "content": "x" },
            { "role": "assistant", "content": "Let me look", "reasoning": "Hm", "reasoning_content": "Hm",
              "reasoning_details": [{ "type": "reasoning.text", "text": "Hm", "index": 0 }],
              "tool_calls": [
                  { "id": "a", "type": "function", "function": { "name": "f", "arguments": "{\"x\":1}" } },
                  { "id": "b", "type": "custom", "custom": { "name": "patch", "input": "*** Begin" } },
              ] },
            { "role": "tool", "tool_call_id": "a", "content": "one\ntwo" },
            { "role": "tool", "tool_call_id": "b", "content": "done" },
            { "role": "user", "content": [
                { "type": "text", "text": "Image from tool call a:" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } },
            ] },
            { "role": "assistant", "content": "Both" },
        ])
    );
}

#[test]
fn calls_without_words_have_no_content_and_empty_results_an_empty_one() {
    let messages = messages_of(json!([
        { "type": "function_call", "call_id": "a", "name": "f", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "a", "output": [] },
    ]));
    assert_eq!((&messages[0]["content"], &messages[1]["content"]), (&Value::Null, &json!("")));
}

#[test]
fn sealed_thoughts_come_back_as_they_were_told() {
    let details = r#"[{"type":"reasoning.text","text":"Hm","signature":"c2ln","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"eHh4","index":1}]"#;
    let messages = messages_of(json!([
        { "role": "user", "content": "x" },
        { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal(details) },
        { "role": "assistant", "content": "y" },
    ]));
    assert_eq!(messages[1]["reasoning_details"], serde_json::from_str::<Value>(details).unwrap());
    assert_eq!(messages[1].get("reasoning"), None, "what is signed is no plain text");
    let plain = seal(r#"[{"type":"reasoning.text","text":"Hm","index":0}]"#);
    let messages = messages_of(json!([{ "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": plain }]));
    assert_eq!(messages[0]["reasoning_content"], "Hm");
}

#[test]
fn thoughts_of_others_keep_their_summary_and_cipher() {
    let messages = messages_of(json!([
        { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "In short" }], "encrypted_content": "gAAA" },
        { "type": "reasoning", "id": "rs_2", "summary": [], "content": [{ "type": "reasoning_text", "text": "Hm" }], "signature": "s", "format": "anthropic-claude-v1" },
        { "role": "assistant", "content": "y" },
    ]));
    assert_eq!(
        messages[0]["reasoning_details"],
        json!([
            { "type": "reasoning.summary", "summary": "In short", "index": 0 },
            { "type": "reasoning.encrypted", "id": "rs_1", "data": "gAAA", "format": "openai-responses-v1", "index": 1 },
            { "type": "reasoning.text", "text": "Hm", "signature": "s", "format": "anthropic-claude-v1", "index": 2 },
        ])
    );
}

#[test]
fn tools_and_choices_have_chats_form() {
    let schema = json!({ "type": "object", "properties": {} });
    let function = json!({ "type": "function", "name": "f", "description": "d", "parameters": schema, "strict": true });
    let tools = json!([
        function,
        { "type": "function", "name": "g", "parameters": null, "strict": null },
        { "type": "custom", "name": "c", "format": { "type": "grammar", "syntax": "lark", "definition": "start: x" } },
        { "type": "openrouter:web_search", "parameters": { "max_results": 3 } },
    ]);
    let chat = chat_of(json!({ "model": "m", "input": "x", "tools": tools, "tool_choice": "required", "parallel_tool_calls": false }));
    assert_eq!(
        chat["tools"],
        json!([
            { "type": "function", "function": { "name": "f", "description": "d", "parameters": schema, "strict": true } },
            { "type": "function", "function": { "name": "g" } },
            { "type": "custom", "custom": { "name": "c", "format": { "type": "grammar", "grammar": { "syntax": "lark", "definition": "start: x" } } } },
            { "type": "openrouter:web_search", "parameters": { "max_results": 3 } },
        ])
    );
    assert_eq!((&chat["tool_choice"], &chat["parallel_tool_calls"]), (&json!("required"), &json!(false)));
    let choice =
        |choice: Value| chat_of(json!({ "model": "m", "input": "x", "tools": [function], "tool_choice": choice }))["tool_choice"].clone();
    assert_eq!(choice(json!({ "type": "function", "name": "f" })), json!({ "type": "function", "function": { "name": "f" } }));
    assert_eq!(
        choice(json!({ "type": "allowed_tools", "mode": "auto", "tools": [{ "type": "function", "name": "f" }] })),
        json!({ "type": "allowed_tools", "allowed_tools": { "mode": "auto", "tools": [{ "type": "function", "function": { "name": "f" } }] } })
    );
    let bare = chat_of(json!({ "model": "m", "input": "x", "tools": [], "tool_choice": "auto", "parallel_tool_calls": true }));
    assert!(["tools", "tool_choice", "parallel_tool_calls"].iter().all(|name| bare.get(name).is_none()), "{bare}");
}

#[test]
fn functions_of_a_namespace_have_one_name_in_chat() {
    let body = json!({
        "model": "m",
        "input": [
            { "type": "function_call", "call_id": "a", "namespace": "agents", "name": "spawn", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "a", "output": "done" },
        ],
        "tools": [{ "type": "namespace", "name": "agents", "description": "d", "tools": [{ "type": "function", "name": "spawn" }, { "type": "function", "name": "stop" }] }],
        "tool_choice": { "type": "function", "namespace": "agents", "name": "stop" },
    });
    let chat = chat_of(body.clone());
    let names = json!(["agents__spawn", "agents__stop"]);
    assert_eq!(json!([chat["tools"][0]["function"]["name"], chat["tools"][1]["function"]["name"]]), names);
    assert_eq!(
        (&chat["messages"][0]["tool_calls"][0]["function"]["name"], &chat["tool_choice"]["function"]["name"]),
        (&names[0], &names[1])
    );
    let echo = read(&body).unwrap().echo;
    assert_eq!(echo.namespaces.find("agents__spawn"), Some(("agents", "spawn")));
    let repeated: Value = serde_json::from_str(&format!("{{{}}}", echo.members)).unwrap();
    assert_eq!(repeated["tools"], body["tools"]);
    let nested = json!([{ "type": "namespace", "name": "agents", "tools": [{ "type": "web_search" }] }]);
    assert_eq!(refusal(&json!({ "model": "m", "input": "x", "tools": nested })).0, "tools[0].tools[0].type");
}

#[test]
fn formats_verbosity_reasoning_and_logprobs_have_chats_names() {
    let schema = json!({ "type": "object" });
    let format = json!({ "type": "json_schema", "name": "n", "schema": schema, "strict": true });
    let chat = chat_of(json!({
        "model": "m", "input": "x", "text": { "format": format, "verbosity": "low" }, "reasoning": { "effort": "high", "summary": "auto" },
        "top_logprobs": 2, "include": ["reasoning.encrypted_content"],
    }));
    assert_eq!(chat["response_format"], json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": schema, "strict": true } }));
    assert_eq!((&chat["verbosity"], &chat["reasoning"]["effort"]), (&json!("low"), &json!("high")));
    assert_eq!((&chat["logprobs"], &chat["top_logprobs"], chat.get("include")), (&json!(true), &json!(2), None));
    let object = chat_of(
        json!({ "model": "m", "input": "x", "text": { "format": { "type": "json_object" } }, "include": ["message.output_text.logprobs"] }),
    );
    assert_eq!((&object["response_format"], &object["logprobs"]), (&json!({ "type": "json_object" }), &json!(true)));
    assert_eq!(chat_of(json!({ "model": "m", "input": "x", "text": { "format": { "type": "text" } } })).get("response_format"), None);
}

#[test]
fn openrouters_members_pass_and_openais_memory_is_not_sent() {
    let chat = chat_of(json!({
        "model": "m", "input": "x", "models": ["n"], "provider": { "order": ["p"] }, "route": "fallback", "session_id": "s", "plugins": [],
        "prompt_cache_key": "k", "safety_identifier": "i", "user": "u", "service_tier": "flex",
        "store": true, "metadata": { "a": "b" }, "truncation": "auto", "stream_options": { "include_obfuscation": false }, "background": false,
        "previous_response_id": null, "conversation": null, "prompt": null, "max_tool_calls": 3, "client_metadata": {},
    }));
    assert_eq!(
        chat,
        json!({
            "model": "m", "messages": [{ "role": "user", "content": "x" }], "models": ["n"], "provider": { "order": ["p"] },
            "route": "fallback", "session_id": "s", "plugins": [], "prompt_cache_key": "k", "safety_identifier": "i", "user": "u", "service_tier": "flex",
        })
    );
}

/// Chat takes the last of two members, a null as well: one of its own names must not undo what stands here by another.
#[test]
fn chats_own_names_are_nothing_where_they_are_null() {
    let capped = json!({ "model": "m", "input": "x", "max_output_tokens": 100, "text": { "format": { "type": "json_object" } } });
    let mut with_nulls = capped.clone();
    for name in ["messages", "max_tokens", "max_completion_tokens", "response_format", "logprobs", "n"] {
        with_nulls[name] = Value::Null;
    }
    let chat = chat_of(with_nulls);
    assert_eq!(chat, chat_of(capped));
    assert_eq!((&chat["max_tokens"], chat.get("response_format").is_some()), (&json!(100), true));
}

#[test]
fn the_response_repeats_its_request() {
    let body = json!({
        "model": "m", "input": "x", "instructions": "Be kind.", "tools": [{ "type": "function", "name": "f" }], "temperature": 0.50,
        "metadata": { "a": "b" }, "store": true, "text": { "verbosity": "low" }, "max_output_tokens": 9, "service_tier": "flex",
    });
    let echo = read(&body).unwrap().echo;
    let members: Value = serde_json::from_str(&format!("{{{}}}", echo.members)).unwrap();
    for (name, value) in [
        ("instructions", json!("Be kind.")),
        ("tools", json!([{ "type": "function", "name": "f", "description": null, "parameters": null, "strict": null }])),
        ("temperature", json!(0.5)),
        ("top_p", Value::Null),
        ("metadata", json!({ "a": "b" })),
        ("store", json!(false)),
        ("text", json!({ "format": { "type": "text" }, "verbosity": "low" })),
        ("tool_choice", json!("auto")),
        ("parallel_tool_calls", json!(true)),
        ("reasoning", json!({ "effort": null, "summary": null })),
        ("max_output_tokens", json!(9)),
        ("truncation", json!("disabled")),
        ("previous_response_id", Value::Null),
    ] {
        assert_eq!(members[name], value, "{name}");
    }
    assert_eq!((echo.service_tier.as_str(), echo.seals_all_thoughts), ("\"flex\"", false));
}

#[test]
fn what_needs_a_memory_is_refused_by_name() {
    for (name, value) in [
        ("background", json!(true)),
        ("previous_response_id", json!("resp_1")),
        ("conversation", json!("conv_1")),
        ("conversation", json!({ "id": "conv_1" })),
        ("prompt", json!({ "id": "pmpt_1" })),
    ] {
        let (param, message) = refusal(&json!({ "model": "m", "input": "x", name: value }));
        assert!(param == name && message.contains("nothing is kept"), "{param}: {message}");
    }
}

#[test]
fn tools_that_openai_runs_are_refused_by_place() {
    for kind in ["web_search", "file_search", "computer_use_preview", "code_interpreter", "mcp", "image_generation", "local_shell"] {
        let (param, message) =
            refusal(&json!({ "model": "m", "input": "x", "tools": [{ "type": "function", "name": "f" }, { "type": kind }] }));
        assert!(param == "tools[1].type" && message.contains(kind), "{param}: {message}");
    }
    assert_eq!(refusal(&json!({ "model": "m", "input": "x", "tools": [{ "type": "function" }] })).0, "tools[0].name");
    for choice in [json!("any"), json!({ "type": "web_search" }), json!({ "type": "mcp", "server_label": "x" }), json!(7)] {
        assert_eq!(refusal(&json!({ "model": "m", "input": "x", "tool_choice": choice })).0, "tool_choice");
    }
}

#[test]
fn items_and_parts_that_cannot_be_read_are_refused_by_place() {
    let file = json!({ "type": "input_file", "file_id": "file_1" });
    for (input, place) in [
        (json!([{ "type": "item_reference", "id": "msg_1" }]), "input[0].type"),
        (json!([{ "role": "user", "content": "x" }, { "type": "web_search_call", "id": "ws_1" }]), "input[1].type"),
        (json!([{ "role": "robot", "content": "x" }]), "input[0].role"),
        (json!([{ "role": "user" }]), "input[0].content"),
        (json!([{ "role": "user", "content": 7 }]), "input[0].content"),
        (json!([{ "role": "user", "content": [{ "type": "input_video" }] }]), "input[0].content[0].type"),
        (json!([{ "role": "user", "content": [{ "type": "input_text" }] }]), "input[0].content[0].text"),
        (json!([{ "role": "user", "content": [{ "type": "input_text", "text": "x" }, file] }]), "input[0].content[1].file_id"),
        (json!([{ "type": "function_call", "call_id": "a", "name": "f" }]), "input[0].arguments"),
        (json!([{ "type": "function_call", "call_id": "a", "name": "f", "arguments": {} }]), "input[0].arguments"),
        (json!([{ "type": "function_call_output", "output": "x" }]), "input[0].call_id"),
        (json!([{ "type": "function_call_output", "call_id": "a" }]), "input[0].output"),
        (json!(["x"]), "input[0]"),
        (json!([]), "input"),
        (json!(7), "input"),
    ] {
        assert_eq!(refusal(&json!({ "model": "m", "input": input })).0, place, "{input}");
    }
}

#[test]
fn wrong_members_are_refused_by_name() {
    for (name, value) in [
        ("max_output_tokens", json!(0)),
        ("max_output_tokens", json!("many")),
        ("instructions", json!(["x"])),
        ("truncation", json!("most")),
        ("metadata", json!("x")),
        ("top_logprobs", json!(21)),
        ("parallel_tool_calls", json!("yes")),
        ("text.format", json!(null)),
        ("messages", json!([])),
        ("max_tokens", json!(5)),
        ("response_format", json!({})),
        ("n", json!(2)),
    ] {
        let body = match name {
            "text.format" => json!({ "model": "m", "input": "x", "text": { "format": { "type": "xml" } } }),
            _ => json!({ "model": "m", "input": "x", name: value }),
        };
        assert_eq!(refusal(&body).0, name, "{body}");
    }
    assert_eq!(refusal(&json!({ "model": "m" })).0, "input");
    for body in ["", "[]", "7", "{", "{}x", r#"["x"]"#] {
        assert_eq!(translate(body.as_bytes(), DEPTH_MAX).unwrap_err().status(), StatusCode::BAD_REQUEST, "{body}");
    }
    let deep = format!(r#"{{"input":"x","y":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert!(translate(deep.as_bytes(), DEPTH_MAX).unwrap_err().message().contains("nested"));
}

#[test]
fn what_others_say_before_a_calls_output_waits_for_it() {
    let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{}" });
    let output = |id: &str| json!({ "type": "function_call_output", "call_id": id, "output": "1" });
    let said = |role: &str, words: &str| json!({ "role": role, "content": words });
    let told = |items: Vec<Value>| -> Vec<String> {
        let messages = messages_of(Value::from(items));
        let word = |message: &Value| {
            let id = message["tool_call_id"].as_str().map(|id| format!("tool {id}"));
            id.unwrap_or_else(|| message["content"].as_str().unwrap_or("call").to_owned())
        };
        messages.as_array().unwrap().iter().map(word).collect()
    };
    let items = vec![said("user", "x"), call("a"), call("b"), said("user", "u"), output("a"), said("developer", "d"), output("b")];
    assert_eq!(told(items), ["x", "call", "tool a", "tool b", "u", "d"]);
    let go_on = vec![call("a"), said("user", "u"), output("a"), call("b"), output("b"), said("user", "v")];
    assert_eq!(told(go_on), ["call", "tool a", "u", "call", "tool b", "v"]);
    assert_eq!(told(vec![call("a"), said("user", "u"), said("assistant", "y")]), ["call", "u", "y"], "a call without an output");
}

#[test]
fn a_turn_of_thoughts_alone_has_an_empty_text_and_one_of_nothing_is_none() {
    let thought = json!({ "type": "reasoning", "id": "r", "summary": [], "content": [{ "type": "reasoning_text", "text": "Hm" }] });
    let messages = messages_of(json!([{ "role": "user", "content": [] }, thought, { "role": "user", "content": "y" }]));
    assert_eq!((&messages[0]["content"], &messages[1]["content"], &messages[1]["reasoning"]), (&json!(""), &json!(""), &json!("Hm")));
    let empty = messages_of(json!([{ "role": "user", "content": "x" }, { "role": "assistant", "content": [] }]));
    assert_eq!(empty, json!([{ "role": "user", "content": "x" }]));
}

#[test]
fn what_a_provider_wants_back_beside_a_call_goes_back_with_that_call() {
    let extra = json!({ "google": { "thought_signature": "s" } });
    let detail = json!([{ "type": "tool_call", "id": "b", "extra_content": extra }]);
    let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{}" });
    let messages = messages_of(
        json!([call("a"), { "type": "reasoning", "id": "r", "summary": [], "encrypted_content": seal(&detail.to_string()) }, call("b")]),
    );
    let calls = messages[0]["tool_calls"].as_array().unwrap();
    assert_eq!((calls[0].get("extra_content"), calls[1].get("extra_content")), (None, Some(&extra)));
    assert_eq!(messages[0].get("reasoning_details"), None, "it is no thought");
}
