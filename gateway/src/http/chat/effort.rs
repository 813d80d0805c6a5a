//! What a request says of thinking, for providers that take one word for it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::request::ChatRequest;
use super::upstream_body::push_member;
use crate::providers::{Efforts, word_for_budget};

/// Where nothing is known of a model: every one that thinks takes this.
const MOST: &str = "high";

#[derive(Default, Deserialize)]
struct Reasoning<'a> {
    #[serde(borrow)]
    effort: Option<&'a RawValue>,
    max_tokens: Option<u64>,
    enabled: Option<bool>,
}

/// Writes `reasoning_effort`: the client's own word, that of a `reasoning` object, or one for its budget, as this model takes it.
pub(super) fn push_effort(body: &mut Vec<u8>, request: &ChatRequest<'_>, model: &str) {
    let efforts = Efforts::of(model);
    if let Some(own) = request.member("reasoning_effort") {
        return push(body, own, efforts);
    }
    let Some(raw) = request.member("reasoning").filter(|_| efforts.is_none_or(|efforts| !efforts.is_nothing())) else { return };
    let asked: Reasoning<'_> = serde_json::from_str(raw.get()).unwrap_or_default();
    if let Some(effort) = asked.effort.filter(|effort| effort.get() != "null") {
        return push(body, effort, efforts);
    }
    // A model that nobody knows may not think, and would refuse to be told.
    let Some(efforts) = efforts else { return };
    let wanted = match (asked.enabled, asked.max_tokens) {
        (Some(false), _) => "none",
        (_, Some(tokens)) => word_for_budget(tokens, request.output_tokens_cap),
        _ => return,
    };
    push_word(body, efforts.nearest(wanted));
}

/// A word as the model takes it; what is no word as it is.
fn push(body: &mut Vec<u8>, effort: &RawValue, efforts: Option<Efforts>) {
    let word: Option<String> = serde_json::from_str(effort.get()).ok();
    let told = match (word.as_deref(), efforts) {
        (Some(word), Some(efforts)) => efforts.nearest(word),
        (Some("max"), None) => Some(MOST),
        _ => None,
    };
    match told {
        Some(_) => push_word(body, told),
        None => push_member(body, "reasoning_effort", effort),
    }
}

fn push_word(body: &mut Vec<u8>, word: Option<&str>) {
    if let Some(word) = word {
        body.extend_from_slice(format!(",\"reasoning_effort\":\"{word}\"").as_bytes());
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_says_of_thinking_becomes_a_word_of_the_models() {
        for (model, asked, told) in [
            ("gpt-5-mini", r#""reasoning":{"max_tokens":2000}"#, Some("low")),
            ("gpt-5-mini", r#""reasoning":{"max_tokens":2000},"max_tokens":2500"#, Some("high")),
            ("gpt-5-mini", r#""reasoning":{"enabled":false}"#, Some("minimal")),
            ("gpt-5.1", r#""reasoning":{"enabled":false}"#, Some("none")),
            ("gpt-5-mini", r#""reasoning":{"enabled":true}"#, None),
            ("gpt-5-mini", r#""reasoning":{"effort":"max"}"#, Some("high")),
            ("gpt-5-mini", r#""reasoning":{"effort":null,"max_tokens":9000}"#, Some("medium")),
            ("gpt-5-mini", r#""reasoning_effort":"max","reasoning":{"effort":"low"}"#, Some("high")),
            ("gpt-4o", r#""reasoning":{"effort":"high","max_tokens":2000}"#, None),
            ("gpt-4o", r#""reasoning_effort":"high""#, Some("high")),
            ("my-deployment", r#""reasoning":{"max_tokens":2000}"#, None),
            ("my-deployment", r#""reasoning":{"enabled":false}"#, None),
            ("my-deployment", r#""reasoning":{"effort":"xhigh"}"#, Some("xhigh")),
            ("my-deployment", r#""reasoning":{"effort":"max"}"#, Some("high")),
        ] {
            let request = format!(r#"{{"messages":[{{"role":"user"}}],{asked}}}"#);
            let request = ChatRequest::parse(request.as_bytes(), 32).unwrap();
            let mut body = Vec::new();
            push_effort(&mut body, &request, model);
            let wanted = told.map_or(String::new(), |word| format!(",\"reasoning_effort\":\"{word}\""));
            assert_eq!(String::from_utf8(body).unwrap(), wanted, "{model} {asked}");
        }
    }
}
