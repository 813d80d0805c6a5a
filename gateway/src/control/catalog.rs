//! What every request reads: models, endpoints, prices and keys, in one immutable snapshot.
//!
//! A [`Catalog`] never changes; an administrative act makes a new one that shares what stayed the same.
//! A request loads it once and keeps it. **Lookups are hash-map gets and allocate nothing.** Start at
//! [`Catalog::authenticate`] and [`Catalog::model`].

mod key;
mod offer;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use ledger::gate::RateLimits;
use schemas::{AccountId, Timestamp};

pub use key::Key;
use offer::Offer;
pub use offer::{Channel, DisabledEndpoint, Endpoint, Model};

use super::account::{Account, AccountStatus};
use super::governing::Governing;
use super::key::{ApiKey, KEY_BYTES_MAX, KeyHash, KeyKind, KeyScope};
use super::secrets::{Secret, SecretError, SecretKey};
use super::store::StoredChannel;
use crate::routing::EffectivePreferences;

/// One consistent view of everything administrators change.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    offer: Arc<Offer>,
    keys: Arc<HashMap<KeyHash, Arc<Key>>>,
    accounts: Arc<HashMap<AccountId, Account>>,
    governing: Governing,
}

/// Why a bearer is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    #[error("the API key is not known here; check that it was copied whole")]
    Unknown,
    #[error("the API key is disabled")]
    Disabled,
    #[error("the API key has expired")]
    Expired,
    #[error("the account of this API key is suspended")]
    AccountSuspended,
    #[error("the account of this API key is closed")]
    AccountClosed,
}

impl Catalog {
    /// Finds the key of a bearer and checks that it may be used now.
    ///
    /// The map is asked for a SHA-256, so the time it takes tells at most something about the hash of the
    /// guess, which the guesser knows already; no key is ever compared byte by byte.
    pub fn authenticate(&self, bearer: &str, now: Timestamp) -> Result<&Arc<Key>, KeyRefusal> {
        if bearer.len() > KEY_BYTES_MAX {
            return Err(KeyRefusal::Unknown);
        }
        let key = self.keys.get(&KeyHash::of(bearer)).ok_or(KeyRefusal::Unknown)?;
        self.check(&key.record, now)?;
        Ok(key)
    }

    /// Whether a key is good for anything now.
    pub fn check(&self, key: &ApiKey, now: Timestamp) -> Result<(), KeyRefusal> {
        if key.disabled {
            return Err(KeyRefusal::Disabled);
        }
        if key.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(KeyRefusal::Expired);
        }
        match self.accounts.get(&key.account_id).map(|account| account.status) {
            Some(AccountStatus::Active) => Ok(()),
            Some(AccountStatus::Suspended) => Err(KeyRefusal::AccountSuspended),
            Some(AccountStatus::Closed) | None => Err(KeyRefusal::AccountClosed),
        }
    }

    /// The key of requests that need none: a management key of the platform that nobody has. Its own account
    /// is the first one.
    pub fn local_key(&self, now: Timestamp) -> Arc<Key> {
        let account = self.accounts.keys().min().copied().unwrap_or(AccountId::SYSTEM);
        let nobody = Secret::new(String::new());
        let record = ApiKey::new(&nobody, account, "local administration", KeyKind::Management, KeyScope::Platform, now);
        Arc::new(Key::new(record, RateLimits::default(), EffectivePreferences::default(), Arc::default()))
    }

    pub fn key(&self, hash: &KeyHash) -> Option<&Arc<Key>> {
        self.keys.get(hash)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values()
    }

    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The model of a public id, if any enabled channel offers it.
    pub fn model(&self, id: &str) -> Option<&Arc<Model>> {
        self.offer.models.get(id)
    }

    /// The model that has this alias.
    pub fn model_of_alias(&self, alias: &str) -> Option<&Arc<Model>> {
        self.offer.aliases.get(alias).and_then(|id| self.offer.models.get(id))
    }

    /// What a model's endpoints are that take no requests.
    pub fn disabled_endpoints<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a DisabledEndpoint> {
        self.offer.disabled.iter().filter(move |endpoint| &*endpoint.model == model)
    }

    /// Every model, newest first.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.offer.listed
    }

    /// Every enabled channel, by priority and name.
    pub fn channels(&self) -> &[Arc<Channel>] {
        &self.offer.channels
    }

    /// The same catalog with other channels.
    pub(super) fn with_channels(&self, stored: &[StoredChannel], secret_key: &SecretKey) -> Result<Self, SecretError> {
        Ok(Self { offer: Arc::new(Offer::build(stored, secret_key, &self.offer)?), ..self.clone() })
    }

    pub(super) fn with_keys(&self, records: Vec<ApiKey>) -> Self {
        let keys = records.into_iter().map(|record| (record.hash, Arc::new(self.resolved(record))));
        Self { keys: Arc::new(keys.collect()), ..self.clone() }
    }

    pub(super) fn with_key(&self, record: ApiKey) -> Self {
        let mut keys = self.keys.as_ref().clone();
        if record.deleted_at.is_some() {
            keys.remove(&record.hash);
        } else {
            keys.insert(record.hash, Arc::new(self.resolved(record)));
        }
        Self { keys: Arc::new(keys), ..self.clone() }
    }

    pub(super) const fn governing(&self) -> &Governing {
        &self.governing
    }

    /// The same catalog where other preferences govern its keys.
    pub(super) fn with_governing(&self, governing: Governing) -> Self {
        Self { governing, ..self.clone() }.resolved_anew(|_| true)
    }

    pub(super) fn with_accounts(&self, accounts: Vec<Account>) -> Self {
        Self { accounts: Arc::new(accounts.into_iter().map(|account| (account.id, account)).collect()), ..self.clone() }
    }

    pub(super) fn with_account(&self, account: Account) -> Self {
        let (id, limits) = (account.id, account.limits);
        let mut accounts = self.accounts.as_ref().clone();
        let before = accounts.insert(id, account);
        let catalog = Self { accounts: Arc::new(accounts), ..self.clone() };
        if before.is_some_and(|before| before.limits != limits) { catalog.resolved_anew(|key| key.account_id() == id) } else { catalog }
    }

    /// The same catalog where some keys are resolved by what it says now.
    fn resolved_anew(self, concerns: impl Fn(&Key) -> bool) -> Self {
        let keys = self.keys.iter().map(|(hash, key)| {
            let key = if concerns(key) { Arc::new(self.resolved(key.record.clone())) } else { Arc::clone(key) };
            (*hash, key)
        });
        Self { keys: Arc::new(keys.collect()), ..self }
    }

    fn resolved(&self, record: ApiKey) -> Key {
        let stored = record.last_used_at.map_or(0, Timestamp::micros);
        let known = self.keys.get(&record.hash).map(|key| Arc::clone(&key.last_used_micros));
        let preferences = self.governing.of(&record);
        let account_rates = self.accounts.get(&record.account_id).map(|account| account.limits.into()).unwrap_or_default();
        Key::new(record, account_rates, preferences, known.unwrap_or_else(|| Arc::new(AtomicI64::new(stored))))
    }
}
