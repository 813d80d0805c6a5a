//! What administrators change: accounts, keys, channels, models and their prices.
//!
//! Owns the control store, the secrets in it and the [`catalog::Catalog`] every request reads. It must
//! never move money by itself: a credit is ordered through [`credits`] as an event. Start at [`Control`];
//! [`services::Services`] is what the routes work with.

pub mod account;
pub mod administration;
pub mod announcements;
pub mod balance_alert;
pub mod board;
pub mod bootstrap;
pub mod catalog;
pub mod channel;
pub mod codes;
pub mod credits;
pub mod endpoint_stats;
mod governing;
pub mod key;
pub mod people;
pub mod secrets;
pub mod services;
pub mod shipped;
pub mod store;
pub mod usage_cache;

pub use administration::{ChangedChannel, Control, ControlError, Forgotten, Rotation};
pub use catalog::Catalog;
pub use services::Services;
