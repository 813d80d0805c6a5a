//! The money protocol, every order of it: a stateright model that calls the transitions the roles run.
//!
//! `state` is one world (gateway, spool, gate, log, ledger, feedback), `step` what can happen to it
//! (`gateway` and `roles` do it), `properties` what must hold. `mutant` seeds bugs; each must be found.
//! Time stands still: owners that live have renewed, owners that are dead have not. One account and one
//! gateway with its spool; nothing in the log is lost; a rebuild waits for the gateway.

mod check;
mod config;
mod gateway;
mod mutant;
mod properties;
mod roles;
mod state;
mod step;
