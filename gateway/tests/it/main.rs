//! The gateway against its real stores and against what providers really send, without a network.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests assert by panicking")]
#![expect(clippy::duplicate_mod, reason = "the contract runs once for each database")]

mod anthropic;
mod books;
mod chat;
mod completions;
mod control;
mod databases;
mod entrance;
mod identity;
mod key_matrix;
mod messages;
mod openapi;
mod people;
mod recovery;
mod requests_sent;
mod responses;
mod routing;
mod security_headers;
mod settlement;
mod transcripts;
mod webhooks;
