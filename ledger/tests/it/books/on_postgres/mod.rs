//! The contract of the ledger store, kept by PostgreSQL, and what only a server can do.

mod engines_agree;
mod fencing;
mod fixture;
mod fresh_schemas;
mod months;
mod opening;
mod outages;
mod server;

#[path = "../contract/audit_finds_tampering.rs"]
mod audit_finds_tampering;
#[path = "../contract/credits.rs"]
mod credits;
#[path = "../contract/replays.rs"]
mod replays;
#[path = "../contract/statements.rs"]
mod statements;
#[path = "../contract/store_contract.rs"]
mod store_contract;
#[path = "../contract/workers.rs"]
mod workers;

use super::history;
