//! The executable's inside: configuration, command line and the wiring of the roles.
//!
//! Owns how the roles are started, told what to do and stopped; no role's own work. Start at [`cli`]; [`serve`]
//! wires the roles of one process.

pub mod cli;
pub mod config;
pub mod data_dir;
pub mod deployment;
pub mod local_api;
pub mod measuring;
pub mod serve;
mod signals;
pub mod telemetry;
pub mod welcome;
