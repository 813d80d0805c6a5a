//! Usage: how a request's end is charged. Never refused for lack of funds.

use schemas::event::{RequestRecord, UsageSettled};
use schemas::terminal::{Precedence, Terminal};
use schemas::{Body, Event, KeyId, NanoUsd, RequestId};

use super::accounts::{LedgerAccount, Posting, transfer};
use super::booking::{Booking, Verdict};
use super::judge::{Judgement, Poison, unmoved};
use super::lots::burn;
use super::state::{RequestState, State};

pub(super) fn judge_usage(state: &State, event: &Event, position: u64) -> Result<Judgement, Poison> {
    let account = event.header.account;
    let Some(request_id) = event.body.request_id() else {
        return Ok(Judgement::Duplicate { conflict: false });
    };
    let known = state.requests.get(&request_id).copied().unwrap_or(RequestState::new(account));
    if known.account != account {
        return Err(Poison::ForeignRequest { request: request_id, account });
    }
    if known.seen.contains(event.body.kind()) {
        return Ok(Judgement::Duplicate { conflict: false });
    }
    let mut booking = unmoved(state, event, Verdict::Informational);
    describe(&mut booking, &event.body, request_id)?;
    if let Some(terminal) = Terminal::of(&event.body) {
        booking.verdict = match terminal.against(known.effective) {
            Precedence::First => Verdict::Applied,
            Precedence::Supersedes => Verdict::Superseding,
            Precedence::Ignored => Verdict::Ignored,
        };
        if booking.verdict != Verdict::Ignored {
            move_money(state, &known, event, &mut booking, position)?;
        }
    }
    Ok(Judgement::Record(Box::new(booking)))
}

/// What the event says of the request, whether or not it counts. Refuses what cannot be booked.
fn describe(booking: &mut Booking, body: &Body, request_id: RequestId) -> Result<(), Poison> {
    booking.request_id = Some(request_id);
    let (record, key_id): (Option<&RequestRecord>, Option<KeyId>) = match body {
        Body::UsageSettled(settled) => {
            check_charge(settled)?;
            booking.provisional = settled.provisional;
            (Some(&settled.request), settled.request.api_key_id)
        }
        Body::UsageReleased(released) => {
            booking.provisional = released.recovered;
            (Some(&released.request), released.request.api_key_id)
        }
        Body::HoldExpired(expired) => (None, expired.api_key_id),
        Body::UsageAccepted(accepted) => (None, accepted.api_key_id),
        _ => (None, None),
    };
    booking.key_id = key_id;
    booking.admission_day = record.map(RequestRecord::admission_day);
    booking.provider_cost = record.and_then(|record| record.provider_cost_nanos);
    if booking.provider_cost.is_some_and(NanoUsd::is_negative) {
        return Err(Poison::Negative("provider cost"));
    }
    Ok(())
}

/// A charge is not negative, and where it is itemised its lines explain it to the last pico-dollar.
fn check_charge(settled: &UsageSettled) -> Result<(), Poison> {
    if settled.charge_nanos.is_negative() {
        return Err(Poison::Negative("charge"));
    }
    if settled.lines.is_empty() {
        return Ok(());
    }
    let mut picos: i128 = 0;
    for line in &settled.lines {
        let product = i128::from(line.quantity) * i128::from(line.price_picos.picos());
        picos = picos.checked_add(product).ok_or(Poison::OutOfRange)?;
    }
    let booked = i128::from(settled.charge_nanos.nanos()) * i128::from(schemas::money::PICOS_PER_NANO) + i128::from(settled.rounding_picos);
    let sum = NanoUsd::checked_sum(settled.lines.iter().map(|line| line.amount_nanos))?;
    if sum != settled.charge_nanos || picos != booked {
        return Err(Poison::Lines);
    }
    Ok(())
}

fn move_money(state: &State, known: &RequestState, event: &Event, booking: &mut Booking, position: u64) -> Result<(), Poison> {
    let charge = if let Body::UsageSettled(settled) = &event.body { settled.charge_nanos } else { NanoUsd::ZERO };
    if !charge.is_zero() {
        if booking.account == schemas::AccountId::SYSTEM {
            return Err(Poison::SystemCharged);
        }
        let usage = state.accounts.get(&booking.account).map_or(NanoUsd::ZERO, |account| account.usage);
        usage.checked_add(charge)?;
        booking.amount = charge.checked_neg()?;
        booking.balance_after = booking.balance_after.checked_sub(charge)?;
        booking.lots = burn(state.open_lots(booking.account), charge, position)?;
        booking.postings = transfer(LedgerAccount::Customer(booking.account), LedgerAccount::Revenue(booking.partition), booking.amount)?;
        if let (Some(key), Some(day)) = (booking.key_id, booking.admission_day) {
            let spent = state.key_spend.get(&(key, day)).map_or(NanoUsd::ZERO, |spend| spend.spent);
            spent.checked_add(charge)?;
        }
    }
    booking.postings.append(&mut provider_legs(known, booking)?);
    Ok(())
}

/// What the provider's bill grows by: a superseding fact books only the difference to what its
/// predecessor booked, and an unknown cost leaves the known part as it is.
fn provider_legs(known: &RequestState, booking: &Booking) -> Result<Vec<Posting>, Poison> {
    let booked = known.provider_cost.unwrap_or(NanoUsd::ZERO);
    let cost = booking.provider_cost.unwrap_or(booked);
    let difference = cost.checked_sub(booked)?;
    Ok(transfer(LedgerAccount::Payable(booking.partition), LedgerAccount::ProviderCost(booking.partition), difference)?)
}
