//! From a script and a request to the exact bytes, pauses and end of an answer.
//!
//! Owns the plan, made once per kind of request and then only played. Pure: no clock, no state, no I/O.
//! Start at [`plan`]; `answer` writes whole bodies, `stream` chunks, `anthropic` both in the other dialect, `embeddings` vectors, `usage` the usage object, `sse` the framing.

mod answer;
pub mod anthropic;
pub mod embeddings;
mod sse;
mod stream;
mod usage;

use std::time::Duration;

use bytes::Bytes;

pub use embeddings::Vectors;

use crate::script::{Cut, Fault, Hang, Script};

/// What the request decides about the answer, beside the script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The model's name as the answer repeats it.
    pub model: String,
    pub stream: bool,
    pub include_usage: bool,
    pub choices: u32,
    pub max_tokens: Option<u32>,
    pub dialect: Dialect,
    /// Embeddings are asked for, not an answer.
    pub vectors: Option<Vectors>,
}

/// Whose API is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dialect {
    #[default]
    OpenAi,
    Anthropic,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub status: u16,
    pub content_type: String,
    pub retry_after: Option<String>,
    pub first_byte: Duration,
    pub hang: Hang,
    pub pieces: Vec<Piece>,
    pub end: End,
    /// Whether every piece is written by itself.
    pub flush: bool,
    /// Whether the body's length is announced.
    pub sized: bool,
    /// Whether the answer, when wholly sent, is a good and complete one: what a gateway must bill.
    pub sound: bool,
    /// As the usage object says or would have said, where they are numbers.
    pub prompt_tokens: Option<i64>,
    pub completion_tokens: Option<i64>,
    pub usage_sent: bool,
}

/// Bytes that are handed to the connection together, after a pause; `tokens` of output are in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub wait: Duration,
    pub bytes: Bytes,
    pub tokens: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Clean,
    Close,
    Reset,
    Hang,
}

/// The answer to a request under a script.
pub fn plan(script: &Script, wish: &Wish) -> Plan {
    let given = answer::Given::new(script, wish);
    let usage = usage::UsageNumbers::new(script, &given);
    let mut plan = Plan {
        status: script.status,
        content_type: "application/json".into(),
        retry_after: script.retry_after.clone(),
        first_byte: Duration::from_millis(script.first_byte_ms),
        hang: script.hang,
        pieces: Vec::new(),
        end: End::Clean,
        flush: script.flush,
        sized: true,
        sound: false,
        prompt_tokens: usage.prompt.parse().ok(),
        completion_tokens: usage.completion.parse().ok(),
        usage_sent: usage.is_sent(script, wish),
    };
    if let Some(body) = replaced_body(script, wish.dialect) {
        plan.content_type = if script.fault == Fault::Html { "text/html; charset=utf-8".into() } else { plan.content_type };
        plan.pieces = whole(script, body, 0);
    } else if let Some(vectors) = wish.vectors {
        plan.completion_tokens = Some(0);
        plan.sound = script.cut == Cut::None;
        plan.pieces = whole(script, embeddings::body(script, wish, vectors, &usage), 0);
        cut_whole(&mut plan, script);
    } else if wish.stream {
        stream::fill(&mut plan, script, wish, &given, &usage);
    } else {
        let body = match wish.dialect {
            Dialect::OpenAi => answer::body(script, wish, &given, &usage),
            Dialect::Anthropic => anthropic::body(script, wish, &given, &usage),
        };
        plan.sound = script.cut == Cut::None;
        plan.pieces = whole(script, body, given.tokens());
        cut_whole(&mut plan, script);
    }
    if let Some(content_type) = &script.content_type {
        plan.content_type = content_type.clone();
    }
    plan
}

/// The body in place of an answer: scripted text, a named fault or an error.
fn replaced_body(script: &Script, dialect: Dialect) -> Option<String> {
    let named = match script.fault {
        Fault::None => None,
        Fault::Html => {
            Some("<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502</h1></body></html>\n".to_owned())
        }
        Fault::BadJson => Some(r#"{"id":"chatcmpl-mock","object":"chat.completion","choices":[{"index":0,"#.to_owned()),
        Fault::Empty => Some(String::new()),
    };
    let error = || match dialect {
        _ if script.status == 200 => None,
        Dialect::OpenAi => Some(answer::error(script.status, &script.message)),
        Dialect::Anthropic => Some(anthropic::error(script.status, &script.message)),
    };
    script.body.clone().or(named).or_else(error)
}

/// A body in one piece, or in writes of `write_bytes`.
fn whole(script: &Script, body: String, tokens: u32) -> Vec<Piece> {
    let first = Piece { wait: Duration::from_millis(script.first_chunk_ms), bytes: Bytes::from(body), tokens };
    split(vec![first], script.write_bytes)
}

fn cut_whole(plan: &mut Plan, script: &Script) {
    plan.end = end_of(script.cut);
    if plan.end != End::Clean || script.cut == Cut::Clean {
        plan.sized = script.cut != Cut::Clean;
        keep_bytes(&mut plan.pieces, script.cut_bytes);
    }
}

/// Keeps the first `count` bytes.
fn keep_bytes(pieces: &mut Vec<Piece>, mut count: usize) {
    pieces.retain_mut(|piece| {
        let kept = piece.bytes.len().min(count);
        if kept < piece.bytes.len() {
            piece.tokens = 0;
        }
        piece.bytes.truncate(kept);
        count -= kept;
        kept > 0
    });
}

fn end_of(cut: Cut) -> End {
    match cut {
        Cut::None | Cut::Clean => End::Clean,
        Cut::Close => End::Close,
        Cut::Reset => End::Reset,
        Cut::Hang => End::Hang,
    }
}

/// Splits every piece into writes of at most `write_bytes` (0: as they are). The pause goes before the first part, the
/// tokens count with the last.
fn split(pieces: Vec<Piece>, write_bytes: usize) -> Vec<Piece> {
    if write_bytes == 0 {
        return pieces;
    }
    let mut out = Vec::new();
    for mut piece in pieces {
        while piece.bytes.len() > write_bytes {
            out.push(Piece { wait: piece.wait, bytes: piece.bytes.split_to(write_bytes), tokens: 0 });
            piece.wait = Duration::ZERO;
        }
        out.push(piece);
    }
    out
}

#[cfg(test)]
mod tests;
