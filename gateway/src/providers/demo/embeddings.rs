//! Vectors without a model: every word has a direction of its own, a text goes the way its words go together.
//!
//! So texts that share words are near each other and others are not, which is what somebody who tries a search wants to see.
//! The same text has the same vector, in whatever request; fewer dimensions are the beginning of it, at length one again.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::catalog::EMBEDDING;
use super::request::{Refused, bad_request};
use super::seed::Seed;
use super::{DemoResponse, JSON, Pace};
use crate::metering::count::count_text;

/// Parts of words count less than words.
const PART_WEIGHT: f64 = 0.25;
const PART_CHARS: usize = 3;
/// What every text has of one direction, so that no two are opposites.
const COMMON_WEIGHT: f64 = 0.3;

/// What governs the vectors.
#[derive(Debug, Deserialize)]
struct DemoInput {
    input: Box<RawValue>,
    encoding_format: Option<String>,
    dimensions: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Given {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    TokenLists(Vec<Vec<u32>>),
    Objects(Vec<Object>),
}

#[derive(Debug, Deserialize)]
struct Object {
    content: Vec<Value>,
}

/// One input: what it is made of, and its tokens.
struct Item {
    features: Vec<String>,
    tokens: u64,
}

/// Answers a raw request for embeddings. It does its work on the blocking pool when its body is first polled.
pub fn embed(body: Bytes, pace: Pace) -> DemoResponse {
    match read(&body) {
        Ok(request) => {
            let answer = async move {
                tokio::time::sleep(pace.first_token).await;
                tokio::task::spawn_blocking(move || Bytes::from(request.answer().to_string())).await.unwrap_or_default()
            };
            DemoResponse { status: StatusCode::OK, content_type: JSON, body: Box::pin(stream::once(answer)) }
        }
        Err(Refused { status, body }) => {
            let body = Bytes::from(body.to_string());
            DemoResponse { status, content_type: JSON, body: Box::pin(stream::iter([body])) }
        }
    }
}

/// A request that can be answered.
struct Request {
    given: Given,
    is_base64: bool,
    dimensions: usize,
}

fn read(body: &[u8]) -> Result<Request, Refused> {
    let input: DemoInput =
        serde_json::from_slice(body).map_err(|error| bad_request(&format!("could not read the request: {error}"), None))?;
    let given: Given =
        serde_json::from_str(input.input.get()).map_err(|_| bad_request("input is neither text nor tokens", Some("input")))?;
    let dimensions = input.dimensions.unwrap_or(EMBEDDING.dimensions);
    if !(1..=EMBEDDING.dimensions).contains(&dimensions) {
        return Err(bad_request(&format!("dimensions must be from 1 to {}", EMBEDDING.dimensions), Some("dimensions")));
    }
    Ok(Request { given, is_base64: input.encoding_format.as_deref() == Some("base64"), dimensions })
}

impl Request {
    fn answer(&self) -> Value {
        let items = self.given.items();
        let data: Vec<Value> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let vector = vector(&item.features, self.dimensions);
                let embedding = if self.is_base64 {
                    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                    Value::from(STANDARD.encode(bytes))
                } else {
                    Value::from(vector)
                };
                json!({ "object": "embedding", "index": index, "embedding": embedding })
            })
            .collect();
        let tokens: u64 = items.iter().map(|item| item.tokens).sum();
        json!({
            "object": "list", "data": data, "model": EMBEDDING.upstream, "usage": { "prompt_tokens": tokens, "total_tokens": tokens },
        })
    }
}

impl Given {
    fn items(&self) -> Vec<Item> {
        match self {
            Self::Text(text) => vec![Item::of_text(text)],
            Self::Tokens(tokens) => vec![Item::of_tokens(tokens)],
            Self::Texts(texts) => texts.iter().map(|text| Item::of_text(text)).collect(),
            Self::TokenLists(lists) => lists.iter().map(|tokens| Item::of_tokens(tokens)).collect(),
            Self::Objects(objects) => objects.iter().map(Item::of_object).collect(),
        }
    }
}

impl Item {
    fn of_text(text: &str) -> Self {
        Self { features: features(text), tokens: count_text(text).max(1) }
    }

    /// Tokens of the usual vocabulary are the text they stand for; others are words of their own.
    fn of_tokens(tokens: &[u32]) -> Self {
        let bytes = bpe_openai::cl100k_base().bpe.num_tokens();
        let text = if tokens.iter().all(|token| (*token as usize) < bytes) {
            String::from_utf8(bpe_openai::cl100k_base().bpe.decode_tokens(tokens)).ok()
        } else {
            None
        };
        let features = text.map_or_else(|| tokens.iter().map(u32::to_string).collect(), |text| features(&text));
        Self { features, tokens: tokens.len() as u64 }
    }

    /// Its texts; anything else is what it is, letter by letter.
    fn of_object(object: &Object) -> Self {
        let texts = object.content.iter().map(|part| part["text"].as_str().map_or_else(|| part.to_string(), str::to_owned));
        let text = texts.collect::<Vec<_>>().join("\n");
        let pictures = object.content.iter().filter(|part| part["type"] == "image_url").count() as u64;
        let words: Vec<&str> = object.content.iter().filter_map(|part| part["text"].as_str()).collect();
        Self { features: features(&text), tokens: count_text(&words.join("\n")) + 85 * pictures }
    }
}

/// Words, without case and punctuation. What is written without spaces is taken by its letters.
fn features(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.to_lowercase().split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if word.chars().any(|letter| letter >= '\u{3000}') {
            words.extend(word.chars().map(String::from));
        } else {
            words.push(word.to_owned());
        }
    }
    if words.is_empty() { vec![text.to_owned()] } else { words }
}

/// A unit vector.
fn vector(features: &[String], dimensions: usize) -> Vec<f32> {
    let mut weights: HashMap<String, f64> = HashMap::new();
    weights.insert(String::new(), COMMON_WEIGHT);
    for word in features {
        *weights.entry(word.clone()).or_default() += 1.0;
        let letters: Vec<char> = word.chars().collect();
        for part in letters.windows(PART_CHARS) {
            *weights.entry(format!("~{}", part.iter().collect::<String>())).or_default() += PART_WEIGHT;
        }
    }
    let mut sorted: Vec<(&String, f64)> = weights.iter().map(|(word, weight)| (word, weight.sqrt())).collect();
    // Sums of floats depend on their order.
    sorted.sort_unstable_by_key(|(word, _)| *word);
    let mut sum = vec![0.0_f64; dimensions];
    for (word, weight) in sorted {
        let digest: [u8; 32] = Sha256::digest(word.as_bytes()).into();
        let mut seed = Seed::from_number(digest.first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first)));
        for place in &mut sum {
            *place += weight * direction(seed.next());
        }
    }
    let length = sum.iter().map(|number| number * number).sum::<f64>().sqrt();
    let length = if length > 0.0 { length } else { 1.0 };
    sum.iter().map(|number| (number / length) as f32).collect()
}

/// About normally distributed: the sum of four even draws.
fn direction(draw: u64) -> f64 {
    let part = |place: u32| f64::from((draw >> (16 * place)) as u16) / 65_536.0 - 0.5;
    part(0) + part(1) + part(2) + part(3)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    async fn ask(body: Value) -> (u16, Value) {
        let response = embed(Bytes::from(body.to_string()), Pace::INSTANT);
        let pieces: Vec<Bytes> = response.body.collect().await;
        (response.status.as_u16(), serde_json::from_slice(&pieces.concat()).unwrap())
    }

    async fn vectors(body: Value) -> Vec<Vec<f64>> {
        let (status, answer) = ask(body).await;
        assert_eq!(status, 200, "{answer}");
        let of = |one: &Value| one["embedding"].as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect();
        answer["data"].as_array().unwrap().iter().map(of).collect()
    }

    fn nearness(one: &[f64], other: &[f64]) -> f64 {
        one.iter().zip(other).map(|(a, b)| a * b).sum()
    }

    #[tokio::test]
    async fn vectors_have_length_one_and_texts_that_share_words_are_near() {
        let texts = ["How do I reset my password?", "I forgot my password, how can I reset it?", "The weather in Paris is sunny today."];
        let found = vectors(json!({ "model": "embed", "input": texts })).await;
        for vector in &found {
            assert_eq!(vector.len(), EMBEDDING.dimensions);
            assert!((nearness(vector, vector) - 1.0).abs() < 1e-5);
        }
        let (near, far) = (nearness(&found[0], &found[1]), nearness(&found[0], &found[2]));
        assert!(near > 0.4 && far < near / 2.0, "{near} {far}");
    }

    #[tokio::test]
    async fn the_same_text_has_the_same_vector_and_fewer_dimensions_are_its_beginning() {
        let whole = vectors(json!({ "model": "embed", "input": ["other", "Hello world"] })).await;
        assert_eq!(vectors(json!({ "model": "embed", "input": "Hello world", "user": "x" })).await[0], whole[1]);
        let short = vectors(json!({ "model": "embed", "input": "Hello world", "dimensions": 16 })).await;
        assert_eq!(short[0].len(), 16);
        let scale = whole[1][0] / short[0][0];
        assert!(short[0].iter().zip(&whole[1]).all(|(short, whole)| (short * scale - whole).abs() < 1e-6));
    }

    #[tokio::test]
    async fn tokens_pictures_and_base64_are_taken() {
        let (_, answer) =
            ask(json!({ "model": "embed", "input": [[9906, 1917], [1]], "encoding_format": "base64", "dimensions": 8 })).await;
        assert_eq!(answer["usage"], json!({ "prompt_tokens": 3, "total_tokens": 3 }));
        let bytes = STANDARD.decode(answer["data"][0]["embedding"].as_str().unwrap()).unwrap();
        let text = vectors(json!({ "model": "embed", "input": "Hello world", "dimensions": 8 })).await;
        let first = f32::from_le_bytes(*bytes.first_chunk().unwrap());
        assert!((f64::from(first) - text[0][0]).abs() < 1e-6, "the tokens are the text");
        let parts =
            json!([{ "content": [{ "type": "text", "text": "a cat" }, { "type": "image_url", "image_url": { "url": "data:x" } }] }]);
        let (status, answer) = ask(json!({ "model": "embed", "input": parts })).await;
        assert_eq!((status, answer["data"].as_array().unwrap().len()), (200, 1));
    }

    #[tokio::test]
    async fn mistakes_are_answered_as_openai_answers_them() {
        for (body, param) in [
            (json!({ "model": "embed" }), Value::Null),
            (json!({ "model": "embed", "input": 3 }), json!("input")),
            (json!({ "model": "embed", "input": "x", "dimensions": 4096 }), json!("dimensions")),
        ] {
            let (status, answer) = ask(body).await;
            assert_eq!((status, &answer["error"]["param"]), (400, &param), "{answer}");
        }
    }
}
