//! The JetStream log on servers that are wrong, full, cut off, killed or put back to an older state.

mod appending;
mod cluster;
mod connecting;
mod faults;
mod proxy;
mod server;
mod settings;
