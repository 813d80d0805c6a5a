//! What the gate is asked and what it answers.

use bytes::Bytes;
use schemas::{AccountId, Day, KeyId, NanoUsd, NodeId, RequestId, Timestamp};

use super::window::LimitWindow;

/// Asks for permission to start one request. All or nothing across every limit of account and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReserveCommand {
    pub request_id: RequestId,
    pub account_id: AccountId,
    pub key: Option<KeyPolicy>,
    pub account_rates: RateLimits,
    /// Where it is for a free model and those are limited.
    pub free: Option<FreeLimits>,
    /// Wanted. Zero for a free model, which is refused for money only if the account is negative.
    pub hold: NanoUsd,
    /// The least that is still useful. Where less than `hold` is available but not less than this, what is
    /// available is held and the caller lowers the output cap.
    pub minimum: NanoUsd,
    /// What the request can cost at most. Equal to `hold` for streams, which resize as they go.
    pub worst_case: NanoUsd,
    /// Σ (worst case − hold) of an account stays at or below this; beyond it the full worst case is held.
    pub overdraft_max: NanoUsd,
    /// Estimated tokens, for the tokens-per-minute limits; corrected when the request is settled.
    pub tokens: u64,
    /// Its UTC day is the day the key's limit counts the request on, whenever it ends.
    pub admitted_at: Timestamp,
    pub owner: NodeId,
}

/// Limits of the API key a request came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPolicy {
    pub key_id: KeyId,
    pub limit: Option<KeyLimit>,
    pub rates: RateLimits,
}

/// At most `amount` per `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyLimit {
    pub amount: NanoUsd,
    pub window: LimitWindow,
}

/// `None` is no limit, zero lets nothing through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RateLimits {
    pub requests_per_minute: Option<u32>,
    pub tokens_per_minute: Option<u64>,
    pub concurrency: Option<u32>,
}

/// What an account may ask of free models, with all its keys together. Zero lets nothing through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeLimits {
    pub requests_per_minute: u32,
    pub requests_per_day: u32,
}

/// The answer to [`ReserveCommand`] and to a resize.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reserved {
    Held {
        /// What is held now.
        hold: NanoUsd,
        /// What the request may cost at most. Below the command's worst case, the caller lowers the output
        /// cap to what this pays for: the difference is not covered by `overdraft_max`.
        worst_case: NanoUsd,
        amounts: Amounts,
        epoch: u64,
    },
    Refused(Refusal),
}

/// Where an account stands. **Available = posted − pending − held.**
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Amounts {
    /// What the ledger booked.
    pub posted: NanoUsd,
    /// Settled, but not yet booked.
    pub pending: NanoUsd,
    /// Reserved by requests in flight.
    pub held: NanoUsd,
}

impl Amounts {
    /// What a new request could hold; negative after an overdraft.
    pub const fn available(&self) -> NanoUsd {
        self.settled_balance().saturating_sub(self.held)
    }

    /// What would be left if nothing were in flight: waiting does not raise it.
    pub const fn settled_balance(&self) -> NanoUsd {
        self.posted.saturating_sub(self.pending)
    }
}

/// Which level refused a request, why, and when to come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub level: LimitLevel,
    pub cause: RefusalCause,
    /// The account's, whichever level refused.
    pub amounts: Amounts,
    /// Only where waiting helps.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// The account's requests to free models are used up for now; others may be admitted.
    pub const fn is_of_free_requests(&self) -> bool {
        matches!(self.cause, RefusalCause::FreeDay { .. } | RefusalCause::FreeMinute { .. })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitLevel {
    Account,
    Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefusalCause {
    /// posted − pending < 0: refused everything, free models too.
    NegativeBalance,
    /// posted − pending < minimum: waiting does not help.
    Balance,
    /// Holds of other requests are in the way.
    InFlight,
    /// What the window's requests cost already leaves less than the minimum.
    KeyLimit {
        window: LimitWindow,
        limit: NanoUsd,
        spent: NanoUsd,
        held: NanoUsd,
        resets_at: Option<Timestamp>,
    },
    /// Holds of the key's other requests are in the way.
    KeyInFlight {
        window: LimitWindow,
        limit: NanoUsd,
        spent: NanoUsd,
        held: NanoUsd,
        resets_at: Option<Timestamp>,
    },
    Requests {
        limit: u32,
        remaining: u32,
    },
    Tokens {
        limit: u64,
        remaining: u64,
    },
    Concurrency {
        limit: u32,
    },
    /// The account's requests to free models, of a UTC day.
    FreeDay {
        limit: u32,
        resets_at: Timestamp,
    },
    /// The same, of a minute.
    FreeMinute {
        limit: u32,
        remaining: u32,
    },
}

impl RefusalCause {
    /// A stable word for logs and metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NegativeBalance => "negative_balance",
            Self::Balance => "balance",
            Self::InFlight => "in_flight",
            Self::KeyLimit { .. } => "key_limit",
            Self::KeyInFlight { .. } => "key_in_flight",
            Self::Requests { .. } => "requests",
            Self::Tokens { .. } => "tokens",
            Self::Concurrency { .. } => "concurrency",
            Self::FreeDay { .. } => "free_day",
            Self::FreeMinute { .. } => "free_minute",
        }
    }
}

impl LimitLevel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Key => "key",
        }
    }
}

/// A request's cost is known and its terminal event is durable: hold → pending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleCommand {
    pub request_id: RequestId,
    pub account_id: AccountId,
    /// Above the hold it counts in full.
    pub actual: NanoUsd,
    /// Tokens really used; replaces the estimate in the tokens-per-minute limits.
    pub tokens: u64,
    /// The terminal event's bytes, kept for a while for `/generation`.
    pub record: Bytes,
}

/// What a key spent in the windows that are open now: posted + pending, without holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeySpend {
    pub total: NanoUsd,
    pub daily: NanoUsd,
    pub weekly: NanoUsd,
    pub monthly: NanoUsd,
}

/// A hold whose owner did not renew it in time. From now on it cannot be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverdueHold {
    pub request_id: RequestId,
    pub account_id: AccountId,
    pub key_id: Option<KeyId>,
    pub hold: NanoUsd,
    pub owner: NodeId,
    pub epoch: u64,
}

/// A live hold as its owner announces it to a gate that lost its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredHold {
    pub request_id: RequestId,
    pub account_id: AccountId,
    pub key_id: Option<KeyId>,
    pub limit: Option<KeyLimit>,
    pub hold: NanoUsd,
    pub worst_case: NanoUsd,
    pub tokens: u64,
    pub admitted_at: Timestamp,
    pub owner: NodeId,
}

/// A durable `settled` that the ledger has **not** booked at the position the gate is rebuilt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoredSpend {
    pub request_id: RequestId,
    pub account_id: AccountId,
    pub key_id: Option<KeyId>,
    pub actual: NanoUsd,
    pub admission_day: Day,
}
