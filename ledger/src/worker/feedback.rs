//! What the gate is told, and what it is still owed.

use std::collections::BTreeSet;
use std::time::Duration;

use schemas::{AccountId, Timestamp};
use tokio::time::Instant;

use crate::gate::{BalanceGate, GateError, NotTaken};
use crate::metrics::LEDGER_RETRIES_TOTAL;
use crate::posted::Posted;
use crate::store::{LedgerError, LedgerStore};

/// How often a gate that missed feedback is tried again, and how often it is asked what it still carries.
const OWED_RETRY: Duration = Duration::from_millis(100);
const UNPOSTED_EVERY: Duration = Duration::from_secs(10);
/// What the gate carries longer than this was booked and the word got lost, or is late.
const UNPOSTED_AFTER_MICROS: i64 = 10_000_000;
const UNPOSTED_MAX: usize = 1_000;
/// Accounts told to the gate in one call.
const POST_CHUNK: usize = 1_000;
/// Accounts kept apart that the gate refuses, and of these named in one line of the log. With more, everything is said again.
const REFUSED_MAX: usize = 100_000;
const NAMED_MAX: usize = 8;

/// What the gate is told, and what it is still owed.
pub(super) struct Feedback {
    store: LedgerStore,
    gate: Option<BalanceGate>,
    /// Something was not delivered: everything is said again.
    owed: bool,
    /// Accounts for which the gate did not take it: said again every [`UNPOSTED_EVERY`].
    refused: BTreeSet<AccountId>,
    pub(super) due: Instant,
}

impl Feedback {
    pub(super) fn new(store: LedgerStore, gate: Option<BalanceGate>) -> Self {
        Self { store, owed: gate.is_some(), gate, refused: BTreeSet::new(), due: Instant::now() }
    }

    pub(super) async fn post(&mut self, posted: Vec<Posted>) {
        let Some(gate) = self.gate.as_ref().filter(|_| !posted.is_empty()) else { return };
        match gate.post(Timestamp::now(), posted).await {
            // Of those that are known, it is said when they are tried again.
            Ok(refused) => self.note_refused(refused.into_iter().filter(|(account, _)| !self.refused.contains(account)).collect()),
            Err(error) => self.failed(&error),
        }
    }

    fn note_refused(&mut self, refused: NotTaken) {
        let Some((_, error)) = refused.first() else { return };
        metrics::counter!(LEDGER_RETRIES_TOTAL, "step" => "post").increment(refused.len() as u64);
        let named: Vec<String> = refused.iter().take(NAMED_MAX).map(|(account, _)| account.to_string()).collect();
        tracing::error!(
            error = error as &dyn std::error::Error,
            accounts = refused.len(),
            first = named.join(" "),
            "balance gate does not take the ledger's word for some accounts; it is told again"
        );
        self.refused.extend(refused.into_iter().map(|(account, _)| account));
        if self.refused.len() > REFUSED_MAX {
            self.refused.clear();
            self.owed = true;
        }
    }

    pub(super) fn owe(&mut self) {
        self.owed = self.gate.is_some();
        self.due = self.due.min(Instant::now() + OWED_RETRY);
    }

    fn failed(&mut self, error: &GateError) {
        self.owe();
        if !matches!(error, GateError::NotReady { .. }) {
            metrics::counter!(LEDGER_RETRIES_TOTAL, "step" => "post").increment(1);
            tracing::warn!(error = error as &dyn std::error::Error, "balance gate did not take the ledger's word");
        }
    }

    /// Says again what the gate missed. Never fails: the gate only ever gets later.
    pub(super) async fn repair(&mut self) {
        let Some(gate) = self.gate.clone() else {
            self.due = Instant::now() + UNPOSTED_EVERY;
            return;
        };
        if Instant::now() < self.due {
            return;
        }
        self.due = Instant::now() + UNPOSTED_EVERY;
        if let Err(error) = self.say_again(&gate).await {
            match error {
                RepairError::Gate(error) => self.failed(&error),
                RepairError::Ledger(error) => {
                    self.due = Instant::now() + OWED_RETRY;
                    tracing::warn!(error = &error as &dyn std::error::Error, "books could not be read for the balance gate");
                }
            }
        }
    }

    async fn say_again(&mut self, gate: &BalanceGate) -> Result<(), RepairError> {
        let now = Timestamp::now();
        if self.owed || !self.refused.is_empty() {
            let all = self.store.posted_all().await?.into_iter();
            let mut words = all.filter(|word| self.owed || self.refused.contains(&word.account_id)).peekable();
            let mut refused = NotTaken::new();
            while words.peek().is_some() {
                refused.extend(gate.post(now, words.by_ref().take(POST_CHUNK).collect()).await?);
            }
            self.owed = false;
            self.refused.clear();
            self.note_refused(refused);
        }
        let carried = gate.unposted(now.plus_micros(-UNPOSTED_AFTER_MICROS), UNPOSTED_MAX).await?;
        if !carried.is_empty() {
            let refused = gate.post(now, self.store.posted_for(&carried).await?).await?;
            self.note_refused(refused);
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum RepairError {
    #[error(transparent)]
    Gate(#[from] GateError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use schemas::NanoUsd;

    use crate::gate::{GateOptions, GateState};
    use crate::store::Access;
    use crate::topups::topups;

    use super::*;

    async fn posted(gate: &BalanceGate, account: AccountId) -> i64 {
        gate.amounts(account).await.unwrap().posted.nanos()
    }

    #[tokio::test]
    async fn an_account_the_gate_refuses_is_told_again_and_keeps_the_word_from_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("ledger.db").display());
        let store = LedgerStore::open(&url, Access::ReadWrite).await.unwrap();
        store.migrate().await.unwrap();
        // Told in the order of their ids.
        let (refused, known) = (AccountId::mint(), AccountId::mint());
        let gate = BalanceGate::memory(GateOptions { accounts_max: 1, shards: 1, ..GateOptions::default() });
        let state = |accounts: &[AccountId]| GateState {
            accounts: accounts.iter().map(|account| (*account, NanoUsd::ZERO, 0)).collect(),
            ..GateState::default()
        };
        gate.rebuild(Timestamp::now(), state(&[known])).await.unwrap();
        let [first, second, third, fourth] = topups([refused, known, refused, known]);

        let mut feedback = Feedback::new(store.clone(), Some(gate.clone()));
        store.apply_batch(&[first, second]).await.unwrap();
        feedback.repair().await;
        assert_eq!(posted(&gate, known).await, 5, "said again");
        let batch = store.apply_batch(&[third, fourth]).await.unwrap();
        feedback.post(batch.posted).await;
        assert_eq!(posted(&gate, known).await, 10, "said");
        assert_eq!(posted(&gate, refused).await, 0);
        assert!(feedback.due > Instant::now() + OWED_RETRY * 2, "one that is refused is not asked about all the time");

        // Rebuilt from books that have the account.
        gate.rebuild(Timestamp::now(), state(&[refused, known])).await.unwrap();
        feedback.due = Instant::now();
        feedback.repair().await;
        assert_eq!(posted(&gate, refused).await, 10);
        assert!(feedback.refused.is_empty());
    }
}
