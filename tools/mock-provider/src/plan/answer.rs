//! What is said, and the body that says it at once.

use serde_json::{Value, json};

use super::Wish;
use super::usage::UsageNumbers;
use crate::script::Script;

const WORDS: &[u8] =
    b"lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut labore et dolore magna aliqua ";

/// What one choice of the answer contains, piece by piece; every piece is one token.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub reasoning: Vec<String>,
    pub content: Vec<String>,
    /// Per tool call, the pieces of its arguments.
    pub tools: Vec<Vec<String>>,
    pub finish: Value,
    pub choices: u32,
}

impl Given {
    pub fn new(script: &Script, wish: &Wish) -> Self {
        let reasoning = (0..script.reasoning).map(|index| words(index as usize, script.chunk_bytes)).collect();
        let tools: Vec<_> = (0..script.tools).map(|_| pieces_of(&script.tool_arguments, script.chunk_bytes)).collect();
        let content = match (&script.text, tools.is_empty()) {
            (_, false) => Vec::new(),
            (Some(text), true) => pieces_of(text, script.chunk_bytes),
            (None, true) => (0..script.chunks).map(|index| chunk_text(script, index)).collect(),
        };
        let usual = if tools.is_empty() { "stop" } else { "tool_calls" };
        let mut given = Self { reasoning, content, tools, finish: finish_reason(&script.finish, usual), choices: wish.choices };
        if let Some(cap) = wish.max_tokens.filter(|cap| script.honour_max_tokens && *cap < given.tokens_per_choice()) {
            given.stop_at(cap as usize);
        }
        given
    }

    /// Keeps the first `cap` tokens of a choice.
    fn stop_at(&mut self, cap: usize) {
        self.reasoning.truncate(cap);
        let mut left = cap - self.reasoning.len();
        self.content.truncate(left);
        left -= self.content.len();
        for call in &mut self.tools {
            call.truncate(left);
            left -= call.len();
        }
        self.tools.retain(|call| !call.is_empty());
        self.finish = json!("length");
    }

    fn tokens_per_choice(&self) -> u32 {
        let count = self.reasoning.len() + self.content.len() + self.tools.iter().map(Vec::len).sum::<usize>();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub fn tokens(&self) -> u32 {
        self.tokens_per_choice().saturating_mul(self.choices)
    }

    pub fn reasoning_tokens(&self) -> u32 {
        u32::try_from(self.reasoning.len()).unwrap_or(u32::MAX).saturating_mul(self.choices)
    }
}

fn finish_reason(scripted: &str, usual: &str) -> Value {
    match scripted {
        "" => json!(usual),
        "null" => Value::Null,
        other => json!(other),
    }
}

fn chunk_text(script: &Script, index: u32) -> String {
    script.chunk_text.clone().unwrap_or_else(|| words(index as usize, script.chunk_bytes))
}

/// `length` bytes of filler, beginning somewhere else for every index, so that pieces differ.
fn words(index: usize, length: usize) -> String {
    WORDS.iter().cycle().skip(index * length % WORDS.len()).take(length).map(|byte| char::from(*byte)).collect()
}

/// Cuts text into pieces of about `bytes`, never inside a character.
fn pieces_of(text: &str, bytes: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for character in text.chars() {
        piece.push(character);
        if piece.len() >= bytes {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// The whole answer as one JSON body.
pub fn body(script: &Script, wish: &Wish, given: &Given, usage: &UsageNumbers) -> String {
    let choices: Vec<Value> = (0..given.choices).map(|index| choice(script, given, index)).collect();
    let usage = match usage.object(script) {
        Some(usage) if script.usage != crate::script::UsageMode::Absent => format!(r#","usage":{usage}"#),
        _ => String::new(),
    };
    format!(
        r#"{{"id":{},"object":"chat.completion","created":1700000000,"model":{},"choices":{}{usage},"service_tier":"default","system_fingerprint":"fp_mock"}}"#,
        json!(script.id),
        json!(wish.model),
        json!(choices),
    )
}

fn choice(script: &Script, given: &Given, index: u32) -> Value {
    let mut message = json!({ "role": "assistant", "content": given.content.concat(), "refusal": null, "annotations": [] });
    if !given.reasoning.is_empty() {
        message["reasoning_content"] = json!(given.reasoning.concat());
    }
    if !given.tools.is_empty() {
        message["content"] = Value::Null;
        let calls = given.tools.iter().enumerate();
        message["tool_calls"] = calls.map(|(call, arguments)| tool_call(script, index, call, &arguments.concat())).collect();
    }
    let logprobs = if script.logprobs { logprobs(&given.content) } else { Value::Null };
    json!({ "index": index, "message": message, "logprobs": logprobs, "finish_reason": given.finish })
}

pub fn tool_call(script: &Script, choice: u32, call: usize, arguments: &str) -> Value {
    json!({ "id": format!("call_mock_{choice}_{call}"), "type": "function",
        "function": { "name": script.tool_name, "arguments": arguments } })
}

pub fn logprobs(pieces: &[String]) -> Value {
    let tokens: Vec<Value> =
        pieces.iter().map(|piece| json!({ "token": piece, "logprob": -0.25, "bytes": piece.as_bytes(), "top_logprobs": [] })).collect();
    json!({ "content": tokens, "refusal": null })
}

/// An error as OpenAI writes them.
pub fn error(status: u16, message: &str) -> String {
    let (kind, code) = match status {
        400 => ("invalid_request_error", json!(null)),
        401 => ("invalid_request_error", json!("invalid_api_key")),
        404 => ("invalid_request_error", json!("model_not_found")),
        429 => ("requests", json!("rate_limit_exceeded")),
        _ => ("server_error", json!(null)),
    };
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } }).to_string()
}
