//! What the gate is told, and what it is still owed.

use std::time::Duration;

use schemas::Timestamp;
use tokio::time::Instant;

use crate::gate::{BalanceGate, GateError};
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

/// What the gate is told, and what it is still owed.
pub(super) struct Feedback {
    store: LedgerStore,
    gate: Option<BalanceGate>,
    /// Something was not delivered: everything is said again.
    owed: bool,
    pub(super) due: Instant,
}

impl Feedback {
    pub(super) fn new(store: LedgerStore, gate: Option<BalanceGate>) -> Self {
        Self { store, owed: gate.is_some(), gate, due: Instant::now() }
    }

    pub(super) async fn post(&mut self, posted: Vec<Posted>) {
        if let Some(gate) = &self.gate
            && !posted.is_empty()
            && let Err(error) = gate.post(Timestamp::now(), posted).await
        {
            self.failed(&error);
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
        if self.owed {
            let mut all = self.store.posted_all().await?.into_iter().peekable();
            while all.peek().is_some() {
                gate.post(now, all.by_ref().take(POST_CHUNK).collect()).await?;
            }
            self.owed = false;
        }
        let carried = gate.unposted(now.plus_micros(-UNPOSTED_AFTER_MICROS), UNPOSTED_MAX).await?;
        if !carried.is_empty() {
            gate.post(now, self.store.posted_for(&carried).await?).await?;
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
