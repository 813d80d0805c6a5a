//! A key as requests meet it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger::gate::{KeyLimit, KeyPolicy, LimitWindow, RateLimits};
use schemas::{AccountId, Timestamp};

use crate::control::key::{ApiKey, KeyKind, LimitReset};
use crate::routing::EffectivePreferences;

/// A key, resolved to what it may do.
#[derive(Debug)]
pub struct Key {
    pub record: ApiKey,
    /// As the balance gate takes it.
    pub policy: KeyPolicy,
    /// Of its account, which all its keys share.
    pub account_rates: RateLimits,
    /// The key's own, then its creator's, then its account's.
    pub preferences: EffectivePreferences,
    allowed_models: Option<HashSet<Box<str>>>,
    /// Shared by all versions of the key; written down from time to time.
    pub(super) last_used_micros: Arc<AtomicI64>,
}

impl Key {
    pub(super) fn new(
        record: ApiKey,
        account_rates: RateLimits,
        preferences: EffectivePreferences,
        last_used_micros: Arc<AtomicI64>,
    ) -> Self {
        let window = match record.limit_reset {
            None => LimitWindow::Total,
            Some(LimitReset::Daily) => LimitWindow::Daily,
            Some(LimitReset::Weekly) => LimitWindow::Weekly,
            Some(LimitReset::Monthly) => LimitWindow::Monthly,
        };
        let limit = record.limit_nanos.map(|amount| KeyLimit { amount, window });
        let policy = KeyPolicy { key_id: record.id, limit, rates: record.rates() };
        let allowed_models = record.allowed_models.as_ref().map(|models| models.iter().map(|model| model.as_str().into()).collect());
        Self { record, policy, account_rates, preferences, allowed_models, last_used_micros }
    }

    pub fn account_id(&self) -> AccountId {
        self.record.account_id
    }

    pub fn is_management(&self) -> bool {
        self.record.kind == KeyKind::Management
    }

    /// Whether the key may be used for a public model id.
    pub fn allows_model(&self, model: &str) -> bool {
        self.allowed_models.as_ref().is_none_or(|models| models.contains(model))
    }

    /// Remembers that the key was used; costs one relaxed store.
    pub fn touch(&self, now: Timestamp) {
        self.last_used_micros.store(now.micros(), Ordering::Relaxed);
    }

    pub fn last_used_at(&self) -> Option<Timestamp> {
        Some(self.last_used_micros.load(Ordering::Relaxed)).filter(|micros| *micros > 0).map(Timestamp::from_micros)
    }
}
