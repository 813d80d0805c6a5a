//! Whole states: what a gate is rebuilt from and what it shows of itself.

use std::collections::HashMap;

use schemas::{AccountId, Day, KeyId, NanoUsd};

use super::keys::Keys;
use crate::protocol::{AccountState, Amounts, GateError, Moment, RestoredHold, RestoredSpend};

/// Everything a gate that lost its state needs. **All of it as of one ledger position**: a request that the
/// ledger has booked there is neither in `pending` nor in `holds`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GateState {
    /// Account, balance, log position the balance is as of.
    pub accounts: Vec<(AccountId, NanoUsd, u64)>,
    pub key_spend: Vec<(KeyId, Day, NanoUsd)>,
    pub pending: Vec<RestoredSpend>,
    pub holds: Vec<RestoredHold>,
}

/// What a gate shows of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GateSnapshot {
    /// 0 before the first rebuild.
    pub epoch: u64,
    pub open: bool,
    /// Sorted by account.
    pub accounts: Vec<(AccountId, Amounts)>,
    /// Requests in flight.
    pub holds: u64,
    /// Settled, not yet posted.
    pub pending: u64,
    /// Expired a short while ago.
    pub tombstones: u64,
}

/// The whole state, made outside any gate: nothing is replaced unless all of it can be.
pub(super) fn assemble(at: Moment<'_>, state: GateState) -> Result<(HashMap<AccountId, AccountState>, Keys), GateError> {
    let ledger = state.accounts.into_iter().map(|(account, posted, position)| (account, AccountState::from_ledger(posted, position)));
    let mut accounts: HashMap<AccountId, AccountState> = ledger.collect();
    let mut keys = Keys::default();
    for (key, day, total) in state.key_spend {
        keys.unclaimed.entry(key).or_default().push((day, total));
    }
    for spend in &state.pending {
        let account = accounts.entry(spend.account_id).or_default();
        keys.claim(spend.account_id, account, spend.key_id);
        account.restore_spend(at, spend)?;
    }
    for hold in &state.holds {
        let account = accounts.entry(hold.account_id).or_default();
        keys.claim(hold.account_id, account, hold.key_id);
        account.restore_hold(at, hold)?;
    }
    Ok((accounts, keys))
}
