//! `Idempotency-Key` on paying calls: a retried call costs nothing and is told what became of the first.
//!
//! A word of an API key stands for one request, on every gateway, for `timeouts.idempotency`. Repeated, it is answered 409
//! with the request's id, state and cost. **No answer is kept**: whoever lost one has `/generation`. A request that came
//! to nothing (refused, or released without a charge) frees its word; one that was accepted keeps it until the books say so. While the store cannot be asked, a call with a word
//! is refused: nobody could keep the promise.

use http::{HeaderMap, HeaderName};
use ledger::store::LedgerStore;
use projector::UsageRow;
use schemas::terminal::Terminal;
use schemas::{Event, KeyId, NanoUsd, RequestId, Timestamp, UsdNumber};
use sha2::{Digest, Sha256};

use super::error::ApiError;
use crate::app::App;
use crate::control::store::{Claimed, IdempotencyClaim, StoreError};

pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const KEY_CHARS_MAX: usize = 255;
/// Somebody else may take a freed word first; then it is looked at again.
const ROUNDS_MAX: usize = 4;

/// The word a caller gave, if it gave one.
pub fn read_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let is_good = (1..=KEY_CHARS_MAX).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if is_good => Ok(Some(text.to_owned())),
        _ => {
            let message = format!("`Idempotency-Key` must have 1 to {KEY_CHARS_MAX} visible ASCII characters");
            Err(ApiError::bad_request("Idempotency-Key", message))
        }
    }
}

/// A claim that is ours until the request is accepted: dropped before, it must be given back by [`Claim::give_back`].
pub struct Claim(IdempotencyClaim);

/// Claims the word for a request, or says what it stands for.
pub async fn claim(app: &App, claim: IdempotencyClaim) -> Result<Claim, ApiError> {
    let store = app.control.store();
    let forgotten_before = claim.at.plus_micros(-micros(app.options.idempotency));
    for _ in 0..ROUNDS_MAX {
        let earlier = match store.claim_idempotency(&claim, forgotten_before).await.map_err(unavailable)? {
            Claimed::New => return Ok(Claim(claim)),
            Claimed::Taken(earlier) => earlier,
        };
        // A word that came to nothing is free, also for another body.
        match fate(app, &earlier, claim.at).await? {
            fate if fate.is_kept() && earlier.input_sha256 != claim.input_sha256 => {
                return Err(ApiError::conflict("This Idempotency-Key was used with another request body.")
                    .with_metadata("reason", "idempotency_key_reused")
                    .with_metadata("generation_id", earlier.request_id.to_string()));
            }
            Fate::Nothing => {
                if store.reclaim_idempotency(earlier.request_id, &claim).await.map_err(unavailable)? {
                    return Ok(Claim(claim));
                }
            }
            fate => return Err(repeated(earlier.request_id, &fate)),
        }
    }
    Err(unavailable_now("the word changes hands too often"))
}

/// What a request claims: its word, told apart from other requests by its body.
pub fn claim_of(key_id: KeyId, idempotency_key: String, request_id: RequestId, body: &[u8]) -> IdempotencyClaim {
    let input_sha256 = hex::encode(Sha256::digest(body));
    IdempotencyClaim { key_id, idempotency_key, request_id, input_sha256, at: Timestamp::now(), is_accepted: false }
}

impl Claim {
    /// The request is owed an end: until the books know it, its word is not free, however long that takes.
    pub async fn accepted(self, app: &App) {
        if let Err(error) = app.control.store().accept_idempotency(&self.0).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an idempotency key may be free again before its request is booked");
        }
    }

    /// The request was refused: its word is free at once.
    pub async fn give_back(self, app: &App) {
        if let Err(error) = app.control.store().unclaim_idempotency(&self.0).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "an idempotency key stays taken until its request is given up");
        }
    }
}

/// What became of a request.
enum Fate {
    Running,
    Settled(NanoUsd),
    /// Its hold expired: it may still settle.
    Expired,
    /// It cost nothing, or was never accepted.
    Nothing,
}

async fn fate(app: &App, earlier: &IdempotencyClaim, now: Timestamp) -> Result<Fate, ApiError> {
    if app.settlement.in_flight.contains(earlier.request_id) {
        return Ok(Fate::Running);
    }
    if let Some(bytes) = app.settlement.gate.generation(earlier.request_id).await? {
        let event = Event::decode(&bytes).map_err(ApiError::internal)?;
        if let Some(terminal) = Terminal::of(&event.body) {
            let charge = UsageRow::from_event(0, event).map_err(ApiError::internal)?.map_or(NanoUsd::ZERO, |row| row.charge_nanos);
            return Ok(Fate::of(terminal, charge));
        }
    }
    if let Some(booked) = booked(&app.ledger, earlier.request_id).await? {
        return Ok(booked);
    }
    if earlier.is_accepted {
        // Its end is on its way to the books, be it in the spool of a gateway that is down.
        return Ok(Fate::Running);
    }
    // Nobody knows it: another gateway is at it, or died before it was accepted.
    let given_up_at = earlier.at.plus_micros(micros(app.options.total_timeout) + micros(app.options.hold_ttl));
    Ok(if now < given_up_at { Fate::Running } else { Fate::Nothing })
}

async fn booked(ledger: &LedgerStore, request: RequestId) -> Result<Option<Fate>, ApiError> {
    let charge = ledger.charge_of(request).await.map_err(|error| unavailable_now(error.to_string()))?;
    Ok(charge.map(|charge| Fate::of(charge.terminal, charge.charge)))
}

impl Fate {
    const fn is_kept(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    const fn of(terminal: Terminal, charge: NanoUsd) -> Self {
        match terminal {
            Terminal::Settled => Self::Settled(charge),
            Terminal::Released { .. } => Self::Nothing,
            Terminal::Expired => Self::Expired,
        }
    }
}

fn repeated(request: RequestId, fate: &Fate) -> ApiError {
    let (state, cost, message) = match fate {
        Fate::Settled(cost) => ("settled", Some(*cost), "This request was answered and charged before; its answer is not kept."),
        Fate::Expired => ("expired", None, "This request was given up; it may still be charged."),
        Fate::Running | Fate::Nothing => ("running", None, "This request is being answered."),
    };
    let id = request.to_string();
    let error = ApiError::conflict(message)
        .with_metadata("reason", "idempotency_key_repeated")
        .with_metadata("generation_id", &id)
        .with_metadata("state", state)
        .with_metadata("cost", cost.map(UsdNumber));
    match http::HeaderValue::try_from(id) {
        Ok(id) => error.with_header(HeaderName::from_static("x-generation-id"), id),
        Err(_) => error,
    }
}

fn unavailable(error: StoreError) -> ApiError {
    unavailable_now(error)
}

fn unavailable_now(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApiError {
    ApiError::unavailable("The Idempotency-Key cannot be looked up right now; nothing was charged. Please retry.", 1).with_source(source)
}

fn micros(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX / 4)
}
