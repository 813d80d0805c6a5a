//! From an admitted request to its last byte: attempts, relaying, metering, the end.
//!
//! Owns the task that answers one request. The task belongs to the server, not to the connection: when
//! the client leaves, it goes on to settle. Start at [`run`]; `attempts` finds an endpoint that answers,
//! `stream` and `document` relay its two kinds of answers, `ending` turns usage into a terminal.

mod attempts;
mod client_side;
mod document;
mod ending;
mod frames;
mod metered;
mod run;
mod stream;

pub use run::{ChatJob, run};
