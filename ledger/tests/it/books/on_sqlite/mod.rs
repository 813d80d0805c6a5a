//! The contract of the ledger store, kept by SQLite, and what only a file can do.

mod fixture;
mod shared_file;

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
