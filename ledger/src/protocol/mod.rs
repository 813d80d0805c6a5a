//! The money protocol as a state machine without I/O: pure transitions that the roles run and the model
//! checker explores (`tests/it/model`). The table of states and effects is `docs/protocol.md`.
//!
//! It must never read a clock, take a lock, await or touch a disk: time and facts are passed in.
//! [`account`] is what the gate knows of one account and decides with; [`lifecycle`] is which durable
//! record comes before which outward effect of a request; [`recovery`] is what a crash leaves to do.

pub mod account;
pub mod command;
pub mod error;
pub mod free;
pub mod key;
pub mod lifecycle;
pub mod rate;
pub mod recovery;
pub mod window;

pub use account::{AccountRules, AccountState, Moment};
pub use command::{
    Amounts, FreeLimits, KeyLimit, KeyPolicy, KeySpend, LimitLevel, OverdueHold, RateLimits, Refusal, RefusalCause, ReserveCommand,
    Reserved, RestoredHold, RestoredSpend, SettleCommand,
};
pub use error::GateError;
pub use lifecycle::{Effect, Lifecycle, OutOfOrder};
pub use recovery::{Recovery, SpoolFacts, recover};
pub use window::LimitWindow;
