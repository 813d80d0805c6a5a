//! Whole states for a gate that lost its own: from the ledger, live holds and unposted charges.
//!
//! **Set, never add**: what the gate knew before is not looked at. Rates begin anew.

use schemas::{Day, KeyId, NanoUsd};

use super::{AccountState, Change, Entry, Hold, Moment, Origin, Spend};
use crate::protocol::command::{RestoredHold, RestoredSpend};
use crate::protocol::error::GateError;

impl AccountState {
    /// An account as the ledger has it at `position`, with nothing in flight.
    pub fn from_ledger(posted: NanoUsd, position: u64) -> Self {
        Self { posted, position, ..Self::default() }
    }

    /// Takes over what the ledger has of a key, as of this state's position.
    ///
    /// Keys are adopted when they are first seen, so that a gate does not hold every key there ever was.
    /// False if a day is too old to be set.
    pub fn adopt_key(&mut self, key: KeyId, days: &[(Day, NanoUsd)]) -> bool {
        let position = self.position;
        let state = self.keys.entry(key).or_default();
        days.iter().fold(true, |all_set, (day, total)| state.post(*day, *total, position) && all_set)
    }

    /// Puts back a live hold with a fresh deadline; a repeated request changes nothing.
    pub fn restore_hold(&mut self, at: Moment<'_>, held: &RestoredHold) -> Result<(), GateError> {
        if self.entries.contains_key(&held.request_id) {
            return Ok(());
        }
        if held.hold.is_negative() {
            return Err(GateError::Negative { name: "hold" });
        }
        let hold = Hold {
            amount: held.hold,
            worst_case: held.worst_case.max(held.hold),
            owner: held.owner,
            deadline: at.deadline(),
            fenced: false,
            limit: held.limit,
            origin: Origin {
                key: held.key_id,
                day: held.admitted_at.day(),
                tokens: held.tokens,
                account_metered: false,
                key_metered: false,
                is_free: false,
            },
        };
        let change = Change { held: hold.amount, exposure: hold.exposure(), live: 1, ..Change::default() };
        self.change(hold.origin.key, hold.origin.day, change)?;
        self.entries.insert(held.request_id, Entry::Held(hold));
        Ok(())
    }

    /// Puts back a charge that the ledger has not booked; a repeated request changes nothing.
    pub fn restore_spend(&mut self, at: Moment<'_>, spend: &RestoredSpend) -> Result<(), GateError> {
        if self.entries.contains_key(&spend.request_id) {
            return Ok(());
        }
        if spend.actual.is_negative() {
            return Err(GateError::Negative { name: "actual" });
        }
        self.change(spend.key_id, spend.admission_day, Change { pending: spend.actual, ..Change::default() })?;
        let pending = Spend { actual: spend.actual, key: spend.key_id, day: spend.admission_day, settled_at: at.now };
        self.entries.insert(spend.request_id, Entry::Pending(pending));
        Ok(())
    }
}
