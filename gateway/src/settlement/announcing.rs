//! A gateway's part in a shared balance gate: it is registered while it runs, and tells a gate that lost its state what is
//! in flight here.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use eventlog::SpoolError;
use ledger::gate::{Announcement, GateError, GateStatus, RestoredSpend};
use schemas::event::Event;
use schemas::{Body, Timestamp};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::Settlement;
use crate::control::store::{ControlStore, GatewayLease, StoreError};

/// Between two looks at the gate, and at the lease.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A lease is this much longer than a hold lives without renewal: when it has run out, nothing of this gateway is in
/// flight any more.
const LEASE_MARGIN: Duration = Duration::from_secs(10);
/// A lease is renewed so often while it lasts.
const RENEWALS: u32 = 4;

/// Why a gate was not told.
#[derive(Debug, thiserror::Error)]
pub enum AnnounceError {
    #[error("balance gate could not be told")]
    Gate(#[from] GateError),
    #[error("spool could not be read")]
    Spool(#[from] SpoolError),
    #[error("the spool could not be read on its thread")]
    Thread(#[from] tokio::task::JoinError),
    #[error("gateway could not be registered")]
    Register(#[from] StoreError),
}

/// Keeps one gateway known to the others.
pub struct Announcer {
    settlement: Arc<Settlement>,
    control: ControlStore,
    /// By the store's clock.
    started_at: Timestamp,
    /// Before the last renewal was sent.
    renewed_at: Instant,
}

impl Announcer {
    /// Registers the gateway. **Before its first request**: a gate that learns waits for every registered one.
    pub async fn register(settlement: Arc<Settlement>, control: ControlStore) -> Result<Self, AnnounceError> {
        let (started_at, renewed_at) = (control.now().await?, Instant::now());
        let announcer = Self { settlement, control, started_at, renewed_at };
        announcer.register_anew(started_at).await?;
        Ok(announcer)
    }

    /// Runs until cancelled. `open` is told whether the gate authorises. A failed round is tried again.
    pub async fn run(mut self, open: impl Fn(bool) + Send, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            match self.round(&open).await {
                Ok(()) => failing = false,
                Err(error) => {
                    if !failing {
                        tracing::warn!(error = &error as &dyn std::error::Error, "this gateway is not known to the others");
                    }
                    failing = true;
                }
            }
        }
    }

    async fn round(&mut self, open: &impl Fn(bool)) -> Result<(), AnnounceError> {
        let status = self.settlement.gate.status().await;
        open(matches!(status, Ok(GateStatus::Open { .. })));
        if let Ok(GateStatus::Learning { epoch }) = status {
            let announcement = self.announcement().await?;
            match self.settlement.gate.announce(epoch, announcement).await {
                // Another epoch began, or this one is over: the next round sees.
                Err(GateError::Superseded) => {}
                told => told?,
            }
        }
        if self.renewed_at.elapsed() >= self.lease() / RENEWALS {
            self.renew().await?;
        }
        status?;
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), AnnounceError> {
        let (asked_at, now) = (Instant::now(), self.control.now().await?);
        if !self.control.renew_gateway(self.settlement.spool.producer(), self.lease_end(now)).await? {
            self.register_anew(now).await?;
        }
        self.renewed_at = asked_at;
        Ok(())
    }

    async fn register_anew(&self, now: Timestamp) -> Result<(), AnnounceError> {
        let gateway = self.settlement.spool.producer();
        let lease = GatewayLease { gateway, started_at: self.started_at, ends_at: self.lease_end(now) };
        Ok(self.control.register_gateway(&lease).await?)
    }

    fn lease(&self) -> Duration {
        self.settlement.gate.hold_ttl() + LEASE_MARGIN
    }

    fn lease_end(&self, now: Timestamp) -> Timestamp {
        now.plus_micros(i64::try_from(self.lease().as_micros()).unwrap_or(i64::MAX / 4))
    }

    /// Everything in flight here. **Holds first**: what ends in between is then among both, and counts as spent.
    async fn announcement(&self) -> Result<Announcement, AnnounceError> {
        let mut holds = self.settlement.in_flight.holds();
        let spool = self.settlement.spool.clone();
        let pending = tokio::task::spawn_blocking(move || {
            let mut pending = Vec::new();
            spool.unapplied(&mut |_, _, _, bytes| pending.extend(spend_of(bytes)))?;
            Ok::<_, SpoolError>(pending)
        })
        .await??;
        let spent: HashSet<_> = pending.iter().map(|spend| spend.request_id).collect();
        holds.retain(|hold| !spent.contains(&hold.request_id));
        Ok(Announcement { node: self.settlement.spool.producer().node, holds, pending })
    }
}

/// What a durable terminal took from its account.
fn spend_of(bytes: &[u8]) -> Option<RestoredSpend> {
    let event = Event::decode(bytes).ok()?;
    let Body::UsageSettled(settled) = event.body else { return None };
    Some(RestoredSpend {
        request_id: settled.request.request_id,
        account_id: event.header.account,
        key_id: settled.request.api_key_id,
        actual: settled.charge_nanos,
        admission_day: settled.request.admitted_at.day(),
    })
}
