//! What a shared balance gate learns from when it lost its state: the books, and the gateways that are running.
//!
//! The ledger role drives the learning ([`Coordinator`]); every gateway announces what it has in flight. Nothing here
//! decides: what is waited for and what becomes of it is `ledger::gate`'s.

use std::sync::Arc;
use std::time::Duration;

use gateway::control::store::{ControlStore, CoordinatorTurn, GatewayLease};
use ledger::gate::BalanceGate;
use ledger::gate::learning::{Coordinator, LearningSources, RegisteredNode, SourceError};
use schemas::Timestamp;
use tokio::sync::Mutex;

use super::stores::Stores;

/// Between two looks at the gate.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Keeps the gate open, for the ledger role.
pub fn coordinator(stores: &Stores) -> Coordinator {
    let (control, log) = (stores.control.store().clone(), stores.log.clone());
    let turn = Turn { control: control.clone(), held: Arc::default() };
    let (position_of, books_of) = (stores.ledger.clone(), stores.ledger.clone());
    let sources = LearningSources {
        nodes: Arc::new(move || {
            let control = control.clone();
            Box::pin(async move { nodes(&control).await })
        }),
        log_end: Arc::new(move || {
            let log = log.clone();
            Box::pin(async move { Ok(log.bounds().await?.last) })
        }),
        position: Arc::new(move || {
            let ledger = position_of.clone();
            Box::pin(async move { Ok(ledger.position().await?) })
        }),
        turn: Arc::new(move || {
            let turn = turn.clone();
            Box::pin(async move { turn.is_ours().await })
        }),
        books: Arc::new(move |requests| {
            let ledger = books_of.clone();
            Box::pin(async move { Ok(ledger.books(&requests).await?) })
        }),
        clock: Arc::new(Timestamp::now),
    };
    Coordinator { gate: stores.gate.clone(), sources, period: LOOK_EVERY }
}

/// The turn of one of all processes that have the ledger role.
#[derive(Clone)]
struct Turn {
    control: ControlStore,
    held: Arc<Mutex<Option<CoordinatorTurn>>>,
}

impl Turn {
    async fn is_ours(&self) -> Result<bool, SourceError> {
        let mut held = self.held.lock().await;
        if let Some(turn) = &mut *held
            && turn.is_held().await
        {
            return Ok(true);
        }
        *held = None;
        *held = self.control.coordinator_turn().await?;
        Ok(held.is_some())
    }
}

async fn nodes(control: &ControlStore) -> Result<Vec<RegisteredNode>, SourceError> {
    let now = control.now().await?;
    // What is left of a lease by the store's clock, seen on this process's: that the two differ does not matter.
    let ahead_micros = Timestamp::now().micros() - now.micros();
    let registered =
        |lease: GatewayLease| RegisteredNode { node: lease.gateway.node, lease_ends_at: lease.ends_at.plus_micros(ahead_micros) };
    Ok(control.gateways(now).await?.into_iter().map(registered).collect())
}

/// Whether a gate is learned anew by a coordinator: one of this process is rebuilt at its start.
pub const fn is_shared(gate: &BalanceGate) -> bool {
    !matches!(gate, BalanceGate::Memory(_))
}
