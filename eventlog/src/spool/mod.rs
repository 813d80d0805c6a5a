//! The spool: what a gateway writes ahead, so that a crash loses no accepted request and no charge.
//!
//! Owns a request's records (accepted, progress, terminal), the producer's sequences, what recovery finds
//! and the release of space, end to end: **no event is deleted before the ledger has applied it**. It must
//! never look into a payload. Start at [`Spool`]; [`holdings`] decides what may go, [`shipping`] reads
//! for the shipper.

mod durable;
mod error;
mod holdings;
mod identity;
mod record;
mod recovery;
mod shipping;
mod writer;

pub use durable::{Durability, Durable};
pub use error::SpoolError;
pub use holdings::Applied;
pub use recovery::{Recovery, Unfinished};
pub(crate) use shipping::{Sequences, ShipBatch, ShipCursor, ShipLimits};
pub use writer::{Spool, SpoolOptions, SpoolUsage};
