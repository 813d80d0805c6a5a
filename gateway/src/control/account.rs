//! Accounts: who is charged. Only the name, whether requests are taken and how many; balances are the ledger's.

use ledger::gate::RateLimits;
use schemas::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use super::key::InvalidField;

/// Longest name of an account.
pub const ACCOUNT_NAME_CHARS_MAX: usize = 200;
/// Highest limit of requests, tokens and concurrency.
const RATE_MAX: u64 = 1_000_000_000;

/// A wallet as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    pub status: AccountStatus,
    pub created_at: Timestamp,
    #[serde(flatten)]
    pub limits: AccountLimits,
}

impl Account {
    pub fn new(name: String, now: Timestamp) -> Self {
        Self { id: AccountId::mint(), name, status: AccountStatus::Active, created_at: now, limits: AccountLimits::default() }
    }

    /// A text as an account's name is kept; `None` where it can be none.
    pub fn name_of(text: &str) -> Option<&str> {
        let name = text.trim();
        let is_name = !name.is_empty() && name.chars().count() <= ACCOUNT_NAME_CHARS_MAX && !name.chars().any(char::is_control);
        is_name.then_some(name)
    }
}

/// What is changed of an account; `None` stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountChange {
    pub name: Option<String>,
    pub status: Option<AccountStatus>,
    /// `Some(None)` lifts a limit.
    pub requests_per_minute: Option<Option<u32>>,
    pub tokens_per_minute: Option<Option<u64>>,
    pub concurrency: Option<Option<u32>>,
}

impl AccountChange {
    /// Fails where the limits cannot be so.
    pub fn apply(self, account: &mut Account) -> Result<(), InvalidField> {
        let AccountLimits { requests_per_minute, tokens_per_minute, concurrency } = account.limits;
        account.limits = AccountLimits {
            requests_per_minute: self.requests_per_minute.unwrap_or(requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.unwrap_or(tokens_per_minute),
            concurrency: self.concurrency.unwrap_or(concurrency),
        };
        account.status = self.status.unwrap_or(account.status);
        if let Some(name) = self.name {
            account.name = name;
        }
        let invalid = invalid_rate(account.limits.into());
        invalid.map_or(Ok(()), |(field, message)| {
            Err(InvalidField { field, message: format!("{message}; suspend the account to let nothing through") })
        })
    }
}

/// What an account may ask with all its keys together, whatever each of them may. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct AccountLimits {
    pub requests_per_minute: Option<u32>,
    pub tokens_per_minute: Option<u64>,
    pub concurrency: Option<u32>,
}

impl From<AccountLimits> for RateLimits {
    fn from(limits: AccountLimits) -> Self {
        let AccountLimits { requests_per_minute, tokens_per_minute, concurrency } = limits;
        Self { requests_per_minute, tokens_per_minute, concurrency }
    }
}

/// The field of rate limits that cannot be so: they are from 1 to [`RATE_MAX`].
pub fn invalid_rate(rates: RateLimits) -> Option<(&'static str, String)> {
    let rates = [
        ("requests_per_minute", rates.requests_per_minute.map(u64::from)),
        ("tokens_per_minute", rates.tokens_per_minute),
        ("concurrency", rates.concurrency.map(u64::from)),
    ];
    let is_wrong = |(_, rate): &(_, Option<u64>)| rate.is_some_and(|rate| rate == 0 || rate > RATE_MAX);
    rates.into_iter().find(is_wrong).map(|(field, _)| (field, format!("must be from 1 to {RATE_MAX}")))
}

/// Whether an account's keys are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AccountStatus {
    Active,
    /// Refused for now; its balance stays.
    Suspended,
    /// Refused for good.
    Closed,
}

impl AccountStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Closed].into_iter().find(|status| status.as_str() == text)
    }
}
