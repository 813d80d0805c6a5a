//! The same answers as Anthropic's Messages API gives them: one message, or its events.
//!
//! A script means the same in both dialects. What only one of them has (`[DONE]`, choices, where usage stands) is left
//! out in the other: here usage begins in `message_start` and its last word is in `message_delta`.

use serde_json::{Value, json};

use super::Wish;
use super::answer::Given;
use super::stream::Event;
use super::usage::UsageNumbers;
use crate::script::{Script, UsageMode};

/// The signature under every thought.
pub const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSBtb2Nr";

/// The whole message as one JSON body.
pub fn body(script: &Script, wish: &Wish, given: &Given, usage: &UsageNumbers) -> String {
    let content: Vec<Value> = blocks(script, given).into_iter().map(|block| block.whole).collect();
    let usage = usage_object(script, usage, &usage.completion).map(|usage| format!(r#","usage":{usage}"#)).unwrap_or_default();
    format!(
        r#"{{"id":{},"type":"message","role":"assistant","model":{},"content":{},"stop_reason":{},"stop_sequence":null{usage}}}"#,
        json!(script.id),
        json!(wish.model),
        json!(content),
        stop_reason(given),
    )
}

/// All events of a good stream.
pub fn events(script: &Script, wish: &Wish, given: &Given, usage: &UsageNumbers) -> Vec<Event> {
    let usage_member =
        |completion: &str| usage_object(script, usage, completion).map(|usage| format!(r#","usage":{usage}"#)).unwrap_or_default();
    let start = format!(
        r#"{{"type":"message_start","message":{{"id":{},"type":"message","role":"assistant","model":{},"content":[],"stop_reason":null,"stop_sequence":null{}}}}}"#,
        json!(script.id),
        json!(wish.model),
        usage_member("1"),
    );
    let mut events = vec![event(start, 0), event(r#"{"type": "ping"}"#.to_owned(), 0)];
    for (index, block) in blocks(script, given).into_iter().enumerate() {
        events.push(event(json!({ "type": "content_block_start", "index": index, "content_block": block.start }).to_string(), 0));
        for (tokens, delta) in block.deltas {
            events.push(event(json!({ "type": "content_block_delta", "index": index, "delta": delta }).to_string(), tokens));
        }
        events.push(event(json!({ "type": "content_block_stop", "index": index }).to_string(), 0));
    }
    let delta = json!({ "stop_reason": stop_reason(given), "stop_sequence": null });
    // The last report repeats only what has changed, as Anthropic's does.
    let last = match script.usage {
        UsageMode::Absent => String::new(),
        UsageMode::Null => r#","usage":null"#.to_owned(),
        _ => format!(r#","usage":{{"output_tokens":{}}}"#, usage.completion),
    };
    events.push(event(format!(r#"{{"type":"message_delta","delta":{delta}{last}}}"#), 0));
    if script.done {
        events.push(event(r#"{"type":"message_stop"}"#.to_owned(), 0));
    }
    events
}

/// An error as Anthropic writes them, as a body and as an event alike.
pub fn error(status: u16, message: &str) -> String {
    let kind = match status {
        400 => "invalid_request_error",
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_mock" }).to_string()
}

/// The name an event's data goes by.
pub fn name_of(data: &str) -> String {
    let value: Value = serde_json::from_str(data).unwrap_or_default();
    value["type"].as_str().unwrap_or("message").to_owned()
}

struct Block {
    start: Value,
    deltas: Vec<(u32, Value)>,
    whole: Value,
}

fn event(data: String, tokens: u32) -> Event {
    Event { data, tokens }
}

fn blocks(script: &Script, given: &Given) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !given.reasoning.is_empty() {
        let pieces = given.reasoning.iter().map(|piece| (1, json!({ "type": "thinking_delta", "thinking": piece })));
        let signature = (0, json!({ "type": "signature_delta", "signature": SIGNATURE }));
        blocks.push(Block {
            start: json!({ "type": "thinking", "thinking": "", "signature": "" }),
            deltas: pieces.chain([signature]).collect(),
            whole: json!({ "type": "thinking", "thinking": given.reasoning.concat(), "signature": SIGNATURE }),
        });
    }
    if !given.content.is_empty() {
        blocks.push(Block {
            start: json!({ "type": "text", "text": "" }),
            deltas: given.content.iter().map(|piece| (1, json!({ "type": "text_delta", "text": piece }))).collect(),
            whole: json!({ "type": "text", "text": given.content.concat() }),
        });
    }
    for (call, arguments) in given.tools.iter().enumerate() {
        let (id, name) = (format!("toolu_mock_{call}"), &script.tool_name);
        let input: Value = serde_json::from_str(&arguments.concat()).unwrap_or_else(|_| json!({}));
        blocks.push(Block {
            start: json!({ "type": "tool_use", "id": id, "name": name, "input": {} }),
            deltas: arguments.iter().map(|piece| (1, json!({ "type": "input_json_delta", "partial_json": piece }))).collect(),
            whole: json!({ "type": "tool_use", "id": id, "name": name, "input": input }),
        });
    }
    blocks
}

fn stop_reason(given: &Given) -> Value {
    match given.finish.as_str() {
        Some("stop") => json!("end_turn"),
        Some("tool_calls") => json!("tool_use"),
        Some("length") => json!("max_tokens"),
        _ => given.finish.clone(),
    }
}

/// `prompt_tokens` is the whole prompt in a script; Anthropic's input excludes what the cache has of it.
fn usage_object(script: &Script, usage: &UsageNumbers, completion: &str) -> Option<String> {
    match script.usage {
        UsageMode::Absent => return None,
        UsageMode::Null => return Some("null".to_owned()),
        _ => {}
    }
    if let Some(json) = &script.usage_json {
        return Some(json.clone());
    }
    let written = if script.cache_write_tokens.is_empty() { "0" } else { &script.cache_write_tokens };
    let cached = [script.cached_tokens.as_str(), written].iter().filter_map(|count| count.parse::<i64>().ok()).sum::<i64>();
    let input = usage.prompt.parse::<i64>().map_or_else(|_| usage.prompt.clone(), |prompt| (prompt - cached).to_string());
    Some(format!(
        r#"{{"input_tokens":{input},"cache_creation_input_tokens":{written},"cache_read_input_tokens":{},"output_tokens":{completion},"service_tier":"standard"}}"#,
        script.cached_tokens
    ))
}
