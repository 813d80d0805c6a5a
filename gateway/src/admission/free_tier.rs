//! What an account may ask of free models, by what it has been credited so far.
//!
//! The balance gate counts, for all gateways; here is only which limits apply. Credits are looked up at most once in
//! [`KNOWN_FOR`] an account, and for requests to free models alone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use ledger::gate::FreeLimits;
use ledger::store::LedgerStore;
use parking_lot::Mutex;
use schemas::{AccountId, NanoUsd};
use tokio::time::Instant;

use crate::control::catalog::Endpoint;

/// A credit raises the limits at the latest after this long.
const KNOWN_FOR: Duration = Duration::from_secs(5);
/// Accounts that are remembered; beyond it the ledger is asked each time.
const KNOWN_MAX: usize = 10_000;
/// How ids of free variants end.
const FREE_VARIANT: &str = ":free";

/// The limits of free models; `[free_tier]` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeTierRules {
    pub requests_per_minute: u32,
    /// Of accounts that were credited less than `credits`.
    pub requests_per_day: u32,
    pub requests_per_day_with_credits: u32,
    /// All that was ever credited, whatever is left of it.
    pub credits: NanoUsd,
    /// Models whose price is zero count, too, and not only those whose id ends in `:free`.
    pub zero_priced: bool,
}

/// What applies to an account now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeAllowance {
    pub limits: FreeLimits,
    /// What more credits would give.
    pub unlock: Option<Unlock>,
}

/// The higher limit and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unlock {
    pub credits: NanoUsd,
    pub requests_per_day: u32,
}

/// Which limits apply; without rules none do.
#[derive(Debug, Default)]
pub struct FreeTier {
    rules: Option<FreeTierRules>,
    /// Whether an account was credited enough, and when that was looked up.
    known: Mutex<HashMap<AccountId, (bool, Instant)>>,
}

impl FreeTier {
    pub fn new(rules: Option<FreeTierRules>) -> Self {
        Self { rules, known: Mutex::default() }
    }

    /// Whether a request counts that an endpoint answers: it is a free variant, or costs nothing and was asked for as one.
    pub fn covers(&self, endpoint: &Endpoint, names: &[Cow<'_, str>]) -> bool {
        let asked_as_free = || names.iter().any(|name| name.ends_with(FREE_VARIANT));
        self.rules
            .is_some_and(|rules| endpoint.model.ends_with(FREE_VARIANT) || (endpoint.is_free && (rules.zero_priced || asked_as_free())))
    }

    /// What an account may ask of free models; `None` where they have no limits.
    pub async fn allowance(&self, ledger: &LedgerStore, account: AccountId) -> Option<FreeAllowance> {
        let rules = self.rules?;
        let is_paying = self.is_paying(ledger, account, rules.credits).await;
        let requests_per_day = if is_paying { rules.requests_per_day_with_credits } else { rules.requests_per_day };
        let limits = FreeLimits { requests_per_minute: rules.requests_per_minute, requests_per_day };
        let unlock = Unlock { credits: rules.credits, requests_per_day: rules.requests_per_day_with_credits };
        let is_worth_it = !is_paying && unlock.requests_per_day > requests_per_day;
        Some(FreeAllowance { limits, unlock: is_worth_it.then_some(unlock) })
    }

    /// Books that cannot be read leave an account what it had, at first the lower limit: free models stay open.
    async fn is_paying(&self, ledger: &LedgerStore, account: AccountId, credits: NanoUsd) -> bool {
        let known = self.known.lock().get(&account).copied();
        if let Some((is_paying, at)) = known
            && at.elapsed() < KNOWN_FOR
        {
            return is_paying;
        }
        match ledger.account_totals(account).await {
            Ok(totals) => {
                let is_paying = totals.credits >= credits;
                self.remember(account, is_paying);
                is_paying
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "an account's credits could not be looked up");
                known.is_some_and(|(is_paying, _)| is_paying)
            }
        }
    }

    fn remember(&self, account: AccountId, is_paying: bool) {
        let mut known = self.known.lock();
        if known.len() >= KNOWN_MAX && !known.contains_key(&account) {
            known.retain(|_, (_, at)| at.elapsed() < KNOWN_FOR);
        }
        if known.len() < KNOWN_MAX || known.contains_key(&account) {
            known.insert(account, (is_paying, Instant::now()));
        }
    }
}
