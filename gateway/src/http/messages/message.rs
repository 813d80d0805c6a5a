//! A whole answer as Anthropic's message.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::events::provider_error;
use super::lenient::{or_default, readable};
use super::usage::{NativeUsage, usage_json};
use crate::wire::content::{Said, said, text};
use crate::wire::members::members;
use crate::wire::sealed::{CallDetail, UNSIGNED, seal};

#[derive(Debug, Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    model: &'a RawValue,
    #[serde(borrow)]
    provider: Option<&'a RawValue>,
    #[serde(borrow, deserialize_with = "readable")]
    choices: Vec<Choice<'a>>,
    #[serde(borrow)]
    usage: &'a RawValue,
    #[serde(borrow)]
    anthropic: Option<&'a RawValue>,
    #[serde(borrow)]
    openrouter_metadata: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    message: ChatMessage<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    native_finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
struct ChatMessage<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    refusal: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    reasoning: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    reasoning_content: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "readable")]
    reasoning_details: Vec<Detail<'a>>,
    #[serde(borrow, default, deserialize_with = "readable")]
    tool_calls: Vec<ToolCall<'a>>,
}

#[derive(Debug, Deserialize)]
struct Detail<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "or_default")]
    kind: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    summary: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    data: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    id: Cow<'a, str>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    function: Function<'a>,
    /// What its provider wants back with it.
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    /// Some clients' schemas need a list here, others take none or null: an empty list suits all.
    Text {
        text: Cow<'a, str>,
        citations: [(); 0],
    },
    Thinking {
        thinking: Cow<'a, str>,
        signature: &'a str,
    },
    RedactedThinking {
        data: Cow<'a, str>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Box<RawValue>,
    },
}

/// The message for the client; `None` where the bytes are no answer of ours.
pub(super) fn message(body: &[u8]) -> Option<Bytes> {
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    let choice = answer.choices.first()?;
    let provider = answer.provider.map_or("null", RawValue::get);
    let mut out = format!(r#"{{"id":{},"type":"message","role":"assistant","model":{},"provider":{provider}"#, answer.id, answer.model);
    match answer.anthropic {
        Some(native) => push_native(native.get(), answer.usage.get(), &mut out),
        None => {
            let blocks = blocks(&choice.message);
            let content = serde_json::to_string(&blocks).ok()?;
            let has_called = blocks.iter().any(|block| matches!(block, Block::ToolUse { .. }));
            let reason = stop_reason(choice.finish_reason.as_deref(), choice.native_finish_reason.as_deref());
            let reason = reason.map(|reason| with_calls(reason, has_called));
            let reason = reason.map_or(serde_json::Value::Null, serde_json::Value::from);
            let usage = usage_json(answer.usage.get(), &NativeUsage::default());
            out.push_str(&format!(r#","content":{content},"stop_reason":{reason},"stop_sequence":null,"usage":{usage}"#));
            if choice.finish_reason.as_deref() == Some("error") {
                // What came is paid for, and all of it is here; Anthropic's dialect has no word for why there is no more.
                let error = choice.error.map_or_else(provider_error, |error| error.get().to_owned());
                out.push_str(&format!(",\"error\":{error}"));
            }
        }
    }
    if let Some(route) = answer.openrouter_metadata {
        out.push_str(&format!(",\"openrouter_metadata\":{route}"));
    }
    out.push('}');
    Some(Bytes::from(out))
}

/// Anthropic's own message, but for what is ours to say. Its blocks are copied as they came.
fn push_native(native: &str, usage: &str, out: &mut String) {
    let mut told = NativeUsage::default();
    for member in members(native).filter_map(Result::ok) {
        let (key, value) = (member.key.quoted().of_str(native), member.value.of_str(native));
        match key {
            "\"id\"" | "\"type\"" | "\"role\"" | "\"model\"" | "\"provider\"" => {}
            "\"usage\"" => told = NativeUsage::read(value),
            _ => out.push_str(&format!(",{key}:{value}")),
        }
    }
    out.push_str(",\"usage\":");
    out.push_str(&usage_json(usage, &told));
}

fn blocks<'a>(message: &'a ChatMessage<'_>) -> Vec<Block<'a>> {
    let mut blocks = thoughts(message);
    for said in message.content.map(said).unwrap_or_default() {
        blocks.push(match said {
            Said::Text(words) => Block::Text { text: text(words), citations: [] },
            Said::Thought(words) => Block::Thinking { thinking: text(words), signature: "" },
        });
    }
    for block in &mut blocks {
        if let Block::Thinking { signature, .. } = block
            && signature.is_empty()
        {
            *signature = UNSIGNED;
        }
    }
    if let Some(refusal) = message.refusal.as_deref().filter(|text| !text.is_empty()) {
        blocks.push(Block::Text { text: Cow::Borrowed(refusal), citations: [] });
    }
    // Nobody can answer a call of nothing.
    for call in message.tool_calls.iter().filter(|call| !call.function.name.is_empty()) {
        if let Some(detail) = CallDetail::of(&call.id, call.extra_content) {
            blocks.push(Block::RedactedThinking { data: Cow::Owned(seal(&format!("[{}]", detail.json()))) });
        }
        let input = tool_input(&call.function.arguments.map(text).unwrap_or_default());
        blocks.push(Block::ToolUse { id: &call.id, name: &call.function.name, input });
    }
    blocks
}

/// What was thought, as a stream of it would be told. Details that hold text hold it with its signatures; where they hold
/// none, the plain text comes first, and a summary is all there is where there is no text.
fn thoughts<'a>(message: &'a ChatMessage<'_>) -> Vec<Block<'a>> {
    let details = &message.reasoning_details;
    let have_text = details.iter().any(|detail| detail.text.as_ref().is_some_and(|text| !text.is_empty()));
    let is_told = |text: &&str| !text.is_empty();
    let plain = message.reasoning.as_deref().filter(is_told).or(message.reasoning_content.as_deref().filter(is_told));
    let mut blocks = Vec::new();
    if let (false, Some(text)) = (have_text, plain) {
        blocks.push(Block::Thinking { thinking: Cow::Borrowed(text), signature: "" });
    }
    for detail in details {
        let summary = detail.summary.as_deref().filter(|_| !have_text && plain.is_none());
        let text = detail.text.as_deref().filter(is_told).or(summary).unwrap_or_default();
        let signed = detail.signature.as_deref().unwrap_or_default();
        match blocks.last_mut() {
            _ if text.is_empty() && signed.is_empty() => {}
            // What is signed is whole: more thoughts are another block.
            Some(Block::Thinking { thinking, signature }) if signature.is_empty() => {
                thinking.to_mut().push_str(text);
                *signature = signed;
            }
            _ => blocks.push(Block::Thinking { thinking: Cow::Borrowed(text), signature: signed }),
        }
        if let ("reasoning.encrypted", Some(data)) = (&*detail.kind, &detail.data) {
            blocks.push(Block::RedactedThinking { data: Cow::Borrowed(data) });
        }
    }
    blocks
}

/// Arguments as the object they should be; what is none stands in one, so that nothing is lost.
fn tool_input(arguments: &str) -> Box<RawValue> {
    let arguments = arguments.trim();
    let object = RawValue::from_string(arguments.to_owned()).ok().filter(|raw| raw.get().starts_with('{'));
    let wrapped = || {
        let text = if arguments.is_empty() { "{}".to_owned() } else { format!("{{\"arguments\":{}}}", serde_json::Value::from(arguments)) };
        RawValue::from_string(text).unwrap_or_default()
    };
    object.unwrap_or_else(wrapped)
}

/// Why it ended, in Anthropic's words: the provider's own where it is one of them.
pub(super) fn stop_reason(finish: Option<&str>, native: Option<&str>) -> Option<&'static str> {
    const WORDS: [&str; 7] =
        ["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"];
    if let Some(word) = WORDS.iter().find(|word| native == Some(**word)) {
        return Some(word);
    }
    match finish? {
        "tool_calls" => Some("tool_use"),
        "length" => Some("max_tokens"),
        "content_filter" => Some("refusal"),
        "error" => None,
        _ => Some("end_turn"),
    }
}

/// A turn that calls tools ended to have them run: some providers call that an end like any other, all of them where a tool
/// was forced.
pub(super) fn with_calls(reason: &'static str, has_called: bool) -> &'static str {
    if has_called && reason == "end_turn" { "tool_use" } else { reason }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use serde_json::{Value, json};

    use super::*;

    const USAGE: &str =
        r#"{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13,"cost":0.0001,"prompt_tokens_details":{"cached_tokens":4}}"#;

    fn read(message_and_more: &str) -> Value {
        let body = format!(r#"{{"id":"gen-1","model":"a/b","provider":"P","choices":[{message_and_more}],"usage":{USAGE}}}"#);
        serde_json::from_slice(&message(body.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn thoughts_texts_and_calls_become_blocks() {
        let message = read(
            r#"{"message":{"content":"Hi","reasoning":"Hm","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"x\":1}"}},
            {"id":"d","function":{"name":"g","arguments":""}}]},"finish_reason":"tool_calls","native_finish_reason":"tool_calls"}"#,
        );
        assert_eq!(
            message["content"],
            json!([
                { "type": "thinking", "thinking": "Hm", "signature": UNSIGNED }, { "type": "text", "text": "Hi", "citations": [] },
                { "type": "tool_use", "id": "c", "name": "f", "input": { "x": 1 } }, { "type": "tool_use", "id": "d", "name": "g", "input": {} },
            ])
        );
        assert_eq!((&message["stop_reason"], &message["usage"]["input_tokens"]), (&json!("tool_use"), &json!(6)));
        assert_eq!(
            (&message["type"], &message["role"], &message["model"], &message["id"]),
            (&json!("message"), &json!("assistant"), &json!("a/b"), &json!("gen-1"))
        );
    }

    #[test]
    fn a_call_is_a_reason_to_stop_whatever_the_provider_calls_it() {
        let call =
            r#"{"message":{"content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}"#;
        assert_eq!(read(call)["stop_reason"], "tool_use");
        assert_eq!(read(&call.replace(r#""stop""#, r#""length""#))["stop_reason"], "max_tokens");
        assert_eq!(read(r#"{"message":{"content":"Hi","tool_calls":[]},"finish_reason":"stop"}"#)["stop_reason"], "end_turn");
    }

    #[test]
    fn what_is_odd_does_not_take_the_rest_of_a_paid_answer_with_it() {
        let message = read(
            r#"{"message":{"content":"Hi","reasoning":{"odd":1},"reasoning_details":[{"text":"Hm"},7,{"type":"reasoning.text","signature":9}],
            "tool_calls":[{"id":null,"function":{"name":"f","arguments":"{}"}},{"id":"d"},{"id":"e","function":{"name":3}},"odd"]},
            "finish_reason":"tool_calls","native_finish_reason":4}"#,
        );
        assert_eq!(
            message["content"],
            json!([
                { "type": "thinking", "thinking": "Hm", "signature": UNSIGNED }, { "type": "text", "text": "Hi", "citations": [] },
                { "type": "tool_use", "id": "", "name": "f", "input": {} },
            ])
        );
        assert_eq!(message["stop_reason"], "tool_use");
        assert_eq!(read(r#"{"message":{"content":"Hi","tool_calls":null,"reasoning_details":"odd"}}"#)["content"][0]["text"], "Hi");
    }

    #[test]
    fn signed_thoughts_keep_their_signatures() {
        let message = read(
            r#"{"message":{"content":"Hi","reasoning":"Hm","reasoning_details":[{"type":"reasoning.text","text":"Hm","signature":"s"},
            {"type":"reasoning.encrypted","data":"x"}]},"finish_reason":"stop","native_finish_reason":"end_turn"}"#,
        );
        assert_eq!(message["content"][0], json!({ "type": "thinking", "thinking": "Hm", "signature": "s" }));
        assert_eq!(message["content"][1], json!({ "type": "redacted_thinking", "data": "x" }));
    }

    #[test]
    fn thoughts_are_told_whole_whatever_stands_beside_them() {
        let content = |thoughts: &str| {
            let message = read(&format!(r#"{{"message":{{"content":null,{thoughts}}},"finish_reason":"stop"}}"#));
            message["content"].clone()
        };
        let thinking = |text: &str, signature: &str| json!({ "type": "thinking", "thinking": text, "signature": signature });
        let hidden = json!({ "type": "redacted_thinking", "data": "x" });
        assert_eq!(
            content(r#""reasoning":"Hm","reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]"#),
            json!([thinking("Hm", UNSIGNED), hidden])
        );
        assert_eq!(
            content(r#""reasoning_content":"Hm","reasoning":"","reasoning_details":[{"type":"reasoning.text","signature":"s"}]"#),
            json!([thinking("Hm", "s")])
        );
        let summaries = r#""reasoning_details":[{"type":"reasoning.summary","summary":"In "},{"type":"reasoning.summary","summary":"short"},{"type":"reasoning.encrypted","data":"x"}]"#;
        assert_eq!(content(summaries), json!([thinking("In short", UNSIGNED), hidden]));
        assert_eq!(content(&format!(r#""reasoning":"In short",{summaries}"#)), json!([thinking("In short", UNSIGNED), hidden]));
        let signed = r#""reasoning":"AB","reasoning_details":[{"type":"reasoning.text","text":"A","signature":"s"},{"type":"reasoning.text","text":"B","signature":"t"}]"#;
        assert_eq!(content(signed), json!([thinking("A", "s"), thinking("B", "t")]));
    }

    #[test]
    fn anthropics_own_blocks_are_copied_as_they_came() {
        let content = r#"[{"type":"server_tool_use","id":"s","name":"web_search","input":{"q":1.50}},{"type":"text", "text":"h\u00ef"}]"#;
        let native = format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":{content},"stop_reason":"pause_turn","stop_sequence":null,"container":{{"id":"c"}},"usage":{{"input_tokens":99,"service_tier":"priority","server_tool_use":{{"web_search_requests":2}}}}}}"#
        );
        let body = format!(
            r#"{{"id":"gen-1","model":"a/b","choices":[{{"message":{{}},"finish_reason":"stop"}}],"anthropic":{native},"usage":{USAGE}}}"#
        );
        let out = String::from_utf8(message(body.as_bytes()).unwrap().to_vec()).unwrap();
        assert!(
            out.contains(content) && out.contains(r#""container":{"id":"c"}"#) && out.contains(r#""stop_reason":"pause_turn""#),
            "{out}"
        );
        let value: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&value["id"], &value["model"]), (&json!("gen-1"), &json!("a/b")));
        assert_eq!(value["usage"]["service_tier"], "priority");
        assert_eq!((&value["usage"]["input_tokens"], &value["usage"]["server_tool_use"]["web_search_requests"]), (&json!(6), &json!(2)));
    }

    #[test]
    fn reasons_to_stop_are_anthropics() {
        assert_eq!(stop_reason(Some("stop"), Some("stop_sequence")), Some("stop_sequence"));
        assert_eq!(stop_reason(Some("stop"), Some("STOP")), Some("end_turn"));
        assert_eq!(stop_reason(Some("length"), Some("length")), Some("max_tokens"));
        assert_eq!(stop_reason(Some("content_filter"), Some("SAFETY")), Some("refusal"));
        assert_eq!((stop_reason(Some("error"), None), stop_reason(None, None)), (None, None));
    }
}
