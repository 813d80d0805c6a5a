//! Writes a planned answer as OpenAI does: one JSON body, or the frames of a stream.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::plan::{Choice, Output, Piece};
use super::request::DemoRequest;
use super::seed::Seed;

/// The whole answer, and what it is written with.
#[derive(Debug)]
pub struct Answer {
    pub id: String,
    pub created: u64,
    pub model: &'static str,
    pub choices: Vec<Choice>,
    pub prompt_tokens: u64,
    pub has_logprobs: bool,
    pub top_logprobs: usize,
    pub sends_usage: bool,
}

/// The moment all demo answers claim to be made near: they depend on nothing but the request.
const CREATED_BASE: u64 = 1_767_225_600;
/// OpenAI's bound.
const TOP_LOGPROBS_MAX: usize = 20;

impl Answer {
    pub fn new(request: &DemoRequest, choices: Vec<Choice>, prompt_tokens: u64, mut seed: Seed) -> Self {
        Self {
            id: format!("chatcmpl-demo{}", seed.word(22)),
            created: CREATED_BASE + seed.next() % 86_400,
            model: request.model.upstream,
            choices,
            prompt_tokens,
            has_logprobs: request.logprobs == Some(true),
            top_logprobs: request.top_logprobs.unwrap_or(0).min(TOP_LOGPROBS_MAX),
            sends_usage: request.stream_options.as_ref().is_some_and(|options| options.include_usage),
        }
    }

    /// A `chat.completion`.
    pub fn body(&self) -> Bytes {
        let choices: Vec<Value> = self.choices.iter().enumerate().map(|(index, choice)| self.whole_choice(index, choice)).collect();
        let body = json!({
            "id": self.id, "object": "chat.completion", "created": self.created, "model": self.model,
            "choices": choices, "usage": self.usage(), "system_fingerprint": "fp_tollgate_demo",
        });
        Bytes::from(body.to_string())
    }

    /// All frames of a stream, in order; the choices take turns, as a provider batches them.
    pub fn frames(&self) -> VecDeque<Bytes> {
        let mut queues: Vec<VecDeque<Value>> =
            self.choices.iter().enumerate().map(|(index, choice)| self.choice_chunks(index, choice)).collect();
        let mut frames = VecDeque::new();
        while queues.iter().any(|queue| !queue.is_empty()) {
            for queue in &mut queues {
                frames.extend(queue.pop_front().map(|choice| self.frame(json!([choice]), Value::Null)));
            }
        }
        if self.sends_usage {
            frames.push_back(self.frame(json!([]), self.usage()));
        }
        frames.push_back(Bytes::from_static(b"data: [DONE]\n\n"));
        frames
    }

    fn frame(&self, choices: Value, usage: Value) -> Bytes {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "system_fingerprint": "fp_tollgate_demo", "choices": choices,
        });
        if self.sends_usage {
            chunk["usage"] = usage;
        }
        Bytes::from(format!("data: {chunk}\n\n"))
    }

    fn choice_chunks(&self, index: usize, choice: &Choice) -> VecDeque<Value> {
        let chunk = |delta: Value, logprobs: Value, finish_reason: Option<&str>| json!({ "index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason });
        let mut chunks = VecDeque::from([chunk(json!({ "role": "assistant", "content": "", "refusal": null }), Value::Null, None)]);
        if choice.reasoning_is_shown {
            chunks.extend(choice.reasoning.iter().map(|piece| chunk(json!({ "reasoning": piece.text }), Value::Null, None)));
        }
        match &choice.output {
            Output::Text(pieces) => {
                chunks.extend(
                    pieces.iter().map(|piece| chunk(json!({ "content": piece.text }), self.logprobs(std::slice::from_ref(piece)), None)),
                );
            }
            Output::ToolCall { id, name, arguments } => {
                let call = json!({ "index": 0, "id": id, "type": "function", "function": { "name": name, "arguments": "" } });
                chunks.push_back(chunk(json!({ "tool_calls": [call] }), Value::Null, None));
                chunks.extend(arguments.iter().map(|piece| {
                    let call = json!({ "index": 0, "function": { "arguments": piece.text } });
                    chunk(json!({ "tool_calls": [call] }), Value::Null, None)
                }));
            }
        }
        chunks.push_back(chunk(json!({}), Value::Null, Some(choice.finish_reason)));
        chunks
    }

    fn whole_choice(&self, index: usize, choice: &Choice) -> Value {
        let mut message = json!({ "role": "assistant", "content": null, "refusal": null, "annotations": [] });
        if choice.reasoning_is_shown && !choice.reasoning.is_empty() {
            message["reasoning"] = joined(&choice.reasoning).into();
        }
        let mut logprobs = Value::Null;
        match &choice.output {
            Output::Text(pieces) => {
                message["content"] = joined(pieces).into();
                logprobs = self.logprobs(pieces);
            }
            Output::ToolCall { id, name, arguments } => {
                let function = json!({ "name": name, "arguments": joined(arguments) });
                message["tool_calls"] = json!([{ "id": id, "type": "function", "function": function }]);
            }
        }
        json!({ "index": index, "message": message, "logprobs": logprobs, "finish_reason": choice.finish_reason })
    }

    fn logprobs(&self, pieces: &[Piece]) -> Value {
        if !self.has_logprobs {
            return Value::Null;
        }
        let content: Vec<Value> = pieces.iter().map(|piece| self.logprob(piece)).collect();
        json!({ "content": content, "refusal": null })
    }

    fn logprob(&self, piece: &Piece) -> Value {
        let entry = |text: &str, logprob: f64| json!({ "token": text, "logprob": logprob, "bytes": text.as_bytes() });
        let others = ["the", " a", "\n", " and", ".", " of", ",", " is"];
        let mut top = vec![entry(&piece.text, piece.logprob)];
        top.extend(
            others.iter().cycle().take(TOP_LOGPROBS_MAX).zip(1_u8..).map(|(text, rank)| entry(text, piece.logprob - f64::from(rank))),
        );
        top.truncate(self.top_logprobs);
        let mut entry = entry(&piece.text, piece.logprob);
        entry["top_logprobs"] = Value::Array(top);
        entry
    }

    fn usage(&self) -> Value {
        let completion: u64 = self.choices.iter().map(Choice::completion_tokens).sum();
        let reasoning: u64 = self.choices.iter().map(Choice::reasoning_tokens).sum();
        json!({
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.prompt_tokens + completion,
            "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
            "completion_tokens_details": {
                "reasoning_tokens": reasoning, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
            },
        })
    }
}

fn joined(pieces: &[Piece]) -> String {
    pieces.iter().map(|piece| piece.text.as_str()).collect()
}
