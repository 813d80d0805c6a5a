//! Server-sent event framing, in all the ways the standard permits.

use crate::script::{Newline, Script};

pub struct Framing<'a> {
    script: &'a Script,
    newline: &'static str,
    count: u32,
}

impl<'a> Framing<'a> {
    pub fn new(script: &'a Script) -> Self {
        let newline = match script.newline {
            Newline::Lf => "\n",
            Newline::CrLf => "\r\n",
            Newline::Cr => "\r",
        };
        Self { script, newline, count: 0 }
    }

    /// One event, with its name where the dialect has names. The very first carries the byte order mark when there is one.
    pub fn frame(&mut self, data: &str, name: Option<String>) -> String {
        let mut out = String::with_capacity(data.len() + 16);
        if self.script.bom && self.count == 0 {
            out.push('\u{feff}');
        }
        self.count += 1;
        if self.script.comments {
            out.push_str(": keep-alive");
            out.push_str(self.newline);
            out.push_str(self.newline);
        }
        if let Some(name) = name {
            out.push_str(&format!("event: {name}{}", self.newline));
        } else if self.script.event_fields {
            out.push_str(&format!("event: message{0}id: {1}{0}", self.newline, self.count));
        }
        // A comma is followed by a key or a value: never the inside of a string that begins the line.
        let split = self.script.split_data.then(|| data.replacen(",\"object\"", ",\n\"object\"", 1));
        for line in split.as_deref().unwrap_or(data).split('\n') {
            out.push_str("data: ");
            out.push_str(line);
            out.push_str(self.newline);
        }
        out.push_str(self.newline);
        out
    }

    /// How many bytes the blank line after an event takes.
    pub fn newline_bytes(&self) -> usize {
        self.newline.len()
    }
}
