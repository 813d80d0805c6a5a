//! The body of a request for embeddings as a provider gets it: the client's own, with only what must differ replaced.

use bytes::Bytes;

use crate::control::channel::ProviderKind;
use crate::http::chat::{ChatRequest, is_ours, is_within_price, push_member};

/// What a request for embeddings has no use for.
const LEFT_OUT: &str = "stream";
/// `OpenRouter`'s own; `OpenAI` refuses what it does not know.
const INPUT_TYPE: &str = "input_type";

/// Writes the body for one endpoint.
pub fn upstream_body(request: &ChatRequest<'_>, model: &str, provider: ProviderKind) -> Bytes {
    let length: usize = request.members.iter().map(|(key, value)| key.len() + value.get().len() + 4).sum();
    let mut body = Vec::with_capacity(length + model.len() + 16);
    body.extend_from_slice(b"{\"model\":");
    body.extend_from_slice(serde_json::Value::from(model).to_string().as_bytes());
    for (index, (key, value)) in request.members.iter().enumerate() {
        let is_repeated = request.members[index + 1..].iter().any(|(later, _)| later == key);
        let is_not_understood = key == INPUT_TYPE && provider == ProviderKind::OpenAi;
        if !(is_repeated || is_not_understood || key == LEFT_OUT || is_ours(key) || !is_within_price(key, value)) {
            push_member(&mut body, key, value);
        }
    }
    body.push(b'}');
    Bytes::from(body)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;
    use crate::http::embeddings::parse;

    fn sent(body: &str, provider: ProviderKind) -> serde_json::Value {
        serde_json::from_slice(&upstream_body(&parse(body.as_bytes(), 32).unwrap(), "m-1", provider)).unwrap()
    }

    #[test]
    fn what_is_ours_stays_here_and_the_rest_goes_as_it_was_written() {
        let body = r#"{"model":"a/b","models":["c/d"],"provider":{"sort":"price"},"input":["x"],"input":["y"],"stream":true,
            "encoding_format":"base64","dimensions":8,"input_type":"query","user":"u","service_tier":"priority","x_new":1.50}"#;
        let wanted = serde_json::json!({
            "model": "m-1", "input": ["y"], "encoding_format": "base64", "dimensions": 8, "input_type": "query", "user": "u", "x_new": 1.50,
        });
        assert_eq!(sent(body, ProviderKind::OpenAiCompatible), wanted);
        assert_eq!(sent(body, ProviderKind::OpenAi).get("input_type"), None);
    }
}
