//! Content parts of a chat message, from those of an item.
//!
//! **Texts are JSON strings as the client wrote them**, their escapes never resolved.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::http::error::ApiError;

/// What a message says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Content<'a> {
    /// A JSON string, which every provider takes.
    Text(Cow<'a, RawValue>),
    Parts(Vec<ChatPart<'a>>),
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum ChatPart<'a> {
    Text {
        text: Cow<'a, RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    ImageUrl {
        image_url: ImageUrl<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    File {
        file: File<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<&'a RawValue>,
    },
    InputAudio {
        input_audio: &'a RawValue,
    },
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct ImageUrl<'a> {
    url: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a RawValue>,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct File<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a RawValue>,
    /// The data, or an address that anyone can read.
    file_data: &'a RawValue,
}

/// A part of an item, of whatever kind: members it has not are absent.
#[derive(Debug, Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    refusal: Option<&'a RawValue>,
    #[serde(borrow)]
    image_url: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    filename: Option<&'a RawValue>,
    #[serde(borrow)]
    file_data: Option<&'a RawValue>,
    #[serde(borrow)]
    file_url: Option<&'a RawValue>,
    #[serde(borrow)]
    file_id: Option<&'a RawValue>,
    #[serde(borrow)]
    input_audio: Option<&'a RawValue>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
}

impl<'a> ChatPart<'a> {
    pub(super) const fn text(text: Cow<'a, RawValue>) -> Self {
        Self::Text { text, cache_control: None }
    }

    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Text { .. })
    }

    /// What a person would call it.
    pub(super) const fn noun(&self) -> &'static str {
        match self {
            Self::Text { .. } => "Text",
            Self::ImageUrl { .. } => "Image",
            Self::File { .. } => "File",
            Self::InputAudio { .. } => "Audio",
        }
    }
}

impl<'a> Content<'a> {
    /// One text is told as a string, unless a mark of the cache stands on it; nothing at all as an empty one, where hosts refuse
    /// an empty list.
    pub(super) fn of(mut parts: Vec<ChatPart<'a>>) -> Self {
        match parts.pop() {
            Some(ChatPart::Text { text, cache_control: None }) if parts.is_empty() => Self::Text(text),
            None => Self::Text(json_text("")),
            last => {
                parts.extend(last);
                Self::Parts(parts)
            }
        }
    }
}

/// A string, or a list of parts.
pub(super) fn parts<'a>(content: &'a RawValue, place: &str) -> Result<Vec<ChatPart<'a>>, ApiError> {
    if content.get().starts_with('"') {
        return Ok(vec![ChatPart::text(Cow::Borrowed(content))]);
    }
    let parts: Vec<Part<'a>> = serde_json::from_str(content.get())
        .map_err(|error| ApiError::bad_request(place, format!("{place} must be a string or an array of parts: {error}")))?;
    parts.iter().enumerate().map(|(index, part)| part.chat(&format!("{place}[{index}]"))).collect()
}

impl<'a> Part<'a> {
    fn chat(&self, place: &str) -> Result<ChatPart<'a>, ApiError> {
        let cache_control = self.cache_control;
        let needed = |name: &str, value: Option<&'a RawValue>| {
            value.ok_or_else(|| ApiError::bad_request(format!("{place}.{name}"), format!("{place}.{name} is required")))
        };
        if self.file_id.is_some() {
            let message = format!("{place}.file_id is not supported: a file that one provider keeps is none to the others; send its data");
            return Err(ApiError::bad_request(format!("{place}.file_id"), message));
        }
        match &*self.kind {
            "input_text" | "output_text" | "text" | "summary_text" | "reasoning_text" => {
                Ok(ChatPart::Text { text: Cow::Borrowed(needed("text", self.text)?), cache_control })
            }
            // What a model would not say is what it said.
            "refusal" => Ok(ChatPart::Text { text: Cow::Borrowed(needed("refusal", self.refusal)?), cache_control }),
            "input_image" => {
                let url = needed("image_url", self.image_url)?;
                Ok(ChatPart::ImageUrl { image_url: ImageUrl { url, detail: self.detail }, cache_control })
            }
            "input_file" => {
                let file_data = needed("file_data", self.file_data.or(self.file_url))?;
                Ok(ChatPart::File { file: File { filename: self.filename, file_data }, cache_control })
            }
            "input_audio" => Ok(ChatPart::InputAudio { input_audio: needed("input_audio", self.input_audio)? }),
            kind => {
                let message = format!("{place}.type: parts of type {kind} are not supported");
                Err(ApiError::bad_request(format!("{place}.type"), message))
            }
        }
    }
}

/// A string as JSON.
pub(super) fn json_text(text: &str) -> Cow<'static, RawValue> {
    // Text as JSON is JSON.
    Cow::Owned(RawValue::from_string(serde_json::Value::from(text).to_string()).unwrap_or_default())
}

/// One string of many, a line each; escapes stay as they are.
pub(super) fn lines<'a>(texts: impl Iterator<Item = &'a RawValue>) -> Cow<'static, RawValue> {
    let inside = |text: &'a RawValue| text.get().strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default();
    let joined = texts.map(inside).collect::<Vec<&str>>().join("\\n");
    Cow::Owned(RawValue::from_string(format!("\"{joined}\"")).unwrap_or_default())
}
