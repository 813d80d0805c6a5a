//! A message: texts and refusals, one after the other.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{IN_PROGRESS, Place, inside};
use crate::http::responses::event_writer::EventWriter;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http::responses) enum PartKind {
    Text,
    Refusal,
}

#[derive(Debug)]
pub(super) struct Message {
    place: Place,
    status: &'static str,
    /// The last one grows as long as the message is open.
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    kind: PartKind,
    /// Between the quotes of a JSON string.
    said: String,
    /// Elements of a JSON array.
    logprobs: String,
    annotations: Vec<String>,
}

impl Message {
    pub(super) fn begin(place: Place, events: &mut EventWriter) -> Self {
        let message = Self { place, status: IN_PROGRESS, parts: Vec::new() };
        message.place.push_added(&message.json(), events);
        message
    }

    pub(super) fn say(&mut self, kind: PartKind, words: &str, logprobs: Option<&RawValue>, events: &mut EventWriter) {
        let index = self.part(kind, events);
        let logprobs = logprobs.map_or("", |list| elements(list.get()));
        let place = &self.place;
        match kind {
            PartKind::Text => events.push(
                "response.output_text.delta",
                format_args!(r#"{place},"content_index":{index},"delta":{words},"logprobs":[{logprobs}]"#),
            ),
            PartKind::Refusal => {
                events.push("response.refusal.delta", format_args!(r#"{place},"content_index":{index},"delta":{words}"#));
            }
        }
        if let Some(part) = self.parts.last_mut() {
            part.said.push_str(inside(words));
            if !part.logprobs.is_empty() && !logprobs.is_empty() {
                part.logprobs.push(',');
            }
            part.logprobs.push_str(logprobs);
        }
    }

    pub(super) fn annotate(&mut self, citation: String, events: &mut EventWriter) {
        let index = self.part(PartKind::Text, events);
        let Some(part) = self.parts.last_mut() else { return };
        let (place, number) = (&self.place, part.annotations.len());
        events.push(
            "response.output_text.annotation.added",
            format_args!(r#"{place},"content_index":{index},"annotation_index":{number},"annotation":{citation}"#),
        );
        part.annotations.push(citation);
    }

    pub(super) fn end(mut self, status: &'static str, events: &mut EventWriter) -> (usize, String) {
        self.end_part(events);
        self.status = status;
        self.place.push_done(self.json(), events)
    }

    fn json(&self) -> String {
        let parts: Vec<String> = self.parts.iter().map(Part::json).collect();
        format!(
            r#"{{"id":"{}","type":"message","role":"assistant","status":"{}","content":[{}]}}"#,
            self.place.id,
            self.status,
            parts.join(",")
        )
    }

    /// The index of the part that grows, of this kind.
    fn part(&mut self, kind: PartKind, events: &mut EventWriter) -> usize {
        if self.parts.last().is_none_or(|part| part.kind != kind) {
            self.end_part(events);
            let part = Part { kind, said: String::new(), logprobs: String::new(), annotations: Vec::new() };
            let (place, index) = (&self.place, self.parts.len());
            events.push("response.content_part.added", format_args!(r#"{place},"content_index":{index},"part":{}"#, part.json()));
            self.parts.push(part);
        }
        self.parts.len() - 1
    }

    fn end_part(&self, events: &mut EventWriter) {
        let Some(part) = self.parts.last() else { return };
        let (place, index, said, logprobs) = (&self.place, self.parts.len() - 1, &part.said, &part.logprobs);
        match part.kind {
            PartKind::Text => events.push(
                "response.output_text.done",
                format_args!(r#"{place},"content_index":{index},"text":"{said}","logprobs":[{logprobs}]"#),
            ),
            PartKind::Refusal => {
                events.push("response.refusal.done", format_args!(r#"{place},"content_index":{index},"refusal":"{said}""#));
            }
        }
        events.push("response.content_part.done", format_args!(r#"{place},"content_index":{index},"part":{}"#, part.json()));
    }
}

impl Part {
    fn json(&self) -> String {
        let said = &self.said;
        match self.kind {
            PartKind::Text => format!(
                r#"{{"type":"output_text","text":"{said}","annotations":[{}],"logprobs":[{}]}}"#,
                self.annotations.join(","),
                self.logprobs
            ),
            PartKind::Refusal => format!(r#"{{"type":"refusal","refusal":"{said}"}}"#),
        }
    }
}

/// What is between the brackets of a JSON array.
fn elements(array: &str) -> &str {
    array.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map_or("", str::trim)
}

/// An address that a text refers to, in the form of this dialect. Other annotations of chat have no word here.
pub(super) fn citation(annotation: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Annotation<'a> {
        #[serde(borrow)]
        url_citation: UrlCitation<'a>,
    }
    #[derive(Deserialize, Serialize)]
    struct UrlCitation<'a> {
        #[serde(borrow)]
        url: Cow<'a, str>,
        #[serde(borrow, default)]
        title: Cow<'a, str>,
        #[serde(default)]
        start_index: u64,
        #[serde(default)]
        end_index: u64,
    }
    let Annotation { url_citation } = serde_json::from_str(annotation.get()).ok()?;
    let members = serde_json::to_string(&url_citation).ok()?;
    Some(format!(r#"{{"type":"url_citation",{}"#, members.strip_prefix('{')?))
}
