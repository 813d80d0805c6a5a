//! What the control store and the administration promise, kept by SQLite.

#[path = "../contract/administration.rs"]
mod administration;
#[path = "../contract/alerts.rs"]
mod alerts;
#[path = "../contract/app_codes.rs"]
mod app_codes;
#[path = "../contract/people.rs"]
mod people;
#[path = "../contract/prices.rs"]
mod prices;
#[path = "../contract/routing.rs"]
mod routing;
#[path = "../contract/store.rs"]
mod store;

use super::{channel, channel_json};
use crate::databases::SqliteDatabase as TestDatabase;
