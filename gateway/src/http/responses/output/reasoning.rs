//! A reasoning item: what the model thought, in its own words or in sum, and what its provider wants back of it.

use serde_json::{Map, Value};

use super::{COMPLETED, IN_PROGRESS, Place, inside};
use crate::http::responses::event_writer::EventWriter;
use crate::wire::sealed::seal;

/// Members that come in pieces.
const GROWING: [&str; 4] = ["text", "summary", "signature", "data"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::responses) enum ThoughtKind {
    Text,
    Summary,
}

#[derive(Debug)]
pub(super) struct Reasoning {
    place: Place,
    status: &'static str,
    seals_all: bool,
    /// Between the quotes of a JSON string; `None` until there is one.
    text: Option<String>,
    summary: Option<String>,
    details: Vec<Map<String, Value>>,
}

impl Reasoning {
    pub(super) fn begin(place: Place, seals_all: bool, events: &mut EventWriter) -> Self {
        let reasoning = Self { place, status: IN_PROGRESS, seals_all, text: None, summary: None, details: Vec::new() };
        reasoning.place.push_added(&reasoning.json(), events);
        reasoning
    }

    pub(super) fn think(&mut self, kind: ThoughtKind, words: &str, events: &mut EventWriter) {
        let place = &self.place;
        match kind {
            ThoughtKind::Text => {
                if self.text.is_none() {
                    let part = text_part("");
                    events.push("response.content_part.added", format_args!(r#"{place},"content_index":0,"part":{part}"#));
                }
                events.push("response.reasoning_text.delta", format_args!(r#"{place},"content_index":0,"delta":{words}"#));
                self.text.get_or_insert_default().push_str(inside(words));
            }
            ThoughtKind::Summary => {
                if self.summary.is_none() {
                    let part = summary_part("");
                    events.push("response.reasoning_summary_part.added", format_args!(r#"{place},"summary_index":0,"part":{part}"#));
                }
                events.push("response.reasoning_summary_text.delta", format_args!(r#"{place},"summary_index":0,"delta":{words}"#));
                self.summary.get_or_insert_default().push_str(inside(words));
            }
        }
    }

    /// Pieces of one detail have its type and its index, and become one again. Ciphers without an index are whole.
    pub(super) fn remember(&mut self, detail: Map<String, Value>) {
        let is_signed = |detail: &Map<String, Value>| detail.get("signature").is_some_and(|signature| !is_blank(signature));
        match self.details.last_mut() {
            Some(last) if is_a_piece_of(last, &detail) && !is_signed(last) => {
                detail.into_iter().for_each(|(name, value)| grow(last, name, value));
            }
            _ => self.details.push(detail),
        }
    }

    pub(super) fn end(mut self, status: &'static str, events: &mut EventWriter) -> (usize, String) {
        let place = &self.place;
        if let Some(text) = &self.text {
            let part = text_part(text);
            events.push("response.reasoning_text.done", format_args!(r#"{place},"content_index":0,"text":"{text}""#));
            events.push("response.content_part.done", format_args!(r#"{place},"content_index":0,"part":{part}"#));
        }
        if let Some(summary) = &self.summary {
            let part = summary_part(summary);
            events.push("response.reasoning_summary_text.done", format_args!(r#"{place},"summary_index":0,"text":"{summary}""#));
            events.push("response.reasoning_summary_part.done", format_args!(r#"{place},"summary_index":0,"part":{part}"#));
        }
        self.status = status;
        self.place.push_done(self.json(), events)
    }

    fn json(&self) -> String {
        let list = |part: Option<String>| part.unwrap_or_default();
        format!(
            r#"{{"id":"{}","type":"reasoning","status":"{}","summary":[{}],"content":[{}],"encrypted_content":{}}}"#,
            self.place.id,
            self.status,
            list(self.summary.as_deref().map(summary_part)),
            list(self.text.as_deref().map(text_part)),
            self.sealed().map_or_else(|| "null".to_owned(), |sealed| format!("\"{sealed}\"")),
        )
    }

    /// What the client hands back as it got it, where plain words would not do. Only whole: an item that was cut off has no
    /// signature to hand back.
    fn sealed(&self) -> Option<String> {
        if self.status != COMPLETED {
            return None;
        }
        let is_needed = self.details.iter().any(|detail| !is_plain(detail));
        if !is_needed && !self.seals_all {
            return None;
        }
        if !self.details.is_empty() {
            return serde_json::to_string(&self.details).ok().map(|details| seal(&details));
        }
        let text = self.text.as_deref()?;
        Some(seal(&format!(r#"[{{"type":"reasoning.text","text":"{text}","index":0}}]"#)))
    }
}

/// Whether a detail says no more than its words.
fn is_plain(detail: &Map<String, Value>) -> bool {
    let is_words = matches!(detail.get("type").and_then(Value::as_str), Some("reasoning.text" | "reasoning.summary"));
    is_words && ["signature", "data"].iter().all(|name| detail.get(*name).is_none_or(is_blank))
}

fn is_a_piece_of(last: &Map<String, Value>, detail: &Map<String, Value>) -> bool {
    let is_same = |name: &str| last.get(name) == detail.get(name);
    let is_told = |detail: &Map<String, Value>| detail.get("id").is_some_and(|id| !is_blank(id));
    let has_another_id = !is_same("id") && is_told(last) && is_told(detail);
    let is_whole = detail.get("index").is_none_or(Value::is_null) && detail.get("type").is_some_and(|kind| kind == "reasoning.encrypted");
    is_same("type") && is_same("index") && !has_another_id && !is_whole
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn grow(detail: &mut Map<String, Value>, name: String, value: Value) {
    match (detail.get_mut(&name), value) {
        (Some(Value::String(said)), Value::String(more)) if GROWING.contains(&&*name) => said.push_str(&more),
        (Some(_), Value::Null) => {}
        (_, value) => {
            detail.insert(name, value);
        }
    }
}

fn text_part(text: &str) -> String {
    format!(r#"{{"type":"reasoning_text","text":"{text}"}}"#)
}

fn summary_part(text: &str) -> String {
    format!(r#"{{"type":"summary_text","text":"{text}"}}"#)
}
