//! One accepted request and the only ways it can end.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use eventlog::fault;
use eventlog::{Durable, EventLog, LogError, Message, Spool, SpoolError};
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
/// An end that the spool does not take for a passing reason (its next segment could not be made, the disk is full) is tried again
/// for so long, after a pause that doubles.
const TERMINAL_RETRY_TIME: Duration = Duration::from_secs(3);
const TERMINAL_RETRY_DELAY: Duration = Duration::from_millis(50);
const TERMINAL_RETRY_DELAY_MAX: Duration = Duration::from_millis(400);
/// An end that goes into the event log directly has this long to be acknowledged.
const LOG_TIMEOUT: Duration = Duration::from_secs(10);

/// What settling needs: the spool that makes it durable and the gate that is told.
pub struct Settlement {
    pub spool: Spool,
    /// Takes the ends of requests that were under way when the spool's disk failed.
    log: EventLog,
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
    #[error("the spool's disk has failed, and the event log did not take the end of a request")]
    Log(#[source] LogError),
    #[error("the spool's disk has failed, and the event log did not answer in time")]
    LogTimeout,
}

/// A request that was accepted. Its `record` is filled in as the request goes on.
pub struct OpenRequest {
    settlement: Arc<Settlement>,
    pub account: AccountId,
    pub record: RequestRecord,
    /// Cancelled when the hold is lost or the process must stop.
    pub abort: CancellationToken,
    accepted: Option<Durable>,
    end: End,
}

/// Whether a request has its terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Written,
    /// What was delivered could not be written down. **It is no longer free**: whatever the spool has of it decides at the next start.
    LeftToRecovery,
}

/// A terminal that is durable, known to the gate, and may be shown to the client.
#[derive(Debug)]
pub struct Finished {
    pub charge: NanoUsd,
    pub event: Bytes,
}

impl Settlement {
    pub fn new(spool: Spool, log: EventLog, gate: BalanceGate) -> Self {
        Self { spool, log, gate, in_flight: InFlight::default(), counts: RequestCounts::register(), refused_micros: AtomicI64::new(0) }
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
        Ok(OpenRequest { settlement: Arc::clone(self), account, record, abort, accepted: Some(durable), end: End::Open })
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
        if self.record.streamed {
            // Until it is written, and whatever becomes of this task meanwhile.
            self.end = End::LeftToRecovery;
        }
        let event = self.write_end("settled", Body::UsageSettled(Box::new(settled))).await?;
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
        let event = self.write_end("released", body).await?;
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

    /// Makes a terminal durable: in the spool, tried again where that may help; once the spool's disk has failed, in the event log.
    async fn write_end(&mut self, kind: &str, body: Body) -> Result<Bytes, SettleError> {
        let mut event = self.terminal(kind, body);
        let (mut delay, give_up_at) = (TERMINAL_RETRY_DELAY, Instant::now() + TERMINAL_RETRY_TIME);
        loop {
            let failure = match self.write_terminal(&mut event) {
                Ok((bytes, durable)) => match durable.await {
                    Ok(()) => return Ok(bytes),
                    // The file may have it or not. The log knows it by its sequence, so it may have it twice.
                    Err(_) => return self.put_into_log(&event, bytes).await,
                },
                Err(failure) => failure,
            };
            if !self.settlement.spool.is_healthy() {
                break;
            }
            // A try may have waited for a segment itself, for longer than this.
            if Instant::now() >= give_up_at || matches!(failure, SpoolError::TooLong { .. } | SpoolError::Encode(_)) {
                return Err(failure.into());
            }
            tracing::warn!(error = %failure, request.id = %self.id(), "the spool did not take the end of a request; it is tried again");
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(TERMINAL_RETRY_DELAY_MAX);
        }
        let partition = partition_of(self.account);
        let bytes = self.settlement.spool.terminal_unspooled(partition, |producer, pseq| numbered(&mut event, producer, pseq).encode())?;
        self.put_into_log(&event, bytes).await
    }

    async fn put_into_log(&mut self, event: &Event, bytes: Bytes) -> Result<Bytes, SettleError> {
        let (partition, Header { producer, pseq, .. }) = (partition_of(self.account), &event.header);
        let message = Message { id: Message::id_of(producer.boot, partition, *pseq), partition, payload: bytes.clone() };
        let appended = tokio::time::timeout(LOG_TIMEOUT, self.settlement.log.append(vec![message])).await;
        appended.map_err(|_| SettleError::LogTimeout)?.map_err(SettleError::Log)?;
        self.has_ended();
        Ok(bytes)
    }

    fn terminal(&self, kind: &str, body: Body) -> Event {
        terminal_event(self.id(), self.account, kind, body, self.settlement.spool.producer(), 0)
    }

    fn write_terminal(&mut self, event: &mut Event) -> Result<(Bytes, Durable), SpoolError> {
        fault::point("gateway.before_terminal");
        let encode = |producer, pseq| numbered(event, producer, pseq).encode();
        let written = self.settlement.spool.terminal(Some(self.id()), partition_of(self.account), encode)?;
        self.has_ended();
        fault::point("gateway.after_terminal");
        Ok(written)
    }

    fn has_ended(&mut self) {
        self.end = End::Written;
        self.settlement.in_flight.ending(self.id());
    }
}

/// The event with its place in its producer's sequence.
fn numbered(event: &mut Event, producer: Producer, pseq: u64) -> &Event {
    (event.header.producer, event.header.pseq) = (producer, pseq);
    event
}

/// A task that panicked or was dropped still ends its request: nothing is charged, the ledger's feedback
/// gives the hold back. **One that was to be charged is not given away**: it stays open, and is ended by its checkpoints at the next start.
impl Drop for OpenRequest {
    fn drop(&mut self) {
        self.settlement.in_flight.end(self.id());
        match self.end {
            End::Written => return,
            End::LeftToRecovery => {
                tracing::error!(request.id = %self.id(), "a delivered answer could not be recorded; what the spool has of it is charged at the next start: restart this gateway soon, its spool is kept until then");
                return;
            }
            End::Open => {}
        }
        self.record.error_type = Some("server".to_owned());
        self.record.http_status = 500;
        let mut event = self.terminal("released", self.released_body("internal_error"));
        if let Err(error) = self.write_terminal(&mut event) {
            tracing::error!(error = %error, request.id = %self.id(), "an abandoned request could not be released");
        }
    }
}

/// The terminal event of a request.
pub(super) fn terminal_event(request: RequestId, account: AccountId, kind: &str, body: Body, producer: Producer, pseq: u64) -> Event {
    let header = Header { id: request_event_id(request, kind), account, producer, pseq, time: Timestamp::now() };
    Event { header, body }
}
