//! The event log port, the segmented log, and the spool every gateway writes ahead to.
//!
//! Owns how events become durable and in which order they are read: record format, group commit,
//! recovery, release. It must never know what an event means: payloads are opaque bytes, and a record
//! once acknowledged is never altered. Start at [`journal`] (the segmented files, one code with two
//! instances), then [`log`] (the event log, embedded or on JetStream) and [`spool`] (write-ahead, released end to end);
//! [`shipper`] carries events from one to the other. `docs/eventlog.md` has the format and the promises.

pub mod archive;
pub mod disk;
pub mod fault;
mod journal;
pub mod log;
pub mod metrics;
pub mod shipper;
pub mod spool;

pub use disk::{Disk, DiskFile, FileDisk, OpenMode};
pub use log::{
    Bounds, Entry, EventLog, JetStreamError, JetStreamLog, JetStreamOptions, LogError, LogOptions, Message, ReadLimit, SegmentedEventLog,
};
pub use shipper::{AppliedSource, Booked, ShipError, Shipper, ShipperOptions};
pub use spool::{Applied, Durability, Durable, Recovery, Spool, SpoolError, SpoolOptions, SpoolUsage, Unfinished};

/// The simulated disk, for crash tests of whatever stands on a log.
#[cfg(any(test, feature = "testing"))]
pub mod testing {
    pub use crate::disk::{CrashPoint, Loss, SimDisk};
}
