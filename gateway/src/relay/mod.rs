//! From an admitted request to its last byte: attempts, relaying, metering, the end.
//!
//! Owns the task that answers one request. The task belongs to the server, not to the connection: when
//! the client leaves, it goes on to settle. Start at [`run`]; `attempts` is the way through the plan,
//! `calling` one call, `stream`, `document` and `embeddings` relay its kinds of answers, `ending` turns usage into a terminal.

mod attempts;
mod calling;
mod client_side;
mod document;
mod embeddings;
mod ending;
mod frames;
mod hedging;
mod metered;
mod route_told;
mod run;
mod stream;

pub use run::{ChatJob, run};
