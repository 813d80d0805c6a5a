//! Grant lots: which part of a balance was given, and what of it is left.
//!
//! Every debit burns lots before other money, earliest expiry first, lots without expiry last, older
//! lots first among equals. A lot burns until its expiry *event* is booked: the log decides, not a
//! clock. **Σ left ≤ max(balance, 0)**: a grant into a negative balance pays the debt first, so that an
//! expiry never makes a balance negative.

use schemas::{AccountId, MoneyError, NanoUsd, Timestamp};

/// One grant and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Event id of the grant.
    pub grant_id: String,
    pub account: AccountId,
    pub granted: NanoUsd,
    pub remaining: NanoUsd,
    pub expires_at: Option<Timestamp>,
    /// Log position of the grant.
    pub granted_position: u64,
    /// Log position of the last change.
    pub position: u64,
}

impl Lot {
    fn burn_order(&self) -> (bool, Option<Timestamp>, u64) {
        (self.expires_at.is_none(), self.expires_at, self.granted_position)
    }
}

/// The lots that a debit changes, with what is left of each afterwards.
pub(super) fn burn<'a>(open: impl Iterator<Item = &'a Lot>, debit: NanoUsd, position: u64) -> Result<Vec<Lot>, MoneyError> {
    let mut order: Vec<&Lot> = open.filter(|lot| lot.remaining > NanoUsd::ZERO).collect();
    order.sort_by_key(|lot| lot.burn_order());
    let mut left = debit;
    let mut changed = Vec::new();
    for lot in order {
        if left <= NanoUsd::ZERO {
            break;
        }
        let burned = left.min(lot.remaining);
        left = left.checked_sub(burned)?;
        changed.push(Lot { remaining: lot.remaining.checked_sub(burned)?, position, ..lot.clone() });
    }
    Ok(changed)
}

/// What of a grant is left once it has paid a negative balance.
pub(super) fn remaining_of_grant(granted: NanoUsd, balance_after: NanoUsd) -> NanoUsd {
    granted.min(balance_after).max(NanoUsd::ZERO)
}
