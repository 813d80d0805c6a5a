//! When a record is safe, and waiting for it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::error::SpoolError;
use crate::journal::GroupWait;

/// When a record counts as safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk: a group-committed `fdatasync`.
    Disk,
    /// With the operating system: survives a killed process, not a power cut.
    Process,
    /// A terminal counts once the event log has it; after `ack_timeout` once it is on disk, which is counted
    /// and makes the gateway unready until the log acknowledges again. Everything else as under `Disk`.
    Log { ack_timeout: Duration },
}

/// Ready once the record is safe under the spool's durability. Dropping it changes nothing about the record.
#[must_use = "the record is not safe before this is ready"]
pub struct Durable {
    state: State,
}

enum State {
    Now,
    Group(GroupWait),
    /// Waits for the event log first.
    Log(Pin<Box<dyn Future<Output = Result<(), SpoolError>> + Send>>),
}

impl Durable {
    pub(super) fn now() -> Self {
        Self { state: State::Now }
    }

    pub(super) fn group(wait: GroupWait) -> Self {
        Self { state: State::Group(wait) }
    }

    pub(super) fn log(wait: impl Future<Output = Result<(), SpoolError>> + Send + 'static) -> Self {
        Self { state: State::Log(Box::pin(wait)) }
    }
}

impl Future for Durable {
    type Output = Result<(), SpoolError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Now => Poll::Ready(Ok(())),
            State::Group(wait) => Pin::new(wait).poll(context).map_err(SpoolError::from),
            State::Log(wait) => wait.as_mut().poll(context),
        }
    }
}
