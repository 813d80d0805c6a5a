//! One accepted request and the only ways it can end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use eventlog::fault;
use eventlog::{Durable, Spool, SpoolError};
use ledger::gate::{BalanceGate, RestoredHold, SettleCommand};
use schemas::event::{Body, Event, Header, Producer, RequestRecord, UsageReleased, UsageSettled, request_event_id};
use schemas::partition::partition_of;
use schemas::{AccountId, Charge, NanoUsd, RequestId, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::in_flight::InFlight;
use super::record::{AcceptedRecord, ProgressRecord};
use crate::control::store::StoreError;
use crate::metrics::RequestCounts;

/// A gateway whose spool refused a request is unready for so long; without traffic it is asked again then.
const REFUSED_LATELY_MICROS: i64 = 10_000_000;

/// What settling needs: the spool that makes it durable and the gate that is told.
pub struct Settlement {
    pub spool: Spool,
    pub gate: BalanceGate,
    pub in_flight: InFlight,
    pub counts: RequestCounts,
    /// When the spool last refused a request.
    refused_micros: AtomicI64,
}

/// Why an end could not be written down. The client must then not get its last bytes.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    #[error("writing to the spool failed")]
    Spool(#[from] SpoolError),
    #[error("encoding a spool record failed")]
    Encode(#[from] serde_json::Error),
    #[error("price of a recovered request could not be read")]
    Price(#[source] StoreError),
}

/// A request that was accepted. Its `record` is filled in as the request goes on.
pub struct OpenRequest {
    settlement: Arc<Settlement>,
    pub account: AccountId,
    pub record: RequestRecord,
    /// Cancelled when the hold is lost or the process must stop.
    pub abort: CancellationToken,
    accepted: Option<Durable>,
    ended: bool,
}

/// A terminal that is durable, known to the gate, and may be shown to the client.
#[derive(Debug)]
pub struct Finished {
    pub charge: NanoUsd,
    pub event: Bytes,
}

impl Settlement {
    pub fn new(spool: Spool, gate: BalanceGate) -> Self {
        Self { spool, gate, in_flight: InFlight::default(), counts: RequestCounts::register(), refused_micros: AtomicI64::new(0) }
    }

    /// Whether the spool took no request a moment ago: it, or its disk, is full.
    pub fn refused_lately(&self) -> bool {
        let since_micros = Timestamp::now().micros() - self.refused_micros.load(Ordering::Relaxed);
        since_micros < REFUSED_LATELY_MICROS
    }

    /// Writes the `accepted` record of an admitted request. Its durability is awaited by
    /// [`OpenRequest::accepted`], beside the upstream call.
    pub fn accept(
        self: &Arc<Self>,
        account: AccountId,
        (hold, reserved_at): (RestoredHold, Instant),
        record: RequestRecord,
        prompt_tokens: u64,
    ) -> Result<OpenRequest, SettleError> {
        let accepted = AcceptedRecord {
            account,
            admitted_at: record.admitted_at,
            api_type: record.api_type.clone(),
            app_title: record.app_title.clone(),
            app_url: record.app_url.clone(),
            epoch: record.epoch,
            external_user: record.external_user.clone(),
            hold: record.hold_nanos,
            key: record.api_key_id,
            model: record.model.clone(),
            model_requested: record.model_requested.clone(),
            prompt_tokens,
            request: record.request_id,
            session_id: record.session_id.clone(),
            streamed: record.streamed,
            user: record.user_id,
            user_agent: record.user_agent.clone(),
        };
        let durable = self.spool.accepted(record.request_id, &serde_json::to_vec(&accepted)?);
        if durable.is_err() {
            self.refused_micros.store(Timestamp::now().micros(), Ordering::Relaxed);
        }
        let durable = durable?;
        let abort = self.in_flight.begin(hold, reserved_at);
        Ok(OpenRequest { settlement: Arc::clone(self), account, record, abort, accepted: Some(durable), ended: false })
    }
}

impl OpenRequest {
    pub fn id(&self) -> RequestId {
        self.record.request_id
    }

    /// The durability of the `accepted` record. **No byte goes to the client before it.**
    pub fn take_accepted(&mut self) -> Option<Durable> {
        self.accepted.take()
    }

    /// Notes what has been delivered, for recovery after a crash. Not synced.
    pub fn checkpoint(&self, progress: &ProgressRecord) {
        fault::point("gateway.before_checkpoint");
        let written = serde_json::to_vec(progress).map_err(SettleError::from);
        let written = written.and_then(|payload| Ok(self.settlement.spool.progress(self.id(), &payload)?));
        if let Err(error) = written {
            tracing::warn!(error = %error, request.id = %self.id(), "checkpoint was not written");
        }
    }

    /// Raises the hold; false where it was refused.
    pub async fn resize(&mut self, to: NanoUsd) -> bool {
        use ledger::gate::Reserved;
        match self.settlement.gate.resize(Timestamp::now(), self.id(), self.account, to).await {
            Ok(Reserved::Held { hold, .. }) => {
                self.record.hold_nanos = hold;
                self.settlement.in_flight.raised(self.id(), hold);
                true
            }
            Ok(Reserved::Refused(_)) | Err(_) => false,
        }
    }

    /// Ends the request with a charge: durable first, then the gate. `record.usage` must be final.
    pub async fn settle(mut self, charge: Charge, provisional: bool) -> Result<Finished, SettleError> {
        let total = charge.total;
        let settled = UsageSettled {
            charge_nanos: total,
            lines: charge.lines,
            provisional,
            request: self.record.clone(),
            rounding_picos: charge.rounding_picos,
        };
        let tokens = settled.request.usage.total_tokens();
        let (event, durable) = self.write_terminal("settled", Body::UsageSettled(Box::new(settled)))?;
        durable.await?;
        fault::point("gateway.before_settle");
        let command = SettleCommand { request_id: self.id(), account_id: self.account, actual: total, tokens, record: event.clone() };
        // The ledger's feedback repairs a gate that missed this; the charge itself is already durable.
        if let Err(error) = self.settlement.gate.settle(Timestamp::now(), command).await {
            tracing::warn!(error = %error, request.id = %self.id(), "gate was not told of a settled request");
        }
        fault::point("gateway.after_settle");
        Ok(Finished { charge: total, event })
    }

    /// Ends the request without a charge.
    pub async fn release(mut self, reason: &str) -> Result<Finished, SettleError> {
        let body = self.released_body(reason);
        let (event, durable) = self.write_terminal("released", body)?;
        durable.await?;
        fault::point("gateway.before_release");
        if let Err(error) = self.settlement.gate.release(Timestamp::now(), self.id(), self.account, Some(event.clone())).await {
            tracing::warn!(error = %error, request.id = %self.id(), "gate was not told of a released request");
        }
        Ok(Finished { charge: NanoUsd::ZERO, event })
    }

    fn released_body(&self, reason: &str) -> Body {
        let released = UsageReleased { reason: reason.to_owned(), recovered: false, request: self.record.clone() };
        Body::UsageReleased(Box::new(released))
    }

    fn write_terminal(&mut self, kind: &str, body: Body) -> Result<(Bytes, Durable), SettleError> {
        let (request, account) = (self.id(), self.account);
        let encode = |producer, pseq| terminal_event(request, account, kind, body, producer, pseq).encode();
        fault::point("gateway.before_terminal");
        let written = self.settlement.spool.terminal(Some(request), partition_of(account), encode)?;
        self.ended = true;
        self.settlement.in_flight.ending(request);
        fault::point("gateway.after_terminal");
        Ok(written)
    }
}

/// A task that panicked or was dropped still ends its request: nothing is charged, the ledger's feedback
/// gives the hold back.
impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.settlement.in_flight.end(self.id());
        if self.ended {
            return;
        }
        self.record.error_type = Some("server".to_owned());
        self.record.http_status = 500;
        let body = self.released_body("internal_error");
        if let Err(error) = self.write_terminal("released", body) {
            tracing::error!(error = %error, request.id = %self.id(), "an abandoned request could not be released");
        }
    }
}

/// The terminal event of a request.
pub(super) fn terminal_event(request: RequestId, account: AccountId, kind: &str, body: Body, producer: Producer, pseq: u64) -> Event {
    let header = Header { id: request_event_id(request, kind), account, producer, pseq, time: Timestamp::now() };
    Event { header, body }
}
