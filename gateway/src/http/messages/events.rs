//! The relay's frames, one by one, as Anthropic's events.
//!
//! A frame that brings Anthropic's own event along is handed on as that event, byte for byte; any other is
//! translated. Whatever the provider did, the client gets `message_start`, blocks that begin and end, and a last
//! `message_delta` with the whole usage and the cost, then `message_stop`, or an `error` and nothing after it.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use self::calls::Calls;
use super::lenient::{or_default, readable};
use super::message::{stop_reason, with_calls};
use super::usage::{NOTHING_YET, NativeUsage, usage_json};
use crate::http::error::{ApiError, ErrorType, anthropic_error_json};
use crate::http::translated;
use crate::wire::content::{Said, has_text, said};
use crate::wire::members::members;
use crate::wire::sealed::{CallDetail, UNSIGNED, seal};
use crate::wire::{Frame, SseFramer};

mod calls;

/// Before `message_start`, when an event would come too early.
const COMMENT: &str = ": waiting for the provider\n\n";
const PING: &str = "event: ping\ndata: {\"type\": \"ping\"}\n\n";

/// The state of one stream.
#[derive(Default)]
pub(super) struct Events {
    framer: SseFramer,
    has_begun: bool,
    has_ended: bool,
    next_index: u32,
    /// The text or thinking block that is open.
    open: Option<(Kind, u32)>,
    /// A provider may go back and forth between them.
    calls: Calls,
    has_called: bool,
    /// Blocks that Anthropic's own events opened.
    native_open: Vec<u32>,
    /// Thoughts came as plain text: their details repeat it.
    has_plain_thoughts: bool,
    stop_reason: Option<&'static str>,
    /// The error that the answer ended with, as chat tells it, until it is told.
    failure: Option<String>,
    /// The generation that failed.
    id: Option<String>,
    /// The whole `delta` of Anthropic's own `message_delta`.
    native_delta: Option<String>,
    /// Its members that are not replaced, each after a comma.
    native_more: String,
    native_usage: NativeUsage,
    /// How the request was routed, for those who asked: it goes with the last event.
    route: Option<Box<RawValue>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
}

#[derive(Debug, Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    model: &'a RawValue,
    #[serde(borrow)]
    provider: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "readable")]
    choices: Vec<Choice<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    anthropic: Option<&'a RawValue>,
    /// The usage of Anthropic's `message_start`, beside the first of its other events.
    #[serde(borrow)]
    anthropic_start: Option<&'a RawValue>,
    #[serde(borrow)]
    openrouter_metadata: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default, deserialize_with = "or_default")]
    delta: Delta<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    native_finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "readable")]
    reasoning_details: Vec<Detail<'a>>,
    #[serde(borrow, default, deserialize_with = "readable")]
    tool_calls: Vec<ToolCall<'a>>,
}

#[derive(Debug, Deserialize)]
struct Detail<'a> {
    #[serde(rename = "type", borrow, default, deserialize_with = "or_default")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    summary: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct ToolCall<'a> {
    #[serde(default, deserialize_with = "or_default")]
    index: u32,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    function: Option<Function<'a>>,
    /// What its provider wants back with it.
    #[serde(borrow)]
    extra_content: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// An event of Anthropic's, as far as it is looked into.
#[derive(Debug, Deserialize)]
struct NativeEvent<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(default)]
    index: u32,
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

impl translated::Events for Events {
    fn push(&mut self, data: Bytes) -> Bytes {
        let mut out = String::new();
        self.framer.push(data);
        // What the relay writes is within the framer's bound.
        while let Ok(Some(frame)) = self.framer.next_frame() {
            match frame {
                Frame::Comment => out.push_str(if self.has_begun { PING } else { COMMENT }),
                Frame::Event { data, .. } if &*data == b"[DONE]" => self.stop(&mut out),
                Frame::Event { data, .. } => self.chunk(&data, &mut out),
            }
        }
        Bytes::from(out)
    }
}

impl Events {
    fn chunk(&mut self, data: &[u8], out: &mut String) {
        let Ok(chunk) = serde_json::from_slice::<Chunk<'_>>(data) else {
            tracing::error!("a frame of the relay could not be read in Anthropic's dialect");
            return self.fail(&anthropic_error_json("{}", None, None), out);
        };
        if self.has_ended {
            return;
        }
        if let Some(error) = chunk.error {
            self.id = serde_json::from_str(chunk.id.get()).ok();
            self.failure = Some(error.get().to_owned());
            self.route = chunk.openrouter_metadata.map(ToOwned::to_owned);
            // What was delivered has its price: the usage comes right behind.
            if !self.has_begun {
                self.tell_failure(out);
            }
            return;
        }
        self.start(&chunk, out);
        if let Some(choice) = chunk.choices.first() {
            if chunk.anthropic.is_none() && chunk.usage.is_none() {
                self.delta(&choice.delta, out);
            }
            if choice.finish_reason.as_deref() == Some("error") {
                self.failure = Some(choice.error.map_or_else(provider_error, |error| error.get().to_owned()));
            }
            if let Some(reason) = stop_reason(choice.finish_reason.as_deref(), choice.native_finish_reason.as_deref()) {
                self.stop_reason = Some(reason);
            }
        }
        if let Some(event) = chunk.anthropic {
            self.native(event, out);
        }
        if let Some(route) = chunk.openrouter_metadata {
            self.route = Some(route.to_owned());
        }
        if let Some(usage) = chunk.usage {
            self.finish(usage.get(), chunk.id, out);
        }
    }

    fn start(&mut self, chunk: &Chunk<'_>, out: &mut String) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let provider = chunk.provider.map_or("null", RawValue::get);
        let usage = chunk.anthropic_start.map_or(NOTHING_YET, RawValue::get);
        self.native_usage = NativeUsage::read(usage);
        let message = format!(
            r#"{{"type":"message_start","message":{{"id":{},"type":"message","role":"assistant","model":{},"provider":{provider},"content":[],"stop_reason":null,"stop_sequence":null,"usage":{usage}}}}}"#,
            chunk.id, chunk.model
        );
        push("message_start", &message, out);
    }

    fn native(&mut self, raw: &RawValue, out: &mut String) {
        let Ok(event) = serde_json::from_str::<NativeEvent<'_>>(raw.get()) else { return };
        match &*event.kind {
            "message_delta" => {
                self.native_delta = event.delta.map(|delta| delta.get().to_owned());
                self.native_more = more_members(raw.get());
                let told = event.usage.map(|usage| NativeUsage::read(usage.get())).unwrap_or_default();
                self.native_usage = told.after(std::mem::take(&mut self.native_usage));
                return;
            }
            "content_block_start" => self.native_open.push(event.index),
            "content_block_stop" => self.native_open.retain(|index| *index != event.index),
            _ => {}
        }
        push(&event.kind, raw.get(), out);
    }

    fn delta(&mut self, delta: &Delta<'_>, out: &mut String) {
        let has_text = |raw: &&RawValue| has_text(raw);
        if let Some(text) = delta.reasoning.filter(has_text).or(delta.reasoning_content.filter(has_text)) {
            self.has_plain_thoughts = true;
            let index = self.block(Kind::Thinking, out);
            push_delta(index, "thinking_delta", "thinking", text, out);
        }
        for detail in &delta.reasoning_details {
            if let (false, Some(text)) = (self.has_plain_thoughts, detail.text.filter(has_text).or(detail.summary.filter(has_text))) {
                let index = self.block(Kind::Thinking, out);
                push_delta(index, "thinking_delta", "thinking", text, out);
            }
            if let Some(signature) = detail.signature.filter(has_text) {
                let index = self.block(Kind::Thinking, out);
                push_delta(index, "signature_delta", "signature", signature, out);
                // What is signed is whole: more thoughts are another block.
                self.open = None;
                push_stop(index, out);
            }
            if let (true, Some(data)) = (detail.kind == "reasoning.encrypted", detail.data) {
                self.close(out);
                self.calls.close_whole(&mut self.next_index, out);
                let index = self.take_index();
                push_start(index, &format!(r#"{{"type":"redacted_thinking","data":{data}}}"#), out);
                push_stop(index, out);
            }
        }
        for said in [delta.content, delta.refusal].into_iter().flatten().flat_map(said) {
            match said {
                Said::Text(text) => {
                    let index = self.block(Kind::Text, out);
                    push_delta(index, "text_delta", "text", text, out);
                }
                Said::Thought(text) => {
                    let index = self.block(Kind::Thinking, out);
                    push_delta(index, "thinking_delta", "thinking", text, out);
                }
            }
        }
        for call in &delta.tool_calls {
            self.tool_call(call, out);
        }
    }

    fn tool_call(&mut self, call: &ToolCall<'_>, out: &mut String) {
        let function = call.function.as_ref();
        let name = function.and_then(|function| function.name).filter(|name| has_text(name));
        let is_known = self.calls.id_at(call.index).is_some();
        if name.is_some() {
            self.calls.begin(call.index, call.id, name);
            self.has_called = true;
        } else if !is_known {
            // Nobody can answer a call of nothing.
            return;
        }
        // What its provider wants back beside a call, as a thought that only it can read.
        let id = self.calls.id_at(call.index).and_then(|id| serde_json::from_str::<String>(id).ok()).unwrap_or_default();
        if let Some(detail) = CallDetail::of(&id, call.extra_content) {
            self.calls.seal(call.index, seal(&format!("[{}]", detail.json())));
        }
        if let Some(arguments) = function.and_then(|function| function.arguments).filter(|raw| raw.get().len() > 2) {
            // A host that writes an object where a text of one should be.
            let as_text = (!has_text(arguments)).then(|| RawValue::from_string(serde_json::Value::from(arguments.get()).to_string()).ok());
            self.calls.argue(call.index, as_text.flatten().as_deref().unwrap_or(arguments), out);
        }
        self.close(out);
        self.calls.advance(&mut self.next_index, out);
    }

    /// The open block of this kind, opened where there is none.
    fn block(&mut self, kind: Kind, out: &mut String) -> u32 {
        match self.open {
            Some((open, index)) if open == kind => index,
            _ => {
                self.close(out);
                self.calls.close_whole(&mut self.next_index, out);
                let index = self.take_index();
                let block = match kind {
                    Kind::Text => r#"{"type":"text","text":""}"#,
                    Kind::Thinking => r#"{"type":"thinking","thinking":"","signature":""}"#,
                };
                push_start(index, block, out);
                self.open = Some((kind, index));
                index
            }
        }
    }

    fn close(&mut self, out: &mut String) {
        if let Some((kind, index)) = self.open.take() {
            if kind == Kind::Thinking {
                let delta = format!(r#"{{"type":"signature_delta","signature":"{UNSIGNED}"}}"#);
                push("content_block_delta", &format!(r#"{{"type":"content_block_delta","index":{index},"delta":{delta}}}"#), out);
            }
            push_stop(index, out);
        }
    }

    const fn take_index(&mut self) -> u32 {
        self.next_index += 1;
        self.next_index - 1
    }

    fn close_all(&mut self, out: &mut String) {
        self.close(out);
        self.calls.close_all(&mut self.next_index, out);
        for index in std::mem::take(&mut self.native_open) {
            push_stop(index, out);
        }
    }

    /// The usage is the relay's last word before its end.
    fn finish(&mut self, usage: &str, id: &RawValue, out: &mut String) {
        self.close_all(out);
        let reason = self.stop_reason.filter(|_| self.failure.is_none()).map(|reason| with_calls(reason, self.has_called));
        let reason = reason.map_or(serde_json::Value::Null, serde_json::Value::from);
        let delta = self.native_delta.take().unwrap_or_else(|| format!(r#"{{"stop_reason":{reason},"stop_sequence":null}}"#));
        let usage = usage_json(usage, &self.native_usage);
        let more = std::mem::take(&mut self.native_more);
        push("message_delta", &format!(r#"{{"type":"message_delta","delta":{delta},"usage":{usage}{more}}}"#), out);
        if self.failure.is_some() {
            self.id = self.id.take().or_else(|| serde_json::from_str(id.get()).ok());
            self.tell_failure(out);
        }
    }

    /// The last event of an answer that failed.
    fn tell_failure(&mut self, out: &mut String) {
        let (error, route) = (self.failure.take().unwrap_or_default(), self.route.take());
        self.fail(&anthropic_error_json(&error, self.id.as_deref(), route.as_deref().map(RawValue::get)), out);
    }

    fn stop(&mut self, out: &mut String) {
        if self.failure.is_some() && !self.has_ended {
            return self.tell_failure(out);
        }
        if self.has_begun && !std::mem::replace(&mut self.has_ended, true) {
            self.close_all(out);
            match self.route.take() {
                Some(route) => push("message_stop", &format!(r#"{{"type":"message_stop","openrouter_metadata":{route}}}"#), out),
                None => push("message_stop", r#"{"type":"message_stop"}"#, out),
            }
        }
    }

    fn fail(&mut self, error: &str, out: &mut String) {
        self.has_ended = true;
        push("error", error, out);
    }
}

/// What an answer failed with that says it did, and no more. As chat tells it.
pub(super) fn provider_error() -> String {
    ApiError::new(ErrorType::ProviderUnavailable, "Provider returned error").error_json()
}

/// What Anthropic's `message_delta` says beside its delta and its usage: how it managed the context, and what is new.
fn more_members(event: &str) -> String {
    let mut out = String::new();
    for member in members(event).filter_map(Result::ok) {
        let (key, value) = (member.key.quoted().of_str(event), member.value.of_str(event));
        if !matches!(key, "\"type\"" | "\"delta\"" | "\"usage\"") {
            out.push_str(&format!(",{key}:{value}"));
        }
    }
    out
}

fn push(name: &str, data: &str, out: &mut String) {
    out.push_str("event: ");
    out.push_str(name);
    out.push_str("\ndata: ");
    out.push_str(data);
    out.push_str("\n\n");
}

fn push_start(index: u32, block: &str, out: &mut String) {
    push("content_block_start", &format!(r#"{{"type":"content_block_start","index":{index},"content_block":{block}}}"#), out);
}

fn push_stop(index: u32, out: &mut String) {
    push("content_block_stop", &format!(r#"{{"type":"content_block_stop","index":{index}}}"#), out);
}

fn push_delta(index: u32, kind: &str, member: &str, raw: &RawValue, out: &mut String) {
    let delta = format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{member}":{raw}}}}}"#);
    push("content_block_delta", &delta, out);
}

#[cfg(test)]
mod tests;
