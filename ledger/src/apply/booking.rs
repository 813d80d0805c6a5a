//! What the ledger records of an event it saw for the first time.

use std::fmt;

use schemas::{AccountId, Day, KeyId, NanoUsd, Partition, RequestId, Timestamp};

use super::accounts::Posting;
use super::lots::Lot;

/// The ledger's word on an event; part of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It took effect.
    Applied,
    /// A late `settled` that took effect over an `expired` or a recovered `released`.
    Superseding,
    /// Another terminal of its request is in effect and stays.
    Ignored,
    /// A fact that moves no money by its nature.
    Informational,
    /// A credit order that was refused. **Final for its idempotency key.**
    Rejected(Rejection),
}

impl Verdict {
    /// `applied`, `rejected`, …; the reason of a rejection stands in its own column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Superseding => "superseding",
            Self::Ignored => "ignored",
            Self::Informational => "informational",
            Self::Rejected(_) => "rejected",
        }
    }

    pub const fn rejection(self) -> Option<Rejection> {
        if let Self::Rejected(reason) = self { Some(reason) } else { None }
    }
}

/// `applied`, `rejected:already_expired`: the chain's form.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(reason) => write!(f, "rejected:{}", reason.name()),
            other => f.write_str(other.name()),
        }
    }
}

/// Why a credit order was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// Top-ups, grants and refunds are positive; an adjustment is not zero.
    Amount,
    /// The balance would not fit an amount.
    OutOfRange,
    /// Only a grant may expire.
    ExpiryNotAllowed,
    /// The grant's expiry is not after its own time.
    AlreadyExpired,
    /// The request a refund names was never charged to this account.
    UnknownRequest,
    /// Σ refunds of a request would exceed its charge.
    RefundExceedsCharge,
    /// There is no such grant on this account.
    UnknownGrant,
    /// The grant never expires, or not yet.
    GrantNotDue,
    /// The platform's own account holds no balance.
    SystemAccount,
}

impl Rejection {
    const ALL: [Self; 9] = [
        Self::Amount,
        Self::OutOfRange,
        Self::ExpiryNotAllowed,
        Self::AlreadyExpired,
        Self::UnknownRequest,
        Self::RefundExceedsCharge,
        Self::UnknownGrant,
        Self::GrantNotDue,
        Self::SystemAccount,
    ];

    /// The stable word stores and APIs use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::OutOfRange => "out_of_range",
            Self::ExpiryNotAllowed => "expiry_not_allowed",
            Self::AlreadyExpired => "already_expired",
            Self::UnknownRequest => "unknown_request",
            Self::RefundExceedsCharge => "refund_exceeds_charge",
            Self::UnknownGrant => "unknown_grant",
            Self::GrantNotDue => "grant_not_due",
            Self::SystemAccount => "system_account",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// What a transaction is to the customer who reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionKind {
    Usage,
    Topup,
    Grant,
    Refund,
    Adjustment,
    Expiry,
}

impl TransactionKind {
    const ALL: [Self; 6] = [Self::Usage, Self::Topup, Self::Grant, Self::Refund, Self::Adjustment, Self::Expiry];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Topup => "topup",
            Self::Grant => "grant",
            Self::Refund => "refund",
            Self::Adjustment => "adjustment",
            Self::Expiry => "expiry",
        }
    }

    /// The event type a transaction of this kind is booked from.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Usage => "usage.settled",
            Self::Topup => "balance.topup",
            Self::Grant => "balance.grant",
            Self::Refund => "balance.refund",
            Self::Adjustment => "balance.adjust",
            Self::Expiry => "balance.grant_expired",
        }
    }

    pub fn from_event_type(event_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.event_type() == event_type)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What was ordered, whether or not it was granted: the row behind an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditOrder {
    pub ordered: NanoUsd,
    pub actor: String,
    pub input_sha256: String,
    pub reason: Option<String>,
    pub reference: Option<String>,
    pub request_id: Option<RequestId>,
    pub expires_at: Option<Timestamp>,
    /// The grant that an expiry ends.
    pub grant_id: Option<String>,
}

/// The transaction an event becomes: everything but its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    pub event_id: String,
    pub event_type: &'static str,
    pub verdict: Verdict,
    pub account: AccountId,
    pub partition: Partition,
    /// The producer's time of the fact.
    pub time: Timestamp,
    /// Of a usage fact; credits name theirs in `order`.
    pub request_id: Option<RequestId>,
    pub key_id: Option<KeyId>,
    /// The UTC day a key's limit counts the charge on.
    pub admission_day: Option<Day>,
    /// What the customer's balance changes by: a charge is negative.
    pub amount: NanoUsd,
    pub balance_after: NanoUsd,
    /// As the event states it: absent is unknown, never zero.
    pub provider_cost: Option<NanoUsd>,
    /// A later fact may correct it: a provisional charge, a release written by crash recovery.
    pub provisional: bool,
    pub postings: Vec<Posting>,
    /// The new state of every grant lot this burns, opens or ends.
    pub lots: Vec<Lot>,
    pub order: Option<CreditOrder>,
}
