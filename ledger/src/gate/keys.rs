//! What is known of keys outside their accounts.
//!
//! The ledger names keys without their accounts: what it has of one waits here until the key is first seen.

use std::collections::HashMap;

use schemas::{AccountId, Day, KeyId, NanoUsd};

use crate::protocol::AccountState;

/// Touched when a key is first seen, not by every request.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// From the ledger, until the key's account is known.
    pub unclaimed: HashMap<KeyId, Vec<(Day, NanoUsd)>>,
    pub accounts: HashMap<KeyId, AccountId>,
}

impl Keys {
    /// Moves what the ledger has of a key into its account, once.
    pub fn claim(&mut self, account_id: AccountId, account: &mut AccountState, key: Option<KeyId>) {
        let Some(key) = key.filter(|key| !account.knows_key(*key)) else { return };
        let days = self.unclaimed.remove(&key).unwrap_or_default();
        account.adopt_key(key, &days);
        self.accounts.insert(key, account_id);
    }
}
