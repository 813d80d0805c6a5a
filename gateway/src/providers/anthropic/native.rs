//! Anthropic's dialect on both sides: what its client wrote goes up, what Anthropic answers comes down.
//!
//! A chat request cannot say all that a Messages request can (server tools, citations, context management), so a
//! request of that dialect carries its own bytes along, and its answers carry theirs: every frame has the event it
//! was made from as one more member, which the relay copies like any other and the dialect's door hands on.
//! **Blocks are never re-serialized**: signatures and cache marks stay what they are.

use bytes::Bytes;
use http::HeaderValue;

use super::OutputLimits;
use super::foreign::repairs;
use crate::wire::members::members;

/// The member of a frame, or of a whole answer, that holds what Anthropic sent.
pub const MEMBER: &str = "anthropic";
/// The least thinking budget Anthropic takes.
pub const THINKING_TOKENS_MIN: u64 = 1024;

/// Members that mean something to us and would be refused by Anthropic.
const OURS: [&str; 9] = ["model", "models", "fallbacks", "provider", "plugins", "session_id", "user", "trace", "route"];

/// Members that make Anthropic charge more than the price a model has here.
const DEARER: [&str; 2] = ["speed", "inference_geo"];

/// `thinking`, ended.
const DISABLED: &str = r#"{"type":"disabled"}"#;

/// A Messages request as its client wrote it. The body was checked to be a JSON object.
#[derive(Debug, Clone)]
pub struct NativeRequest {
    pub body: Bytes,
    /// The client's `anthropic-beta`.
    pub beta: Option<HeaderValue>,
    /// What only Anthropic can do, if the request asks for any such thing.
    pub only_anthropic: Option<&'static str>,
}

impl NativeRequest {
    /// The body for one endpoint: the client's own, but for the model, the cap, what is ours and what another provider left in the
    /// conversation.
    pub fn upstream_body(&self, model: &str, output_tokens_cap: Option<u64>, limits: OutputLimits) -> Bytes {
        let text = std::str::from_utf8(&self.body).unwrap_or_default();
        let wanted = number(text, "max_tokens");
        let cap = limits.cap(output_tokens_cap.or(wanted));
        let is_lowered = wanted.is_none_or(|wanted| wanted > cap);
        let mut out = String::with_capacity(text.len() + model.len() + 64);
        out.push_str("{\"model\":");
        out.push_str(&serde_json::Value::from(model).to_string());
        out.push_str(&format!(",\"max_tokens\":{cap}"));
        let (mut messages, mut has_budget) = (None, false);
        for member in members(text).filter_map(Result::ok) {
            if member.key.is(text.as_bytes(), "messages") {
                messages = Some(member.value.of_str(text));
            } else if member.key.is(text.as_bytes(), "thinking") {
                has_budget = number(member.value.of_str(text), "budget_tokens").is_some();
            }
        }
        let repairs = messages.map(|messages| repairs(messages, has_budget)).unwrap_or_default();
        for member in members(text).filter_map(Result::ok) {
            let key = member.key.resolve(text.as_bytes());
            if OURS.contains(&&*key) || DEARER.contains(&&*key) || key == "max_tokens" {
                continue;
            }
            let value = member.value.of_str(text);
            // A budget above the cap is refused upstream: a lowered cap lowers it, or ends it.
            let is_above = is_lowered && key == "thinking" && number(value, "budget_tokens").is_some_and(|budget| budget >= cap);
            out.push(',');
            out.push_str(member.key.quoted().of_str(text));
            out.push(':');
            match &repairs.messages {
                Some(messages) if key == "messages" => out.push_str(messages),
                _ if key == "thinking" && has_budget && repairs.calls_without_a_thought => out.push_str(DISABLED),
                _ if is_above => push_thinking_below(cap, value, &mut out),
                _ => out.push_str(value),
            }
        }
        out.push('}');
        Bytes::from(out)
    }
}

/// The thinking budget under a cap that the one asked for does not fit under: four fifths, so that an answer fits behind
/// the thoughts. `None` where there is no room for the least budget.
pub(super) fn budget_below(cap: u64) -> Option<u64> {
    let budget = (cap.saturating_mul(4) / 5).max(THINKING_TOKENS_MIN);
    (budget < cap).then_some(budget)
}

/// A client's `thinking` with a budget that fits, or none where no budget does. Its other members stay: how thoughts are
/// shown has nothing to do with what a balance pays for.
fn push_thinking_below(cap: u64, thinking: &str, out: &mut String) {
    let Some(budget) = budget_below(cap) else {
        out.push_str(DISABLED);
        return;
    };
    out.push('{');
    for (index, member) in members(thinking).filter_map(Result::ok).enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(member.key.quoted().of_str(thinking));
        out.push(':');
        if member.key.is(thinking.as_bytes(), "budget_tokens") {
            out.push_str(&budget.to_string());
        } else {
            out.push_str(member.value.of_str(thinking));
        }
    }
    out.push('}');
}

/// Appends `,"anthropic":RAW` on one line.
pub fn push_member(raw: &str, out: &mut String) {
    out.push_str(",\"");
    out.push_str(MEMBER);
    out.push_str("\":");
    push_one_line(raw, out);
}

/// JSON holds line ends only between its values, where a blank means the same.
pub fn push_one_line(json: &str, out: &mut String) {
    if json.contains(['\n', '\r']) {
        out.extend(json.chars().map(|c| if matches!(c, '\n' | '\r') { ' ' } else { c }));
    } else {
        out.push_str(json);
    }
}

/// The last member of this name, where it is a whole number.
fn number(object: &str, name: &str) -> Option<u64> {
    let found = members(object).filter_map(Result::ok).filter(|member| member.key.is(object.as_bytes(), name)).last()?;
    found.value.of_str(object).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: OutputLimits = OutputLimits { tokens_default: 4096, tokens_max: Some(64_000) };

    fn sent(body: &str, cap: Option<u64>) -> String {
        let native = NativeRequest { body: Bytes::copy_from_slice(body.as_bytes()), beta: None, only_anthropic: None };
        String::from_utf8(native.upstream_body("claude-x", cap, LIMITS).to_vec()).unwrap_or_default()
    }

    #[test]
    fn what_is_not_ours_is_sent_byte_for_byte() {
        let body = r#"{"model":"a/b","provider":{"order":["x"]},"max_tokens":100,"system":[{"type":"text","text":"h\u00ef", "cache_control":{"type":"ephemeral","ttl":"1h"}}],"speed":"fast","x_new":[1.50]}"#;
        let wanted = r#"{"model":"claude-x","max_tokens":100,"system":[{"type":"text","text":"h\u00ef", "cache_control":{"type":"ephemeral","ttl":"1h"}}],"x_new":[1.50]}"#;
        assert_eq!(sent(body, None), wanted);
    }

    #[test]
    fn a_lowered_cap_lowers_the_thinking_budget_or_ends_it() {
        let body = r#"{"max_tokens":16000,"thinking":{"type":"enabled","budget_tokens":10000}}"#;
        assert!(sent(body, None).ends_with(r#""max_tokens":16000,"thinking":{"type":"enabled","budget_tokens":10000}}"#));
        assert!(sent(body, Some(5000)).ends_with(r#""max_tokens":5000,"thinking":{"type":"enabled","budget_tokens":4000}}"#));
        assert!(sent(body, Some(1100)).ends_with(r#""max_tokens":1100,"thinking":{"type":"enabled","budget_tokens":1024}}"#));
        for cap in [500, 1024] {
            assert!(sent(body, Some(cap)).ends_with(r#""thinking":{"type":"disabled"}}"#), "no room for the least budget below {cap}");
        }
    }

    #[test]
    fn a_lowered_budget_leaves_the_rest_of_thinking_as_it_was() {
        let body = r#"{"max_tokens":16000,"thinking":{"display":"omitted","budget_tokens":10000,"type":"enabled","x_new":[1]}}"#;
        let wanted = r#""thinking":{"display":"omitted","budget_tokens":4000,"type":"enabled","x_new":[1]}}"#;
        assert!(sent(body, Some(5000)).ends_with(wanted));
    }

    #[test]
    fn thoughts_of_another_provider_stay_here_and_the_budget_with_them() {
        let conversation = r#""thinking":{"type":"enabled","budget_tokens":1024},"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":""},{"type":"tool_use","id":"a","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}]"#;
        let sent = sent(&format!(r#"{{"max_tokens":4000,{conversation}}}"#), None);
        assert!(!sent.contains("Hm") && sent.contains(r#""thinking":{"type":"disabled"}"#), "{sent}");
        assert!(sent.contains(r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"f","input":{}}]}"#), "{sent}");
    }

    #[test]
    fn a_clients_own_contradiction_is_left_for_anthropic_to_refuse() {
        let body = r#"{"max_tokens":500,"thinking":{"type":"enabled","budget_tokens":1024}}"#;
        assert!(sent(body, None).ends_with(r#""thinking":{"type":"enabled","budget_tokens":1024}}"#));
    }

    #[test]
    fn a_request_without_a_cap_gets_the_models() {
        assert!(sent(r#"{"messages":[]}"#, None).contains(r#""max_tokens":4096"#));
    }
}
