//! Whose preferences govern a key's requests: its own, then its creator's, then its account's.

use std::collections::HashMap;
use std::sync::Arc;

use schemas::{AccountId, UserId};

use super::key::ApiKey;
use crate::routing::{EffectivePreferences, RoutingPreferences};

/// What people and accounts prefer, as far as they set anything.
#[derive(Debug, Clone, Default)]
pub struct Governing {
    users: Arc<HashMap<UserId, RoutingPreferences>>,
    accounts: Arc<HashMap<AccountId, RoutingPreferences>>,
}

impl Governing {
    pub fn new(
        users: impl IntoIterator<Item = (UserId, RoutingPreferences)>,
        accounts: impl IntoIterator<Item = (AccountId, RoutingPreferences)>,
    ) -> Self {
        Self { users: Arc::new(users.into_iter().collect()), accounts: Arc::new(accounts.into_iter().collect()) }
    }

    pub fn with_user(self, user: UserId, preferences: RoutingPreferences) -> Self {
        let mut users = Arc::unwrap_or_clone(self.users);
        users.insert(user, preferences);
        Self { users: Arc::new(users), ..self }
    }

    pub fn with_account(self, account: AccountId, preferences: RoutingPreferences) -> Self {
        let mut accounts = Arc::unwrap_or_clone(self.accounts);
        accounts.insert(account, preferences);
        Self { accounts: Arc::new(accounts), ..self }
    }

    /// What applies to requests with a key.
    pub fn of(&self, key: &ApiKey) -> EffectivePreferences {
        let creator = key.creator_user_id.and_then(|user| self.users.get(&user));
        EffectivePreferences::of(key.preferences.as_ref(), creator, self.accounts.get(&key.account_id))
    }
}
