//! The built-in provider: answers believably without any account, so that everything downstream can be tried.
//!
//! Owns turning an OpenAI-dialect request into the very bytes an OpenAI-compatible upstream would send:
//! [`request`] reads it, [`plan`] decides what is said, [`render`] writes it. It must never know who pays
//! or who asked, and it depends on nothing but the request: the same bytes get the same answer. Start at
//! [`respond`], or [`embed`] for its model that embeds; [`catalog`] is what it offers.

pub mod catalog;
mod embeddings;
mod plan;
mod render;
mod request;
mod schema;
mod seed;
mod text;

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use http::StatusCode;

pub use self::embeddings::embed;
use self::render::Answer;
use self::request::{DemoRequest, Refused};
use self::seed::Seed;
use crate::metering::count::count_prompt;
use crate::wire::members::members;

/// How fast an answer is streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    pub first_token: Duration,
    pub between_tokens: Duration,
}

impl Pace {
    /// As fast as it is read: for tests.
    pub const INSTANT: Self = Self { first_token: Duration::ZERO, between_tokens: Duration::ZERO };
}

impl Default for Pace {
    fn default() -> Self {
        Self { first_token: Duration::from_millis(120), between_tokens: Duration::from_millis(6) }
    }
}

/// An upstream's answer: head and body.
pub struct DemoResponse {
    pub status: StatusCode,
    pub content_type: &'static str,
    pub body: Pin<Box<dyn Stream<Item = Bytes> + Send>>,
}

const JSON: &str = "application/json";
const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

/// Answers a raw chat completion request. The body does its work (tokenising, on the blocking pool) when
/// it is first polled, so it needs a tokio runtime.
pub fn respond(body: Bytes, pace: Pace) -> DemoResponse {
    let request = match DemoRequest::parse(&body, &mut Seed::of(&body)) {
        Ok(request) => request,
        Err(Refused { status, body }) => {
            let body = Bytes::from(body.to_string());
            return DemoResponse { status, content_type: JSON, body: Box::pin(stream::iter([body])) };
        }
    };
    let streams = request.stream == Some(true);
    let content_type = if streams { EVENT_STREAM } else { JSON };
    let state = State::Planned { request: Box::new(request), body, streams };
    let body = Box::pin(stream::unfold(state, move |state| next_piece(state, pace)));
    DemoResponse { status: StatusCode::OK, content_type, body }
}

enum State {
    Planned { request: Box<DemoRequest>, body: Bytes, streams: bool },
    Sending(VecDeque<Bytes>),
}

async fn next_piece(state: State, pace: Pace) -> Option<(Bytes, State)> {
    let (mut pieces, pause) = match state {
        State::Sending(pieces) => (pieces, pace.between_tokens),
        State::Planned { request, body, streams } => {
            let work = tokio::task::spawn_blocking(move || {
                let answer = make(&request, &body);
                if streams { answer.frames() } else { VecDeque::from([answer.body()]) }
            });
            // A panic there would end the stream here, as a broken upstream does.
            (work.await.ok()?, pace.first_token)
        }
    };
    let piece = pieces.pop_front()?;
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    Some((piece, State::Sending(pieces)))
}

fn make(request: &DemoRequest, body: &[u8]) -> Answer {
    let seed = Seed::of(body);
    let choices = (0..request.choices()).map(|index| plan::plan(request, seed.fork(index))).collect();
    Answer::new(request, choices, prompt_tokens(body), seed)
}

/// Counts what the model was given to read.
fn prompt_tokens(body: &[u8]) -> u64 {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let (mut messages, mut others) = ("[]", Vec::new());
    for member in members(text).filter_map(Result::ok) {
        let value = member.value.of_str(text);
        match &*member.key.resolve(body) {
            "messages" => messages = value,
            "tools" | "response_format" if value != "null" => others.push(value),
            _ => {}
        }
    }
    count_prompt(messages, &others).total()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use futures_util::StreamExt;
    use serde_json::{Value, json};

    use super::*;

    async fn ask(body: Value) -> (StatusCode, &'static str, String) {
        let response = respond(Bytes::from(body.to_string()), Pace::INSTANT);
        let pieces: Vec<Bytes> = response.body.collect().await;
        (response.status, response.content_type, String::from_utf8(pieces.concat()).unwrap())
    }

    async fn whole(body: Value) -> Value {
        let (status, content_type, body) = ask(body).await;
        assert_eq!((status, content_type), (StatusCode::OK, JSON));
        serde_json::from_str(&body).unwrap()
    }

    async fn chunks(mut body: Value) -> Vec<Value> {
        body["stream"] = true.into();
        let (status, content_type, body) = ask(body).await;
        assert_eq!((status, content_type), (StatusCode::OK, EVENT_STREAM));
        let frames = body.strip_suffix("data: [DONE]\n\n").unwrap();
        frames.split_terminator("\n\n").map(|frame| serde_json::from_str(frame.strip_prefix("data: ").unwrap()).unwrap()).collect()
    }

    fn question(text: &str) -> Value {
        json!({ "model": "quick", "messages": [{ "role": "user", "content": text }] })
    }

    fn with(mut body: Value, more: Value) -> Value {
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    fn content(chunks: &[Value]) -> String {
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect()
    }

    #[tokio::test]
    async fn it_answers_in_the_users_language_and_says_what_it_is() {
        let answer = whole(question("Hello, what is a nano-dollar?")).await;
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(text.starts_with("Hello! ") && text.contains("what is a nano-dollar?") && text.contains("demo"), "{text}");
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        let answer = whole(question("什么是纳美元？")).await;
        let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(text.contains("什么是纳美元") && text.contains("演示"), "{text}");
    }

    #[tokio::test]
    async fn the_same_request_gets_the_same_answer_and_a_stream_says_what_the_body_says() {
        let body = with(question("Tell me a long story"), json!({ "stream": true }));
        assert_eq!(ask(body.clone()).await, ask(body).await);
        let (streamed, answered) = (chunks(question("hi there")).await, whole(question("hi there")).await);
        assert!(content(&streamed).len() > 40);
        // Another body is another seed: only the shape is the same.
        assert_eq!(streamed.last().unwrap()["choices"][0]["finish_reason"], answered["choices"][0]["finish_reason"]);
    }

    #[tokio::test]
    async fn usage_is_sent_when_asked_for_and_adds_up() {
        let silent = chunks(question("hi")).await;
        assert!(silent.iter().all(|chunk| chunk.get("usage").is_none()));
        let told = chunks(with(question("hi"), json!({ "stream_options": { "include_usage": true } }))).await;
        let (last, rest) = told.split_last().unwrap();
        assert!(rest.iter().all(|chunk| chunk["usage"].is_null()));
        assert_eq!(last["choices"], json!([]));
        let pieces =
            rest.iter().filter(|chunk| chunk["choices"][0]["delta"]["content"].as_str().is_some_and(|text| !text.is_empty())).count();
        let usage = &last["usage"];
        assert!(usage["completion_tokens"].as_u64().unwrap() >= pieces as u64);
        assert_eq!(
            usage["total_tokens"].as_u64().unwrap(),
            usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap()
        );
        assert!(usage["prompt_tokens"].as_u64().unwrap() > 3);
    }

    #[tokio::test]
    async fn the_output_bound_and_stop_sequences_are_honoured() {
        let cut = whole(with(question("Tell me a long story"), json!({ "max_tokens": 12 }))).await;
        assert_eq!((&cut["choices"][0]["finish_reason"], &cut["usage"]["completion_tokens"]), (&json!("length"), &json!(12)));
        let stopped = whole(with(question("hi"), json!({ "stop": ["\n\n"] }))).await;
        let text = stopped["choices"][0]["message"]["content"].as_str().unwrap();
        assert!(!text.contains('\n') && !text.is_empty());
        assert_eq!(stopped["choices"][0]["finish_reason"], "stop");
    }

    #[tokio::test]
    async fn the_thinker_reasons_before_it_answers_within_its_bound() {
        let body = with(question("why?"), json!({ "model": "demo/thinker" }));
        let streamed = chunks(with(body.clone(), json!({ "stream_options": { "include_usage": true } }))).await;
        let is = |chunk: &Value, key: &str| chunk["choices"][0]["delta"][key].as_str().is_some_and(|text| !text.is_empty());
        let last_thought = streamed.iter().rposition(|chunk| is(chunk, "reasoning")).unwrap();
        let first_word = streamed.iter().position(|chunk| is(chunk, "content")).unwrap();
        assert!(last_thought < first_word);
        let details = &streamed.last().unwrap()["usage"]["completion_tokens_details"];
        assert!(details["reasoning_tokens"].as_u64().unwrap() > 20);
        let starved = whole(with(body, json!({ "max_completion_tokens": 5 }))).await;
        assert_eq!(starved["choices"][0]["message"]["content"], "");
        assert_eq!(starved["choices"][0]["finish_reason"], "length");
        assert_eq!(starved["usage"]["completion_tokens"], starved["usage"]["completion_tokens_details"]["reasoning_tokens"]);
    }

    fn tools() -> Value {
        let schema = json!({
            "type": "object", "required": ["city", "days"], "additionalProperties": false,
            "properties": {
                "city": { "type": "string" }, "days": { "type": "integer", "minimum": 1, "maximum": 5 },
                "unit": { "type": "string", "enum": ["celsius", "fahrenheit"] },
            },
        });
        json!([
            { "type": "function", "function": { "name": "send_mail", "parameters": { "type": "object", "properties": {} } } },
            { "type": "function", "function": { "name": "get_weather", "description": "Weather forecast for a city", "parameters": schema } },
        ])
    }

    #[tokio::test]
    async fn a_suitable_tool_is_called_with_arguments_that_satisfy_its_schema() {
        let body = with(question("What is the weather in Paris?"), json!({ "tools": tools() }));
        let streamed = chunks(body.clone()).await;
        let calls: Vec<&Value> =
            streamed.iter().map(|chunk| &chunk["choices"][0]["delta"]["tool_calls"][0]).filter(|call| !call.is_null()).collect();
        assert_eq!(calls[0]["function"]["name"], "get_weather");
        assert!(calls[0]["id"].as_str().unwrap().starts_with("call_") && calls.len() > 3);
        let arguments: String = calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
        assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({ "city": "Paris", "days": 5, "unit": "celsius" }));
        assert_eq!(streamed.last().unwrap()["choices"][0]["finish_reason"], "tool_calls");
        let refused = whole(with(body.clone(), json!({ "tool_choice": "none" }))).await;
        assert!(refused["choices"][0]["message"]["content"].is_string());
        let named = whole(with(body, json!({ "tool_choice": { "type": "function", "function": { "name": "send_mail" } } }))).await;
        assert_eq!(named["choices"][0]["message"]["tool_calls"][0]["function"], json!({ "name": "send_mail", "arguments": "{}" }));
    }

    #[tokio::test]
    async fn a_tools_result_leads_to_the_final_answer() {
        let messages = json!([
            { "role": "user", "content": "What is the weather in Paris?" },
            { "role": "assistant", "content": null, "tool_calls": [{ "id": "call_1", "type": "function", "function": { "name": "get_weather", "arguments": "{}" } }] },
            { "role": "tool", "tool_call_id": "call_1", "content": "sunny, 21 °C" },
        ]);
        let answer = whole(json!({ "model": "quick", "messages": messages, "tools": tools() })).await;
        assert!(answer["choices"][0]["message"]["content"].as_str().unwrap().contains("sunny, 21 °C"));
    }

    #[tokio::test]
    async fn choices_logprobs_and_images_are_served() {
        let parts = json!([{ "type": "text", "text": "What is this?" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }]);
        let body =
            json!({ "model": "quick", "messages": [{ "role": "user", "content": parts }], "n": 3, "logprobs": true, "top_logprobs": 2 });
        let answer = whole(body).await;
        let choices = answer["choices"].as_array().unwrap();
        assert_eq!(choices.iter().map(|choice| choice["index"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(choices[0]["message"]["content"].as_str().unwrap().contains("an image"));
        let first = &choices[0]["logprobs"]["content"][0];
        assert_eq!((first["top_logprobs"].as_array().unwrap().len(), &first["top_logprobs"][0]["token"]), (2, &first["token"]));
    }

    #[tokio::test]
    async fn mistakes_are_answered_as_openai_answers_them() {
        for (body, status, code) in [
            (json!({ "model": "quick", "messages": [] }), 400, Value::Null),
            (json!({ "model": "quick" }), 400, Value::Null),
            (with(question("hi"), json!({ "n": 99 })), 400, Value::Null),
            (with(question("hi"), json!({ "max_tokens": 0 })), 400, Value::Null),
        ] {
            let (found, _, text) = ask(body).await;
            let error: Value = serde_json::from_str(&text).unwrap();
            assert_eq!((found.as_u16(), &error["error"]["code"]), (status, &code), "{text}");
        }
    }

    #[tokio::test]
    async fn the_unsteady_one_fails_now_and_then_and_for_the_same_requests() {
        let mut failed = 0;
        for number in 0..200 {
            let body = with(question(&format!("Question {number}")), json!({ "model": "unsteady", "max_tokens": 1 }));
            let (status, _, text) = ask(body.clone()).await;
            assert_eq!(ask(body).await.2, text);
            assert!(matches!(status.as_u16(), 200 | 500 | 503), "{text}");
            failed += u32::from(status != StatusCode::OK);
        }
        assert!((10..40).contains(&failed), "{failed} of 200");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_is_paced() {
        let pace = Pace { first_token: Duration::from_millis(100), between_tokens: Duration::from_millis(5) };
        let body = with(question("hi"), json!({ "stream": true, "max_tokens": 8 }));
        let mut stream = respond(Bytes::from(body.to_string()), pace).body;
        let start = tokio::time::Instant::now();
        stream.next().await.unwrap();
        assert_eq!(start.elapsed(), pace.first_token);
        stream.next().await.unwrap();
        assert_eq!(start.elapsed(), pace.first_token + pace.between_tokens);
    }
}
