//! The items of an answer, as they grow, and the events that tell of it.
//!
//! At most one message or reasoning item is open at a time, because what a model says and thinks comes in one line. Calls
//! of tools stay open beside it to the end: a provider may go back and forth between them. **An item's index never
//! changes**: it is its place in the finished response.

mod call;
mod message;
mod reasoning;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use self::call::{Call, call_id};
use self::message::Message;
pub(super) use self::message::PartKind;
use self::reasoning::Reasoning;
pub(super) use self::reasoning::ThoughtKind;
use super::chunk::ToolCall;
use super::event_writer::EventWriter;
use super::namespaces::Namespaces;
use crate::wire::sealed::CallDetail;

/// The end of a response repeats all of it, so all of it is kept. A longer answer fails instead.
pub(super) const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How an item has ended, or that it has not.
pub(super) const COMPLETED: &str = "completed";
pub(super) const INCOMPLETE: &str = "incomplete";
const IN_PROGRESS: &str = "in_progress";

/// Which item an event is about.
#[derive(Debug)]
struct Place {
    id: String,
    index: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#""item_id":"{}","output_index":{}"#, self.id, self.index)
    }
}

impl Place {
    fn push_added(&self, item: &str, events: &mut EventWriter) {
        events.push("response.output_item.added", format_args!(r#""output_index":{},"item":{item}"#, self.index));
    }

    /// The item's last event; gives what the response is put together from.
    fn push_done(&self, item: String, events: &mut EventWriter) -> (usize, String) {
        events.push("response.output_item.done", format_args!(r#""output_index":{},"item":{item}"#, self.index));
        (self.index, item)
    }
}

/// What an answer has said so far.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// What the ids of its items are made of.
    suffix: String,
    /// Thoughts that no provider signed are sealed as well: the client asked for what it can hand back.
    seals_all_thoughts: bool,
    namespaces: Namespaces,
    message: Option<Message>,
    reasoning: Option<Reasoning>,
    calls: Vec<Call>,
    /// Finished items as JSON, by index.
    done: BTreeMap<usize, String>,
    next_index: usize,
    kept_bytes: usize,
}

impl Output {
    pub(super) fn new(seals_all_thoughts: bool, namespaces: Namespaces) -> Self {
        Self { seals_all_thoughts, namespaces, ..Self::default() }
    }

    /// What the ids of its items are made of; called before the first of them.
    pub(super) fn name(&mut self, suffix: String) {
        self.suffix = suffix;
    }

    /// Text or refusal, a JSON string.
    pub(super) fn say(&mut self, kind: PartKind, words: &RawValue, logprobs: Option<&RawValue>, events: &mut EventWriter) {
        self.kept_bytes += words.get().len() + logprobs.map_or(0, |logprobs| logprobs.get().len());
        self.message(events).say(kind, words.get(), logprobs, events);
    }

    /// What a text refers to, as chat tells it.
    pub(super) fn annotate(&mut self, annotation: &RawValue, events: &mut EventWriter) {
        if let Some(citation) = message::citation(annotation) {
            self.kept_bytes += citation.len();
            self.message(events).annotate(citation, events);
        }
    }

    /// What the model thinks, a JSON string.
    pub(super) fn think(&mut self, kind: ThoughtKind, words: &str, events: &mut EventWriter) {
        self.kept_bytes += words.len();
        self.reasoning(events).think(kind, words, events);
    }

    /// What its provider wants back of a thought.
    pub(super) fn remember(&mut self, detail: &RawValue, events: &mut EventWriter) {
        if let Ok(members) = serde_json::from_str(detail.get()) {
            self.kept_bytes += detail.get().len();
            self.reasoning(events).remember(members);
        }
    }

    /// What its provider wants back beside a call.
    fn remember_call(&mut self, id: &str, told: &ToolCall<'_>, events: &mut EventWriter) {
        let detail = CallDetail::of(id, told.extra_content).map(|detail| detail.json());
        if let Some(detail) = detail.and_then(|json| RawValue::from_string(json).ok()) {
            self.remember(&detail, events);
        }
    }

    pub(super) fn call(&mut self, told: &ToolCall<'_>, events: &mut EventWriter) {
        self.kept_bytes += told.bytes();
        if let Some(call) = self.called(told) {
            call.go_on(told, events);
            let id = call.call_id.clone();
            return self.remember_call(&id, told, events);
        }
        if told.extra_content.is_some() {
            // The thought stands before the call that came of it, whose place is the next but for that of the thought.
            let begins = usize::from(self.reasoning.is_none());
            let id = call_id(told, &self.suffix, self.next_index + begins);
            self.remember_call(&id, told, events);
        }
        self.close(COMPLETED, events);
        let place = self.next_place(if told.custom.is_some() { "ctc" } else { "fc" });
        let call = Call::begin(place, (&self.suffix, &self.namespaces), told, events);
        self.calls.push(call);
    }

    /// Ends whatever is open.
    pub(super) fn end(&mut self, status: &'static str, events: &mut EventWriter) {
        self.close(status, events);
        for call in std::mem::take(&mut self.calls) {
            self.done.extend([call.end(status, events)]);
        }
    }

    pub(super) const fn is_too_long(&self) -> bool {
        self.kept_bytes > KEPT_BYTES_MAX
    }

    /// The `output` of a response that has ended.
    pub(super) fn json(&self) -> String {
        let items: Vec<&str> = self.done.values().map(String::as_str).collect();
        format!("[{}]", items.join(","))
    }

    /// The call that this is a piece of. Without an index, or with one that is another call's, a name begins a new call.
    fn called(&mut self, told: &ToolCall<'_>) -> Option<&mut Call> {
        let mut latest_first = self.calls.iter_mut().rev();
        match told.index {
            Some(index) => latest_first.find(|call| call.index == Some(index)).filter(|call| !call.is_another(told)),
            None if told.name().is_some() => None,
            None => latest_first.next(),
        }
    }

    /// The open message, begun where there is none.
    fn message(&mut self, events: &mut EventWriter) -> &mut Message {
        self.close_reasoning(COMPLETED, events);
        let message = self.message.take().unwrap_or_else(|| Message::begin(self.next_place("msg"), events));
        self.message.insert(message)
    }

    /// The open reasoning item, begun where there is none.
    fn reasoning(&mut self, events: &mut EventWriter) -> &mut Reasoning {
        self.close_message(COMPLETED, events);
        let seals_all = self.seals_all_thoughts;
        let reasoning = self.reasoning.take().unwrap_or_else(|| Reasoning::begin(self.next_place("rs"), seals_all, events));
        self.reasoning.insert(reasoning)
    }

    fn close(&mut self, status: &'static str, events: &mut EventWriter) {
        self.close_message(status, events);
        self.close_reasoning(status, events);
    }

    fn close_message(&mut self, status: &'static str, events: &mut EventWriter) {
        self.done.extend(self.message.take().map(|message| message.end(status, events)));
    }

    fn close_reasoning(&mut self, status: &'static str, events: &mut EventWriter) {
        self.done.extend(self.reasoning.take().map(|reasoning| reasoning.end(status, events)));
    }

    fn next_place(&mut self, prefix: &str) -> Place {
        let index = self.next_index;
        self.next_index += 1;
        Place { id: format!("{prefix}_{}_{index}", self.suffix), index }
    }
}

/// What is between a JSON string's quotes, escapes as written.
fn inside(json: &str) -> &str {
    json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(json)
}
