//! Ends what nobody ends: holds whose owner died, and grants whose time is up.
//!
//! Both become events in the log first: a hold leaves the gate only **after** `hold.expired` is durable,
//! so that it ends visibly; what is left of a grant is computed where the event is applied. The reaper is
//! a producer of its own: one node, a boot per start, sequences counted in memory. An append whose outcome
//! is unknown is repeated with the same bytes before anything new is begun.
//! Start at [`Reaper::run`].

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eventlog::{EventLog, LogError, Message, fault};
use futures_util::future::BoxFuture;
use schemas::event::{GrantExpired, HoldExpired, request_event_id};
use schemas::{AccountId, Body, Event, Header, PARTITION_COUNT, Producer, RequestId, Timestamp};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::gate::{BalanceGate, GateError, OverdueHold};
use crate::metrics::{REAPER_EXPIRED_TOTAL, REAPER_FAILURES_TOTAL, REAPER_GRANTS_EXPIRED_TOTAL};

/// A grant that has expired and of which something may be left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueGrant {
    pub account_id: AccountId,
    /// Event id of the grant.
    pub grant_id: String,
    pub expires_at: Timestamp,
}

/// Asks the ledger for at most so many grants that are due at a time; oldest first.
pub type DueGrants = Arc<dyn Fn(Timestamp, usize) -> BoxFuture<'static, Result<Vec<DueGrant>, Box<dyn Error + Send + Sync>>> + Send + Sync>;

/// The clock that deadlines are compared with: the gate's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Why a round ended early. The next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum ReapError {
    #[error("event log refused the reaper's events")]
    Log(#[from] LogError),
    #[error("balance gate refused the reaper")]
    Gate(#[from] GateError),
    #[error("expiry could not be written as an event")]
    Encode(#[from] serde_json::Error),
    #[error("ledger could not say which grants are due")]
    Due(#[source] Box<dyn Error + Send + Sync>),
}

/// Pace and bound of the reaper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaperOptions {
    /// Between two rounds.
    pub period: Duration,
    /// Holds, and as many grants, that one round ends at most; a full round is followed by another at once.
    pub batch_max: usize,
}

impl Default for ReaperOptions {
    fn default() -> Self {
        Self { period: Duration::from_secs(2), batch_max: 256 }
    }
}

/// What one round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reaped {
    pub holds: usize,
    pub grants: usize,
    /// There may be more.
    pub full: bool,
}

/// The reaper of one ledger.
pub struct Reaper {
    gate: BalanceGate,
    log: EventLog,
    due: DueGrants,
    clock: Clock,
    options: ReaperOptions,
    producer: Producer,
    /// The last sequence used, per partition.
    sequences: [u64; PARTITION_COUNT as usize],
    /// Encoded, not known to be in the log.
    unsent: Outbox,
    /// Grants whose expiry is in the log, until the ledger no longer says that they are due.
    announced: BTreeSet<String>,
}

/// One append and what follows once it is durable.
#[derive(Default)]
struct Outbox {
    messages: Vec<Message>,
    holds: Vec<(AccountId, RequestId)>,
    grants: Vec<String>,
}

impl Reaper {
    /// `producer` must be new: a node id of the reaper's own and a boot id minted for this start.
    pub fn new(gate: BalanceGate, log: EventLog, producer: Producer, due: DueGrants, clock: Clock, options: ReaperOptions) -> Self {
        Self {
            gate,
            log,
            due,
            clock,
            options,
            producer,
            sequences: [0; PARTITION_COUNT as usize],
            unsent: Outbox::default(),
            announced: BTreeSet::new(),
        }
    }

    /// Ends what is overdue, every period, until cancelled. A failed round is logged and tried again.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(self.options.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            while self.round_logged().await && !cancel.is_cancelled() {}
        }
    }

    /// One round. After an error nothing is lost: what was begun is finished by the next round.
    pub async fn round(&mut self) -> Result<Reaped, ReapError> {
        let mut reaped = self.send().await?;
        let now = (self.clock)();
        let holds = match self.gate.overdue(now, self.options.batch_max).await {
            Ok(holds) => holds,
            // A closed gate has no holds to end; what it had is announced again or expires after the rebuild.
            Err(GateError::NotReady { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let due = (self.due)(now, self.options.batch_max).await.map_err(ReapError::Due)?;
        reaped.full = holds.len() >= self.options.batch_max;
        for hold in &holds {
            self.write_hold(hold, now)?;
        }
        self.announced.retain(|known| due.iter().any(|grant| grant.grant_id == *known));
        for grant in due {
            self.write_grant(grant, now)?;
        }
        let sent = self.send().await?;
        Ok(Reaped { holds: reaped.holds + sent.holds, grants: reaped.grants + sent.grants, ..reaped })
    }

    async fn round_logged(&mut self) -> bool {
        match self.round().await {
            Ok(reaped) => reaped.full,
            Err(error) => {
                metrics::counter!(REAPER_FAILURES_TOTAL).increment(1);
                tracing::error!(error = &error as &dyn Error, "reaper will try again");
                false
            }
        }
    }

    /// Appends what is waiting, then ends the holds at the gate.
    async fn send(&mut self) -> Result<Reaped, ReapError> {
        if !self.unsent.messages.is_empty() {
            fault::point("reaper.before_append");
            self.log.append(self.unsent.messages.clone()).await?;
            fault::point("reaper.after_append");
            self.unsent.messages.clear();
        }
        let mut reaped = Reaped::default();
        while let Some((account_id, request_id)) = self.unsent.holds.last().copied() {
            self.expire(account_id, request_id).await?;
            self.unsent.holds.pop();
            reaped.holds += 1;
        }
        reaped.grants = self.unsent.grants.len();
        self.announced.extend(self.unsent.grants.drain(..));
        metrics::counter!(REAPER_EXPIRED_TOTAL).increment(reaped.holds as u64);
        metrics::counter!(REAPER_GRANTS_EXPIRED_TOTAL).increment(reaped.grants as u64);
        Ok(reaped)
    }

    async fn expire(&self, account_id: AccountId, request_id: RequestId) -> Result<(), GateError> {
        match self.gate.expire((self.clock)(), request_id, account_id).await {
            // The gate lost its holds, this one among them: there is nothing left to end.
            Err(GateError::NotReady { .. }) => Ok(()),
            ended => ended,
        }
    }

    fn write_hold(&mut self, hold: &OverdueHold, now: Timestamp) -> Result<(), ReapError> {
        let id = request_event_id(hold.request_id, "expired");
        let body = Body::HoldExpired(HoldExpired {
            api_key_id: hold.key_id,
            epoch: hold.epoch,
            hold_nanos: hold.hold,
            request_id: hold.request_id,
        });
        tracing::warn!(request = %hold.request_id, account = %hold.account_id, owner = %hold.owner, "hold was not renewed and is expired");
        self.write(id, hold.account_id, now, body)?;
        self.unsent.holds.push((hold.account_id, hold.request_id));
        Ok(())
    }

    /// **The event is never of before the grant's end**, wherever the clock went since somebody said that it is due: the books would
    /// refuse it as not due, and that is final.
    fn write_grant(&mut self, grant: DueGrant, now: Timestamp) -> Result<(), ReapError> {
        let DueGrant { account_id, grant_id, expires_at } = grant;
        if self.announced.contains(&grant_id) {
            return Ok(());
        }
        let id = format!("grant_expired:{grant_id}");
        let body = Body::BalanceGrantExpired(GrantExpired { grant_id: grant_id.clone() });
        self.write(id, account_id, now.max(expires_at), body)?;
        self.unsent.grants.push(grant_id);
        Ok(())
    }

    /// Encodes an event **once**, with the next sequence of its partition.
    fn write(&mut self, id: String, account: AccountId, time: Timestamp, body: Body) -> Result<(), ReapError> {
        let partition = schemas::partition::partition_of(account);
        let sequence = &mut self.sequences[usize::from(partition)];
        let header = Header { id, account, producer: self.producer, pseq: *sequence + 1, time };
        let payload = Bytes::from(Event { header, body }.encode()?);
        *sequence += 1;
        let id = Message::id_of(self.producer.boot, partition, self.sequences[usize::from(partition)]);
        self.unsent.messages.push(Message { id, partition, payload });
        Ok(())
    }
}
