//! Behaviour of the vocabulary, seen from outside the crate.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests assert by panicking")]

mod cost;
mod events;
mod ids;
mod money;
mod timestamps;
