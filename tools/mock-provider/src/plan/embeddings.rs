//! Embeddings: for every input a vector of its own, as many and in whatever form is scripted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Wish;
use super::usage::UsageNumbers;
use crate::script::{Encoding, Script, UsageMode};

/// What a request for embeddings asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Vectors {
    pub inputs: u32,
    pub base64: bool,
    pub dimensions: Option<u32>,
}

/// The whole answer as one JSON body.
pub fn body(script: &Script, wish: &Wish, vectors: Vectors, usage: &UsageNumbers) -> String {
    let count = script.vectors.unwrap_or(vectors.inputs);
    let dimensions = vectors.dimensions.unwrap_or(script.dimensions);
    let is_base64 = match script.encoding {
        Encoding::Asked => vectors.base64,
        Encoding::Float => false,
        Encoding::Base64 => true,
    };
    let data: Vec<String> = (0..count)
        .map(|index| format!(r#"{{"object":"embedding","index":{index},"embedding":{}}}"#, vector(index, dimensions, is_base64)))
        .collect();
    let object = match (&script.usage_json, script.usage) {
        (_, UsageMode::Absent) => String::new(),
        (_, UsageMode::Null) => r#","usage":null"#.to_owned(),
        (Some(json), _) => format!(r#","usage":{json}"#),
        (None, _) => format!(r#","usage":{{"prompt_tokens":{0},"total_tokens":{0}}}"#, usage.prompt),
    };
    format!(r#"{{"object":"list","data":[{}],"model":{}{object}}}"#, data.join(","), Value::from(wish.model.as_str()))
}

/// Other numbers for every input: the first says which.
fn vector(index: u32, dimensions: u32, is_base64: bool) -> String {
    let number = |place: u32| if place == 0 { index as f32 } else { ((index * 7 + place * 3) % 16) as f32 / 16.0 - 0.5 };
    if is_base64 {
        let bytes: Vec<u8> = (0..dimensions).flat_map(|place| number(place).to_le_bytes()).collect();
        return format!("\"{}\"", STANDARD.encode(bytes));
    }
    let numbers: Vec<String> = (0..dimensions).map(|place| number(place).to_string()).collect();
    format!("[{}]", numbers.join(","))
}
