//! Reading a chat request: what we must know of it, everything else kept as the client wrote it.
//!
//! The body is parsed once, into its top-level members as raw slices; only the members that govern
//! routing, limits and billing are looked into. Unknown members travel upstream untouched.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::metering::EmbeddingsInput;
use crate::providers::anthropic::native::NativeRequest;

/// Names in `models`, the fallback list.
pub const FALLBACK_MODELS_MAX: usize = 16;
/// Answers in parallel (`n`).
pub const CHOICES_MAX: u64 = 128;
/// Alternatives of a token that can be asked for.
const TOP_LOGPROBS_MAX: u64 = 20;
/// What `metadata` may hold.
const METADATA_PAIRS_MAX: usize = 16;
const METADATA_KEY_CHARS_MAX: usize = 64;
const METADATA_VALUE_CHARS_MAX: usize = 512;
/// Longest name of a conversation.
pub const SESSION_CHARS_MAX: usize = 256;
/// Longest model name that is looked up.
const MODEL_BYTES_MAX: usize = 256;

/// A chat request, borrowing from its body; or one for embeddings, which takes the same way.
#[derive(Debug)]
pub struct ChatRequest<'a> {
    /// `[model] ∪ models`, in the order to be tried; empty when the client named none.
    pub models: Vec<Cow<'a, str>>,
    pub stream: bool,
    /// The client's output cap (`max_completion_tokens`, else `max_tokens`).
    pub output_tokens_cap: Option<u64>,
    /// Answers asked for (`n`).
    pub choices: u64,
    /// The raw `messages`; of a request for embeddings its `input`.
    pub messages: &'a RawValue,
    /// What embeddings are asked for, if they are.
    pub embeddings: Option<EmbeddingsInput>,
    /// `provider`, OpenRouter's routing preferences.
    pub provider: Option<&'a RawValue>,
    /// The conversation's name: `session_id`, else what a header said.
    pub session: Option<Cow<'a, str>>,
    /// The client does not want to see what the model thinks: `reasoning.exclude`, or `include_reasoning: false`.
    pub hides_reasoning: bool,
    /// The same request in Anthropic's dialect, where it came in that one.
    pub native: Option<&'a NativeRequest>,
    /// All top-level members as the client wrote them.
    pub members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

/// Why a body is not a chat request: the field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RequestError {
    /// JSON path of the offending field, if one can be named.
    pub param: Option<&'static str>,
    pub message: String,
}

impl RequestError {
    pub(in crate::http) fn field(param: &'static str, message: impl Into<String>) -> Self {
        Self { param: Some(param), message: message.into() }
    }
}

impl<'a> ChatRequest<'a> {
    /// Parses and checks a body. `depth_max` bounds its nesting.
    pub fn parse(body: &'a [u8], depth_max: usize) -> Result<Self, RequestError> {
        Self::from_members(read_members(body, depth_max)?)
    }

    fn from_members(members: Vec<(Cow<'a, str>, &'a RawValue)>) -> Result<Self, RequestError> {
        // **The last of a repeated member counts, null too**: it is the one that is sent upstream.
        let member = |name: &str| {
            let last = members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value);
            last.filter(|value| value.get() != "null")
        };
        let models = read_models(member("model"), member("models"))?;
        let messages =
            member("messages").ok_or_else(|| RequestError::field("messages", "Input required: specify \"prompt\" or \"messages\""))?;
        check_messages(messages)?;
        let stream = member("stream").map(|value| read("stream", value, "a boolean")).transpose()?.unwrap_or(false);
        let cap = |name: &'static str| {
            let value = member(name).map(|value| read_integer(name, value, "a positive integer")).transpose()?;
            if value == Some(0) { Err(RequestError::field(name, format!("{name} must be at least 1"))) } else { Ok(value) }
        };
        // By both names, the lower one: no provider obeys the higher.
        let output_tokens_cap = cap("max_completion_tokens")?.into_iter().chain(cap("max_tokens")?).min();
        let choices = cap("n")?.unwrap_or(1);
        if choices > CHOICES_MAX {
            return Err(RequestError::field("n", format!("n must be at most {CHOICES_MAX}")));
        }
        for (name, low, high) in
            [("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0), ("frequency_penalty", -2.0, 2.0), ("presence_penalty", -2.0, 2.0)]
        {
            if let Some(value) = member(name) {
                let number: f64 = read(name, value, "a number")?;
                if !(low..=high).contains(&number) {
                    return Err(RequestError::field(name, format!("{name} must be between {low} and {high}")));
                }
            }
        }
        for (name, wanted) in
            [("tools", '['), ("response_format", '{'), ("stream_options", '{'), ("provider", '{'), ("reasoning", '{'), ("logit_bias", '{')]
        {
            if let Some(value) = member(name)
                && !value.get().starts_with(wanted)
            {
                return Err(RequestError::field(name, format!("{name} must be {}", if wanted == '[' { "an array" } else { "an object" })));
            }
        }
        if let Some(stop) = member("stop") {
            check_stop(stop)?;
        }
        if let Some(count) = member("top_logprobs").map(|value| read_integer("top_logprobs", value, "a number")).transpose()?
            && count > TOP_LOGPROBS_MAX
        {
            return Err(RequestError::field("top_logprobs", format!("top_logprobs must be between 0 and {TOP_LOGPROBS_MAX}")));
        }
        if let Some(metadata) = member("metadata") {
            check_metadata(metadata)?;
        }
        let provider = member("provider");
        let session = member("session_id").map(read_session).transpose()?.flatten();
        let is_left_out = member("include_reasoning").is_some_and(|include| include.get() == "false");
        let hides_reasoning = is_left_out || member("reasoning").map(check_reasoning).transpose()?.unwrap_or(false);
        if let Some(effort) = member("reasoning_effort") {
            check_effort("reasoning_effort", effort)?;
        }
        let (embeddings, native) = (None, None);
        Ok(Self { models, stream, output_tokens_cap, choices, messages, embeddings, provider, session, hides_reasoning, native, members })
    }

    /// How many texts a model is given to read, each within its context.
    pub fn inputs(&self) -> u64 {
        self.embeddings.as_ref().map_or(1, |input| input.count)
    }

    /// What the model reads beside the messages.
    pub fn read_by_the_model(&self) -> Vec<&'a str> {
        ["tools", "functions", "response_format"].iter().filter_map(|name| self.member(name)).map(RawValue::get).collect()
    }

    /// The client's own name for whoever it asks for: `user`. What is no text names nobody.
    pub fn user(&self) -> Option<Cow<'a, str>> {
        let BorrowedText(name) = serde_json::from_str(self.member("user")?.get()).ok()?;
        Some(name)
    }

    /// A top-level member, the last one where a name is repeated.
    pub fn member(&self, name: &str) -> Option<&'a RawValue> {
        self.members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value)
    }
}

/// The members of a body. `depth_max` bounds its nesting.
pub(in crate::http) fn read_members(body: &[u8], depth_max: usize) -> Result<Vec<(Cow<'_, str>, &RawValue)>, RequestError> {
    let text = std::str::from_utf8(body).map_err(|error| RequestError {
        param: None,
        message: format!("request body is not valid UTF-8 (byte {})", error.valid_up_to()),
    })?;
    if let Some(offset) = nesting_exceeds(body, depth_max) {
        return Err(RequestError {
            param: None,
            message: format!("request body is nested deeper than {depth_max} levels (byte {offset})"),
        });
    }
    let Members(members) = serde_json::from_str(text)
        .map_err(|error| RequestError { param: None, message: format!("request body is not a valid JSON object: {error}") })?;
    Ok(members)
}

/// `[model] ∪ models`.
pub(in crate::http) fn read_models<'a>(
    model: Option<&'a RawValue>,
    fallbacks: Option<&'a RawValue>,
) -> Result<Vec<Cow<'a, str>>, RequestError> {
    let mut models = Vec::with_capacity(1);
    if let Some(model) = model {
        models.push(read::<Cow<'a, str>>("model", model, "a string")?);
    }
    if let Some(list) = fallbacks {
        let list: Vec<BorrowedText<'a>> = read("models", list, "an array of strings")?;
        if list.len() > FALLBACK_MODELS_MAX {
            return Err(RequestError::field("models", format!("models has {} names; at most {FALLBACK_MODELS_MAX} are tried", list.len())));
        }
        for BorrowedText(name) in list {
            if !models.contains(&name) {
                models.push(name);
            }
        }
    }
    if models.iter().any(|name| name.is_empty() || name.len() > MODEL_BYTES_MAX) {
        return Err(RequestError::field("model", format!("a model name has 1 to {MODEL_BYTES_MAX} bytes")));
    }
    Ok(models)
}

/// The conversation's name; an empty one names none.
pub(in crate::http) fn read_session(session: &RawValue) -> Result<Option<Cow<'_, str>>, RequestError> {
    let BorrowedText(name) = read("session_id", session, "a string")?;
    if name.chars().count() > SESSION_CHARS_MAX {
        return Err(RequestError::field("session_id", format!("session_id must be at most {SESSION_CHARS_MAX} characters")));
    }
    Ok(Some(name).filter(|name| !name.is_empty()))
}

pub(in crate::http) fn read<'a, T: Deserialize<'a>>(name: &'static str, value: &'a RawValue, wanted: &str) -> Result<T, RequestError> {
    serde_json::from_str(value.get()).map_err(|_| RequestError::field(name, format!("{name} must be {wanted}")))
}

/// Above this, a number with a fraction is not exact.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A whole number that is not negative, as JSON Schema has it: `10`, `10.0`, `1e1`.
pub(in crate::http) fn whole_number(value: &RawValue) -> Option<u64> {
    let is_whole = |number: &f64| number.fract() == 0.0 && (0.0..EXACT_MAX).contains(number);
    let written = || serde_json::from_str::<f64>(value.get()).ok().filter(is_whole).map(|number| number as u64);
    serde_json::from_str(value.get()).ok().or_else(written)
}

pub(in crate::http) fn read_integer(name: &'static str, value: &RawValue, wanted: &str) -> Result<u64, RequestError> {
    whole_number(value).ok_or_else(|| RequestError::field(name, format!("{name} must be {wanted}")))
}

/// Where an answer ends: a text, or several.
fn check_stop(stop: &RawValue) -> Result<(), RequestError> {
    let is_text = stop.get().starts_with('"') || serde_json::from_str::<Vec<BorrowedText<'_>>>(stop.get()).is_ok();
    if is_text { Ok(()) } else { Err(RequestError::field("stop", "stop must be a string or an array of strings")) }
}

/// Pairs of texts, as OpenAI bounds them.
fn check_metadata(metadata: &RawValue) -> Result<(), RequestError> {
    let wrong = |problem: String| Err(RequestError::field("metadata", format!("metadata {problem}")));
    let Ok(Members(pairs)) = serde_json::from_str::<Members<'_>>(metadata.get()) else { return wrong("must be an object".to_owned()) };
    if pairs.len() > METADATA_PAIRS_MAX {
        return wrong(format!("has {} pairs; at most {METADATA_PAIRS_MAX} are taken", pairs.len()));
    }
    for (key, value) in pairs {
        let value: Option<BorrowedText<'_>> = serde_json::from_str(value.get()).ok();
        let is_good =
            |value: BorrowedText<'_>| key.chars().count() <= METADATA_KEY_CHARS_MAX && value.0.chars().count() <= METADATA_VALUE_CHARS_MAX;
        if !value.is_some_and(is_good) {
            return wrong(format!(
                "must have texts of at most {METADATA_VALUE_CHARS_MAX} characters under keys of at most {METADATA_KEY_CHARS_MAX}"
            ));
        }
    }
    Ok(())
}

/// How much a model may be asked to think.
const EFFORTS: [&str; 7] = ["max", "xhigh", "high", "medium", "low", "minimal", "none"];

/// Whether what the model thinks is to be left out of the answer.
fn check_reasoning(reasoning: &RawValue) -> Result<bool, RequestError> {
    #[derive(Deserialize)]
    struct Reasoning<'a> {
        #[serde(borrow)]
        effort: Option<&'a RawValue>,
        exclude: Option<bool>,
    }
    let asked: Reasoning<'_> = read("reasoning", reasoning, "an object whose `exclude` is a boolean")?;
    if let Some(effort) = asked.effort {
        check_effort("reasoning.effort", effort)?;
    }
    Ok(asked.exclude == Some(true))
}

fn check_effort(param: &'static str, effort: &RawValue) -> Result<(), RequestError> {
    let word: Option<BorrowedText<'_>> = read(param, effort, "a string")?;
    if word.is_none_or(|BorrowedText(word)| EFFORTS.contains(&&*word)) {
        return Ok(());
    }
    Err(RequestError::field(param, format!("{param} must be one of {}", EFFORTS.join(", "))))
}

/// `messages` is a non-empty array of objects with a known role.
fn check_messages(messages: &RawValue) -> Result<(), RequestError> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        role: Cow<'a, str>,
    }
    let wrong = |message: String| Err(RequestError::field("messages", message));
    let list: Vec<&RawValue> = read("messages", messages, "an array of message objects")?;
    if list.is_empty() {
        return wrong("messages must not be empty".to_owned());
    }
    for (index, message) in list.iter().enumerate() {
        let Ok(Message { role }) = serde_json::from_str(message.get()) else {
            return wrong(format!("messages[{index}] must be an object with a string `role`"));
        };
        if !matches!(&*role, "system" | "user" | "assistant" | "tool" | "developer" | "function") {
            return wrong(format!("messages[{index}].role must be one of system, developer, user, assistant, tool"));
        }
    }
    Ok(())
}

/// The offset at which nesting first exceeds a depth, if it does.
pub fn nesting_exceeds(body: &[u8], depth_max: usize) -> Option<usize> {
    let (mut depth, mut in_string, mut index) = (0_usize, false, 0_usize);
    while index < body.len() {
        if in_string {
            index += memchr::memchr2(b'"', b'\\', &body[index..])?;
            if body[index] == b'\\' {
                index += 1;
            } else {
                in_string = false;
            }
        } else {
            match body[index] {
                b'"' => in_string = true,
                b'{' | b'[' => {
                    depth += 1;
                    if depth > depth_max {
                        return Some(index);
                    }
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        index += 1;
    }
    None
}

struct BorrowedText<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for BorrowedText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text).map(BorrowedText)
    }
}

/// The top-level members of an object, in order, values raw. `serde_json` cannot do this with `flatten`.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(BorrowedText(key)) = map.next_key()? {
                    members.push((key, map.next_value::<&'de RawValue>()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<ChatRequest<'_>, RequestError> {
        ChatRequest::parse(body.as_bytes(), 32)
    }

    #[test]
    fn reads_what_governs_routing_and_keeps_the_rest() {
        let request = parse(
            r#"{"model":"a/b","models":["c/d","a/b"],"messages":[{"role":"user","content":"hi"}],"stream":true,
                "max_tokens":7,"max_completion_tokens":5,"n":2,"x_unknown":{"deep":[1]}}"#,
        )
        .unwrap();
        assert_eq!(request.models, ["a/b", "c/d"]);
        assert!(request.stream);
        assert_eq!(request.output_tokens_cap, Some(5));
        assert_eq!(request.choices, 2);
        assert_eq!(request.member("x_unknown").unwrap().get(), r#"{"deep":[1]}"#);
    }

    #[test]
    fn null_counts_as_absent() {
        let request =
            parse(r#"{"model":null,"models":null,"messages":[{"role":"user","content":""}],"max_tokens":null,"stream":null}"#).unwrap();
        assert!(request.models.is_empty());
        assert_eq!((request.stream, request.output_tokens_cap), (false, None));
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        for (written, cap) in [("10", 10), ("10.0", 10), ("1e1", 10), ("1.5E+1", 15), ("9007199254740993", 9_007_199_254_740_993)] {
            let body = format!(r#"{{"messages":[{{"role":"user"}}],"max_tokens":{written},"n":2.0}}"#);
            let request = parse(&body).unwrap();
            assert_eq!((request.output_tokens_cap, request.choices), (Some(cap), 2), "{written}");
        }
        for written in ["10.5", "-1.0", "-1", "0.0", "1e-3", "1e30", "\"10\"", "true", "[]"] {
            let body = format!(r#"{{"messages":[{{"role":"user"}}],"max_tokens":{written}}}"#);
            assert_eq!(parse(&body).unwrap_err().param, Some("max_tokens"), "{written}");
        }
    }

    /// The provider would see null, and with it no cap, where the hold had been made for one token.
    #[test]
    fn a_cap_that_is_repeated_as_null_is_no_cap() {
        let body = r#"{"messages":[{"role":"user"}],"max_tokens":1,"n":9,"max_tokens":null,"n":null}"#;
        let request = parse(body).unwrap();
        assert_eq!((request.output_tokens_cap, request.choices), (None, 1));
    }

    #[test]
    fn wrong_input_names_its_field() {
        for (body, param) in [
            (r#"{"model":"m"}"#, Some("messages")),
            (r#"{"model":"m","messages":[]}"#, Some("messages")),
            (r#"{"model":"m","messages":"hi"}"#, Some("messages")),
            (r#"{"model":"m","messages":[1]}"#, Some("messages")),
            (r#"{"model":"m","messages":[{"role":"wizard"}]}"#, Some("messages")),
            (r#"{"model":3,"messages":[{"role":"user"}]}"#, Some("model")),
            (r#"{"model":"","messages":[{"role":"user"}]}"#, Some("model")),
            (r#"{"model":"m","messages":[{"role":"user"}],"max_tokens":-1}"#, Some("max_tokens")),
            (r#"{"model":"m","messages":[{"role":"user"}],"max_tokens":0}"#, Some("max_tokens")),
            (r#"{"model":"m","messages":[{"role":"user"}],"max_tokens":1.5}"#, Some("max_tokens")),
            (r#"{"model":"m","messages":[{"role":"user"}],"stream":"yes"}"#, Some("stream")),
            (r#"{"model":"m","messages":[{"role":"user"}],"temperature":9}"#, Some("temperature")),
            (r#"{"model":"m","messages":[{"role":"user"}],"tools":{}}"#, Some("tools")),
            (r#"{"model":"m","messages":[{"role":"user"}],"stop":5}"#, Some("stop")),
            (r#"{"model":"m","messages":[{"role":"user"}],"stop":["a",5]}"#, Some("stop")),
            (r#"{"model":"m","messages":[{"role":"user"}],"top_logprobs":21}"#, Some("top_logprobs")),
            (r#"{"model":"m","messages":[{"role":"user"}],"logit_bias":[1]}"#, Some("logit_bias")),
            (r#"{"model":"m","messages":[{"role":"user"}],"metadata":{"a":1}}"#, Some("metadata")),
            (r#"{"model":"m","messages":[{"role":"user"}],"metadata":[]}"#, Some("metadata")),
            (r#"["model"]"#, None),
            (r#"{"model":"m","messages":[}"#, None),
            ("", None),
        ] {
            assert_eq!(parse(body).unwrap_err().param, param, "{body}");
        }
    }

    #[test]
    fn pairs_are_bounded_in_number_and_length() {
        let with = |metadata: serde_json::Value| {
            parse(&serde_json::json!({ "model": "m", "messages": [{ "role": "user" }], "metadata": metadata }).to_string()).map(drop)
        };
        let pairs = |count: usize| (0..count).map(|number| (number.to_string(), serde_json::json!("x"))).collect::<serde_json::Map<_, _>>();
        assert!(with(pairs(METADATA_PAIRS_MAX).into()).is_ok() && with(pairs(METADATA_PAIRS_MAX + 1).into()).is_err());
        assert!(with(serde_json::json!({ "a": "é".repeat(METADATA_VALUE_CHARS_MAX) })).is_ok());
        assert!(with(serde_json::json!({ "a": "é".repeat(METADATA_VALUE_CHARS_MAX + 1) })).is_err());
        assert!(with(serde_json::json!({ "k".repeat(METADATA_KEY_CHARS_MAX + 1): "" })).is_err());
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion() {
        let body = format!(r#"{{"messages":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
        assert!(parse(&body).unwrap_err().message.contains("nested deeper"));
        assert_eq!(nesting_exceeds(br#"{"a":"[[[[[[\"[[["}"#, 2), None);
    }
}
