//! One deployment in one process: its stores opened, its roles running, its end in order.
//!
//! Owns the order of things at start (recover the spool, catch the ledger up, rebuild the gate, open the
//! doors) and at the end (close the doors, end the requests, ship, book, project). A command of the shell
//! on a stopped deployment runs the same roles for its short while. Start at [`Core::start`].

mod archiving;
mod core;
mod follower;
mod gate_learning;
mod jobs;
mod local_routes;
mod offer;
mod operations;
mod rebuilt_ledger;
mod roles;
mod stores;

pub use core::{Core, Roles, StartError};
pub use local_routes::local_router;
pub use offer::offered_channels;
pub use operations::operations;
pub use stores::{OpenError, Stores, forget_lost_secrets, open_log};
