//! Reading a request for embeddings: what governs routing, limits and billing; everything else is kept as the client wrote it.

use serde_json::value::RawValue;

use crate::http::chat::{ChatRequest, RequestError, read, read_members, read_models, read_session};
use crate::metering::EmbeddingsInput;
use crate::metering::embeddings::read_inputs;
use crate::wire::Encoding;

/// No model makes longer vectors; a larger number is a slip.
const DIMENSIONS_MAX: u64 = 1 << 20;

/// Parses and checks a body, as the request that takes chat's way. `depth_max` bounds its nesting.
pub fn parse(body: &[u8], depth_max: usize) -> Result<ChatRequest<'_>, RequestError> {
    let members = read_members(body, depth_max)?;
    // **The last of a repeated member counts, null too**: it is the one that is sent upstream.
    let member = |name: &str| {
        let last = members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value);
        last.filter(|value| value.get() != "null")
    };
    let models = read_models(member("model"), member("models"))?;
    let input = member("input").ok_or_else(|| RequestError::field("input", "Input required: specify \"input\""))?;
    let inputs = read_inputs(input.get()).map_err(|error| RequestError::field("input", error.to_string()))?;
    let encoding = member("encoding_format").map_or(Ok(Encoding::default()), read_encoding)?;
    if let Some(dimensions) = member("dimensions") {
        let dimensions: u64 = read("dimensions", dimensions, "a positive integer")?;
        if !(1..=DIMENSIONS_MAX).contains(&dimensions) {
            return Err(RequestError::field("dimensions", format!("dimensions must be from 1 to {DIMENSIONS_MAX}")));
        }
    }
    for name in ["input_type", "user"] {
        if member(name).is_some_and(|value| !value.get().starts_with('"')) {
            return Err(RequestError::field(name, format!("{name} must be a string")));
        }
    }
    let session = member("session_id").map(read_session).transpose()?.flatten();
    let provider = member("provider");
    if provider.is_some_and(|value| !value.get().starts_with('{')) {
        return Err(RequestError::field("provider", "provider must be an object"));
    }
    Ok(ChatRequest {
        models,
        stream: false,
        // Vectors are no tokens.
        output_tokens_cap: Some(0),
        choices: 1,
        messages: input,
        embeddings: Some(EmbeddingsInput::of(&inputs, encoding)),
        provider,
        session,
        hides_reasoning: false,
        native: None,
        members,
    })
}

fn read_encoding(value: &RawValue) -> Result<Encoding, RequestError> {
    match value.get() {
        "\"float\"" => Ok(Encoding::Float),
        "\"base64\"" => Ok(Encoding::Base64),
        _ => Err(RequestError::field("encoding_format", "encoding_format must be \"float\" or \"base64\"")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_governs_is_read_and_the_rest_is_kept() {
        let body =
            br#"{"model":"a/b","models":["c/d"],"input":["x","y"],"encoding_format":"base64","dimensions":8,"user":"u","x_new":[1]}"#;
        let request = parse(body, 32).unwrap();
        let input = request.embeddings.unwrap();
        assert_eq!((request.models.len(), request.inputs(), input.encoding), (2, 2, Encoding::Base64));
        assert_eq!((request.stream, request.output_tokens_cap), (false, Some(0)));
        assert_eq!(request.member("x_new").unwrap().get(), "[1]");
    }

    #[test]
    fn wrong_input_names_its_field() {
        for (body, param) in [
            (r#"{"model":"m"}"#, "input"),
            (r#"{"model":"m","input":null}"#, "input"),
            (r#"{"model":"m","input":""}"#, "input"),
            (r#"{"model":"m","input":["a",3]}"#, "input"),
            (r#"{"model":3,"input":"a"}"#, "model"),
            (r#"{"model":"m","models":"n","input":"a"}"#, "models"),
            (r#"{"model":"m","input":"a","encoding_format":"int8"}"#, "encoding_format"),
            (r#"{"model":"m","input":"a","dimensions":0}"#, "dimensions"),
            (r#"{"model":"m","input":"a","dimensions":"8"}"#, "dimensions"),
            (r#"{"model":"m","input":"a","input_type":1}"#, "input_type"),
            (r#"{"model":"m","input":"a","user":{}}"#, "user"),
            (r#"{"model":"m","input":"a","provider":[]}"#, "provider"),
        ] {
            assert_eq!(parse(body.as_bytes(), 32).unwrap_err().param, Some(param), "{body}");
        }
        assert_eq!(parse(b"[", 32).unwrap_err().param, None);
    }
}
