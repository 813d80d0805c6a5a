//! Writes server-sent events, numbered.

use std::fmt::Write as _;

/// What is to be sent. A whole answer writes none: its events are left out.
#[derive(Debug, Default)]
pub(super) struct EventWriter {
    out: String,
    sequence_number: u64,
    is_muted: bool,
}

impl EventWriter {
    pub(super) fn muted() -> Self {
        Self { is_muted: true, ..Self::default() }
    }

    /// One event. `members` are JSON members, without a comma before or after them.
    pub(super) fn push(&mut self, kind: &str, members: std::fmt::Arguments<'_>) {
        if self.is_muted {
            return;
        }
        let number = self.sequence_number;
        self.sequence_number += 1;
        // Writing to a string cannot fail.
        let _ = write!(self.out, "event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number},{members}}}\n\n");
    }

    /// What is no event.
    pub(super) fn comment(&mut self, comment: &[u8]) {
        self.out.push_str(&String::from_utf8_lossy(comment));
    }

    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }
}
