//! Anthropic's events, one by one, as frames of the internal form.
//!
//! Texts and partial JSON are copied as raw JSON strings, never unescaped. Nothing is sent for `message_start`
//! but its usage: an `overloaded_error` right after it can still move on to the next endpoint.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{error_frame, unreadable_frame};
use super::native;
use crate::wire::{Frame, SseFramer};

/// What signatures belong to: clients send it back with them.
pub const REASONING_FORMAT: &str = "anthropic-claude-v1";
/// Blocks of one answer that are followed; more are of a broken upstream.
const BLOCKS_MAX: usize = 4_096;

/// The state of one stream.
pub struct EventTranslator {
    framer: SseFramer,
    is_native: bool,
    has_spoken: bool,
    has_failed: bool,
    /// Open tool calls by block: which of the answer's calls it is, and whether it has arguments.
    tools: HashMap<u32, ToolBlock>,
    tools_begun: u32,
    /// The usage of `message_start`: it goes with the first event that a client of this dialect gets.
    start_usage: Option<String>,
}

struct ToolBlock {
    call: u32,
    has_arguments: bool,
    /// The input it began with, as a JSON string. Anthropic begins with none; some who speak its dialect tell all of it here.
    input: String,
}

#[derive(Debug, Deserialize)]
struct Event<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: u32,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Block<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Delta<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    thinking: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    partial_json: Option<&'a RawValue>,
    #[serde(borrow)]
    stop_reason: Option<&'a RawValue>,
}

impl EventTranslator {
    pub fn new(is_native: bool) -> Self {
        Self {
            framer: SseFramer::default(),
            is_native,
            has_spoken: false,
            has_failed: false,
            tools: HashMap::new(),
            tools_begun: 0,
            start_usage: None,
        }
    }

    /// Takes in bytes and gives the frames that are complete now.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        let mut out = String::new();
        if self.has_failed {
            return Bytes::new();
        }
        self.framer.push(chunk);
        loop {
            match self.framer.next_frame() {
                Ok(Some(Frame::Event { data, .. })) => self.event(&data, &mut out),
                Ok(Some(Frame::Comment)) => {}
                Ok(None) => break,
                Err(error) => {
                    self.has_failed = true;
                    push_frame(&unreadable_frame(&format!("the provider sent an event longer than {} bytes", error.bytes_max)), &mut out);
                    break;
                }
            }
        }
        Bytes::from(out)
    }

    fn event(&mut self, data: &[u8], out: &mut String) {
        let read = std::str::from_utf8(data).ok().and_then(|text| Some((text, serde_json::from_str::<Event<'_>>(text).ok()?)));
        let Some((text, event)) = read else {
            push_frame(&unreadable_frame("the provider sent an unreadable frame"), out);
            return;
        };
        match &*event.kind {
            "error" => push_frame(&error_frame(event.error), out),
            "message_stop" => out.push_str("data: [DONE]\n\n"),
            "message_start" => {
                let message = event.message.as_ref();
                let usage = message.and_then(|message| message.usage);
                if self.is_native {
                    self.start_usage = usage.map(|usage| usage.get().to_owned());
                }
                self.push_chunk(message.and_then(|message| message.id), "", usage, None, out);
            }
            "ping" => {}
            _ => {
                let choice = self.choice(&event);
                let native = self.is_native.then_some(text);
                if choice.is_some() || native.is_some() || event.usage.is_some() {
                    self.push_chunk(None, &choice.unwrap_or_default(), event.usage, native, out);
                }
            }
        }
    }

    /// The choice an event is in the internal form, if it is anything there.
    fn choice(&mut self, event: &Event<'_>) -> Option<String> {
        match &*event.kind {
            "content_block_start" => self.block_start(event.index, event.content_block.as_ref()?),
            "content_block_delta" => self.block_delta(event.index, event.delta.as_ref()?),
            "content_block_stop" => {
                // A call without arguments has an empty object of them: clients parse what they get.
                let block = self.tools.remove(&event.index)?;
                (!block.has_arguments).then(|| self.delta(&arguments(block.call, &block.input)))
            }
            "message_delta" => {
                let stop_reason = event.delta.as_ref()?.stop_reason.filter(|reason| reason.get() != "null")?;
                Some(format!(r#"{{"index":0,"delta":{{}},"finish_reason":{}}}"#, stop_reason.get()))
            }
            _ => None,
        }
    }

    fn block_start(&mut self, index: u32, block: &Block<'_>) -> Option<String> {
        match &*block.kind {
            "tool_use" => {
                if self.tools.len() >= BLOCKS_MAX {
                    return None;
                }
                let call = self.tools_begun;
                self.tools_begun += 1;
                let input = serde_json::Value::from(block.input.map_or("{}", RawValue::get)).to_string();
                self.tools.insert(index, ToolBlock { call, has_arguments: false, input });
                let (id, name) = (block.id?.get(), block.name?.get());
                let begun =
                    format!(r#""tool_calls":[{{"index":{call},"id":{id},"type":"function","function":{{"name":{name},"arguments":""}}}}]"#);
                Some(self.delta(&begun))
            }
            "redacted_thinking" if !self.is_native => {
                let data = block.data?.get();
                let details = format!(
                    r#""reasoning":"","reasoning_details":[{{"type":"reasoning.encrypted","data":{data},"format":"{REASONING_FORMAT}","index":{index}}}]"#
                );
                Some(self.delta(&details))
            }
            "text" => block.text.filter(|text| text.get() != "\"\"").map(|text| self.delta(&format!(r#""content":{}"#, text.get()))),
            _ => None,
        }
    }

    fn block_delta(&mut self, index: u32, delta: &Delta<'_>) -> Option<String> {
        let members = match &*delta.kind {
            "text_delta" => format!(r#""content":{}"#, delta.text?.get()),
            "thinking_delta" => {
                let text = delta.thinking?.get();
                let mut members = format!(r#""reasoning":{text}"#);
                if !self.is_native {
                    // Writing to a string cannot fail.
                    let _ = write!(
                        members,
                        r#","reasoning_details":[{{"type":"reasoning.text","text":{text},"format":"{REASONING_FORMAT}","index":{index}}}]"#
                    );
                }
                members
            }
            // The empty reasoning says that these details are no text to be counted.
            "signature_delta" if !self.is_native => format!(
                r#""reasoning":"","reasoning_details":[{{"type":"reasoning.text","text":"","signature":{},"format":"{REASONING_FORMAT}","index":{index}}}]"#,
                delta.signature?.get()
            ),
            "input_json_delta" => {
                let part = delta.partial_json?.get();
                let block = self.tools.get_mut(&index)?;
                if part == "\"\"" {
                    return None;
                }
                block.has_arguments = true;
                arguments(block.call, part)
            }
            _ => return None,
        };
        Some(self.delta(&members))
    }

    /// A choice with a delta; the first one names the role.
    fn delta(&mut self, members: &str) -> String {
        let role = if self.has_spoken { "" } else { r#""role":"assistant","# };
        self.has_spoken = true;
        format!(r#"{{"index":0,"delta":{{{role}{members}}},"finish_reason":null}}"#)
    }

    fn push_chunk(&mut self, id: Option<&RawValue>, choice: &str, usage: Option<&RawValue>, native: Option<&str>, out: &mut String) {
        out.push_str("data: {");
        if let Some(id) = id {
            let _ = write!(out, r#""id":{},"#, id.get());
        }
        let _ = write!(out, r#""object":"chat.completion.chunk","choices":[{choice}]"#);
        if let Some(usage) = usage {
            out.push_str(",\"usage\":");
            native::push_one_line(usage.get(), out);
        }
        if let Some(event) = native {
            native::push_member(event, out);
            if let Some(usage) = self.start_usage.take() {
                out.push_str(",\"anthropic_start\":");
                native::push_one_line(&usage, out);
            }
        }
        out.push_str("}\n\n");
    }
}

fn arguments(call: u32, raw: &str) -> String {
    format!(r#""tool_calls":[{{"index":{call},"function":{{"arguments":{raw}}}}}]"#)
}

fn push_frame(data: &str, out: &mut String) {
    out.push_str("data: ");
    native::push_one_line(data, out);
    out.push_str("\n\n");
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use serde_json::{Value, json};

    use super::*;

    fn frames(events: &[Value], is_native: bool) -> Vec<Value> {
        let mut translator = EventTranslator::new(is_native);
        let sent: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let out = String::from_utf8(translator.push(Bytes::from(sent)).to_vec()).unwrap();
        out.split_terminator("\n\n").map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap()).collect()
    }

    #[test]
    fn an_input_that_is_told_at_once_is_not_lost() {
        let event = |json: &str| format!("data: {json}\n\n");
        let begun =
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1.50}}}"#;
        let stream = event(begun) + &event(r#"{"type":"content_block_stop","index":0}"#);
        let told = String::from_utf8(EventTranslator::new(false).push(Bytes::from(stream)).to_vec()).unwrap();
        assert!(told.contains(r#""arguments":"{\"a\":1.50}""#), "{told}");
    }

    #[test]
    fn the_steps_of_a_compacted_answer_are_reported() {
        let usage = json!({ "output_tokens": 1, "iterations": [{ "type": "compaction", "input_tokens": 180, "output_tokens": 3 }] });
        for reason in [json!("end_turn"), Value::Null] {
            for is_native in [false, true] {
                let event = json!({ "type": "message_delta", "delta": { "stop_reason": reason }, "usage": usage });
                let frames = frames(&[event], is_native);
                assert_eq!(frames[0]["usage"], usage, "a report counts, whether it ends the answer or not");
                assert_eq!(frames[0]["choices"].as_array().unwrap().is_empty(), reason.is_null());
            }
        }
    }
}
