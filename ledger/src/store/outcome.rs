//! Which entries of a batch are applied, and what its caller and the gate are told; the same for every backend.

use std::collections::BTreeMap;

use schemas::{AccountId, NanoUsd};

use crate::apply::{Applied, Entered, Prepared, State};
use crate::posted::Posted;

use super::touched::Touched;
use super::{BatchOutcome, LedgerError};

/// The entries of a batch that the books do not hold yet. They must follow the position without a gap.
pub(super) fn fresh(position: u64, batch: &[Prepared]) -> Result<&[Prepared], LedgerError> {
    let batch = &batch[batch.partition_point(|prepared| prepared.position <= position)..];
    match batch.iter().zip(position + 1..).find(|(prepared, expected)| prepared.position != *expected) {
        Some((prepared, expected)) => Err(LedgerError::Position { position: expected - 1, found: prepared.position }),
        None => Ok(batch),
    }
}

/// Sums up a batch that brought the books to `position`.
pub(super) fn outcome(position: u64, applied: &[Applied], touched: &Touched, state: &State) -> BatchOutcome {
    let mut outcome = BatchOutcome { position, ..BatchOutcome::default() };
    let mut feedback = FeedbackOf { state, position, posted: BTreeMap::new() };
    for one in applied {
        match one {
            Applied::Entered(entered) => {
                outcome.applied += 1;
                outcome.checkpoints.extend(entered.checkpoint);
                feedback.entered(entered);
            }
            Applied::Duplicate { conflict, account, ended } => {
                outcome.duplicates += 1;
                outcome.conflicts += u64::from(*conflict);
                if let Some(request_id) = ended {
                    feedback.account(*account).requests.push(*request_id);
                }
            }
            Applied::Quarantined(_) => outcome.quarantined += 1,
        }
    }
    for (key, day) in &touched.keys {
        if let Some(spend) = state.key_spend.get(&(*key, *day)) {
            feedback.account(spend.account).key_spend.push((*key, *day, spend.spent));
        }
    }
    let advanced = touched.sources().filter_map(|(producer, partition)| {
        let known = state.sequences.get(&(producer, partition))?;
        Some((producer, partition, known.sequence.contiguous))
    });
    outcome.watermarks = advanced.collect();
    outcome.posted = feedback.posted.into_values().collect();
    outcome
}

/// The gate's feedback, account by account.
struct FeedbackOf<'a> {
    state: &'a State,
    position: u64,
    posted: BTreeMap<AccountId, Posted>,
}

impl FeedbackOf<'_> {
    fn account(&mut self, account_id: AccountId) -> &mut Posted {
        self.posted.entry(account_id).or_insert_with(|| Posted {
            account_id,
            posted: self.state.accounts.get(&account_id).map_or(NanoUsd::ZERO, |known| known.balance),
            position: self.position,
            requests: Vec::new(),
            key_spend: Vec::new(),
        })
    }

    fn entered(&mut self, entered: &Entered) {
        let booking = &entered.booking;
        if entered.ended.is_some() || !booking.amount.is_zero() {
            self.account(booking.account).requests.extend(entered.ended);
        }
    }
}
