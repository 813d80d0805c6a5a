//! The roles of one process, each a task on one tracker: shipper, ledger, projector, reaper, renewals, upkeep.

use std::sync::Arc;

use eventlog::{AppliedSource, Booked, Shipper, ShipperOptions};
use gateway::app::Readiness;
use gateway::control::services::Services;
use gateway::settlement::{AnnounceError, Announcer, Settlement};
use ledger::gate::BalanceGate;
use ledger::reaper::{DueGrant, DueGrants, Reaper, ReaperOptions};
use ledger::store::LedgerStore;
use ledger::worker::WorkerProgress;
use schemas::{BootId, NodeId, Producer, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::follower::follow_ledger;
use super::stores::Stores;

/// What `/readyz` calls the ledger role when it halted.
pub const LEDGER: &str = "the ledger (halted; see the log)";
/// What `/readyz` calls the shipper when it stopped.
pub const SHIPPER: &str = "the shipper (stopped; see the log)";

/// What `/readyz` of a process that only projects calls the projector when it stopped.
pub const PROJECTOR: &str = "the projector (stopped; see the log)";

/// What `/readyz` calls a gate that does not authorise.
pub const GATE: &str = "the balance gate";

/// How far ledger and projector are.
#[derive(Clone)]
pub struct RolesProgress {
    pub ledger: watch::Sender<WorkerProgress>,
    pub projector: watch::Sender<u64>,
}

/// Starts the shipper: from the spool to the event log, released by what the ledger applied.
pub fn spawn_shipper(tasks: &TaskTracker, stores: &Stores, progress: &RolesProgress, readiness: Arc<Readiness>, cancel: CancellationToken) {
    let applied = progress.ledger.subscribe();
    let source: AppliedSource = Arc::new(move || {
        let WorkerProgress { position, watermarks } = applied.borrow().clone();
        Box::pin(async move { Booked { position, applied: watermarks.to_vec() } })
    });
    let shipper = Shipper::new(stores.spool.clone(), stores.log.clone(), source, ShipperOptions::default());
    tasks.spawn(async move {
        if let Err(error) = shipper.run(cancel).await {
            readiness.lost(SHIPPER);
            tracing::error!(error = &error as &dyn std::error::Error, "shipper stopped");
        }
    });
}

/// Starts the ledger worker; with a gate, it tells the gate what it booked.
pub fn spawn_ledger(
    tasks: &TaskTracker,
    stores: &Stores,
    gate: Option<BalanceGate>,
    progress: &RolesProgress,
    readiness: Arc<Readiness>,
    cancel: CancellationToken,
) -> tokio::task::JoinHandle<()> {
    let (log, booked) = (stores.log.clone(), progress.ledger.subscribe());
    let own = stores.spool.oldest_producer();
    let worker = ledger::worker::run(stores.ledger.clone(), stores.log.clone(), gate, own, progress.ledger.clone(), cancel.clone());
    tasks.spawn(async move {
        // The worker tells of its own failure.
        if worker.await.is_err() {
            readiness.lost(LEDGER);
            let position = booked.borrow().position;
            ledger::worker::tell_lag(log, position, cancel).await;
        }
    })
}

/// Starts watching the ledger of another process.
pub fn spawn_follower(tasks: &TaskTracker, stores: &Stores, progress: &RolesProgress, cancel: CancellationToken) {
    tasks.spawn(follow_ledger(stores.ledger.clone(), stores.spool.clone(), progress.ledger.clone(), cancel));
}

/// Starts the projector. Its failure stops statistics, not requests: only a process that does nothing else has
/// `readiness` to lose.
pub fn spawn_projector(
    tasks: &TaskTracker,
    stores: &Stores,
    progress: &RolesProgress,
    readiness: Option<Arc<Readiness>>,
    cancel: CancellationToken,
) {
    let worker = projector::worker::run(stores.analytics.clone(), stores.log.clone(), progress.projector.clone(), cancel);
    tasks.spawn(async move {
        if let Err(error) = worker.await {
            tracing::error!(error = &error as &dyn std::error::Error, "projector stopped; statistics stand still");
            if let Some(readiness) = readiness {
                readiness.lost(PROJECTOR);
            }
        }
    });
}

/// Starts the reaper of overdue holds and expired grants.
pub fn spawn_reaper(tasks: &TaskTracker, stores: &Stores, cancel: CancellationToken) {
    let ledger = stores.ledger.clone();
    let due: DueGrants = Arc::new(move |now, limit| {
        let ledger = ledger.clone();
        Box::pin(async move { due_grants(&ledger, now, limit).await })
    });
    // A node of its own for every start: its sequences live in memory only.
    let producer = Producer { node: NodeId::mint(), boot: BootId::mint() };
    let clock = Arc::new(Timestamp::now);
    let reaper = Reaper::new(stores.gate.clone(), stores.log.clone(), producer, due, clock, ReaperOptions::default());
    tasks.spawn(reaper.run(cancel));
}

async fn due_grants(ledger: &LedgerStore, now: Timestamp, limit: usize) -> Result<Vec<DueGrant>, Box<dyn std::error::Error + Send + Sync>> {
    let due = ledger.due_grants(now, limit).await?;
    let grant =
        |grant: ledger::store::DueGrant| DueGrant { account_id: grant.account_id, grant_id: grant.grant_id, expires_at: grant.expires_at };
    Ok(due.into_iter().map(grant).collect())
}

/// Registers the gateway at the others and starts announcing; `/readyz` waits for the gate whenever it is closed.
pub async fn spawn_announcer(
    tasks: &TaskTracker,
    settlement: &Arc<Settlement>,
    stores: &Stores,
    readiness: Arc<Readiness>,
    cancel: CancellationToken,
) -> Result<(), AnnounceError> {
    let announcer = Announcer::register(Arc::clone(settlement), stores.control.store().clone()).await?;
    readiness.lost(GATE);
    let open = move |is_open: bool| if is_open { readiness.arrived(GATE) } else { readiness.lost(GATE) };
    tasks.spawn(announcer.run(open, cancel));
    Ok(())
}

/// Keeps the holds of running requests alive.
pub fn spawn_renewals(tasks: &TaskTracker, settlement: Arc<Settlement>, interval: std::time::Duration, cancel: CancellationToken) {
    tasks.spawn(async move { settlement.in_flight.keep_renewed(&settlement.gate, interval, cancel).await });
}

/// Announces accounts and prices, writes down when keys were used.
pub fn spawn_upkeep(tasks: &TaskTracker, services: Arc<Services>, idempotency: std::time::Duration, cancel: CancellationToken) {
    tasks.spawn(async move { services.run_upkeep(idempotency, cancel).await });
}
