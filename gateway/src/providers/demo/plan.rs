//! Decides what is answered: reasoning, text or a tool call, cut into tokens and to the asked length.
//!
//! CPU-bound (it tokenises): runs on the blocking pool.

use serde_json::Value;

use super::request::{DemoRequest, Function};
use super::schema::{Hints, instance};
use super::seed::Seed;
use super::text;

/// One token or, where a character takes several, the tokens of that character.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub text: String,
    pub tokens: u64,
    /// Natural logarithm of how likely the token was, for `logprobs`.
    pub logprob: f64,
}

/// One choice of the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    pub reasoning: Vec<Piece>,
    pub reasoning_is_shown: bool,
    pub output: Output,
    pub finish_reason: &'static str,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    Text(Vec<Piece>),
    ToolCall { id: String, name: String, arguments: Vec<Piece> },
}

impl Choice {
    pub fn reasoning_tokens(&self) -> u64 {
        tokens_of(&self.reasoning)
    }

    pub fn completion_tokens(&self) -> u64 {
        let (pieces, overhead) = match &self.output {
            Output::Text(pieces) => (pieces, 0),
            // The name and the call's frame are tokens too.
            Output::ToolCall { name, arguments, .. } => (arguments, 6 + name.len() as u64 / 4),
        };
        self.reasoning_tokens() + tokens_of(pieces) + overhead
    }
}

fn tokens_of(pieces: &[Piece]) -> u64 {
    pieces.iter().map(|piece| piece.tokens).sum()
}

/// Plans one of the request's choices.
pub fn plan(request: &DemoRequest, mut seed: Seed) -> Choice {
    let question = request.question();
    let budget = request.output_tokens_max();
    let (thinks, reasoning_is_shown) = request.reasoning();
    let reasoning = if thinks { pieces(&text::reasoning(&question), &mut seed) } else { Vec::new() };
    let (reasoning, budget, was_cut) = cut(reasoning, budget);
    if was_cut {
        let output = Output::Text(Vec::new());
        return Choice { reasoning, reasoning_is_shown, output, finish_reason: "length" };
    }
    if let Some(function) = tool_to_call(request, &question) {
        let arguments = instance(&function.parameters, &Hints::of(&question));
        let arguments = if arguments.is_object() { arguments.to_string() } else { "{}".to_owned() };
        let (arguments, _, was_cut) = cut(pieces(&arguments, &mut seed), budget);
        let output = Output::ToolCall { id: format!("call_{}", seed.word(24)), name: function.name.clone(), arguments };
        return Choice { reasoning, reasoning_is_shown, output, finish_reason: if was_cut { "length" } else { "tool_calls" } };
    }
    let answer = answer(request, &question, &mut seed);
    let (answer, _) = stop_at(answer, request.stops());
    let (answer, _, was_cut) = cut(pieces(&answer, &mut seed), budget);
    Choice { reasoning, reasoning_is_shown, output: Output::Text(answer), finish_reason: if was_cut { "length" } else { "stop" } }
}

fn answer(request: &DemoRequest, question: &str, seed: &mut Seed) -> String {
    let hints = Hints::of(question);
    if let Some(format) = &request.response_format {
        let schema = format.json_schema.as_ref().map(|schema| &schema.schema);
        match (format.kind.as_str(), schema) {
            ("json_schema", Some(schema)) => return instance(schema, &hints).to_string(),
            ("json_schema" | "json_object", _) => {
                return serde_json::json!({ "answer": text::answer(question, request.image_count(), seed), "source": "demo" }).to_string();
            }
            _ => {}
        }
    }
    match request.last() {
        Some(last) if last.role == "tool" => text::answer_after_tool(question, &last.text(), seed),
        _ => text::answer(question, request.image_count(), seed),
    }
}

/// The tool to call now: the one that is named, else the one the question speaks of, else the first.
fn tool_to_call<'a>(request: &'a DemoRequest, question: &str) -> Option<&'a Function> {
    let functions = || request.tools.iter().flatten().filter_map(|tool| tool.function.as_ref());
    let choice = request.tool_choice.as_ref();
    let named = choice.and_then(|choice| choice.pointer("/function/name")).and_then(Value::as_str);
    if let Some(named) = named {
        return functions().find(|function| function.name == named);
    }
    let word = choice.and_then(Value::as_str);
    let is_users_turn = request.last().is_some_and(|last| last.role == "user");
    if word == Some("none") || (!is_users_turn && word != Some("required")) {
        return None;
    }
    let question = question.to_lowercase();
    let is_spoken_of = |function: &&Function| {
        let description = function.description.as_deref().unwrap_or_default();
        let words = function.name.split(['_', '-', '.']).chain(description.split_whitespace());
        words.map(str::to_lowercase).any(|word| word.chars().count() > 3 && question.contains(&word))
    };
    functions().find(is_spoken_of).or_else(|| functions().next())
}

/// Cuts text into tokens that are whole characters.
fn pieces(text: &str, seed: &mut Seed) -> Vec<Piece> {
    let tokenizer = bpe_openai::o200k_base();
    let mut pieces = Vec::new();
    let (mut bytes, mut tokens) = (Vec::new(), 0);
    for token in tokenizer.encode(text) {
        bytes.extend(tokenizer.bpe.decode_tokens(&[token]));
        tokens += 1;
        if let Ok(text) = std::str::from_utf8(&bytes) {
            let logprob = -((seed.next() % 2_000) as f64) / 1_000.0;
            pieces.push(Piece { text: text.to_owned(), tokens, logprob });
            bytes.clear();
            tokens = 0;
        }
    }
    pieces
}

/// As many pieces as fit; what remains of the budget; whether something did not fit.
fn cut(mut pieces: Vec<Piece>, budget: u64) -> (Vec<Piece>, u64, bool) {
    let mut rest = budget;
    let fits = pieces.iter().take_while(|piece| {
        let is_fitting = piece.tokens <= rest;
        rest = if is_fitting { rest - piece.tokens } else { rest };
        is_fitting
    });
    let count = fits.count();
    let was_cut = count < pieces.len();
    pieces.truncate(count);
    (pieces, rest, was_cut)
}

/// The text before the first stop sequence.
fn stop_at(mut text: String, stops: &[String]) -> (String, bool) {
    let first = stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min();
    if let Some(at) = first {
        text.truncate(at);
    }
    (text, first.is_some())
}
