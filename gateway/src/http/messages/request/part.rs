//! Content parts of a chat message, from the blocks of a Messages request. What only Anthropic can read is never sent in this
//! form, but it is measured in it: a hold is for all that is read.
//!
//! **Texts are JSON strings as the client wrote them**, their escapes never resolved.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::convert::is_common;
use super::{Block, Source};

/// A content part. Its cache mark stands apart, for it may be its block's.
#[derive(Debug)]
pub(super) struct Part<'a> {
    content: Content<'a>,
    pub cache: Option<&'a RawValue>,
}

#[derive(Debug)]
enum Content<'a> {
    /// A JSON string.
    Text(Cow<'a, str>),
    /// The address, a JSON string.
    Image(String),
    /// The file, a JSON object.
    File(String),
}

impl<'a> Part<'a> {
    /// `json` is a JSON string.
    pub(super) fn text(json: impl Into<Cow<'a, str>>) -> Self {
        Self::of(Content::Text(json.into()))
    }

    const fn of(content: Content<'a>) -> Self {
        Self { content, cache: None }
    }

    pub(super) fn json(&self) -> String {
        let cache = more("cache_control", self.cache);
        match &self.content {
            Content::Text(text) => format!(r#"{{"type":"text","text":{text}{cache}}}"#),
            Content::Image(address) => format!(r#"{{"type":"image_url","image_url":{{"url":{address}}}{cache}}}"#),
            Content::File(file) => format!(r#"{{"type":"file","file":{file}{cache}}}"#),
        }
    }

    /// What is between the quotes of a text, escapes as written.
    pub(super) fn inside(&self) -> Option<&str> {
        match &self.content {
            Content::Text(json) => Some(inside(json)),
            Content::Image(_) | Content::File(_) => None,
        }
    }

    /// Puts words before a text.
    pub(super) fn put_before(&mut self, words: &str) {
        if let Some(said) = self.inside() {
            self.content = Content::Text(Cow::Owned(format!("\"{words}{said}\"")));
        }
    }

    /// What a person would call it.
    pub(super) const fn noun(&self) -> &'static str {
        match self.content {
            Content::Text(_) => "Text",
            Content::Image(_) => "Image",
            Content::File(_) => "File",
        }
    }
}

/// The blocks that are content parts. A document whose text is in the request is that text.
pub(super) fn parts<'a>(blocks: &[Block<'a>]) -> Vec<Part<'a>> {
    blocks.iter().flat_map(parts_of).collect()
}

/// The parts as elements of an array.
pub(super) fn array(parts: &[Part<'_>]) -> String {
    let elements: Vec<String> = parts.iter().map(Part::json).collect();
    format!("[{}]", elements.join(","))
}

/// Gives the last part a mark, unless it has its own: what is cached are all parts up to it.
pub(super) fn mark_last<'a>(parts: &mut [Part<'a>], cache: Option<&'a RawValue>) {
    if let Some(last) = parts.last_mut() {
        last.cache = last.cache.or(cache);
    }
}

fn parts_of<'a>(block: &Block<'a>) -> Vec<Part<'a>> {
    let mut parts = match &*block.kind {
        "text" => Vec::from_iter(block.text.map(|text| Part::text(as_string(text)))),
        "image" => {
            let image = |source: Source<'a>| match address(&source) {
                None if !is_readable(&source) => Some("\"\"".to_owned()),
                address => address.map(|address| quoted(&address)),
            };
            Vec::from_iter(block.source().and_then(image).map(|address| Part::of(Content::Image(address))))
        }
        "document" => block.source().map(|source| document(block, &source)).unwrap_or_default(),
        kind if is_common(kind) => Vec::new(),
        // What only Anthropic reads counts as the text it is written in.
        _ => [block.text, block.input, block.content, block.data].into_iter().flatten().map(|raw| Part::text(as_string(raw))).collect(),
    };
    mark_last(&mut parts, block.cache_control);
    parts
}

fn document<'a>(block: &Block<'a>, source: &Source<'a>) -> Vec<Part<'a>> {
    match (&*source.kind, source.content) {
        ("text", _) => Vec::from_iter(source.data.as_deref().map(|text| Part::text(quoted(text)))),
        (_, Some(content)) if content.get().starts_with('[') => {
            parts(&serde_json::from_str::<Vec<Block<'a>>>(content.get()).unwrap_or_default())
        }
        (_, Some(content)) => Vec::from([Part::text(as_string(content))]),
        (_, None) if !is_readable(source) => Vec::from([Part::of(Content::File(r#"{"file_id":""}"#.to_owned()))]),
        (_, None) => {
            let name = block.title.map_or("\"document\"", RawValue::get);
            let part = |data: String| Part::of(Content::File(format!(r#"{{"filename":{name},"file_data":{}}}"#, quoted(&data))));
            Vec::from_iter(address(source).map(part))
        }
    }
}

/// Whether what a block names is in the request, or at an address that anyone can read.
pub(super) fn is_readable(source: &Source<'_>) -> bool {
    matches!(&*source.kind, "url" | "base64" | "text" | "content")
}

/// An address, or the data as one.
fn address(source: &Source<'_>) -> Option<String> {
    match &*source.kind {
        "url" => source.url.as_deref().map(str::to_owned),
        "base64" => Some(format!("data:{};base64,{}", source.media_type.as_deref()?, source.data.as_deref()?)),
        _ => None,
    }
}

/// `,"name":value`, or nothing.
pub(super) fn more(name: &str, value: Option<&RawValue>) -> String {
    value.map(|value| format!(",\"{name}\":{value}")).unwrap_or_default()
}

/// A string as it is written; what is none is written into one.
pub(super) fn as_string(raw: &RawValue) -> Cow<'_, str> {
    if raw.get().starts_with('"') { Cow::Borrowed(raw.get()) } else { Cow::Owned(quoted(raw.get())) }
}

/// What is between a JSON string's quotes.
pub(super) fn inside(json: &str) -> &str {
    json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json)
}

/// One JSON string of the insides of many, a line each.
pub(super) fn lines<'a>(insides: impl Iterator<Item = &'a str>) -> String {
    format!("\"{}\"", insides.collect::<Vec<&str>>().join("\\n"))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
