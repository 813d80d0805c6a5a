//! Ordering a credit: top-up, grant, refund or adjustment, as an event the ledger decides on.
//!
//! The desk appends `credit:<account>:<key>` and waits for the verdict. **One event id for ever per account
//! and idempotency key**: whatever is lost on the way, repeating the order is safe, and the ledger books
//! it once. It must never change a balance itself.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{Spool, SpoolError};
use ledger::store::{LedgerError, LedgerStore, Transaction};
use ledger::worker::WorkerProgress;
use parking_lot::Mutex;
use schemas::event::{Credit, credit_event_id};
use schemas::partition::partition_of;
use schemas::{AccountId, Body, Event, Header, NanoUsd, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, watch};

/// The ledger's verdict is waited for this long, unless the desk is told otherwise.
pub const VERDICT_TIMEOUT: Duration = Duration::from_secs(5);
/// One order moves at most this much.
pub const CREDIT_AMOUNT_MAX: NanoUsd = NanoUsd::from_usd(100_000_000);
/// Orders waiting for their verdict at once.
const WAITING_MAX: usize = 1_024;
/// Of them, so many look into the books at a time.
const LOOKS_MAX: usize = 3;
const IDEMPOTENCY_KEY_CHARS_MAX: usize = 128;
const TEXT_CHARS_MAX: usize = 500;

/// What kind of balance change an administrator may order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CreditKind {
    #[default]
    Topup,
    /// May expire.
    Grant,
    /// May name the request it is for.
    Refund,
    /// The only one that may be negative.
    Adjustment,
}

/// One order, as the administrator gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CreditOrder {
    pub account_id: AccountId,
    pub kind: CreditKind,
    pub amount: NanoUsd,
    /// Repeating an order under its key gives the first result.
    pub idempotency_key: String,
    pub reason: Option<String>,
    pub reference: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub request_id: Option<RequestId>,
    /// Who ordered it.
    #[serde(skip)]
    pub actor: String,
}

/// A booked order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    pub transaction: Transaction,
    /// It was booked before; this order changed nothing.
    pub repeated: bool,
}

/// Why an order was not booked, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum CreditError {
    #[error("field `{field}` {message}")]
    Invalid { field: &'static str, message: String },
    #[error("idempotency key `{idempotency_key}` was used for another order")]
    OtherOrder { idempotency_key: String },
    #[error("order `{idempotency_key}` was rejected: {reason}")]
    Rejected { idempotency_key: String, reason: String },
    /// The event is durable or may be: only repeating tells.
    #[error("order `{idempotency_key}` has no verdict yet")]
    Undecided { idempotency_key: String },
    #[error("order could not be written")]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// Takes orders. Cheap to clone.
#[derive(Clone)]
pub struct CreditDesk {
    spool: Spool,
    ledger: LedgerStore,
    progress: watch::Receiver<WorkerProgress>,
    /// Event ids whose order was appended here and has no verdict yet: a twin waits instead of appending.
    waiting: Arc<Mutex<HashSet<String>>>,
    /// Turns to look for a verdict: the books' other readers shall have connections left.
    looks: Arc<Semaphore>,
    verdict_timeout: Duration,
}

impl CreditDesk {
    /// `progress` is the ledger worker's: it moves when a batch was booked and the gate knows of it.
    pub fn new(spool: Spool, ledger: LedgerStore, progress: watch::Receiver<WorkerProgress>) -> Self {
        Self {
            spool,
            ledger,
            progress,
            waiting: Arc::default(),
            looks: Arc::new(Semaphore::new(LOOKS_MAX)),
            verdict_timeout: VERDICT_TIMEOUT,
        }
    }

    pub fn with_verdict_timeout(self, verdict_timeout: Duration) -> Self {
        Self { verdict_timeout, ..self }
    }

    /// Orders a credit and waits for it to be booked.
    pub async fn order(&self, order: &CreditOrder, now: Timestamp) -> Result<Booked, CreditError> {
        order.check()?;
        let event_id = credit_event_id(order.account_id, &order.idempotency_key);
        let input_sha256 = order.input_sha256();
        if let Some(verdict) = self.verdict(order, &event_id, &input_sha256).await? {
            return Ok(Booked { transaction: verdict, repeated: true });
        }
        let place = self.take_place(&event_id, order)?;
        let repeated = place.is_none();
        // Marked before the event exists: what moves from here on may be its booking.
        let mut progress = self.progress.clone();
        progress.mark_unchanged();
        // A twin may have been booked since the first look.
        if let Some(verdict) = self.verdict(order, &event_id, &input_sha256).await? {
            return Ok(Booked { transaction: verdict, repeated: true });
        }
        if !repeated {
            order.check_expiry(now)?;
            self.append(order, &event_id, input_sha256.clone(), now).await?;
        }
        let decided = tokio::time::timeout(self.verdict_timeout, self.wait(order, &event_id, &input_sha256, progress)).await;
        drop(place);
        match decided {
            Ok(transaction) => {
                let transaction = transaction?;
                // Another gateway's order of the same key may have come first.
                let is_anothers = transaction.created_at != now;
                Ok(Booked { transaction, repeated: repeated || is_anothers })
            }
            Err(_) => Err(CreditError::Undecided { idempotency_key: order.idempotency_key.clone() }),
        }
    }

    /// A place for an order that is to be appended; `None` when its twin is being appended already.
    fn take_place(&self, event_id: &str, order: &CreditOrder) -> Result<Option<Place>, CreditError> {
        let mut waiting = self.waiting.lock();
        if waiting.contains(event_id) {
            return Ok(None);
        }
        if waiting.len() >= WAITING_MAX {
            return Err(CreditError::Undecided { idempotency_key: order.idempotency_key.clone() });
        }
        waiting.insert(event_id.to_owned());
        Ok(Some(Place { waiting: Arc::clone(&self.waiting), event_id: event_id.to_owned() }))
    }

    async fn append(&self, order: &CreditOrder, event_id: &str, input_sha256: String, now: Timestamp) -> Result<(), CreditError> {
        let (account, body) = (order.account_id, order.body(input_sha256));
        let (_, durable) = self.spool.terminal(None, partition_of(account), |producer, pseq| {
            Event { header: Header { id: event_id.to_owned(), account, producer, pseq, time: now }, body }.encode()
        })?;
        durable.await?;
        eventlog::fault::point("gateway.after_credit");
        Ok(())
    }

    /// Looks for the verdict whenever the books moved: by then the gate knows of it, too, so that whoever
    /// ordered the credit can spend it at once.
    async fn wait(
        &self,
        order: &CreditOrder,
        event_id: &str,
        input_sha256: &str,
        mut progress: watch::Receiver<WorkerProgress>,
    ) -> Result<Transaction, CreditError> {
        while progress.changed().await.is_ok() {
            // The books move many times a second, and everybody waits for them: never closed.
            let turn = self.looks.acquire().await.ok();
            let verdict = self.verdict(order, event_id, input_sha256).await;
            drop(turn);
            match verdict {
                Ok(Some(transaction)) => return Ok(transaction),
                Ok(None) => {}
                // The order is in the log: what it came to is asked again when the books have moved on.
                Err(CreditError::Ledger(error)) if error.is_transient() => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "a credit's verdict could not be read yet");
                }
                Err(error) => return Err(error),
            }
        }
        Err(CreditError::Undecided { idempotency_key: order.idempotency_key.clone() })
    }

    /// What the ledger says of this order, if it says anything yet.
    async fn verdict(&self, order: &CreditOrder, event_id: &str, input_sha256: &str) -> Result<Option<Transaction>, CreditError> {
        let idempotency_key = || order.idempotency_key.clone();
        let Some(outcome) = self.ledger.credit_outcome(event_id).await? else { return Ok(None) };
        if outcome.input_sha256 != input_sha256 {
            return Err(CreditError::OtherOrder { idempotency_key: idempotency_key() });
        }
        match outcome.transaction {
            Some(transaction) => Ok(Some(transaction)),
            None => {
                let reason = outcome.rejected.unwrap_or_else(|| "nothing_to_book".to_owned());
                Err(CreditError::Rejected { idempotency_key: idempotency_key(), reason })
            }
        }
    }
}

/// A waiting order's entry; gone when dropped.
struct Place {
    waiting: Arc<Mutex<HashSet<String>>>,
    event_id: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.event_id);
    }
}

impl CreditOrder {
    fn check(&self) -> Result<(), CreditError> {
        let invalid = |field, message: &str| Err(CreditError::Invalid { field, message: message.to_owned() });
        let visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !visible(&self.idempotency_key) || self.idempotency_key.len() > IDEMPOTENCY_KEY_CHARS_MAX {
            return invalid("idempotency_key", &format!("must have 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters"));
        }
        if self.amount.is_zero() || (self.amount.is_negative() && self.kind != CreditKind::Adjustment) {
            return invalid("amount", "must be more than 0; only an adjustment may be negative");
        }
        if self.amount > CREDIT_AMOUNT_MAX || self.amount.nanos() < -CREDIT_AMOUNT_MAX.nanos() {
            return invalid("amount", &format!("must not be beyond {CREDIT_AMOUNT_MAX} USD"));
        }
        if self.expires_at.is_some() && self.kind != CreditKind::Grant {
            return invalid("expires_at", "is for grants only");
        }
        if self.request_id.is_some() && !matches!(self.kind, CreditKind::Refund | CreditKind::Adjustment) {
            return invalid("generation_id", "is for refunds and adjustments only");
        }
        for (field, text) in [("reason", &self.reason), ("reference", &self.reference)] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                return invalid(field, "must say something where it is given");
            }
            if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX || text.chars().any(char::is_control)) {
                return invalid(field, &format!("must have at most {TEXT_CHARS_MAX} characters and no control characters"));
            }
        }
        Ok(())
    }

    /// Checked only for an order that is new: repeating a grant after its expiry still gives its first result.
    fn check_expiry(&self, now: Timestamp) -> Result<(), CreditError> {
        match self.expires_at {
            Some(expires_at) if expires_at <= now => {
                Err(CreditError::Invalid { field: "expires_at", message: "must be in the future".to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// SHA-256 of everything that makes two orders the same order. Who gave it is not part of it.
    fn input_sha256(&self) -> String {
        let input = serde_json::json!({
            "amount_nanos": self.amount, "expires_at": self.expires_at, "kind": self.kind,
            "reason": self.reason, "reference": self.reference, "request_id": self.request_id,
        });
        hex::encode(Sha256::digest(input.to_string().as_bytes()))
    }

    fn body(&self, input_sha256: String) -> Body {
        let credit = Credit {
            actor: self.actor.clone(),
            amount_nanos: self.amount,
            expires_at: self.expires_at,
            idempotency_key: self.idempotency_key.clone(),
            input_sha256,
            reason: self.reason.clone(),
            reference: self.reference.clone(),
            request_id: self.request_id,
        };
        match self.kind {
            CreditKind::Topup => Body::BalanceTopup(credit),
            CreditKind::Grant => Body::BalanceGrant(credit),
            CreditKind::Refund => Body::BalanceRefund(credit),
            CreditKind::Adjustment => Body::BalanceAdjust(credit),
        }
    }
}
