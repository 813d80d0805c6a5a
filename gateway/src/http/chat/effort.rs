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

/// Writes `thinking` and `reasoning_effort` as DeepSeek takes them: off or on, and with one of three words. Nothing where the request
/// says nothing of it, or has a `thinking` of its own.
pub(super) fn push_switch(body: &mut Vec<u8>, request: &ChatRequest<'_>) {
    let asked: Reasoning<'_> = request.member("reasoning").and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let given = |raw: &&RawValue| raw.get() != "null";
    let effort = request.member("reasoning_effort").filter(given).or(asked.effort.filter(given));
    let word: Option<String> = effort.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let budget = || asked.max_tokens.map(|tokens| word_for_budget(tokens, request.output_tokens_cap));
    let word = word.as_deref().or_else(budget);
    let is_on = match word {
        Some(word) => Some(word != "none" && asked.enabled != Some(false)),
        None => asked.enabled,
    };
    let Some(is_on) = is_on else { return };
    if request.member("thinking").is_none() {
        let kind = if is_on { "enabled" } else { "disabled" };
        body.extend_from_slice(format!(",\"thinking\":{{\"type\":\"{kind}\"}}").as_bytes());
    }
    if is_on {
        push_word(body, word.map(of_three));
    }
}

/// The word of DeepSeek's that comes nearest, as it maps those of others itself.
fn of_three(word: &str) -> &'static str {
    match word {
        "minimal" | "low" => "low",
        "max" => "max",
        _ => MOST,
    }
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
    #[test]
    fn deepseek_is_told_by_a_switch_and_one_of_three_words() {
        for (asked, told) in [
            (r#""reasoning":{"enabled":false}"#, r#","thinking":{"type":"disabled"}"#),
            (r#""reasoning":{"enabled":true}"#, r#","thinking":{"type":"enabled"}"#),
            (r#""reasoning":{"effort":"none"}"#, r#","thinking":{"type":"disabled"}"#),
            (r#""reasoning":{"effort":"medium"}"#, r#","thinking":{"type":"enabled"},"reasoning_effort":"high""#),
            (r#""reasoning":{"max_tokens":2000}"#, r#","thinking":{"type":"enabled"},"reasoning_effort":"low""#),
            (r#""reasoning":{"max_tokens":2000,"enabled":false}"#, r#","thinking":{"type":"disabled"}"#),
            (r#""reasoning_effort":"max""#, r#","thinking":{"type":"enabled"},"reasoning_effort":"max""#),
            (r#""reasoning_effort":"none""#, r#","thinking":{"type":"disabled"}"#),
            (r#""reasoning":{"exclude":true}"#, ""),
            (r#""reasoning":null,"reasoning_effort":null"#, ""),
            (r#""thinking":{"type":"disabled"},"reasoning":{"enabled":false}"#, ""),
        ] {
            let request = format!(r#"{{"messages":[{{"role":"user"}}],{asked}}}"#);
            let request = ChatRequest::parse(request.as_bytes(), 32).unwrap();
            let mut body = Vec::new();
            push_switch(&mut body, &request);
            assert_eq!(String::from_utf8(body).unwrap(), told, "{asked}");
        }
    }
}
