//! Usage by whatever it is wanted by: the one question behind rankings, statistics and an account's activity.

use schemas::{AccountId, KeyId, NanoUsd, Timestamp};

use crate::endpoint::{EndpointAttempts, EndpointSpeed};

/// Groups of one answer at most; the greatest by tokens are given.
pub const GROUPS_MAX: u32 = 20_000;

/// What usage is told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The bucket: hour or day.
    Time,
    Account,
    /// A key's UUID; empty for requests without one.
    Key,
    Model,
    /// What stands before the model's slash.
    Author,
    Channel,
    Provider,
    /// The calling app's address, else its title; empty for requests without one.
    App,
}

/// The length of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Interval {
    Hour,
    Day,
    /// From Monday to Sunday, of the days that were asked for.
    Week,
    /// Of the calendar, likewise.
    Month,
}

/// Usage whose dimension has one of some values, or none of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UsageFilter {
    /// Not [`Dimension::Time`], which `from` and `to` are for: by that nothing is filtered.
    pub dimension: Dimension,
    pub values: Vec<String>,
    pub is_excluded: bool,
}

/// Which usage. Expired holds name no model and are left out.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UsageQuery {
    /// `None`: of all customers; the platform's own health probes are left out.
    pub account: Option<AccountId>,
    pub key: Option<KeyId>,
    pub model: Option<String>,
    pub app: Option<String>,
    /// All of them hold.
    pub filters: Vec<UsageFilter>,
    pub interval: Interval,
    /// Hours, or days where the interval is longer, that begin at or after.
    pub from: Timestamp,
    /// Those that begin before.
    pub to: Timestamp,
    /// Without any, everything is one group.
    pub by: Vec<Dimension>,
    /// Whether distinct accounts are counted, for which every account's rows are read.
    pub counts_accounts: bool,
}

impl UsageQuery {
    /// Of all customers, without a filter.
    pub const fn new(interval: Interval, from: Timestamp, to: Timestamp, by: Vec<Dimension>) -> Self {
        Self { account: None, key: None, model: None, app: None, filters: Vec::new(), interval, from, to, by, counts_accounts: false }
    }

    /// Whether the rows by endpoint and day answer it, which are few: no one account, key, app or hour is asked for.
    pub(crate) fn is_of_endpoint_days(&self) -> bool {
        let is_known = |dimension: Dimension| !matches!(dimension, Dimension::Account | Dimension::Key | Dimension::App);
        let is_anyones = self.account.is_none() && self.key.is_none() && self.app.is_none() && !self.counts_accounts;
        let mut dimensions = self.by.iter().copied().chain(self.filters.iter().map(|filter| filter.dimension));
        self.interval != Interval::Hour && is_anyones && dimensions.all(is_known)
    }
}

/// One group's usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageGroup {
    /// Start of the bucket, where [`Dimension::Time`] was asked for.
    pub at: Option<Timestamp>,
    /// The other dimensions, in the order they were asked for in.
    pub values: Vec<String>,
    pub totals: UsageTotals,
}

/// Sums of exact integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UsageTotals {
    pub requests: u64,
    pub ok: u64,
    pub errors: u64,
    pub cancelled: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub reasoning_tokens: u64,
    pub cached_tokens: u64,
    pub charged: NanoUsd,
    /// Distinct accounts with a request in the group; 0 where they were not asked for.
    pub accounts: u64,
}

impl UsageTotals {
    pub const fn tokens(&self) -> u64 {
        self.prompt_tokens.saturating_add(self.completion_tokens)
    }

    /// Two groups as one; `accounts` cannot be added and becomes the greater, which is a lower bound.
    pub fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            ok: self.ok.saturating_add(other.ok),
            errors: self.errors.saturating_add(other.errors),
            cancelled: self.cancelled.saturating_add(other.cancelled),
            prompt_tokens: self.prompt_tokens.saturating_add(other.prompt_tokens),
            completion_tokens: self.completion_tokens.saturating_add(other.completion_tokens),
            reasoning_tokens: self.reasoning_tokens.saturating_add(other.reasoning_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            charged: self.charged.saturating_add(other.charged),
            accounts: self.accounts.max(other.accounts),
        }
    }
}

/// What one endpoint of a model did in one hour, as last refreshed.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointHour {
    pub hour: Timestamp,
    pub attempts: EndpointAttempts,
    pub speed: EndpointSpeed,
}
