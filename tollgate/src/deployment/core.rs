//! The stores with their roles around them: everything but the doors.

use std::sync::Arc;
use std::time::Duration;

use eventlog::LogError;
use gateway::app::Readiness;
use gateway::control::credits::CreditDesk;
use gateway::control::services::Services;
use gateway::control::store::{ControlStore, StoreError};
use gateway::settlement::{AnnounceError, PriceSource, SettleError, Settlement, recover};
use ledger::gate::{GateError, GateState};
use ledger::store::LedgerError;
use ledger::worker::WorkerProgress;
use schemas::{PriceVersion, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::gate_learning::{coordinator, is_shared};
use super::roles::{self, LEDGER, RolesProgress, SHIPPER};
use super::stores::Stores;
use crate::config::Config;

/// What `/readyz` waits for until the books are caught up.
pub const CATCHING_UP: &str = "the ledger to catch up";
/// How often a condition is looked at that nothing announces.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// What is in the spool at shutdown is given this long to reach the books; the rest is shipped at the next start.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);

/// Which roles run in this process, beside what every process needs: a spool for what it orders, its shipper, and
/// administration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// It takes requests of clients: a balance gate that lost its state has to hear of it.
    pub gateway: bool,
    pub ledger: bool,
    pub projector: bool,
}

impl Roles {
    pub const ALL: Self = Self { gateway: true, ledger: true, projector: true };
    pub const GATEWAY: Self = Self { gateway: true, ..Self::NONE };
    pub const LEDGER: Self = Self { ledger: true, ..Self::NONE };
    pub const PROJECTOR: Self = Self { projector: true, ..Self::NONE };
    const NONE: Self = Self { gateway: false, ledger: false, projector: false };

    /// What a process runs that was started for a moment only: everything where it is the deployment, nothing where the
    /// deployment is others.
    pub const fn of_command(is_distributed: bool) -> Self {
        if is_distributed { Self::NONE } else { Self::ALL }
    }
}

/// Times the roles keep.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Between two renewals of the running holds.
    pub renewal_interval: Duration,
    /// How long an idempotency key is kept.
    pub idempotency: Duration,
}

impl From<&Config> for Pace {
    fn from(config: &Config) -> Self {
        Self { renewal_interval: config.stream.renewal_interval.0, idempotency: config.timeouts.idempotency.0 }
    }
}

/// A running deployment without its doors.
pub struct Core {
    pub stores: Stores,
    pub services: Arc<Services>,
    pub settlement: Arc<Settlement>,
    pub readiness: Arc<Readiness>,
    pub progress: RolesProgress,
    here: Roles,
    tasks: TaskTracker,
    /// Ends the roles that make events.
    makers: CancellationToken,
    /// Ends the roles that carry events.
    carriers: CancellationToken,
}

/// Why the roles did not come up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("requests of the last run could not be ended")]
    Recovery(#[from] SettleError),
    #[error("event log cannot be read")]
    Log(#[from] LogError),
    #[error("ledger cannot be read")]
    Ledger(#[from] LedgerError),
    #[error("balance gate could not be rebuilt")]
    Gate(#[from] GateError),
    #[error("gateway could not be made known to the others")]
    Announce(#[from] AnnounceError),
    #[error("the ledger halted while catching up; the log says why")]
    Halted,
}

impl Core {
    /// Ends what the last life left open and starts the roles; a gate of this process is rebuilt from the books, once they
    /// have everything.
    pub async fn start(stores: Stores, here: Roles, pace: Pace) -> Result<Self, StartError> {
        let readiness = Arc::new(Readiness::waiting(&[CATCHING_UP]));
        let progress = RolesProgress { ledger: watch::Sender::new(WorkerProgress::default()), projector: watch::Sender::new(0) };
        let (tasks, makers, carriers) = (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
        let report = recover(&stores.spool, &stores.recovery, &Prices(stores.control.store())).await?;
        if report != Default::default() {
            tracing::info!(
                recovery.settled = report.settled,
                recovery.released = report.released,
                recovery.unreadable = report.unreadable,
                "requests of the last run were ended"
            );
        }
        // The shipper must know from the start what is booked: nothing is shipped twice by a clean restart.
        let (position, watermarks) = (stores.ledger.position().await?, stores.ledger.watermarks(stores.spool.oldest_producer()).await?);
        let booked = WorkerProgress { position, watermarks: Arc::new(watermarks) };
        progress.ledger.send_replace(booked);
        roles::spawn_shipper(&tasks, &stores, &progress, Arc::clone(&readiness), carriers.clone());
        if here.projector {
            let is_alone = !here.gateway && !here.ledger;
            roles::spawn_projector(&tasks, &stores, &progress, is_alone.then(|| Arc::clone(&readiness)), carriers.clone());
        }
        if !is_shared(&stores.gate) {
            catch_up(&tasks, &stores, &progress, &readiness).await?;
            rebuild_gate(&stores).await?;
        }
        if here.ledger {
            roles::spawn_ledger(&tasks, &stores, Some(stores.gate.clone()), &progress, Arc::clone(&readiness), carriers.clone());
            roles::spawn_reaper(&tasks, &stores, makers.clone());
            if is_shared(&stores.gate) {
                tasks.spawn(coordinator(&stores).run(makers.clone()));
            }
        } else {
            roles::spawn_follower(&tasks, &stores, &progress, carriers.clone());
        }
        let settlement = Arc::new(Settlement::new(stores.spool.clone(), stores.log.clone(), stores.gate.clone()));
        if here.gateway && is_shared(&stores.gate) {
            roles::spawn_announcer(&tasks, &settlement, &stores, Arc::clone(&readiness), makers.clone()).await?;
        }
        roles::spawn_renewals(&tasks, Arc::clone(&settlement), pace.renewal_interval, makers.clone());
        let credits = CreditDesk::new(stores.spool.clone(), stores.ledger.clone(), progress.ledger.subscribe());
        let services = Services::new(
            stores.control.clone(),
            stores.ledger.clone(),
            stores.analytics.clone(),
            stores.gate.clone(),
            stores.spool.clone(),
            credits,
        );
        services.announce().await;
        roles::spawn_upkeep(&tasks, Arc::clone(&services), pace.idempotency, makers.clone());
        readiness.arrived(CATCHING_UP);
        Ok(Self { stores, services, settlement, readiness, progress, here, tasks, makers, carriers })
    }

    /// Ends the roles: first those that make events, then, once everything is shipped and booked, the others.
    pub async fn stop(self) {
        self.makers.cancel();
        self.tasks.close();
        if tokio::time::timeout(FLUSH_TIMEOUT, self.flushed()).await.is_err() {
            tracing::warn!("not everything reached the books in time; the rest is shipped at the next start");
        }
        self.carriers.cancel();
        if tokio::time::timeout(FLUSH_TIMEOUT, self.tasks.wait()).await.is_err() {
            tracing::warn!("a role did not end in time; it is left behind");
        }
        if self.here.gateway && is_shared(&self.stores.gate) {
            self.retire().await;
        }
        self.stores.control.store().close().await;
    }

    /// Tells the others that nothing is in flight here any more. What the spool still has stays its node's: then the lease
    /// is left to run out.
    async fn retire(&self) {
        if self.stores.spool.usage().unapplied_events > 0 {
            return;
        }
        if let Err(error) = self.stores.control.store().retire_gateway(self.stores.spool.producer()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "this gateway's lease was not ended; it runs out");
        }
    }

    /// Waits until what is in the spool now is in the books.
    async fn flushed(&self) {
        while self.stores.spool.usage().unapplied_events > 0 && !self.readiness.missing().contains(&LEDGER) {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}

/// Ships and books everything there is, with the gate still closed.
async fn catch_up(tasks: &TaskTracker, stores: &Stores, progress: &RolesProgress, readiness: &Arc<Readiness>) -> Result<(), StartError> {
    let cancel = CancellationToken::new();
    let worker = roles::spawn_ledger(tasks, stores, None, progress, Arc::clone(readiness), cancel.clone());
    while stores.spool.usage().unapplied_events > 0 || progress.ledger.borrow().position < stores.log.bounds().await?.last {
        if worker.is_finished() || readiness.missing().contains(&SHIPPER) {
            return Err(StartError::Halted);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    cancel.cancel();
    // It was cancelled, so it only says that it has ended.
    let _ = worker.await;
    if readiness.missing().contains(&LEDGER) { Err(StartError::Halted) } else { Ok(()) }
}

/// The gate's whole state: nothing is pending and nothing held, because everything is booked and no worker runs.
async fn rebuild_gate(stores: &Stores) -> Result<(), StartError> {
    let state = GateState {
        accounts: stores.ledger.balances().await?,
        key_spend: stores.ledger.key_spend().await?,
        pending: Vec::new(),
        holds: Vec::new(),
    };
    let epoch = stores.gate.rebuild(Timestamp::now(), state).await?;
    tracing::debug!(gate.epoch = epoch, "balance gate was rebuilt");
    Ok(())
}

struct Prices<'a>(&'a ControlStore);

impl PriceSource for Prices<'_> {
    async fn price_version(&self, id: &str) -> Result<Option<PriceVersion>, StoreError> {
        self.0.price_version(id).await
    }
}
