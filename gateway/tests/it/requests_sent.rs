//! What each provider is sent for the same few requests, byte for byte.
//!
//! `tests/transcripts/sent/PROVIDER.json` holds the bodies. `UPDATE_GOLDEN=1` writes them anew; read the difference before
//! committing it: what is left out is a promise to a provider that refuses it, what is kept is a promise to the client.

use std::path::PathBuf;

use gateway::control::channel::ProviderKind;
use gateway::http::chat::{ChatRequest, UpstreamForm, upstream_body};
use gateway::http::embeddings::{parse as parse_embeddings, upstream_body as embeddings_body};
use gateway::providers::Quirks;
use gateway::providers::anthropic::OutputLimits;
use gateway::providers::anthropic::request::messages_body;
use gateway::routing::ParameterSet;
use serde_json::{Map, Value, json};

use crate::transcripts::assert_golden;

/// Providers of OpenAI's dialect, by their base URL.
const PROVIDERS: [(&str, &str); 12] = [
    ("deepseek", "https://api.deepseek.com/v1"),
    ("gemini", "https://generativelanguage.googleapis.com/v1beta/openai"),
    ("groq", "https://api.groq.com/openai/v1"),
    ("mistral", "https://api.mistral.ai/v1"),
    ("moonshot", "https://api.moonshot.ai/v1"),
    ("ollama", "http://localhost:11434/v1"),
    ("openai", "https://api.openai.com/v1"),
    ("openrouter", "https://openrouter.ai/api/v1"),
    ("perplexity", "https://api.perplexity.ai"),
    ("together", "https://api.together.xyz/v1"),
    ("vllm", "http://gpu-1:8000/v1"),
    ("xai", "https://api.x.ai/v1"),
];

/// What clients ask, each with all that goes with it.
fn requests() -> Vec<(&'static str, Value)> {
    let hello = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Say h\u{e9}llo" }]);
    let weather = json!({ "type": "function", "function": { "name": "weather", "description": "Of a city", "strict": true,
        "parameters": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] } } });
    let call = |id: &str, city: &str| json!({ "id": id, "type": "function", "function": { "name": "weather", "arguments": format!("{{\"city\":\"{city}\"}}") } });
    vec![
        (
            "stream",
            json!({ "model": "author/model", "models": ["author/other"], "messages": hello, "stream": true, "max_tokens": 100, "temperature": 0.70,
                "provider": { "order": ["a"] }, "session_id": "s", "user": "u-1", "service_tier": "priority" }),
        ),
        (
            "tools",
            json!({ "model": "author/model", "max_completion_tokens": 200, "tools": [weather], "tool_choice": "auto", "parallel_tool_calls": true,
                "messages": [
                    { "role": "user", "content": "Weather in Paris and Rome?" },
                    { "role": "assistant", "content": null, "tool_calls": [call("call_1", "Paris"), call("call_2", "Rome")] },
                    { "role": "tool", "tool_call_id": "call_1", "content": "12 degrees" },
                    { "role": "tool", "tool_call_id": "call_2", "content": "20 degrees" },
                ] }),
        ),
        (
            "structured answer about a picture",
            json!({ "model": "author/model", "max_tokens": 300, "seed": 7,
                "response_format": { "type": "json_schema", "json_schema": { "name": "seen", "strict": true,
                    "schema": { "type": "object", "properties": { "what": { "type": "string" } }, "required": ["what"], "additionalProperties": false } } },
                "messages": [{ "role": "user", "content": [
                    { "type": "text", "text": "What is this?", "cache_control": { "type": "ephemeral" } },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,QUJD", "detail": "low" } },
                ] }] }),
        ),
        (
            "thoughts there and back",
            json!({ "model": "author/model", "max_tokens": 4_000, "reasoning": { "effort": "high" }, "stream": true,
                "messages": [
                    { "role": "user", "content": "Think" },
                    { "role": "assistant", "content": "Done", "reasoning": "Hm", "reasoning_details": [
                        { "type": "reasoning.text", "text": "Hm", "signature": "c2ln", "format": "anthropic-claude-v1", "index": 0 }] },
                    { "role": "user", "content": "Again" },
                ] }),
        ),
        (
            "a conversation that others began",
            json!({ "model": "author/model", "max_tokens": 4_000, "reasoning": { "max_tokens": 2_000 }, "tools": [weather],
                "messages": [
                    { "role": "user", "content": "Weather in Paris and Rome?" },
                    { "role": "assistant", "content": null, "refusal": null, "annotations": [], "reasoning": "Two cities.", "tool_calls": [
                        call("functions.weather:0", "Paris"),
                        { "index": 1, "id": "chatcmpl-tool-0123456789abcdef0123456789abcdef", "type": "function",
                          "function": { "name": "weather", "arguments": "{}" }, "extra_content": { "google": { "thought_signature": "c2ln" } } },
                    ] },
                    { "role": "tool", "tool_call_id": "functions.weather:0", "content": "12 degrees" },
                    { "role": "tool", "tool_call_id": "chatcmpl-tool-0123456789abcdef0123456789abcdef", "content": "20 degrees" },
                    { "role": "user", "content": "In Kelvin" },
                    { "role": "assistant", "content": "", "tool_calls": [] },
                    { "role": "user", "content": "Well?" },
                ] }),
        ),
    ]
}

fn golden(provider: &str, body_of: impl Fn(&str) -> Vec<u8>) {
    golden_of(provider, requests(), body_of);
}

fn golden_of(provider: &str, requests: Vec<(&'static str, Value)>, body_of: impl Fn(&str) -> Vec<u8>) {
    let bodies: Map<String, Value> = requests
        .into_iter()
        .map(|(name, request)| (name.to_owned(), serde_json::from_slice(&body_of(&request.to_string())).unwrap()))
        .collect();
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/transcripts/sent/{provider}.json"));
    assert_golden(&path, &format!("{:#}\n", Value::Object(bodies)));
}

#[test]
fn providers_of_openais_dialect_are_sent_what_they_take() {
    for (provider, base_url) in PROVIDERS {
        let quirks = Quirks::of_base_url(base_url);
        golden(provider, |request| {
            let request = ChatRequest::parse(request.as_bytes(), 64).unwrap();
            let form = UpstreamForm { model: "upstream-name", output_tokens_cap: None, quirks: &quirks, dropped: ParameterSet::default() };
            upstream_body(&request, form).to_vec()
        });
    }
}

/// What clients want embedded.
fn embeddings() -> Vec<(&'static str, Value)> {
    vec![
        (
            "texts",
            json!({ "model": "author/model", "models": ["author/other"], "input": ["Say h\u{e9}llo", "x"], "encoding_format": "base64",
                "dimensions": 256, "input_type": "query", "user": "u-1", "provider": { "order": ["a"] }, "service_tier": "priority" }),
        ),
        ("tokens", json!({ "model": "author/model", "input": [[1, 2, 3], [4]], "stream": true, "x_new": { "deep": [1.50] } })),
        (
            "a picture",
            json!({ "model": "author/model", "input": [{ "content": [
                { "type": "text", "text": "a cat" }, { "type": "image_url", "image_url": { "url": "data:image/png;base64,QUJD" } },
            ] }] }),
        ),
    ]
}

#[test]
fn who_embeds_is_sent_what_it_takes() {
    let providers =
        [("openai", ProviderKind::OpenAi), ("openrouter", ProviderKind::OpenRouter), ("compatible", ProviderKind::OpenAiCompatible)];
    for (name, provider) in providers {
        let body_of =
            |request: &str| embeddings_body(&parse_embeddings(request.as_bytes(), 64).unwrap(), "upstream-name", provider).to_vec();
        golden_of(&format!("embeddings-{name}"), embeddings(), body_of);
    }
}

#[test]
fn anthropic_is_sent_messages() {
    golden("anthropic", |request| {
        let body = messages_body(request.as_bytes(), OutputLimits { tokens_default: 4_096, tokens_max: Some(64_000) }).unwrap();
        body.to_vec()
    });
}
