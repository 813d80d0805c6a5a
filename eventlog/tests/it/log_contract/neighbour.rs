//! A writer in a process of its own.

use std::process::{Child, Command};

use super::place;
use crate::scene::messages;

const ADDRESS_VARIABLE: &str = "EVENTLOG_TEST_ADDRESS";
/// Written one batch after the other.
pub const EVENTS: u64 = 300;
const BATCH: u64 = 25;

/// The process: appends, then ends.
#[tokio::test]
#[ignore = "is started by the case that reads beside it"]
async fn writer() {
    let Ok(address) = std::env::var(ADDRESS_VARIABLE) else { return };
    let log = place::open(&address).await;
    for first in (1..=EVENTS).step_by(usize::try_from(BATCH).unwrap()) {
        log.append(messages(first..=first + BATCH - 1)).await.unwrap();
    }
}

pub fn start(address: &str) -> Child {
    let arguments = ["--exact", "log_contract::neighbour::writer", "--ignored"];
    Command::new(std::env::current_exe().unwrap()).args(arguments).env(ADDRESS_VARIABLE, address).spawn().unwrap()
}
