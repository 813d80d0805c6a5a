//! The books: applying, storing, auditing and replaying. What every store promises is in `contract` and
//! runs once for each database.

mod chain_in_python;
mod databases;
mod fixture;
mod history;
mod on_postgres;
mod on_sqlite;
mod permutations;
mod usage_charges;
