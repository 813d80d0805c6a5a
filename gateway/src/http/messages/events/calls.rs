//! Calls of tools as blocks, **one after the other**: clients of Anthropic's stream know one open block.
//!
//! The first call's arguments go out as they come. Of those that begin before it is whole, what comes waits its turn.

use std::borrow::Cow;
use std::collections::VecDeque;

use serde_json::value::RawValue;

use super::{push_delta, push_start, push_stop};
use crate::wire::content::has_text;

/// Calls whose blocks are not closed; the first one's is open.
#[derive(Default)]
pub(super) struct Calls(VecDeque<Call>);

struct Call {
    /// As the provider counts.
    place: u32,
    /// Id and name as JSON.
    id: String,
    name: String,
    /// Data of a thought that only its provider can read, as JSON text without quotes.
    sealed: Option<String>,
    waiting: Vec<Box<RawValue>>,
    arguments: Arguments,
    /// Nothing more comes: another call has its place.
    is_over: bool,
    /// Of its block, once it is open.
    index: Option<u32>,
}

/// How far the JSON of some arguments is.
#[derive(Default)]
struct Arguments {
    depth: u32,
    is_in_text: bool,
    is_escaped: bool,
    has_begun: bool,
}

impl Calls {
    /// The id, as JSON, of the call at a place.
    pub fn id_at(&self, place: u32) -> Option<&str> {
        self.find(place).map(|at| self.0[at].id.as_str())
    }

    /// A call that begins, unless the one at its place goes on. Some hosts give every call the same place, and only ids tell them apart:
    /// then the one before is over.
    pub fn begin(&mut self, place: u32, id: Option<&RawValue>, name: Option<&RawValue>) {
        if let Some(at) = self.find(place) {
            if !self.0[at].is_another(id) {
                return;
            }
            self.0[at].is_over = true;
        }
        let text = |raw: Option<&RawValue>| raw.filter(|raw| has_text(raw)).map_or("\"\"", RawValue::get).to_owned();
        self.0.push_back(Call {
            place,
            id: text(id),
            name: text(name),
            sealed: None,
            waiting: Vec::new(),
            arguments: Arguments::default(),
            is_over: false,
            index: None,
        });
    }

    /// What goes before the call's block; behind it, where that is open.
    pub fn seal(&mut self, place: u32, data: String) {
        if let Some(at) = self.find(place) {
            self.0[at].sealed = Some(data);
        }
    }

    /// A piece of the arguments: JSON text.
    pub fn argue(&mut self, place: u32, piece: &RawValue, out: &mut String) {
        let Some(at) = self.find(place) else { return };
        let call = &mut self.0[at];
        call.arguments.read(&serde_json::from_str::<Cow<'_, str>>(piece.get()).unwrap_or_default());
        match call.index {
            Some(index) => push_delta(index, "input_json_delta", "partial_json", piece, out),
            None => call.waiting.push(piece.to_owned()),
        }
    }

    /// Opens the first call's block, and closes what is whole where another waits.
    pub fn advance(&mut self, next_index: &mut u32, out: &mut String) {
        while let Some(first) = self.0.front_mut() {
            first.open(next_index, out);
            if self.0.len() == 1 || !self.0[0].is_whole() {
                return;
            }
            self.close_first(next_index, out);
        }
    }

    /// Closes the calls that are whole: something else follows.
    pub fn close_whole(&mut self, next_index: &mut u32, out: &mut String) {
        self.advance(next_index, out);
        if self.0.len() == 1 && self.0[0].is_whole() {
            self.close_first(next_index, out);
        }
    }

    /// Nothing more comes.
    pub fn close_all(&mut self, next_index: &mut u32, out: &mut String) {
        while let Some(first) = self.0.front_mut() {
            first.open(next_index, out);
            self.close_first(next_index, out);
        }
    }

    fn find(&self, place: u32) -> Option<usize> {
        self.0.iter().rposition(|call| call.place == place && !call.is_over)
    }

    fn close_first(&mut self, next_index: &mut u32, out: &mut String) {
        if let Some(mut call) = self.0.pop_front() {
            call.index.into_iter().for_each(|index| push_stop(index, out));
            call.tell_sealed(next_index, out);
        }
    }
}

impl Call {
    fn is_whole(&self) -> bool {
        self.is_over || self.arguments.are_whole()
    }

    /// Whether this is another call's id.
    fn is_another(&self, id: Option<&RawValue>) -> bool {
        id.is_some_and(|id| has_text(id) && self.id != "\"\"" && self.id != id.get())
    }

    fn open(&mut self, next_index: &mut u32, out: &mut String) {
        if self.index.is_some() {
            return;
        }
        self.tell_sealed(next_index, out);
        let index = take(next_index);
        push_start(index, &format!(r#"{{"type":"tool_use","id":{},"name":{},"input":{{}}}}"#, self.id, self.name), out);
        for piece in self.waiting.drain(..) {
            push_delta(index, "input_json_delta", "partial_json", &piece, out);
        }
        self.index = Some(index);
    }

    fn tell_sealed(&mut self, next_index: &mut u32, out: &mut String) {
        if let Some(data) = self.sealed.take() {
            let index = take(next_index);
            push_start(index, &format!(r#"{{"type":"redacted_thinking","data":"{data}"}}"#), out);
            push_stop(index, out);
        }
    }
}

impl Arguments {
    fn read(&mut self, piece: &str) {
        for byte in piece.bytes() {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' if self.is_in_text => self.is_escaped = true,
                b'"' => self.is_in_text = !self.is_in_text,
                b'{' | b'[' if !self.is_in_text => (self.depth, self.has_begun) = (self.depth + 1, true),
                b'}' | b']' if !self.is_in_text => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    const fn are_whole(&self) -> bool {
        self.has_begun && self.depth == 0
    }
}

const fn take(next_index: &mut u32) -> u32 {
    *next_index += 1;
    *next_index - 1
}
