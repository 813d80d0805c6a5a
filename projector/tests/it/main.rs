//! The analytics store on real databases.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests assert by panicking")]

mod clickhouse;
mod docs;
mod endpoints;
mod engines;
mod follow;
mod front;
mod home;
mod lists;
mod precedence;
mod provider_cost;
mod replays;
mod rollups;
mod sample;
mod store;
mod truth;
mod usage;
