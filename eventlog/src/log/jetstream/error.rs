//! What can go wrong with a log on a NATS server. No message here ever holds a password.

use std::fmt;

/// A setting of an existing stream that breaks a promise of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// As the server names it, for example `discard`.
    pub setting: &'static str,
    pub found: String,
    pub wanted: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is {}, write {}", self.setting, self.found, self.wanted)
    }
}

/// Why JetStream could not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum JetStreamError {
    #[error("the URL of the event log {reason}")]
    Url { reason: &'static str },
    #[error("no NATS server can be reached at {servers}")]
    Unreachable { servers: String, source: async_nats::ConnectError },
    #[error("the NATS server at {servers} refuses the credentials in the URL")]
    Unauthorized { servers: String },
    #[error("the NATS server at {servers} is version {version}, and {version_min} or later is needed")]
    ServerTooOld { servers: String, version: String, version_min: String },
    #[error("the NATS server at {servers} has no JetStream for this account: give it a `jetstream` block, or the account its limits")]
    NotEnabled { servers: String },
    #[error("the NATS server at {servers} takes messages of {bytes_max} bytes, and {bytes} are needed: raise `max_payload`")]
    PayloadTooSmall { servers: String, bytes_max: usize, bytes: usize },
    #[error("stream {stream} breaks what the event log promises: {}", differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Settings { stream: String, differences: Vec<Difference> },
    /// It is not made anew where somebody relies on what was in it.
    #[error("stream {stream} does not exist")]
    Missing { stream: String },
    #[error("the NATS server refused to {action}: {description} (error {code})")]
    Refused { action: &'static str, code: u64, description: String },
    /// Passes by itself, unless somebody has to mend the server.
    #[error("the NATS server at {servers} did not {action}: {reason}")]
    Unanswered { servers: String, action: &'static str, reason: &'static str },
    /// Some, all or none of the events may be in the log.
    #[error("the outcome of appending {events} events is unknown: {reason}")]
    Unknown { events: usize, reason: &'static str },
    #[error("event log has nothing at position {position}, the next event is at {found}")]
    Hole { position: u64, found: u64 },
    #[error("stream {stream} has {count} positions without an event between its first and its last")]
    Holes { stream: String, count: u64 },
    /// The server lost what it had acknowledged, or was put back to an older state.
    #[error("event log ends at position {last}, but position {seen} was there before")]
    Regressed { last: u64, seen: u64 },
    /// It lost its end and grew past it again.
    #[error("event log has another event at position {position} than the one that was read there")]
    Rewritten { position: u64 },
    #[error("stream {stream} was deleted, or made again, while it was in use")]
    Replaced { stream: String },
    #[error("the NATS server answered with something that is not understood while asked to {action}")]
    Garbled { action: &'static str },
}

impl JetStreamError {
    /// True if the same question may be answered later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unanswered { .. } | Self::Unknown { .. })
    }
}
