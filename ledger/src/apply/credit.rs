//! Credits: top-ups, grants, refunds, adjustments and the expiry of grants. One result per event id, for ever.

use schemas::event::Credit;
use schemas::terminal::Terminal;
use schemas::{AccountId, Body, Event, NanoUsd};

use super::accounts::{LedgerAccount, transfer};
use super::booking::{Booking, CreditOrder, Rejection, Verdict};
use super::judge::{Judgement, Poison, unmoved};
use super::lots::{Lot, burn, remaining_of_grant};
use super::state::State;

pub(super) fn judge_credit(state: &State, event: &Event, credit: &Credit, position: u64) -> Result<Judgement, Poison> {
    if let Some(first) = state.events.get(&event.header.id) {
        let same = first.account == event.header.account && first.input_sha256.as_deref() == Some(credit.input_sha256.as_str());
        return Ok(Judgement::Duplicate { conflict: !same });
    }
    let mut booking = unmoved(state, event, Verdict::Applied);
    booking.order = Some(CreditOrder {
        ordered: credit.amount_nanos,
        actor: credit.actor.clone(),
        input_sha256: credit.input_sha256.clone(),
        reason: credit.reason.clone(),
        reference: credit.reference.clone(),
        request_id: credit.request_id,
        expires_at: credit.expires_at,
        grant_id: None,
    });
    let outcome = check_order(state, event, credit).and_then(|()| book_credit(state, event, credit, position, &mut booking));
    Ok(record(state, event, booking, outcome))
}

pub(super) fn judge_expiry(state: &State, event: &Event, grant_id: &str, position: u64) -> Result<Judgement, Poison> {
    if state.events.contains_key(&event.header.id) {
        return Ok(Judgement::Duplicate { conflict: false });
    }
    let mut booking = unmoved(state, event, Verdict::Applied);
    let outcome = book_expiry(state, event, grant_id, position, &mut booking);
    booking.order = Some(CreditOrder {
        ordered: booking.amount,
        actor: "ledger".to_owned(),
        input_sha256: String::new(),
        reason: None,
        reference: None,
        request_id: None,
        expires_at: None,
        grant_id: Some(grant_id.to_owned()),
    });
    Ok(record(state, event, booking, outcome))
}

/// A refusal keeps the order and moves nothing.
fn record(state: &State, event: &Event, booking: Booking, outcome: Result<(), Rejection>) -> Judgement {
    Judgement::Record(Box::new(match outcome {
        Ok(()) => booking,
        Err(reason) => Booking { order: booking.order, ..unmoved(state, event, Verdict::Rejected(reason)) },
    }))
}

fn check_order(state: &State, event: &Event, credit: &Credit) -> Result<(), Rejection> {
    let account = event.header.account;
    if account == AccountId::SYSTEM {
        return Err(Rejection::SystemAccount);
    }
    let may_be_negative = matches!(event.body, Body::BalanceAdjust(_));
    if credit.amount_nanos.is_zero() || (credit.amount_nanos.is_negative() && !may_be_negative) {
        return Err(Rejection::Amount);
    }
    match credit.expires_at {
        Some(_) if !matches!(event.body, Body::BalanceGrant(_)) => return Err(Rejection::ExpiryNotAllowed),
        Some(expires_at) if expires_at <= event.header.time => return Err(Rejection::AlreadyExpired),
        _ => {}
    }
    match (&event.body, credit.request_id) {
        (Body::BalanceRefund(_), Some(request_id)) => {
            let request = state.requests.get(&request_id).filter(|request| request.account == account);
            let settled = request.filter(|request| request.effective == Some(Terminal::Settled)).ok_or(Rejection::UnknownRequest)?;
            let refunded = settled.refunded.checked_add(credit.amount_nanos).map_err(|_| Rejection::OutOfRange)?;
            if refunded > settled.charge { Err(Rejection::RefundExceedsCharge) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn book_credit(state: &State, event: &Event, credit: &Credit, position: u64, booking: &mut Booking) -> Result<(), Rejection> {
    let (account, partition, amount) = (booking.account, booking.partition, credit.amount_nanos);
    let from = match event.body {
        Body::BalanceGrant(_) => LedgerAccount::Promotions(partition),
        Body::BalanceRefund(_) => LedgerAccount::Revenue(partition),
        Body::BalanceAdjust(_) => LedgerAccount::Adjustments(partition),
        _ => LedgerAccount::Clearing(partition),
    };
    change_balance(state, booking, from, amount)?;
    if amount.is_negative() {
        let debit = amount.checked_neg().map_err(|_| Rejection::OutOfRange)?;
        booking.lots = burn(state.open_lots(account), debit, position).map_err(|_| Rejection::OutOfRange)?;
    } else if matches!(event.body, Body::BalanceGrant(_)) {
        booking.lots = vec![Lot {
            grant_id: event.header.id.clone(),
            account,
            granted: amount,
            remaining: remaining_of_grant(amount, booking.balance_after),
            expires_at: credit.expires_at,
            granted_position: position,
            position,
        }];
    }
    Ok(())
}

/// What is left of a grant goes to breakage; nothing left is an expiry that moves nothing.
fn book_expiry(state: &State, event: &Event, grant_id: &str, position: u64, booking: &mut Booking) -> Result<(), Rejection> {
    let lot = state.lots.get(grant_id).filter(|lot| lot.account == booking.account).ok_or(Rejection::UnknownGrant)?;
    if lot.expires_at.is_none_or(|expires_at| expires_at > event.header.time) {
        return Err(Rejection::GrantNotDue);
    }
    let left = lot.remaining.checked_neg().map_err(|_| Rejection::OutOfRange)?;
    change_balance(state, booking, LedgerAccount::Breakage(booking.partition), left)?;
    if !lot.remaining.is_zero() {
        booking.lots = vec![Lot { remaining: NanoUsd::ZERO, position, ..lot.clone() }];
    }
    Ok(())
}

fn change_balance(state: &State, booking: &mut Booking, from: LedgerAccount, amount: NanoUsd) -> Result<(), Rejection> {
    let credits = state.accounts.get(&booking.account).map_or(NanoUsd::ZERO, |account| account.credits);
    credits.checked_add(amount).map_err(|_| Rejection::OutOfRange)?;
    booking.balance_after = booking.balance_after.checked_add(amount).map_err(|_| Rejection::OutOfRange)?;
    booking.amount = amount;
    booking.postings = transfer(LedgerAccount::Customer(booking.account), from, amount).map_err(|_| Rejection::OutOfRange)?;
    Ok(())
}
