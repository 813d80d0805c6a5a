#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

use serde_json::{Value, json};

use super::*;

const LIMITS: OutputLimits = OutputLimits { tokens_default: 4096, tokens_max: Some(64_000) };

fn translate(mut chat: Value) -> Result<Value, TranslationError> {
    chat["model"] = json!("claude-x");
    messages_body(chat.to_string().as_bytes(), LIMITS).map(|body| serde_json::from_slice(&body).unwrap())
}

fn sent(chat: Value) -> Value {
    translate(chat).unwrap()
}

#[test]
fn system_texts_stand_apart_and_neighbours_are_joined() {
    let body = sent(json!({ "messages": [
        { "role": "system", "content": "Be brief." },
        { "role": "developer", "content": [{ "type": "text", "text": "Be kind.", "cache_control": { "type": "ephemeral", "ttl": "1h" } }] },
        { "role": "user", "content": "One" }, { "role": "user", "content": [{ "type": "text", "text": "Two" }, { "type": "text", "text": "" }] },
        { "role": "assistant", "content": "Three " },
    ]}));
    assert_eq!(body["system"][1], json!({ "type": "text", "text": "Be kind.", "cache_control": { "type": "ephemeral", "ttl": "1h" } }));
    assert_eq!(
        body["messages"],
        json!([
            { "role": "user", "content": [{ "type": "text", "text": "One" }, { "type": "text", "text": "Two" }] },
            { "role": "assistant", "content": [{ "type": "text", "text": "Three" }] },
        ])
    );
    assert_eq!((&body["max_tokens"], &body["stream"]), (&json!(4096), &json!(false)));
}

#[test]
fn images_and_documents_are_sent_inside_or_by_address() {
    let body = sent(json!({ "messages": [{ "role": "user", "content": [
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,QUJD", "detail": "high" } },
        { "type": "image_url", "image_url": { "url": "https://x.example/a.jpg" } },
        { "type": "file", "file": { "filename": "a.pdf", "file_data": "data:application/pdf;base64,REVG" } },
    ]}]}));
    assert_eq!(
        body["messages"][0]["content"],
        json!([
            { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "QUJD" } },
            { "type": "image", "source": { "type": "url", "url": "https://x.example/a.jpg" } },
            { "type": "document", "source": { "type": "base64", "media_type": "application/pdf", "data": "REVG" }, "title": "a.pdf" },
        ])
    );
}

#[test]
fn a_schema_keeps_the_order_of_its_properties() {
    let chat = r#"{"model":"claude-x","messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"z":{},"a":{}}}}},
                 {"type":"function","function":{"name":"g"}}]}"#;
    let body = messages_body(chat.as_bytes(), LIMITS).unwrap();
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.contains(r#""input_schema":{"type":"object","properties":{"z":{},"a":{}}}"#), "{text}");
    assert!(text.contains(r#"{"name":"g","input_schema":{"type":"object","properties":{}}}"#), "{text}");
}

#[test]
fn the_choice_of_tools_is_translated() {
    let choice = |choice: Value, parallel: Option<bool>| {
        let tools = json!([{ "type": "function", "function": { "name": "f" } }]);
        let mut chat = json!({ "messages": [{ "role": "user", "content": "x" }], "tools": tools, "tool_choice": choice });
        if let Some(parallel) = parallel {
            chat["parallel_tool_calls"] = json!(parallel);
        }
        sent(chat).get("tool_choice").cloned().unwrap_or_default()
    };
    assert_eq!(choice(json!("none"), Some(false)), json!({ "type": "none" }));
    assert_eq!(choice(json!("auto"), None), json!({ "type": "auto" }));
    assert_eq!(choice(json!("required"), Some(false)), json!({ "type": "any", "disable_parallel_tool_use": true }));
    assert_eq!(choice(json!({ "type": "function", "function": { "name": "f" } }), None), json!({ "type": "tool", "name": "f" }));
    assert_eq!(choice(Value::Null, Some(false)), json!({ "type": "auto", "disable_parallel_tool_use": true }));
    assert_eq!(choice(Value::Null, None), Value::Null);
}

#[test]
fn calls_and_their_results_become_blocks_of_neighbouring_turns() {
    let call = |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "{\"x\":1.50}" } });
    let body = sent(json!({ "messages": [
        { "role": "user", "content": "x" },
        { "role": "assistant", "content": null, "tool_calls": [call("a"), { "id": "b", "function": { "name": "g", "arguments": "" } }] },
        { "role": "tool", "tool_call_id": "a", "content": "one" },
        { "role": "tool", "tool_call_id": "b", "content": [{ "type": "text", "text": "two" }] },
        { "role": "user", "content": "and?" },
    ]}));
    assert_eq!(body["messages"][1]["content"][1], json!({ "type": "tool_use", "id": "b", "name": "g", "input": {} }));
    assert_eq!(
        body["messages"][2],
        json!({ "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "a", "content": [{ "type": "text", "text": "one" }] },
            { "type": "tool_result", "tool_use_id": "b", "content": [{ "type": "text", "text": "two" }] },
            { "type": "text", "text": "and?" },
        ]})
    );
    let wrong = translate(
        json!({ "messages": [{ "role": "assistant", "tool_calls": [{ "id": "a", "function": { "name": "f", "arguments": "{x" } }] }] }),
    );
    assert!(wrong.unwrap_err().to_string().starts_with("messages[0] could not be read"));
}

#[test]
fn signed_thoughts_survive_the_round_trip_in_one_piece_and_in_pieces() {
    let detail = |text: &str, signature: Option<&str>, index: u64| json!({ "type": "reasoning.text", "text": text, "signature": signature, "format": "anthropic-claude-v1", "index": index });
    let body = sent(json!({ "messages": [{ "role": "user", "content": "x" }, { "role": "assistant", "content": "y", "reasoning_details": [
        detail("Let ", None, 0), detail("me see.", None, 0), detail("", Some("c2ln"), 0),
        { "type": "reasoning.encrypted", "data": "eHh4", "format": "anthropic-claude-v1", "index": 1 },
        detail("Whole.", Some("d2hv"), 2), detail("never signed", None, 3),
        { "type": "reasoning.text", "text": "not ours", "signature": "?", "format": "google-gemini-v1" },
    ]}]}));
    assert_eq!(
        body["messages"][1]["content"],
        json!([
            { "type": "thinking", "thinking": "Let me see.", "signature": "c2ln" },
            { "type": "redacted_thinking", "data": "eHh4" },
            { "type": "thinking", "thinking": "Whole.", "signature": "d2hv" },
            { "type": "text", "text": "y" },
        ])
    );
}

#[test]
fn effort_becomes_a_budget_below_the_cap() {
    let budget = |more: Value, max_tokens: u64| {
        let mut chat = json!({ "messages": [{ "role": "user", "content": "x" }], "max_tokens": max_tokens, "temperature": 0.5 });
        chat.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = sent(chat);
        assert_eq!(body.get("thinking").is_some(), body.get("temperature").is_none(), "a thinking model takes no temperature");
        body["thinking"]["budget_tokens"].as_u64()
    };
    assert_eq!(budget(json!({ "reasoning": { "effort": "high" } }), 10_000), Some(8_000));
    assert_eq!(budget(json!({ "reasoning_effort": "low" }), 10_000), Some(2_000));
    assert_eq!(budget(json!({ "reasoning": { "max_tokens": 2_000 } }), 10_000), Some(2_000));
    assert_eq!(budget(json!({ "reasoning": { "max_tokens": 50_000 } }), 10_000), Some(9_999));
    assert_eq!(budget(json!({ "reasoning": { "enabled": true } }), 10_000), Some(5_000));
    assert_eq!(budget(json!({ "reasoning": { "effort": "minimal" } }), 2_000), Some(1_024));
    assert_eq!(budget(json!({ "reasoning": { "effort": "high" } }), 1_024), None, "no room for the least budget");
    assert_eq!(budget(json!({ "reasoning": { "effort": "none" } }), 10_000), None);
    assert_eq!(budget(json!({}), 10_000), None);
}

#[test]
fn sampling_parameters_without_a_counterpart_are_left_out() {
    let body = sent(json!({ "messages": [{ "role": "user", "content": "x" }], "temperature": 0.7, "top_p": 0.9, "top_k": 5, "seed": 1,
        "frequency_penalty": 1, "presence_penalty": 1, "logit_bias": {}, "stop": ["END", " "], "user": "u-1", "service_tier": "default" }));
    let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["max_tokens", "messages", "metadata", "model", "service_tier", "stop_sequences", "stream", "temperature", "top_k"]);
    assert_eq!((&body["stop_sequences"], &body["metadata"]), (&json!(["END"]), &json!({ "user_id": "u-1" })));
    assert!(sent(json!({ "messages": [], "temperature": 1.5 })).get("temperature").is_none());
}

#[test]
fn a_schema_for_the_answer_is_given_to_structured_output() {
    let format = json!({ "type": "json_schema", "json_schema": { "name": "n", "strict": true, "schema": { "type": "object" } } });
    let body = sent(json!({ "messages": [], "response_format": format }));
    assert_eq!(body["output_config"], json!({ "format": { "type": "json_schema", "schema": { "type": "object" } } }));
    assert!(sent(json!({ "messages": [], "response_format": { "type": "json_object" } })).get("output_config").is_none());
}

#[test]
fn what_would_change_the_question_is_refused_and_may_be_tried_elsewhere() {
    for chat in [
        json!({ "messages": [], "n": 2 }),
        json!({ "messages": [{ "role": "user", "content": [{ "type": "input_audio", "input_audio": {} }] }] }),
        json!({ "messages": [], "functions": [{ "name": "f" }] }),
        json!({ "messages": [], "tools": [{ "type": "openrouter:web_search" }] }),
    ] {
        let error: AttemptError = translate(chat).unwrap_err().into();
        assert!(
            error.is_retryable && error.status == 400 && error.message.ends_with("cannot be expressed in Anthropic's API"),
            "{error:?}"
        );
    }
}
