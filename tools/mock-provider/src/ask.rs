//! What the mock reads of a chat request: as little as decides the answer, borrowed from the body.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::plan::Vectors;

#[derive(Debug, Deserialize)]
pub struct Ask<'a> {
    #[serde(borrow)]
    pub model: Cow<'a, str>,
    #[serde(default)]
    pub stream: bool,
    stream_options: Option<StreamOptions>,
    n: Option<u32>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    #[serde(borrow, default)]
    messages: Vec<Message<'a>>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    encoding_format: Option<Cow<'a, str>>,
    dimensions: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
}

impl<'a> Ask<'a> {
    pub fn include_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    /// `n`, at least one and at most 16.
    pub fn choices(&self) -> u32 {
        self.n.unwrap_or(1).clamp(1, 16)
    }

    pub fn max_tokens(&self) -> Option<u32> {
        self.max_completion_tokens.or(self.max_tokens)
    }

    /// What embeddings are asked for: one of a text or of a list of numbers, else one of each element.
    pub fn vectors(&self) -> Vectors {
        let elements: Vec<&RawValue> = self.input.and_then(|input| serde_json::from_str(input.get()).ok()).unwrap_or_default();
        let is_tokens = elements.first().is_some_and(|first| first.get().starts_with(|first: char| first.is_ascii_digit()));
        let inputs = if elements.is_empty() || is_tokens { 1 } else { u32::try_from(elements.len()).unwrap_or(u32::MAX) };
        Vectors { inputs, base64: self.encoding_format.as_deref() == Some("base64"), dimensions: self.dimensions }
    }

    /// The last text to be embedded.
    pub fn last_input_text(&self) -> Option<Cow<'a, str>> {
        let input = self.input?.get();
        if input.starts_with('[') {
            serde_json::from_str::<Vec<Text<'a>>>(input).ok()?.pop().map(|text| text.0)
        } else {
            serde_json::from_str::<Text<'a>>(input).ok().map(|text| text.0)
        }
    }

    /// The text of the last user message; of a list of parts, that of its last text part.
    pub fn last_user_text(&self) -> Option<Cow<'a, str>> {
        let content = self.messages.iter().rev().find(|message| message.role == "user")?.content?.get();
        if content.starts_with('[') {
            serde_json::from_str::<Vec<Part<'a>>>(content).ok()?.into_iter().rev().find_map(|part| part.text)
        } else {
            serde_json::from_str::<Text<'a>>(content).ok().map(|text| text.0)
        }
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The script in a message that starts with `mock:`, up to the first white space.
pub fn script_of(text: &str) -> Option<&str> {
    text.strip_prefix("mock:").map(|rest| rest.split(char::is_whitespace).next().unwrap_or(rest))
}

/// The name between `[tag:` and `]`, by which a test finds its request in the log again.
pub fn tag_of(text: &str) -> Option<&str> {
    let start = memchr::memmem::find(text.as_bytes(), b"[tag:")? + b"[tag:".len();
    let rest = text.get(start..)?;
    rest.get(..rest.find(']')?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]
    use super::*;

    #[test]
    fn script_and_tag_come_from_the_last_user_message() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"old [tag:a]"},
            {"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}},{"type":"text","text":"mock:chunks=3 please [tag:b\"]"}]},
            {"role":"assistant","content":null}]}"#;
        let ask: Ask<'_> = serde_json::from_str(body).unwrap();
        let text = ask.last_user_text().unwrap();
        assert_eq!(script_of(&text), Some("chunks=3"));
        assert_eq!(tag_of(&text), Some("b\""));
    }

    #[test]
    fn the_newer_cap_wins_and_usage_is_asked_for_by_stream_options() {
        let ask: Ask<'_> =
            serde_json::from_str(r#"{"model":"m","max_tokens":9,"max_completion_tokens":4,"stream_options":{"include_usage":true}}"#)
                .unwrap();
        assert_eq!((ask.max_tokens(), ask.include_usage(), ask.choices()), (Some(4), true, 1));
    }
}
