//! Integration tests of the ledger crate: one binary.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests assert by panicking")]
#![expect(clippy::duplicate_mod, reason = "the contract runs once for each database")]

mod books;
mod gate;
mod model;
mod reaper;
