//! A legacy completion request, as a chat request: the prompt becomes a message of the user, every other member is copied and
//! means to chat what it means there. What a model that chats cannot do is **refused by its name, never left out**.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem;
use serde_json::value::RawValue;

use super::push_member;
use crate::http::chat::{RequestError, read, read_integer, read_members};
use crate::http::error::ApiError;

/// Alternatives to each token that OpenAI's legacy dialect gives at most.
const LOGPROBS_MAX: u64 = 5;

const PROMPT_WANTED: &str = "prompt must be a string: a model that chats completes one text at a time, and takes no token numbers";

/// What an answer of texts has no place for.
const NOT_A_TEXT: [(&str, &str); 7] = [
    ("tools", "tools are not offered: a completion is a text. Use /chat/completions"),
    ("tool_choice", "tool_choice is not offered: a completion is a text, and there are no tools to choose from. Use /chat/completions"),
    ("functions", "functions are not offered: a completion is a text. Use /chat/completions"),
    ("function_call", "function_call is not offered: a completion is a text, and there are no functions to call. Use /chat/completions"),
    ("modalities", "modalities are not offered: a completion is a text. Use /chat/completions"),
    ("audio", "audio is not offered: a completion is a text. Use /chat/completions"),
    ("top_logprobs", "top_logprobs is chat's name; here logprobs says how many"),
];

/// A request to `/completions`, as chat takes it.
pub(super) fn translate(body: &[u8], depth_max: usize) -> Result<Bytes, ApiError> {
    let members = read_members(body, depth_max)?;
    let member = |name: &str| last(&members, name);
    let prompt = member("prompt").ok_or_else(|| RequestError::field("prompt", "Input required: specify \"prompt\""))?;
    let prompt = one_text(prompt)?;
    if let Some(echo) = member("echo")
        && read::<bool>("echo", echo, "a boolean")?
    {
        return Err(refused("echo", "echo is not offered: the prompt is not part of what a model that chats writes").into());
    }
    if let Some(suffix) = member("suffix")
        && !read::<Cow<'_, str>>("suffix", suffix, "a string")?.is_empty()
    {
        return Err(refused("suffix", "suffix is not offered: a model that chats does not write into the middle of a text").into());
    }
    let number = |name: &'static str| member(name).map(|value| read_integer(name, value, "a positive integer")).transpose();
    match number("best_of")? {
        Some(0) => return Err(refused("best_of", "best_of must be at least 1").into()),
        Some(best_of) if best_of > number("n")?.unwrap_or(1) => {
            return Err(refused("best_of", "best_of above n is not offered: every completion that is made is answered").into());
        }
        _ => {}
    }
    if member("messages").is_some() {
        return Err(refused("messages", "messages are for /chat/completions; here the text is the prompt").into());
    }
    for (name, message) in NOT_A_TEXT {
        if member(name).is_some_and(|value| value.get() != "[]") {
            return Err(refused(name, message).into());
        }
    }
    let mut out = Vec::with_capacity(body.len() + 64);
    out.push(b'{');
    for (name, value) in &members {
        if !matches!(&**name, "prompt" | "messages" | "echo" | "suffix" | "best_of" | "logprobs" | "top_logprobs") {
            push_member(&mut out, name, value.get().as_bytes());
        }
    }
    if let Some(logprobs) = member("logprobs") {
        let most = read_integer("logprobs", logprobs, "an integer")?;
        if most > LOGPROBS_MAX {
            return Err(refused("logprobs", format!("logprobs must be at most {LOGPROBS_MAX}")).into());
        }
        push_member(&mut out, "logprobs", b"true");
        if most > 0 {
            push_member(&mut out, "top_logprobs", most.to_string().as_bytes());
        }
    }
    push_message(&mut out, prompt);
    Ok(Bytes::from(out))
}

/// A request to `/chat/completions` with a `prompt` where messages are due, as chat takes it; any other as it came.
pub(in crate::http) fn with_messages(body: Bytes, depth_max: usize) -> Result<Bytes, ApiError> {
    if memmem::find(&body, b"\"prompt\"").is_none() {
        return Ok(body);
    }
    let members = read_members(&body, depth_max)?;
    let Some(prompt) = last(&members, "prompt").filter(|_| last(&members, "messages").is_none()) else { return Ok(body) };
    let prompt = one_text(prompt)?;
    let mut out = Vec::with_capacity(body.len() + 64);
    out.push(b'{');
    for (name, value) in members.iter().filter(|(name, _)| !matches!(&**name, "prompt" | "messages")) {
        push_member(&mut out, name, value.get().as_bytes());
    }
    push_message(&mut out, prompt);
    Ok(Bytes::from(out))
}

/// The last of a repeated member counts.
fn last<'a>(members: &[(Cow<'a, str>, &'a RawValue)], name: &str) -> Option<&'a RawValue> {
    let last = members.iter().rev().find(|(key, _)| key == name).map(|(_, value)| *value);
    last.filter(|value| value.get() != "null")
}

/// The prompt, a JSON string: alone, or in a list of one.
fn one_text(prompt: &RawValue) -> Result<&RawValue, RequestError> {
    if prompt.get().starts_with('"') {
        return Ok(prompt);
    }
    let prompts: Vec<&RawValue> = serde_json::from_str(prompt.get()).map_err(|_| refused("prompt", PROMPT_WANTED))?;
    match prompts[..] {
        [only] if only.get().starts_with('"') => Ok(only),
        [] => Err(refused("prompt", "prompt must not be empty")),
        _ => Err(refused("prompt", PROMPT_WANTED)),
    }
}

fn push_message(out: &mut Vec<u8>, prompt: &RawValue) {
    push_member(out, "messages", format!("[{{\"role\":\"user\",\"content\":{}}}]", prompt.get()).as_bytes());
    out.push(b'}');
}

fn refused(param: &'static str, message: impl Into<String>) -> RequestError {
    RequestError::field(param, message)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn translated(body: Value) -> Value {
        serde_json::from_slice(&translate(body.to_string().as_bytes(), 32).unwrap()).unwrap()
    }

    #[test]
    fn a_prompt_is_one_message_and_the_rest_is_chats() {
        let message = json!([{ "role": "user", "content": "Once \"upon\"\n" }]);
        let body = json!({ "model": "a/b", "prompt": "Once \"upon\"\n", "max_tokens": 5, "stop": ["."], "x_new": { "k": 1 } });
        assert_eq!(translated(body), json!({ "model": "a/b", "messages": message, "max_tokens": 5, "stop": ["."], "x_new": { "k": 1 } }));
        let body = json!({ "prompt": ["Once \"upon\"\n"], "echo": false, "suffix": null, "best_of": 1.0, "logprobs": 2.0, "tools": [] });
        assert_eq!(translated(body), json!({ "messages": message, "tools": [], "logprobs": true, "top_logprobs": 2 }));
        assert_eq!(translated(json!({ "prompt": "", "logprobs": 0 }))["logprobs"], true);
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_its_name() {
        for (body, name) in [
            (json!({ "model": "a/b" }), "prompt"),
            (json!({ "prompt": null }), "prompt"),
            (json!({ "prompt": [] }), "prompt"),
            (json!({ "prompt": ["a", "b"] }), "prompt"),
            (json!({ "prompt": [1, 2] }), "prompt"),
            (json!({ "prompt": [[1, 2]] }), "prompt"),
            (json!({ "prompt": { "a": 1 } }), "prompt"),
            (json!({ "prompt": "a", "echo": true }), "echo"),
            (json!({ "prompt": "a", "suffix": "z" }), "suffix"),
            (json!({ "prompt": "a", "best_of": 2 }), "best_of"),
            (json!({ "prompt": "a", "best_of": 0 }), "best_of"),
            (json!({ "prompt": "a", "best_of": 1.5 }), "best_of"),
            (json!({ "prompt": "a", "logprobs": 6 }), "logprobs"),
            (json!({ "prompt": "a", "logprobs": true }), "logprobs"),
            (json!({ "prompt": "a", "messages": [{ "role": "user", "content": "b" }] }), "messages"),
            (json!({ "prompt": "a", "messages": [] }), "messages"),
            (json!({ "prompt": "a", "tool_choice": "auto" }), "tool_choice"),
            (json!({ "prompt": "a", "function_call": "none" }), "function_call"),
            (json!({ "prompt": "a", "tools": [{ "type": "function" }] }), "tools"),
            (json!({ "prompt": "a", "modalities": ["audio"] }), "modalities"),
        ] {
            let error = translate(body.to_string().as_bytes(), 32).unwrap_err();
            assert!(error.error_json().contains(&format!("\"{name}\"")), "{body}: {}", error.error_json());
        }
    }

    #[test]
    fn chat_takes_a_prompt_where_there_are_no_messages() {
        let with = |body: &str| String::from_utf8(with_messages(Bytes::copy_from_slice(body.as_bytes()), 32).unwrap().to_vec()).unwrap();
        let messages = r#"{"messages":[{"role":"user","content":"the \"prompt\""}],"prompt":1}"#;
        assert_eq!(with(messages), messages);
        assert_eq!(with(r#"{"model":"a/b"}"#), r#"{"model":"a/b"}"#);
        for (other, kept) in [(r#""messages":null,"#, ""), (r#""stop":["messages"],"#, r#""stop":["messages"],"#)] {
            let message = r#""messages":[{"role":"user","content":"Hi"}]}"#;
            assert_eq!(with(&format!(r#"{{{other}"prompt":"Hi"}}"#)), format!("{{{kept}{message}"));
        }
        assert_eq!(with(r#"{"prompt":"Hi","seed":1}"#), r#"{"seed":1,"messages":[{"role":"user","content":"Hi"}]}"#);
    }
}
