//! One group commit: many appenders wait for the same sync.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

use super::error::JournalError;

/// Whoever appended since the last group closed.
#[derive(Default)]
pub(crate) struct Group {
    state: Mutex<GroupState>,
}

#[derive(Default)]
struct GroupState {
    /// `Some(true)` once all of the group is on the disk, `Some(false)` if that will never be known.
    outcome: Option<bool>,
    wakers: Vec<Waker>,
}

impl Group {
    /// Says how the sync went, once, and wakes everyone.
    pub(crate) fn complete(&self, synced: bool) {
        let wakers = {
            let mut state = self.state.lock();
            state.outcome = Some(synced);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// One appender's wait for its group.
pub(crate) struct GroupWait {
    group: Arc<Group>,
    /// Which waker in the group is ours, once we have been polled.
    slot: Option<usize>,
}

impl GroupWait {
    pub(crate) fn new(group: Arc<Group>) -> Self {
        Self { group, slot: None }
    }
}

impl Future for GroupWait {
    type Output = Result<(), JournalError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let wait = &mut *self;
        let mut state = wait.group.state.lock();
        match state.outcome {
            Some(true) => return Poll::Ready(Ok(())),
            Some(false) => return Poll::Ready(Err(JournalError::Unhealthy)),
            None => {}
        }
        match wait.slot {
            Some(slot) => state.wakers[slot].clone_from(context.waker()),
            None => {
                wait.slot = Some(state.wakers.len());
                state.wakers.push(context.waker().clone());
            }
        }
        Poll::Pending
    }
}
