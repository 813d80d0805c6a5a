//! What the last batch left in memory: sums that the next one need not read again.
//!
//! **Valid only at the position it was kept at**, which is read inside the writing transaction: whoever
//! else wrote in between moved the position. A batch takes the state out and gives it back once it is
//! committed, so that a failed batch leaves nothing behind.

use parking_lot::Mutex;
use schemas::NanoUsd;

use crate::apply::State;

/// Sums kept at most; beyond them everything is read again.
const ACCOUNTS_MAX: usize = 100_000;
const KEY_DAYS_MAX: usize = 200_000;
const LOTS_MAX: usize = 100_000;
const SEQUENCES_MAX: usize = 10_000;

#[derive(Default)]
pub(super) struct Cache(Mutex<Option<State>>);

impl Cache {
    /// The state at a position: what was kept there, or nothing known.
    pub(super) fn take(&self, position: u64) -> State {
        let kept = self.0.lock().take().filter(|state| state.position == position);
        kept.unwrap_or(State { position, ..State::default() })
    }

    /// Keeps a committed state, without the facts: each is looked up when it is named again.
    pub(super) fn keep(&self, mut state: State) {
        let within = state.accounts.len() <= ACCOUNTS_MAX
            && state.key_spend.len() <= KEY_DAYS_MAX
            && state.lots.len() <= LOTS_MAX
            && state.sequences.len() <= SEQUENCES_MAX;
        if within {
            state.requests.clear();
            state.events.clear();
            // Lots of kept accounts are known to be all of the open ones; others were named one by one.
            state.lots.retain(|_, lot| lot.remaining > NanoUsd::ZERO);
            *self.0.lock() = Some(state);
        }
    }
}
