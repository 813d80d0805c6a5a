//! Everything about money: who may spend, what was spent, and the proof of it.
//!
//! Owns the balance gate (may this request start?), the money protocol (which record comes before which
//! effect), applying events to the ledger, double entry, hash chains, audit and replay. It must never
//! know HTTP or a provider, and never read the clock where events are applied.
//! Start at [`protocol`], the state machine without I/O; [`gate`] is the port the gateway calls and
//! [`posted`] is what the ledger tells the gate. The books begin at [`apply`], the pure half; [`store`]
//! keeps them, [`worker`] feeds them from the log, [`audit`] and [`replay`] prove them.

pub mod apply;
pub mod audit;
pub mod chain;
pub mod feed;
pub mod gate;
pub mod heads;
pub mod metrics;
pub mod posted;
pub mod protocol;
pub mod reaper;
pub mod replay;
pub mod store;
#[cfg(test)]
mod topups;
pub mod worker;

pub use audit::{AuditReport, Difference, audit};
pub use heads::HeadsLog;
pub use replay::{Progress, ReplayOptions, ReplayReport, replay};
pub use store::{Access, LedgerError, LedgerStore};
