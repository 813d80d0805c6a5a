//! A whole message as a chat answer.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::{error_frame, unreadable_frame};
use super::native;
use super::stream::REASONING_FORMAT;

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    content: Vec<Block<'a>>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    text: Option<String>,
    thinking: Option<String>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    object: &'static str,
    choices: [Choice<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
struct Choice<'a> {
    index: u32,
    message: ChatMessage<'a>,
    finish_reason: Option<&'a RawValue>,
}

#[derive(Debug, Default, Serialize)]
struct ChatMessage<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<()>,
    reasoning: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reasoning_details: Vec<Detail<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall<'a>>,
}

#[derive(Debug, Serialize)]
struct Detail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    format: &'static str,
    index: usize,
}

#[derive(Debug, Serialize)]
struct ToolCall<'a> {
    index: usize,
    id: Option<&'a RawValue>,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Debug, Serialize)]
struct Function<'a> {
    name: Option<&'a RawValue>,
    /// JSON inside a string, as OpenAI has it.
    arguments: &'a str,
}

/// The internal form of a body. What is no message becomes an error the relay understands. With `is_native` the
/// message goes along as it came.
pub fn chat_answer(body: &[u8], is_native: bool) -> Bytes {
    let text = std::str::from_utf8(body).ok().map(|text| text.trim_start_matches('\u{feff}'));
    let read = text.and_then(|text| Some((text, serde_json::from_str::<Message<'_>>(text).ok()?)));
    let Some((text, message)) = read else {
        return Bytes::from(unreadable_frame("the provider's answer could not be read"));
    };
    if message.error.is_some() || message.kind != "message" {
        return Bytes::from(error_frame(message.error));
    }
    let answer = Answer {
        id: message.id,
        object: "chat.completion",
        choices: [Choice { index: 0, message: chat_message(&message.content, is_native), finish_reason: message.stop_reason }],
        usage: message.usage,
    };
    // Only maps with keys that are no text fail to serialize.
    let mut out = serde_json::to_string(&answer).unwrap_or_default();
    if is_native && out.pop().is_some() {
        native::push_member(text.trim(), &mut out);
        out.push('}');
    }
    Bytes::from(out)
}

fn chat_message<'a>(blocks: &[Block<'a>], is_native: bool) -> ChatMessage<'a> {
    let mut message = ChatMessage { role: "assistant", ..ChatMessage::default() };
    for (index, block) in blocks.iter().enumerate() {
        let detail = |kind| Detail { kind, text: None, signature: None, data: None, format: REASONING_FORMAT, index };
        match &*block.kind {
            "text" => message.content.get_or_insert_default().push_str(block.text.as_deref().unwrap_or_default()),
            "thinking" => {
                message.reasoning.get_or_insert_default().push_str(block.thinking.as_deref().unwrap_or_default());
                if !is_native {
                    let detail = Detail { text: block.thinking.clone(), signature: block.signature, ..detail("reasoning.text") };
                    message.reasoning_details.push(detail);
                }
            }
            "redacted_thinking" if !is_native => {
                // Without text the details themselves would be counted as what was thought.
                message.reasoning.get_or_insert_default();
                message.reasoning_details.push(Detail { data: block.data, ..detail("reasoning.encrypted") });
            }
            "tool_use" => message.tool_calls.push(ToolCall {
                index: message.tool_calls.len(),
                id: block.id,
                kind: "function",
                function: Function { name: block.name, arguments: block.input.map_or("{}", RawValue::get) },
            }),
            _ => {}
        }
    }
    message
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use serde_json::{Value, json};

    use super::*;

    fn read(body: &str, is_native: bool) -> Value {
        serde_json::from_slice(&chat_answer(body.as_bytes(), is_native)).unwrap()
    }

    const MESSAGE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[
        {"type":"thinking","thinking":"Let me see.","signature":"c2ln"},{"type":"redacted_thinking","data":"eHh4"},
        {"type":"text","text":"Hello "},{"type":"text","text":"wörld"},
        {"type":"tool_use","id":"toolu_1","name":"f","input":{"b":1.50,"a":2}}],
        "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":9,"cache_read_input_tokens":7}}"#;

    #[test]
    fn a_message_becomes_a_chat_answer_with_its_usage_as_anthropic_wrote_it() {
        let answer = read(MESSAGE, false);
        let message = &answer["choices"][0]["message"];
        assert_eq!((&message["content"], &message["reasoning"]), (&json!("Hello wörld"), &json!("Let me see.")));
        assert_eq!(message["reasoning_details"][0]["signature"], "c2ln");
        assert_eq!(
            message["reasoning_details"][1],
            json!({"type":"reasoning.encrypted","data":"eHh4","format":"anthropic-claude-v1","index":1})
        );
        assert_eq!(message["tool_calls"][0]["function"], json!({"name":"f","arguments":r#"{"b":1.50,"a":2}"#}), "numbers and order stay");
        assert_eq!(answer["choices"][0]["finish_reason"], "tool_use");
        assert_eq!(answer["usage"]["cache_read_input_tokens"], 7);
        assert!(answer.get(native::MEMBER).is_none());
    }

    #[test]
    fn the_steps_of_a_compacted_answer_are_reported() {
        let usage = json!({ "input_tokens": 23, "output_tokens": 1, "iterations": [
            { "type": "compaction", "input_tokens": 180, "output_tokens": 3 }, { "type": "message", "input_tokens": 23, "output_tokens": 1 },
        ]});
        let body = json!({ "type": "message", "content": [{ "type": "text", "text": "Hi" }], "stop_reason": "end_turn", "usage": usage });
        for is_native in [false, true] {
            assert_eq!(read(&body.to_string(), is_native)["usage"], usage);
        }
    }

    #[test]
    fn a_native_answer_brings_the_message_along() {
        let raw = String::from_utf8(chat_answer(MESSAGE.as_bytes(), true).to_vec()).unwrap();
        assert!(raw.contains(r#"{"type":"tool_use","id":"toolu_1","name":"f","input":{"b":1.50,"a":2}}"#) && !raw.contains('\n'), "{raw}");
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        assert_eq!(read(r#"{"type":"error","error":{"type":"overloaded_error","message":"busy"}}"#, false)["error"]["message"], "busy");
        for body in ["", "<html>", "[]", "{}", r#"{"type":"message","content":3}"#] {
            assert!(read(body, false)["error"].is_object(), "{body}");
        }
    }
}
