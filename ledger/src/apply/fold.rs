//! Folding one entry into the books: judge, extend the chain, remember.

use schemas::terminal::Terminal;
use schemas::{AccountId, Body, Event, NanoUsd, RequestId};

use crate::chain::{self, Checkpoint, Head};

use super::booking::{Booking, Verdict};
use super::judge::{Judgement, Poison, judge};
use super::lots::Lot;
use super::prepared::Prepared;
use super::sequence::TooManyGaps;
use super::state::{KeySpendState, KnownEvent, PartitionState, RequestState, State};

/// A broken invariant: the worker halts, nothing is written.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    #[error("log entry {found} does not follow position {position}")]
    Position { position: u64, found: u64 },
    #[error("the postings of entry {position} do not sum to zero")]
    Unbalanced { position: u64 },
    #[error("a sum at entry {position} left the range that was checked before")]
    Range { position: u64 },
    #[error("entry {position} cannot be counted")]
    Sequence { position: u64, source: TooManyGaps },
}

/// What an entry did.
#[derive(Debug, Clone)]
pub enum Applied {
    Entered(Box<Entered>),
    Duplicate {
        conflict: bool,
        account: AccountId,
        /// As in [`Entered::ended`].
        ended: Option<RequestId>,
    },
    Quarantined(Poison),
}

/// A booking with its place in the log and in its partition's chain.
#[derive(Debug, Clone)]
pub struct Entered {
    pub position: u64,
    /// Counts 1, 2, 3 … per partition.
    pub ordinal: u64,
    pub event_sha256: [u8; 32],
    /// The chain's head after this entry.
    pub head: Head,
    pub booking: Booking,
    /// The request of a terminal fact, if the terminal in effect is settled or released: the gate need not
    /// carry it any longer. An expired one may still be settled.
    pub ended: Option<RequestId>,
    /// Due outside the database after this entry.
    pub checkpoint: Option<Checkpoint>,
}

/// Folds the next entry into the state. Pure but for the state it is given.
pub fn apply(state: &mut State, prepared: &Prepared) -> Result<Applied, FoldError> {
    let position = prepared.position;
    if position != state.position + 1 {
        return Err(FoldError::Position { position: state.position, found: position });
    }
    note_source(state, prepared)?;
    let applied = match &prepared.event {
        Err(poison) => Applied::Quarantined(poison.clone()),
        Ok(event) => match judge(state, event, position) {
            Err(poison) => Applied::Quarantined(poison),
            Ok(Judgement::Duplicate { conflict }) => {
                Applied::Duplicate { conflict, account: event.header.account, ended: ended(state, &event.body) }
            }
            Ok(Judgement::Record(booking)) => Applied::Entered(Box::new(enter(state, prepared, event, *booking)?)),
        },
    };
    state.position = position;
    Ok(applied)
}

fn note_source(state: &mut State, prepared: &Prepared) -> Result<(), FoldError> {
    let Some((producer, partition, number)) = prepared.source else { return Ok(()) };
    let known = state.sequences.entry((producer, partition)).or_default();
    let new = known.sequence.note(number).map_err(|source| FoldError::Sequence { position: prepared.position, source })?;
    if new {
        known.position = prepared.position;
    }
    Ok(())
}

fn enter(state: &mut State, prepared: &Prepared, event: &Event, booking: Booking) -> Result<Entered, FoldError> {
    let position = prepared.position;
    let sum: i128 = booking.postings.iter().map(|posting| i128::from(posting.amount.nanos())).sum();
    if sum != 0 || booking.postings.iter().any(|posting| posting.amount.is_zero()) {
        return Err(FoldError::Unbalanced { position });
    }
    let partition = state.partitions.entry(booking.partition).or_insert_with(|| PartitionState::empty(booking.partition));
    let ordinal = partition.ordinal + 1;
    let head = chain::extend(&partition.head, ordinal, &prepared.sha256, booking.verdict, &booking.postings);
    let day = booking.time.day();
    let new_day = partition.day.is_none_or(|latest| day > latest);
    let due = ordinal.is_multiple_of(chain::CHECKPOINT_EVERY) || new_day;
    let checkpoint = due.then_some(Checkpoint { partition: booking.partition, ordinal, head, position, time: booking.time });
    *partition = PartitionState { ordinal, head, day: if new_day { Some(day) } else { partition.day }, position };
    remember(state, event, &booking, position).ok_or(FoldError::Range { position })?;
    let ended = ended(state, &event.body);
    Ok(Entered { position, ordinal, event_sha256: prepared.sha256, head, booking, ended, checkpoint })
}

fn ended(state: &State, body: &Body) -> Option<RequestId> {
    Terminal::of(body)?;
    let request_id = body.request_id()?;
    let effective = state.requests.get(&request_id)?.effective?;
    (effective != Terminal::Expired).then_some(request_id)
}

/// Takes the booking's consequences over. `None` only where a sum overflows that judging checked.
fn remember(state: &mut State, event: &Event, booking: &Booking, position: u64) -> Option<()> {
    match booking.request_id {
        Some(request_id) => remember_request(state, event, booking, request_id),
        None => {
            let input_sha256 = booking.order.as_ref().map(|order| order.input_sha256.clone());
            state.events.insert(booking.event_id.clone(), KnownEvent { account: booking.account, input_sha256 });
        }
    }
    for lot in &booking.lots {
        remember_lot(state, lot);
    }
    if booking.amount.is_zero() {
        return Some(());
    }
    remember_refund(state, event, booking)?;
    let account = state.accounts.entry(booking.account).or_default();
    if matches!(event.body, Body::UsageSettled(_)) {
        account.usage = account.usage.checked_sub(booking.amount).ok()?;
    } else {
        account.credits = account.credits.checked_add(booking.amount).ok()?;
    }
    account.balance = booking.balance_after;
    account.position = position;
    if let (Body::UsageSettled(_), Some(key), Some(day)) = (&event.body, booking.key_id, booking.admission_day) {
        let empty = KeySpendState { account: booking.account, spent: NanoUsd::ZERO, position };
        let spend = state.key_spend.entry((key, day)).or_insert(empty);
        spend.spent = spend.spent.checked_sub(booking.amount).ok()?;
        spend.position = position;
    }
    Some(())
}

fn remember_request(state: &mut State, event: &Event, booking: &Booking, request_id: RequestId) {
    let request = state.requests.entry(request_id).or_insert_with(|| RequestState::new(booking.account));
    request.seen.insert(booking.event_type);
    if let (Verdict::Applied | Verdict::Superseding, Some(terminal)) = (booking.verdict, Terminal::of(&event.body)) {
        request.effective = Some(terminal);
        if let Body::UsageSettled(settled) = &event.body {
            request.charge = settled.charge_nanos;
        }
        request.provider_cost = booking.provider_cost.or(request.provider_cost);
    }
}

fn remember_refund(state: &mut State, event: &Event, booking: &Booking) -> Option<()> {
    if let Body::BalanceRefund(refund) = &event.body
        && let Some(request) = refund.request_id.and_then(|request_id| state.requests.get_mut(&request_id))
    {
        request.refunded = request.refunded.checked_add(booking.amount).ok()?;
    }
    Some(())
}

fn remember_lot(state: &mut State, lot: &Lot) {
    let open = &mut state.accounts.entry(lot.account).or_default().open_lots;
    if lot.remaining.is_zero() {
        open.retain(|id| *id != lot.grant_id);
    } else if !open.contains(&lot.grant_id) {
        open.push(lot.grant_id.clone());
    }
    state.lots.insert(lot.grant_id.clone(), lot.clone());
}
