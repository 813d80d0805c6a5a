//! What the gate is told, and what it is still owed.

use std::collections::BTreeMap;
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
/// Accounts kept apart that the gate refuses, and of these named in one line of the log. With more, everything since they were told is said again.
const REFUSED_MAX: usize = 100_000;
const NAMED_MAX: usize = 8;

/// What the gate is told, and what it is still owed.
pub(super) struct Feedback {
    store: LedgerStore,
    gate: Option<BalanceGate>,
    /// Up to this log position everything was delivered, but to the accounts below.
    told: u64,
    /// Something after it may not have been: all of that is said again.
    owed: bool,
    /// Accounts for which the gate did not take it, and up to where each was told: said again every [`UNPOSTED_EVERY`].
    refused: BTreeMap<AccountId, u64>,
    pub(super) due: Instant,
}

impl Feedback {
    pub(super) fn new(store: LedgerStore, gate: Option<BalanceGate>) -> Self {
        Self { store, told: 0, owed: gate.is_some(), gate, refused: BTreeMap::new(), due: Instant::now() }
    }

    /// Says what a batch did that was booked after `from` and up to `to`.
    pub(super) async fn post(&mut self, posted: Vec<Posted>, from: u64, to: u64) {
        let Some(gate) = self.gate.clone() else { return };
        if from > self.told {
            // Another worker booked in between: whether it said so is not known.
            self.owe();
        }
        let answer = if posted.is_empty() { Ok(NotTaken::new()) } else { gate.post(Timestamp::now(), posted).await };
        match answer {
            Ok(mut refused) => {
                // Of those that are known, it is logged when they are told again.
                refused.retain(|(account, _)| !self.refused.contains_key(account));
                let told = self.told;
                self.note_refused(refused, |_| told);
                if !self.owed {
                    self.told = to;
                }
            }
            Err(error) => self.failed(&error),
        }
    }

    fn note_refused(&mut self, refused: NotTaken, told: impl Fn(&AccountId) -> u64) {
        let Some((_, error)) = refused.first() else { return };
        metrics::counter!(LEDGER_RETRIES_TOTAL, "step" => "post").increment(refused.len() as u64);
        let named: Vec<String> = refused.iter().take(NAMED_MAX).map(|(account, _)| account.to_string()).collect();
        tracing::error!(
            error = error as &dyn std::error::Error,
            accounts = refused.len(),
            first = named.join(" "),
            "balance gate does not take the ledger's word for some accounts; it is told again"
        );
        self.refused.extend(refused.into_iter().map(|(account, _)| (account, told(&account))));
        if self.refused.len() > REFUSED_MAX {
            self.told = self.refused.values().copied().fold(self.told, u64::min);
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
        // Asked first: a gate that is closed listens to nothing, however much is read for it. One whose memory is full answers this.
        let carried = gate.unposted(now.plus_micros(-UNPOSTED_AFTER_MICROS), UNPOSTED_MAX).await?;
        if self.owed || !self.refused.is_empty() {
            let after = self.refused.values().copied().chain(self.owed.then_some(self.told)).min().unwrap_or(self.told);
            let (position, moved) = self.store.posted_after(after).await?;
            let mut words = moved.into_iter().filter(|word| self.owed || self.refused.contains_key(&word.account_id)).peekable();
            let mut refused = NotTaken::new();
            while words.peek().is_some() {
                refused.extend(gate.post(now, words.by_ref().take(POST_CHUNK).collect()).await?);
            }
            if std::mem::take(&mut self.owed) {
                self.told = position;
            }
            let before = std::mem::take(&mut self.refused);
            self.note_refused(refused, |account| before.get(account).copied().unwrap_or(after));
        }
        if !carried.is_empty() {
            let mut refused = gate.post(now, self.store.posted_for(&carried).await?).await?;
            refused.retain(|(account, _)| !self.refused.contains_key(account));
            let told = self.told;
            self.note_refused(refused, |_| told);
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

    async fn migrated(folder: &tempfile::TempDir) -> LedgerStore {
        let url = format!("sqlite://{}", folder.path().join("ledger.db").display());
        let store = LedgerStore::open(&url, Access::ReadWrite).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    async fn posted(gate: &BalanceGate, account: AccountId) -> i64 {
        gate.amounts(account).await.unwrap().posted.nanos()
    }

    #[tokio::test]
    async fn an_account_the_gate_refuses_is_told_again_and_keeps_the_word_from_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let store = migrated(&folder).await;
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
        feedback.post(batch.posted, 2, 4).await;
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

    #[tokio::test]
    async fn nothing_is_read_for_a_gate_that_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let store = migrated(&folder).await;
        let gate = BalanceGate::memory(GateOptions::default());
        let mut feedback = Feedback::new(store.clone(), Some(gate.clone()));
        store.close().await;
        assert!(matches!(feedback.say_again(&gate).await, Err(RepairError::Gate(GateError::NotReady { .. }))));
        gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
        assert!(matches!(feedback.say_again(&gate).await, Err(RepairError::Ledger(_))), "it is owed still");
    }

    /// And not all there ever was.
    #[tokio::test]
    async fn what_may_be_missing_is_said_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = migrated(&folder).await;
        let gate = BalanceGate::memory(GateOptions::default());
        gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
        let accounts = [(); 4].map(|()| AccountId::mint());
        let entries = topups(accounts);
        let mut feedback = Feedback::new(store.clone(), Some(gate.clone()));
        let mut batches = Vec::new();
        for entry in &entries {
            batches.push(store.apply_batch(std::slice::from_ref(entry)).await.unwrap().posted);
            if batches.len() == 1 {
                feedback.repair().await;
                assert_eq!((feedback.told, feedback.owed), (1, false));
            }
        }
        let mut batches = batches.into_iter().skip(1);
        feedback.post(batches.next().unwrap(), 1, 2).await;
        assert_eq!((feedback.told, feedback.owed), (2, false));
        // The third was booked by another worker, which is gone.
        feedback.post(batches.nth(1).unwrap(), 3, 4).await;
        assert_eq!((feedback.told, feedback.owed), (2, true));
        assert_eq!(posted(&gate, accounts[2]).await, 0);
        feedback.due = Instant::now();
        // A gate that knows nothing shows what it is told.
        gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
        feedback.repair().await;
        assert_eq!((feedback.told, feedback.owed), (4, false));
        let mut told = Vec::new();
        for account in accounts {
            told.push(posted(&gate, account).await);
        }
        assert_eq!(told, [0, 0, 5, 5]);
    }
}
