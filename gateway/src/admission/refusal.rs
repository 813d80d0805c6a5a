//! A refusal in the client's words: `docs/money.md`, "402 and friends".

use http::{HeaderName, HeaderValue};
use ledger::gate::{GateError, LimitLevel, LimitWindow, Refusal, RefusalCause};
use schemas::{NanoUsd, Timestamp};

use super::estimate::Estimate;
use super::free_tier::Unlock;
use crate::http::error::{ApiError, ErrorType};

/// What a client whose gate is being rebuilt should wait.
const GATE_RETRY_SECONDS: u64 = 2;

/// Tells the client which limit refused it, what is posted, pending, held and available, and whether
/// waiting helps. `unlock` is what would raise the account's limit of free models.
pub fn refusal_error(refusal: &Refusal, estimate: &Estimate, public_url: &str, unlock: Option<Unlock>) -> ApiError {
    let required = estimate.hold;
    let is_hopeless = matches!(refusal.cause, RefusalCause::Tokens { limit, .. } if estimate.tokens > limit);
    let retry_after = refusal.retry_after_ms.map(|millis| millis.div_ceil(1_000).max(1));
    let whose = match refusal.level {
        LimitLevel::Account => "account",
        LimitLevel::Key => "API key",
    };
    let error = match &refusal.cause {
        RefusalCause::NegativeBalance => ApiError::payment_required(format!(
            "The account's balance is negative. Add credits at {public_url}/credits before making further requests, free models included."
        ))
        .with_metadata("limit_source", "openrouter_credits")
        .with_metadata("reason", "negative_balance")
        .with_metadata("remedy_hint", "Add credits to the account."),
        RefusalCause::Balance => ApiError::payment_required(format!(
            "Insufficient credits: this request needs up to ${required} and ${} is available{}. Add credits at {public_url}/credits, or {}.",
            refusal.amounts.settled_balance(),
            affordable(estimate, refusal.amounts.settled_balance()),
            ask_for_less(estimate.has_output()),
        ))
        .with_metadata("limit_source", "openrouter_credits")
        .with_metadata("reason", "weight_exceeds_budget")
        .with_metadata("remedy_hint", format!("Add credits to the account, or {}.", ask_for_less(estimate.has_output()))),
        RefusalCause::InFlight => ApiError::payment_required(
            "This request would exceed the available credits given the current in-flight requests. Retry after in-flight requests settle, or add credits.",
        )
        .with_metadata("limit_source", "openrouter_in_flight_budget")
        .with_metadata("reason", "in_flight_budget_exhausted")
        .with_metadata("remedy_hint", "Retry when requests in flight have ended, or add credits."),
        RefusalCause::KeyLimit { window, limit, spent, held, resets_at }
        | RefusalCause::KeyInFlight { window, limit, spent, held, resets_at } => {
            let key = KeyAmounts { window: *window, limit: *limit, spent: *spent, held: *held, resets_at: *resets_at };
            let is_spent = matches!(refusal.cause, RefusalCause::KeyLimit { .. });
            let reason = if is_spent { "key_limit_exceeded" } else { "in_flight_budget_exhausted" };
            key_limit(&key, estimate, public_url).with_metadata("reason", reason)
        }
        RefusalCause::Requests { limit, remaining } => rate(whose, "requests", u64::from(*limit), u64::from(*remaining), retry_after),
        RefusalCause::Tokens { limit, .. } if estimate.tokens > *limit => never_within(whose, estimate.tokens, *limit),
        RefusalCause::Tokens { limit, remaining } => rate(whose, "tokens", *limit, *remaining, retry_after),
        RefusalCause::Concurrency { limit } => ApiError::rate_limited(
            format!("Rate limit exceeded: the {whose} may have {limit} requests in flight."),
            retry_after.unwrap_or(1),
        )
        .with_metadata("limit_source", format!("{}_concurrency", refusal.level.as_str()))
        .with_metadata("limit", *limit),
        RefusalCause::FreeDay { limit, resets_at } => free_day(*limit, *resets_at, unlock),
        RefusalCause::FreeMinute { limit, remaining } => {
            let error = ApiError::new(ErrorType::RateLimitExceeded, "Rate limit exceeded: free-models-per-min");
            with_rate(error, "openrouter_free_tier_per_minute", u64::from(*limit), u64::from(*remaining), reset_millis(retry_after))
        }
    };
    let error = error.with_metadata("level", refusal.level.as_str());
    let error = if error.status() == http::StatusCode::PAYMENT_REQUIRED { with_amounts(error, refusal, required) } else { error };
    match retry_after.filter(|_| !is_hopeless) {
        Some(seconds) => error.with_retry_after(seconds),
        None => error,
    }
}

/// The gate cannot decide: closed by default, told with `Retry-After`.
pub fn gate_error(error: GateError) -> ApiError {
    let seconds = match &error {
        GateError::NotReady { retry_after_ms, .. } => retry_after_ms.div_ceil(1_000).max(1),
        _ => GATE_RETRY_SECONDS,
    };
    ApiError::unavailable("The balance gate cannot answer right now; nothing was charged. Please retry.", seconds).with_source(error)
}

/// A key's limit and what has gone of it in its window.
struct KeyAmounts {
    window: LimitWindow,
    limit: NanoUsd,
    spent: NanoUsd,
    held: NanoUsd,
    resets_at: Option<Timestamp>,
}

impl KeyAmounts {
    /// What the key may still spend.
    fn left(&self) -> NanoUsd {
        let used = self.spent.saturating_add(self.held);
        self.limit.checked_sub(used).unwrap_or(NanoUsd::ZERO).max(NanoUsd::ZERO)
    }
}

fn key_limit(key: &KeyAmounts, estimate: &Estimate, public_url: &str) -> ApiError {
    let name = match key.window {
        LimitWindow::Total => "total",
        LimitWindow::Daily => "daily",
        LimitWindow::Weekly => "weekly",
        LimitWindow::Monthly => "monthly",
    };
    let (limit, spent, held, left) = (key.limit, key.spent, key.held, key.left());
    let message = format!(
        "Key limit exceeded: this request needs up to ${} and the key has ${left} left ({name} limit of ${limit}; ${spent} spent, ${held} held). \
         Manage it at {public_url}/keys.",
        estimate.hold
    );
    let less = ask_for_less(estimate.has_output());
    let remedy = match key.resets_at {
        Some(_) => format!("Raise the limit of the API key, {less}, or wait for the key's next window."),
        None => format!("Raise the limit of the API key, or {less}."),
    };
    let error = ApiError::payment_required(message)
        .with_metadata("limit_source", "openrouter_key_limit")
        .with_metadata("remedy_hint", remedy)
        .with_metadata("window", name)
        .with_amount("key_limit", limit)
        .with_amount("key_spent", spent)
        .with_amount("key_held", held)
        .with_amount("key_available", left);
    match key.resets_at {
        Some(instant) => error.with_metadata("resets_at", instant.to_string()),
        None => error,
    }
}

fn rate(whose: &str, what: &str, limit: u64, remaining: u64, retry_after_seconds: Option<u64>) -> ApiError {
    let message = format!("Rate limit exceeded: the {whose} may send {limit} {what} a minute.");
    let error = ApiError::rate_limited(message, retry_after_seconds.unwrap_or(1));
    with_rate(error, &format!("{what}_per_minute"), limit, remaining, reset_millis(retry_after_seconds))
}

/// The day's requests to free models are used up; in `OpenRouter`'s words, which clients look for.
fn free_day(limit: u32, resets_at: Timestamp, unlock: Option<Unlock>) -> ApiError {
    let message = match unlock {
        Some(Unlock { credits, requests_per_day }) => format!(
            "Rate limit exceeded: free-models-per-day. Add {credits} credits to unlock {requests_per_day} free model requests per day"
        ),
        None => "Rate limit exceeded: free-models-per-day-high-balance".to_owned(),
    };
    with_rate(ApiError::new(ErrorType::RateLimitExceeded, message), "openrouter_free_tier_daily", u64::from(limit), 0, resets_at.millis())
}

/// When a rate has room again, in milliseconds since 1970.
fn reset_millis(retry_after_seconds: Option<u64>) -> i64 {
    let wait = i64::try_from(retry_after_seconds.unwrap_or(1)).unwrap_or(0);
    Timestamp::now().millis().saturating_add(wait.saturating_mul(1_000))
}

/// A rate in the headers and, as browsers cannot read those across origins, in the body.
fn with_rate(error: ApiError, limit_source: &str, limit: u64, remaining: u64, reset_millis: i64) -> ApiError {
    let values = [
        ("x-ratelimit-limit", limit.to_string()),
        ("x-ratelimit-remaining", remaining.to_string()),
        ("x-ratelimit-reset", reset_millis.to_string()),
    ];
    let names = ["X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"];
    let shown: serde_json::Map<String, serde_json::Value> =
        names.iter().zip(&values).map(|(name, (_, value))| ((*name).to_owned(), value.as_str().into())).collect();
    let error = error
        .with_metadata("limit_source", limit_source)
        .with_metadata("limit", limit)
        .with_metadata("remaining", remaining)
        .with_metadata("headers", shown);
    values.into_iter().fold(error, |error, (name, value)| match HeaderValue::try_from(value) {
        Ok(value) => error.with_header(HeaderName::from_static(name), value),
        Err(_) => error,
    })
}

/// A request that counts for more than a whole minute's limit: waiting does not help.
fn never_within(whose: &str, tokens: u64, limit: u64) -> ApiError {
    let message = format!(
        "This request counts as up to {tokens} tokens, but the {whose} may send {limit} a minute. Shorten the prompt or lower max_tokens."
    );
    ApiError::new(ErrorType::RateLimitExceeded, message)
        .with_metadata("limit_source", "tokens_per_minute")
        .with_metadata("limit", limit)
        .with_metadata("required", tokens)
}

/// What a client can do about a request that costs too much.
pub const fn ask_for_less(has_output: bool) -> &'static str {
    if has_output { "ask for fewer max_tokens" } else { "send fewer inputs at once" }
}

/// What the balance would pay for, in words, where it pays for anything.
fn affordable(estimate: &Estimate, balance: NanoUsd) -> String {
    match estimate.affordable_output_tokens(balance).filter(|_| estimate.has_output()) {
        Some(tokens) if tokens > 1 => format!(", which pays for {tokens} output tokens"),
        _ => String::new(),
    }
}

fn with_amounts(error: ApiError, refusal: &Refusal, required: NanoUsd) -> ApiError {
    let amounts = refusal.amounts;
    error
        .with_amount("posted", amounts.posted)
        .with_amount("pending", amounts.pending)
        .with_amount("held", amounts.held)
        .with_amount("available", amounts.available())
        .with_amount("required", required)
}
