//! The words of analytics: metrics, dimensions, granularities, operators.

use projector::{Interval, UsageTotals};
use schemas::{AccountId, KeyId, UsdNumber};
use uuid::Uuid;

use super::Cell;
use crate::control::catalog::Catalog;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    TotalUsage,
    RequestCount,
    TokensTotal,
    TokensPrompt,
    TokensCompletion,
    ReasoningTokens,
    CachedTokens,
    CacheHitRate,
    ErrorCount,
    ErrorRate,
    CancelledCount,
}

pub const METRICS: [Metric; 11] = [
    Metric::TotalUsage,
    Metric::RequestCount,
    Metric::TokensTotal,
    Metric::TokensPrompt,
    Metric::TokensCompletion,
    Metric::ReasoningTokens,
    Metric::CachedTokens,
    Metric::CacheHitRate,
    Metric::ErrorCount,
    Metric::ErrorRate,
    Metric::CancelledCount,
];

impl Metric {
    pub fn parse(name: &str) -> Option<Self> {
        METRICS.into_iter().find(|metric| metric.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::TotalUsage => "total_usage",
            Self::RequestCount => "request_count",
            Self::TokensTotal => "tokens_total",
            Self::TokensPrompt => "tokens_prompt",
            Self::TokensCompletion => "tokens_completion",
            Self::ReasoningTokens => "reasoning_tokens",
            Self::CachedTokens => "cached_tokens",
            Self::CacheHitRate => "cache_hit_rate",
            Self::ErrorCount => "error_count",
            Self::ErrorRate => "error_rate",
            Self::CancelledCount => "cancelled_count",
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::TotalUsage => "Usage",
            Self::RequestCount => "Requests",
            Self::TokensTotal => "Tokens",
            Self::TokensPrompt => "Prompt tokens",
            Self::TokensCompletion => "Completion tokens",
            Self::ReasoningTokens => "Reasoning tokens",
            Self::CachedTokens => "Cached prompt tokens",
            Self::CacheHitRate => "Cache hit rate",
            Self::ErrorCount => "Errors",
            Self::ErrorRate => "Error rate",
            Self::CancelledCount => "Cancelled requests",
        }
    }

    pub const fn format(self) -> &'static str {
        match self {
            Self::TotalUsage => "currency",
            Self::CacheHitRate | Self::ErrorRate => "percent",
            _ => "number",
        }
    }

    pub const fn is_rate(self) -> bool {
        matches!(self, Self::CacheHitRate | Self::ErrorRate)
    }

    pub fn cell(self, totals: &UsageTotals) -> Cell {
        let rate = |part: u64, whole: u64| Cell::Rate((whole > 0).then(|| part as f64 / whole as f64));
        match self {
            Self::TotalUsage => Cell::Usd(UsdNumber(totals.charged)),
            Self::RequestCount => Cell::Count(totals.requests),
            Self::TokensTotal => Cell::Count(totals.tokens()),
            Self::TokensPrompt => Cell::Count(totals.prompt_tokens),
            Self::TokensCompletion => Cell::Count(totals.completion_tokens),
            Self::ReasoningTokens => Cell::Count(totals.reasoning_tokens),
            Self::CachedTokens => Cell::Count(totals.cached_tokens),
            Self::CacheHitRate => rate(totals.cached_tokens, totals.prompt_tokens),
            Self::ErrorCount => Cell::Count(totals.errors),
            Self::ErrorRate => rate(totals.errors, totals.requests),
            Self::CancelledCount => Cell::Count(totals.cancelled),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dimension {
    Model,
    Author,
    Provider,
    ApiKey,
    App,
    /// Of the platform's keys only: others have one.
    Account,
    /// Likewise: channels are the platform's business.
    Channel,
}

const DIMENSIONS: [Dimension; 7] =
    [Dimension::Model, Dimension::Author, Dimension::Provider, Dimension::ApiKey, Dimension::App, Dimension::Account, Dimension::Channel];

impl Dimension {
    pub fn open_to(is_platform: bool) -> impl Iterator<Item = Self> {
        DIMENSIONS.into_iter().filter(move |dimension| is_platform || !matches!(dimension, Self::Account | Self::Channel))
    }

    pub fn parse(name: &str, is_platform: bool) -> Option<Self> {
        Self::open_to(is_platform).find(|dimension| dimension.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Author => "author",
            Self::Provider => "provider",
            Self::ApiKey => "api_key_id",
            Self::App => "app",
            Self::Account => "account_id",
            Self::Channel => "channel",
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Author => "Author",
            Self::Provider => "Provider",
            Self::ApiKey => "API key",
            Self::App => "App",
            Self::Account => "Account",
            Self::Channel => "Channel",
        }
    }

    /// A stored value as the API tells it: a key by its hash where it still has one, an account by its printed id.
    pub fn told(self, value: &str, catalog: &Catalog) -> String {
        let Ok(id) = Uuid::parse_str(value) else { return value.to_owned() };
        match self {
            Self::ApiKey => {
                let known = catalog.keys().find(|key| key.record.id.uuid() == id);
                known.map_or_else(|| KeyId::from_uuid(id).to_string(), |key| key.record.hash.to_string())
            }
            Self::Account => AccountId::from_uuid(id).to_string(),
            _ => value.to_owned(),
        }
    }
}

/// Name, label and what is summed. A granularity finer than the hour is not kept.
pub const GRANULARITIES: [(&str, &str, Interval); 4] = [
    ("hour", "Hour", Interval::Hour),
    ("day", "Day", Interval::Day),
    ("week", "Week", Interval::Week),
    ("month", "Month", Interval::Month),
];

/// Name, what its value is, and whether it leaves out what it names. Dimensions are names: there is no order among them.
pub const OPERATORS: [(&str, &str, bool); 4] =
    [("eq", "scalar", false), ("neq", "scalar", true), ("in", "array", false), ("not_in", "array", true)];
