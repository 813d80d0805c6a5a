//! What the log, the spool and the shipper promise, on real files and on a simulated disk.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests assert by panicking")]

mod archive;
mod crash;
mod fault;
mod history;
mod jetstream;
mod kill;
mod log;
mod log_contract;
mod model;
mod scene;
mod shipper;
mod spool;
