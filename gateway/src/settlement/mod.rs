//! Where a request's money is made durable: accepted, checkpointed, ended, and told to the gate.
//!
//! Owns the order of these acts (`docs/money.md`): the *accepted* record is durable before the first
//! byte leaves, the terminal event before the last. **An [`OpenRequest`] always ends in exactly one
//! terminal**: by `settle`, by `release`, or, if its task dies, by its own drop. It knows no HTTP.

mod announcing;
mod client_words;
mod in_flight;
mod open_request;
mod record;
mod recovery;

pub use announcing::{AnnounceError, Announcer};
pub use client_words::{CLIENT_WORD_CHARS_MAX, kept_word};
pub use in_flight::InFlight;
pub use open_request::{Finished, OpenRequest, SettleError, Settlement};
pub use record::{AcceptedRecord, ProgressRecord};
pub use recovery::{PriceSource, RecoveryReport, recover};
