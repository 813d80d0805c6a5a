//! The answer as a stream of chunks.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::answer::{Given, logprobs};
use super::sse::Framing;
use super::usage::UsageNumbers;
use super::{Dialect, Piece, Plan, Wish, anthropic, end_of, keep_bytes, split};
use crate::script::{Cut, Script, UsageAt};

const DONE: &str = "[DONE]";
const BAD_FRAME: &str = r#"{"id":"chatcmpl-mock","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"#;

/// One event's data and how many tokens of output it gives.
pub struct Event {
    pub data: String,
    pub tokens: u32,
}

pub fn fill(plan: &mut Plan, script: &Script, wish: &Wish, given: &Given, usage: &UsageNumbers) {
    plan.content_type = "text/event-stream; charset=utf-8".into();
    plan.sized = false;
    let mut events = match wish.dialect {
        Dialect::OpenAi => events(script, wish, given, usage),
        Dialect::Anthropic => anthropic::events(script, wish, given, usage),
    };
    plan.sound = script.cut == Cut::None && script.done;
    if let Some(after) = script.bad_frame_after {
        events.insert((after as usize).min(events.len()), Event { data: BAD_FRAME.into(), tokens: 0 });
        plan.sound = false;
    }
    if let Some(after) = script.error_after {
        events.truncate(after as usize);
        let data = match wish.dialect {
            Dialect::OpenAi => error_event(script),
            Dialect::Anthropic => anthropic::error(script.error_status, &script.message),
        };
        events.push(Event { data, tokens: 0 });
        if script.done && wish.dialect == Dialect::OpenAi {
            events.push(Event { data: DONE.into(), tokens: 0 });
        }
        plan.sound = false;
    }
    let mut pieces = pieces(script, wish.dialect, &events);
    if script.cut != Cut::None {
        let whole: usize = pieces.iter().take(script.cut_after as usize).map(|piece| piece.bytes.len()).sum();
        keep_bytes(&mut pieces, whole + script.cut_bytes);
        plan.end = end_of(script.cut);
    }
    plan.pieces = split(signs_of_life(script, pieces), script.write_bytes);
}

/// Comments in the time before the first frame, as providers send that are busy.
fn signs_of_life(script: &Script, mut pieces: Vec<Piece>) -> Vec<Piece> {
    let Some(comments) = script.first_chunk_ms.checked_div(script.comment_ms) else { return pieces };
    let wait = Duration::from_millis(script.comment_ms);
    if let Some(first) = pieces.first_mut() {
        first.wait = first.wait.saturating_sub(wait * u32::try_from(comments).unwrap_or(u32::MAX));
    }
    let comment = Piece { wait, bytes: Bytes::from_static(b": busy\n\n"), tokens: 0 };
    (0..comments).map(|_| comment.clone()).chain(pieces).collect()
}

fn pieces(script: &Script, dialect: Dialect, events: &[Event]) -> Vec<Piece> {
    let mut framing = Framing::new(script);
    let mut pieces: Vec<Piece> = events
        .iter()
        .map(|event| Piece {
            wait: Duration::from_millis(script.delay_ms),
            bytes: Bytes::from(framing.frame(&event.data, (dialect == Dialect::Anthropic).then(|| anthropic::name_of(&event.data)))),
            tokens: event.tokens,
        })
        .collect();
    if let Some(first) = pieces.first_mut() {
        first.wait = Duration::from_millis(script.first_chunk_ms);
    }
    if let Some(last) = pieces.last_mut().filter(|_| !script.last_newline) {
        last.bytes.truncate(last.bytes.len() - framing.newline_bytes());
    }
    pieces
}

/// All events of a good stream, `[DONE]` included, with usage where the script wants it.
fn events(script: &Script, wish: &Wish, given: &Given, usage: &UsageNumbers) -> Vec<Event> {
    let object = usage.object(script).filter(|_| usage.is_sent(script, wish));
    let at = |place: UsageAt| object.as_deref().filter(|_| script.usage_at == place);
    let chunk = |choices: &Value, usage: Option<&str>| chunk(script, wish, choices, usage);
    let mut events = Vec::new();
    let mut so_far = 0;
    for (tokens, choice) in deltas(script, given) {
        so_far += tokens;
        let growing = at(UsageAt::Every).map(|_| usage.so_far(script, so_far));
        let first = at(UsageAt::First).filter(|_| events.is_empty());
        // OpenAI writes `"usage": null` in every chunk before the one that has it.
        let promised = wish.include_usage.then_some("null");
        let data = chunk(&json!([choice]), growing.as_deref().or(first).or(promised));
        events.push(Event { data, tokens });
    }
    let usage_chunk = |usage: &str| {
        let choices = if script.usage_choices { json!([finish_choice(given, 0)]) } else { json!([]) };
        Event { data: chunk(&choices, Some(usage)), tokens: 0 }
    };
    events.extend(at(UsageAt::BeforeFinish).map(usage_chunk));
    for index in 0..given.choices {
        let with_finish = at(UsageAt::WithFinish).or(at(UsageAt::Every)).filter(|_| index + 1 == given.choices);
        let data = chunk(&json!([finish_choice(given, index)]), with_finish);
        events.push(Event { data, tokens: 0 });
    }
    events.extend(at(UsageAt::AfterFinish).map(usage_chunk));
    if script.done {
        events.push(Event { data: DONE.into(), tokens: 0 });
    }
    events.extend(at(UsageAt::AfterDone).map(usage_chunk));
    events
}

fn chunk(script: &Script, wish: &Wish, choices: &Value, usage: Option<&str>) -> String {
    let usage = usage.map(|usage| format!(r#","usage":{usage}"#)).unwrap_or_default();
    format!(
        r#"{{"id":{},"object":"chat.completion.chunk","created":1700000000,"model":{},"service_tier":"default","system_fingerprint":"fp_mock","choices":{choices}{usage}}}"#,
        json!(script.id),
        json!(wish.model),
    )
}

/// The deltas of all choices in order, each with its tokens.
fn deltas(script: &Script, given: &Given) -> Vec<(u32, Value)> {
    let mut deltas = Vec::new();
    let mut push = |tokens: u32, delta: Value, logprobs: Value| {
        for index in 0..given.choices {
            deltas.push((tokens, json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": null })));
        }
    };
    if script.role_chunk {
        push(0, json!({ "role": "assistant", "content": "", "refusal": null }), Value::Null);
    }
    for piece in &given.reasoning {
        push(1, json!({ "reasoning_content": piece }), Value::Null);
    }
    for (index, piece) in given.content.iter().enumerate() {
        let mut delta = json!({ "content": piece });
        if index == 0 && !script.role_chunk {
            delta["role"] = json!("assistant");
        }
        push(1, delta, if script.logprobs { logprobs(std::slice::from_ref(piece)) } else { Value::Null });
    }
    for (call, arguments) in given.tools.iter().enumerate() {
        for (place, piece) in arguments.iter().enumerate() {
            let mut tool = json!({ "index": call, "function": { "arguments": piece } });
            if place == 0 {
                tool["id"] = json!(format!("call_mock_{call}"));
                tool["type"] = json!("function");
                tool["function"]["name"] = json!(script.tool_name);
            }
            push(1, json!({ "tool_calls": [tool] }), Value::Null);
        }
    }
    deltas
}

fn finish_choice(given: &Given, index: u32) -> Value {
    json!({ "index": index, "delta": {}, "logprobs": null, "finish_reason": given.finish })
}

/// An error in the middle of a stream, as compatible upstreams send it.
fn error_event(script: &Script) -> String {
    json!({ "error": { "message": script.message, "type": "server_error", "code": script.error_status } }).to_string()
}
