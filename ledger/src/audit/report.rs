//! What an audit found.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;

/// Differences kept in full; more are only counted, in `checked.differences_omitted`.
pub const DIFFERENCES_MAX: usize = 1_000;

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// No difference was found.
    pub ok: bool,
    /// How many of what was looked at; `position` is the log position the books were compared at.
    pub checked: BTreeMap<String, u64>,
    pub differences: Vec<Difference>,
}

/// One thing that is not as the log says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// A table, or `log`, `double_entry`, `checkpoint`, `producer_gap`, `gate_posted`, …
    pub kind: String,
    /// The key of the row, or what else it is about.
    pub subject: String,
    pub expected: String,
    pub found: String,
}

impl AuditReport {
    pub(super) fn count(&mut self, what: &str, number: u64) {
        match self.checked.get_mut(what) {
            Some(count) => *count += number,
            None => {
                self.checked.insert(what.to_owned(), number);
            }
        }
    }

    pub(super) fn differ(&mut self, kind: &str, subject: &str, expected: &str, found: &str) {
        if self.differences.len() >= DIFFERENCES_MAX {
            self.count("differences_omitted", 1);
            return;
        }
        self.differences.push(Difference {
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        });
    }

    pub(super) fn check_that(&mut self, holds: bool, kind: &str, subject: &str, expected: &dyn Display, found: &dyn Display) {
        if !holds {
            self.differ(kind, subject, &expected.to_string(), &found.to_string());
        }
    }

    pub(super) fn finish(&mut self, position: u64) {
        self.count("position", position);
        self.ok = self.differences.is_empty();
    }
}
