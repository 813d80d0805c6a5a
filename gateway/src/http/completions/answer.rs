//! What the relay lets out, as `text_completion` objects: whole, or chunk by chunk. Members of an answer stay as they are, but for
//! its choices: what is said becomes `text`. What a provider wrote oddly counts as absent.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::logprobs::{Logprobs, TextLogprobs};
use super::push_member;
use crate::http::chat::read_members;
use crate::http::messages::lenient::or_default;
use crate::http::translated;
use crate::wire::content::text;
use crate::wire::{DONE, Frame, KEEP_ALIVE, SseFramer};

/// The answer is paid for: members a provider nests as deep as it likes are copied, never read.
const DEPTH_MAX: usize = usize::MAX;

/// The state of one answer.
#[derive(Default)]
pub(super) struct Completions {
    framer: SseFramer,
    /// Characters before the next token, by choice.
    offsets: BTreeMap<u64, usize>,
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default, deserialize_with = "or_default")]
    index: u64,
    #[serde(borrow, default, deserialize_with = "or_default")]
    delta: Said<'a>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    message: Option<Said<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    logprobs: Option<Logprobs<'a>>,
    #[serde(borrow)]
    finish_reason: Option<&'a RawValue>,
    #[serde(borrow)]
    native_finish_reason: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Said<'a> {
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    reasoning: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct TextChoice<'a> {
    text: Box<RawValue>,
    index: u64,
    logprobs: Option<TextLogprobs<'a>>,
    finish_reason: Option<&'a RawValue>,
    native_finish_reason: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a RawValue>,
}

/// A whole answer or one chunk; `None` where the bytes are none of ours.
pub(super) fn completion(body: &[u8], state: &mut Completions) -> Option<Bytes> {
    let members = read_members(body, DEPTH_MAX).ok()?;
    let mut out = Vec::with_capacity(body.len());
    out.push(b'{');
    for (name, value) in &members {
        match &**name {
            "object" => push_member(&mut out, "object", b"\"text_completion\""),
            "choices" => {
                let choices: Vec<Choice<'_>> = serde_json::from_str(value.get()).ok()?;
                let choices: Vec<TextChoice<'_>> = choices.iter().map(|choice| state.choice(choice)).collect::<Option<_>>()?;
                push_member(&mut out, "choices", &serde_json::to_vec(&choices).ok()?);
            }
            _ => push_member(&mut out, name, value.get().as_bytes()),
        }
    }
    out.push(b'}');
    Some(Bytes::from(out))
}

impl Completions {
    fn choice<'a>(&mut self, choice: &'a Choice<'_>) -> Option<TextChoice<'a>> {
        let said = choice.message.as_ref().unwrap_or(&choice.delta);
        let is_said = |raw: &&&RawValue| !matches!(raw.get(), "null" | "\"\"");
        let words = said.content.as_ref().filter(is_said).or(said.refusal.as_ref().filter(is_said));
        let said_text = || words.map(|raw| text(raw)).unwrap_or_default();
        let offset = self.offsets.entry(choice.index).or_default();
        let logprobs = choice.logprobs.as_ref().and_then(|logprobs| logprobs.texts(said_text, offset));
        let words = match words {
            Some(raw) if raw.get().starts_with('"') => (*raw).to_owned(),
            Some(raw) => serde_json::value::to_raw_value(&*text(raw)).ok()?,
            None => serde_json::value::to_raw_value("").ok()?,
        };
        Some(TextChoice {
            text: words,
            index: choice.index,
            logprobs,
            finish_reason: choice.finish_reason,
            native_finish_reason: choice.native_finish_reason,
            reasoning: said.reasoning.filter(|raw| raw.get() != "null"),
        })
    }
}

impl translated::Events for Completions {
    fn push(&mut self, data: Bytes) -> Bytes {
        self.framer.push(data);
        let mut out = Vec::new();
        // What the relay writes is within the framer's bound.
        while let Ok(Some(frame)) = self.framer.next_frame() {
            match frame {
                Frame::Comment => out.extend_from_slice(KEEP_ALIVE),
                Frame::Event { data, .. } if &*data == b"[DONE]" => out.extend_from_slice(DONE),
                Frame::Event { data, .. } => {
                    out.extend_from_slice(b"data: ");
                    let chunk = completion(&data, self);
                    out.extend_from_slice(chunk.as_ref().unwrap_or(&data));
                    out.extend_from_slice(b"\n\n");
                }
            }
        }
        Bytes::from(out)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::http::translated::Events as _;

    fn whole(answer: Value) -> Value {
        serde_json::from_slice(&completion(answer.to_string().as_bytes(), &mut Completions::default()).unwrap()).unwrap()
    }

    #[test]
    fn a_whole_answer_says_its_words_as_text_and_keeps_the_rest() {
        let token = |token: &str, logprob: f64| json!({ "token": token, "logprob": logprob, "bytes": null, "top_logprobs": [{ "token": token, "logprob": logprob }] });
        let choice = json!({ "index": 1, "message": { "role": "assistant", "content": "é a", "reasoning": "hm" }, "finish_reason": "stop",
            "native_finish_reason": "end", "logprobs": { "content": [token("é", -0.5), token(" a", -1.0)] } });
        let answer = json!({ "id": "gen-1", "object": "chat.completion", "created": 7, "model": "a/b", "provider": "Acme", "choices": [choice],
            "usage": { "cost": 0.1 } });
        let logprobs = json!({ "tokens": ["é", " a"], "token_logprobs": [-0.5, -1.0], "top_logprobs": [{ "é": -0.5 }, { " a": -1.0 }], "text_offset": [0, 1] });
        let text = json!({ "text": "é a", "index": 1, "logprobs": logprobs, "finish_reason": "stop", "native_finish_reason": "end", "reasoning": "hm" });
        assert_eq!(
            whole(answer),
            json!({ "id": "gen-1", "object": "text_completion", "created": 7, "model": "a/b", "provider": "Acme", "choices": [text], "usage": { "cost": 0.1 } })
        );
    }

    #[test]
    fn words_that_are_missing_are_none_and_a_refusal_is_said() {
        let said = |message: Value| whole(json!({ "choices": [{ "message": message }] }))["choices"][0]["text"].clone();
        assert_eq!(said(json!({ "content": null })), "");
        assert_eq!(said(json!({})), "");
        assert_eq!(said(json!({ "content": null, "refusal": "No." })), "No.");
        assert_eq!(said(json!({ "content": "", "refusal": "No." })), "No.");
    }

    #[test]
    fn what_a_provider_nests_deep_is_kept() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let answer = format!(r#"{{"choices":[{{"message":{{"content":"a"}}}}],"citations":{deep}}}"#);
        let text = completion(answer.as_bytes(), &mut Completions::default()).unwrap();
        assert!(std::str::from_utf8(&text).unwrap().ends_with(&format!(r#""citations":{deep}}}"#)));
    }

    #[test]
    fn a_stream_has_the_same_objects_however_it_is_cut() {
        let chunk = |content: &str| json!({ "id": "gen-1", "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": { "content": content }, "finish_reason": null }] });
        let failed = json!({ "id": "gen-1", "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": { "content": "" }, "finish_reason": "error" }], "error": { "code": 502 } });
        let stream =
            format!(": OPENROUTER PROCESSING\n\ndata: {}\n\ndata: {}\n\ndata: {failed}\n\ndata: [DONE]\n\n", chunk("Once"), chunk(" upon"));
        let all = |step: usize| {
            let mut state = Completions::default();
            let pieces = stream.as_bytes().chunks(step).map(|piece| state.push(Bytes::copy_from_slice(piece)));
            String::from_utf8(pieces.flatten().collect()).unwrap()
        };
        let text = all(stream.len());
        assert!(text.starts_with(": OPENROUTER PROCESSING\n\ndata: {") && text.ends_with("data: [DONE]\n\n"), "{text}");
        for said in [r#""text":" upon""#, r#""object":"text_completion""#, r#""error":{"code":502}"#, r#""finish_reason":"error""#] {
            assert!(text.contains(said), "{said} {text}");
        }
        (1..40).for_each(|step| assert_eq!(all(step), text));
    }
}
