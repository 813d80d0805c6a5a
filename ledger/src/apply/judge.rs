//! What an event does, given the books: the rules, without changing anything.

use schemas::{AccountId, Body, DecodeError, Event, MoneyError, NanoUsd, RequestId};

use super::booking::{Booking, Verdict};
use super::state::State;
use super::{credit, usage};

/// What is to be done with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// Seen for the first time: it gets a row and extends its partition's chain.
    Record(Box<Booking>),
    /// Recorded before: nothing happens. `conflict` marks an idempotency key that came with another
    /// order; the first result stands.
    Duplicate { conflict: bool },
}

/// Why an entry cannot be booked. It goes to quarantine with its bytes; nothing is dropped.
///
/// **The words are stored and audited**, so they are ours and stay: no parser's message is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Poison {
    #[error("not an event this version reads: {0}")]
    Decode(String),
    #[error("an amount or a sum is out of range")]
    OutOfRange,
    #[error("the {0} is negative")]
    Negative(&'static str),
    #[error("the charge's lines do not add up to it")]
    Lines,
    #[error("the request {request} belongs to another account than {account}")]
    ForeignRequest { request: RequestId, account: AccountId },
    #[error("the platform's own account is charged")]
    SystemCharged,
    #[error("a text has a NUL character")]
    Nul,
    #[error("the event id is too long")]
    LongId,
}

impl From<DecodeError> for Poison {
    fn from(error: DecodeError) -> Self {
        // It repeats what the event says; not every store keeps a NUL.
        Self::Decode(error.to_string().replace('\0', "\\0"))
    }
}

impl From<MoneyError> for Poison {
    fn from(_: MoneyError) -> Self {
        Self::OutOfRange
    }
}

/// Judges an event against the books. Pure: the same bytes and state give the same judgement.
pub fn judge(state: &State, event: &Event, position: u64) -> Result<Judgement, Poison> {
    match &event.body {
        Body::UsageSettled(_) | Body::UsageReleased(_) | Body::HoldExpired(_) | Body::UsageAccepted(_) => {
            usage::judge_usage(state, event, position)
        }
        Body::BalanceTopup(order) | Body::BalanceGrant(order) | Body::BalanceRefund(order) | Body::BalanceAdjust(order) => {
            credit::judge_credit(state, event, order, position)
        }
        Body::BalanceGrantExpired(expired) => credit::judge_expiry(state, event, &expired.grant_id, position),
        Body::AccountOpened(_) | Body::PricePublished(_) => Ok(match state.events.contains_key(&event.header.id) {
            true => Judgement::Duplicate { conflict: false },
            false => Judgement::Record(Box::new(unmoved(state, event, Verdict::Informational))),
        }),
    }
}

/// A row that moves nothing.
pub(super) fn unmoved(state: &State, event: &Event, verdict: Verdict) -> Booking {
    Booking {
        event_id: event.header.id.clone(),
        event_type: event.body.kind(),
        verdict,
        account: event.header.account,
        partition: event.header.partition(),
        time: event.header.time,
        request_id: None,
        key_id: None,
        admission_day: None,
        amount: NanoUsd::ZERO,
        balance_after: state.accounts.get(&event.header.account).map_or(NanoUsd::ZERO, |account| account.balance),
        provider_cost: None,
        provisional: false,
        postings: Vec::new(),
        lots: Vec::new(),
        order: None,
    }
}
