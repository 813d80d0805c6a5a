//! What an answer says: a text, or, at a few hosts, a list of parts. Mistral's list has its thoughts among them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// One part that has words, as a JSON string.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    Text(&'a RawValue),
    Thought(&'a RawValue),
}

#[derive(Debug, Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking: Option<&'a RawValue>,
}

/// What `content` says, in order. Parts without words are left out.
pub fn said(content: &RawValue) -> Vec<Said<'_>> {
    if has_text(content) {
        return vec![Said::Text(content)];
    }
    let mut said = Vec::new();
    for part in parts(content) {
        match part.thinking {
            Some(thought) if has_text(thought) => said.push(Said::Thought(thought)),
            Some(thoughts) => {
                said.extend(parts(thoughts).into_iter().filter_map(|part| part.text).filter(|text| has_text(text)).map(Said::Thought))
            }
            None => said.extend(part.text.filter(|text| has_text(text)).map(Said::Text)),
        }
    }
    said
}

/// Whether a list has parts that are no words, such as pictures. Mistral's references are nothing to show.
pub fn has_more_than_words(content: &RawValue) -> bool {
    parts(content)
        .iter()
        .any(|part| part.text.is_none() && part.thinking.is_none() && part.kind.map(RawValue::get) != Some("\"reference\""))
}

/// A JSON string that is not empty.
pub fn has_text(raw: &RawValue) -> bool {
    raw.get().len() > 2 && raw.get().starts_with('"')
}

/// The contents of a JSON string; of another value, its text.
pub fn text(raw: &RawValue) -> Cow<'_, str> {
    serde_json::from_str::<String>(raw.get()).map_or(Cow::Borrowed(raw.get()), Cow::Owned)
}

fn parts(list: &RawValue) -> Vec<Part<'_>> {
    let elements: Vec<&RawValue> = serde_json::from_str(list.get()).unwrap_or_default();
    elements.into_iter().filter_map(|element| serde_json::from_str(element.get()).ok()).collect()
}
