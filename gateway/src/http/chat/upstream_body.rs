//! The body sent upstream: the client's own, with only what must differ replaced.
//!
//! Members that are ours (routing preferences) are left out, the model's name is the endpoint's, a
//! stream is asked for its usage, and a cap lowered by a small balance is enforced by sending it. Other
//! values are copied as the client wrote them: one copy, no re-serializing.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::effort::{push_effort, push_switch};
use super::request::{ChatRequest, whole_number};
use super::upstream_messages::{Without, push_messages, push_without};
use crate::providers::{Quirks, ReasoningForm};
use crate::routing::ParameterSet;

/// Members that mean something to us and nothing (or harm) to a provider.
const OURS: [&str; 13] = [
    "model",
    "models",
    "provider",
    "route",
    "plugins",
    "transforms",
    "preset",
    "usage",
    "stream_options",
    "session_id",
    "trace",
    "debug",
    "include_reasoning",
];

/// Values of `service_tier` that cost no more than the price a model has here. Others are left out: nobody would pay for them.
const TIERS: [&str; 4] = ["\"default\"", "\"auto\"", "\"flex\"", "null"];

/// Members that are read as whole numbers, and sent as such: not every provider takes `2.0` for `2`.
const INTEGERS: [&str; 3] = ["max_completion_tokens", "max_tokens", "n"];

/// A cap on the output, by its two names.
const CAP_MEMBERS: [&str; 2] = ["max_completion_tokens", "max_tokens"];

/// What an endpoint's body has in its own way.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamForm<'a> {
    pub model: &'a str,
    /// Replaces the client's cap.
    pub output_tokens_cap: Option<u64>,
    pub quirks: &'a Quirks,
    /// What it does not understand and an answer can do without.
    pub dropped: ParameterSet,
}

/// Writes the body for one endpoint.
pub fn upstream_body(request: &ChatRequest<'_>, form: UpstreamForm<'_>) -> Bytes {
    let UpstreamForm { model, output_tokens_cap, quirks, dropped } = form;
    let length: usize = request.members.iter().map(|(key, value)| key.len() + value.get().len() + 4).sum();
    let mut body = Vec::with_capacity(length + model.len() + 96);
    body.extend_from_slice(b"{\"model\":");
    push_string(&mut body, model);
    let has_both_caps = CAP_MEMBERS.iter().all(|name| request.member(name).is_some());
    // Where only one name is understood, the client's cap goes by that one. By two names it is one cap: what is held for it
    // must be what is obeyed.
    let is_rewritten = quirks.cap_name.is_some() || has_both_caps;
    let output_tokens_cap = output_tokens_cap.or_else(|| request.output_tokens_cap.filter(|_| is_rewritten));
    let drops_reasoning = quirks.reasoning != ReasoningForm::Object;
    for (index, (key, value)) in request.members.iter().enumerate() {
        let replaced_cap = output_tokens_cap.is_some() && CAP_MEMBERS.contains(&&**key);
        let repeated = request.members[index + 1..].iter().any(|(later, _)| later == key);
        let is_not_understood = !dropped.is_empty() && !dropped.in_common(ParameterSet::of(key)).is_empty();
        let is_untold = drops_reasoning && matches!(&**key, "reasoning" | "reasoning_effort");
        if is_ours(key)
            || is_untold
            || !is_within_price(key, value)
            || replaced_cap
            || repeated
            || is_not_understood
            || quirks.left_out.contains(&&**key)
        {
            continue;
        }
        match &**key {
            "messages" => {
                push_name(&mut body, key);
                push_messages(&mut body, value.get(), quirks);
            }
            "tools" if !quirks.left_out.is_empty() => {
                push_name(&mut body, key);
                push_without(&mut body, value.get(), &Without { names: quirks.left_out, below: &["function"] });
            }
            name if INTEGERS.contains(&name) && !value.get().bytes().all(|digit| digit.is_ascii_digit()) => {
                push_integer(&mut body, name, value);
            }
            _ => push_member(&mut body, key, value),
        }
    }
    if let Some(cap) = output_tokens_cap {
        let names = quirks.cap_name.map_or_else(|| cap_members(request), |name| vec![name]);
        for name in names {
            body.extend_from_slice(format!(",\"{name}\":{cap}").as_bytes());
        }
    }
    match quirks.reasoning {
        ReasoningForm::Effort => push_effort(&mut body, request, model),
        ReasoningForm::Switch => push_switch(&mut body, request),
        ReasoningForm::Object | ReasoningForm::Nothing => {}
    }
    if request.stream && quirks.stream_options {
        push_stream_options(&mut body, request.member("stream_options"));
    }
    body.push(b'}');
    Bytes::from(body)
}

/// As digits, where it is a whole number.
fn push_integer(body: &mut Vec<u8>, name: &str, value: &RawValue) {
    match whole_number(value) {
        Some(number) => body.extend_from_slice(format!(",\"{name}\":{number}").as_bytes()),
        None => push_member(body, name, value),
    }
}

/// The names under which the client capped its output; the widely understood one where it did not.
fn cap_members(request: &ChatRequest<'_>) -> Vec<&'static str> {
    let named: Vec<&str> = CAP_MEMBERS.into_iter().filter(|name| request.member(name).is_some()).collect();
    if named.is_empty() { vec!["max_tokens"] } else { named }
}

/// The client's stream options with `include_usage` on: the usage is asked for, whoever wants to see it.
fn push_stream_options(body: &mut Vec<u8>, given: Option<&RawValue>) {
    let mut options: serde_json::Map<String, serde_json::Value> =
        given.and_then(|options| serde_json::from_str(options.get()).ok()).unwrap_or_default();
    options.insert("include_usage".to_owned(), true.into());
    body.extend_from_slice(b",\"stream_options\":");
    body.extend_from_slice(serde_json::Value::Object(options).to_string().as_bytes());
}

/// Whether a member means something to us and nothing to a provider.
pub(in crate::http) fn is_ours(key: &str) -> bool {
    OURS.contains(&key)
}

/// Whether what it asks for is paid for by the price a model has here.
pub(in crate::http) fn is_within_price(key: &str, value: &RawValue) -> bool {
    key != "service_tier" || TIERS.contains(&value.get())
}

pub(in crate::http) fn push_member(body: &mut Vec<u8>, key: &str, value: &RawValue) {
    push_name(body, key);
    body.extend_from_slice(value.get().as_bytes());
}

fn push_name(body: &mut Vec<u8>, key: &str) {
    body.push(b',');
    push_string(body, key);
    body.push(b':');
}

fn push_string(body: &mut Vec<u8>, text: &str) {
    body.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn form<'a>(model: &'a str, output_tokens_cap: Option<u64>, quirks: &'a Quirks) -> UpstreamForm<'a> {
        UpstreamForm { model, output_tokens_cap, quirks, dropped: ParameterSet::default() }
    }

    fn upstream(body: &str, cap: Option<u64>) -> serde_json::Value {
        let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
        serde_json::from_slice(&upstream_body(&request, form("up\"stream", cap, &Quirks::of_base_url("")))).unwrap()
    }

    #[test]
    fn only_what_must_differ_differs() {
        let sent = upstream(
            r#"{"model":"a/b","messages":[{"role":"user","content":"h\u00efé"}],"provider":{"order":["x"]},"models":["y"],
                "seed":1,"x_new":{"k":[1.50,true]},"usage":{"include":true}}"#,
            None,
        );
        let wanted =
            serde_json::json!({"model":"up\"stream","messages":[{"role":"user","content":"hïé"}],"seed":1,"x_new":{"k":[1.5,true]}});
        assert_eq!(sent, wanted);
    }

    #[test]
    fn a_whole_number_is_sent_as_one_however_it_was_written() {
        let request = r#"{"messages":[{"role":"user"}],"max_tokens":1e1,"n":2.0,"temperature":1.0,"seed":3.0}"#;
        let request = ChatRequest::parse(request.as_bytes(), 32).unwrap();
        let sent = upstream_body(&request, form("m", None, &Quirks::of_base_url("")));
        let sent = std::str::from_utf8(&sent).unwrap();
        assert!(sent.ends_with(r#","max_tokens":10,"n":2,"temperature":1.0,"seed":3.0}"#), "{sent}");
    }

    #[test]
    fn a_stream_is_asked_for_its_usage() {
        let sent = upstream(r#"{"messages":[{"role":"user"}],"stream":true,"stream_options":{"include_usage":false,"other":1}}"#, None);
        assert_eq!(sent["stream_options"], serde_json::json!({"include_usage":true,"other":1}));
    }

    #[test]
    fn a_lowered_cap_is_sent_under_the_clients_own_name() {
        let sent = upstream(r#"{"messages":[{"role":"user"}],"max_completion_tokens":900}"#, Some(20));
        assert_eq!((&sent["max_completion_tokens"], sent.get("max_tokens")), (&20.into(), None));
        for cap in [None, Some(20)] {
            let sent = upstream(r#"{"messages":[{"role":"user"}],"max_completion_tokens":900,"max_tokens":800}"#, cap);
            let effective = serde_json::json!(cap.unwrap_or(800));
            assert_eq!((&sent["max_completion_tokens"], &sent["max_tokens"]), (&effective, &effective), "one cap, whichever is obeyed");
        }
        assert_eq!(upstream(r#"{"messages":[{"role":"user"}]}"#, Some(20))["max_tokens"], 20);
    }

    #[test]
    fn strict_hosts_get_no_cache_marks_wherever_clients_write_them() {
        let body = r#"{"messages":[{"role":"user","cache_control":{"type":"ephemeral"},"content":[
                {"type":"text","text":"{\"cache_control\":1}","cache_control":{"type":"ephemeral"}}]},
                {"role":"assistant","content":"x","tool_calls":[{"id":"c","cache_control":{},"type":"function","function":{"name":"f","arguments":"{}"}}]}],
            "tools":[{"type":"function","cache_control":{"type":"ephemeral"},"function":{"name":"f","cache_control":{},
                "parameters":{"type":"object","properties":{"cache_control":{"type":"string"}}}}}]}"#;
        let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
        let sent = |host: &str| -> serde_json::Value {
            serde_json::from_slice(&upstream_body(&request, form("m", None, &Quirks::of_host(host)))).unwrap()
        };
        assert_eq!(
            sent("api.groq.com"),
            serde_json::json!({
                "model": "m",
                "messages": [
                    { "role": "user", "content": [{ "type": "text", "text": "{\"cache_control\":1}" }] },
                    { "role": "assistant", "content": "x", "tool_calls": [{ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
                ],
                "tools": [{ "type": "function", "function": { "name": "f", "parameters": { "type": "object", "properties": { "cache_control": { "type": "string" } } } } }],
            })
        );
        assert_eq!(sent("unknown.example")["tools"][0]["cache_control"]["type"], "ephemeral");
    }

    #[test]
    fn a_providers_own_way_is_kept_by_its_row_in_the_table() {
        let body = r#"{"messages":[{"role":"user"}],"max_completion_tokens":900,"reasoning":{"effort":"high"},"stream":true}"#;
        let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
        let sent = |host: &str, cap| -> serde_json::Value {
            serde_json::from_slice(&upstream_body(&request, form("m", cap, &Quirks::of_host(host)))).unwrap()
        };
        let mistral = sent("api.mistral.ai", None);
        assert_eq!((&mistral["max_tokens"], mistral.get("max_completion_tokens")), (&900.into(), None));
        assert_eq!((mistral.get("stream_options"), mistral.get("reasoning")), (None, None));
        assert_eq!(sent("api.mistral.ai", Some(7))["max_tokens"], 7);
        let openai = sent("api.openai.com", None);
        assert_eq!((&openai["reasoning_effort"], openai.get("reasoning")), (&"high".into(), None));
        assert_eq!((&openai["max_completion_tokens"], openai.get("max_tokens")), (&900.into(), None));
        assert_eq!(sent("unknown.example", None)["reasoning"]["effort"], "high");
    }

    #[test]
    fn what_would_cost_more_than_its_price_is_left_out() {
        let sent = |tier: &str| -> serde_json::Value {
            let body = format!(r#"{{"messages":[{{"role":"user"}}],"service_tier":{tier},"reasoning_effort":"low"}}"#);
            let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
            serde_json::from_slice(&upstream_body(&request, form("m", None, &Quirks::of_host("api.openai.com")))).unwrap()
        };
        for cheap in ["default", "flex", "auto"] {
            assert_eq!(sent(&format!("\"{cheap}\""))["service_tier"], cheap);
        }
        for dear in ["\"priority\"", "\"pri\\u006frity\"", "\"scale\"", "7"] {
            assert_eq!(sent(dear).get("service_tier"), None, "{dear}");
        }
        let refuses_to_be_told = r#"{"messages":[{"role":"user"}],"reasoning_effort":"low"}"#;
        let request = ChatRequest::parse(refuses_to_be_told.as_bytes(), 32).unwrap();
        let body = upstream_body(&request, form("m", None, &Quirks::of_host("api.mistral.ai")));
        assert!(!String::from_utf8_lossy(&body).contains("low"));
    }

    #[test]
    fn what_an_endpoint_does_not_understand_is_left_out() {
        let request = ChatRequest::parse(br#"{"messages":[{"role":"user"}],"top_k":5,"seed":1,"tools":[],"x_new":1}"#, 32).unwrap();
        let quirks = Quirks::of_base_url("");
        let dropped = ParameterSet::of("top_k").and(ParameterSet::of("min_p"));
        let sent = upstream_body(&request, UpstreamForm { dropped, ..form("m", None, &quirks) });
        let sent: serde_json::Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!(sent, serde_json::json!({ "model": "m", "messages": [{ "role": "user" }], "seed": 1, "tools": [], "x_new": 1 }));
    }

    #[test]
    fn strict_providers_get_no_thoughts_back_and_no_cache_marks() {
        let body = r#"{"messages":[{"role":"user","content":"x"},{"role":"assistant","reasoning":"a","reasoning_content":"a","reasoning_details":[{"text":"a"}],"content":"y"}],
            "cache_control":{"type":"ephemeral"}}"#;
        let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
        let sent = |host: &str| -> serde_json::Value {
            serde_json::from_slice(&upstream_body(&request, form("m", None, &Quirks::of_host(host)))).unwrap()
        };
        let plain = serde_json::json!({ "role": "assistant", "content": "y" });
        assert_eq!((&sent("api.groq.com")["messages"][1], sent("api.groq.com").get("cache_control")), (&plain, None));
        let deepseek = sent("api.deepseek.com")["messages"][1].clone();
        assert_eq!((&deepseek["reasoning_content"], deepseek.get("reasoning")), (&"a".into(), None));
        let other = sent("unknown.example");
        assert_eq!((&other["messages"][1]["reasoning"], &other["cache_control"]["type"]), (&"a".into(), &"ephemeral".into()));
        assert_eq!(sent("api.groq.com")["messages"][0], serde_json::json!({ "role": "user", "content": "x" }));
    }

    #[test]
    fn a_repeated_member_is_sent_once_as_it_was_understood() {
        let body = r#"{"messages":[{"role":"user"}],"seed":1,"seed":2}"#;
        let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
        let sent = upstream_body(&request, form("m", None, &Quirks::of_base_url("")));
        assert_eq!(std::str::from_utf8(&sent).unwrap().matches("seed").count(), 1);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&sent).unwrap()["seed"], 2);
    }
}
