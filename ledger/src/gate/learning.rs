//! How a gate that lost its state learns it again.
//!
//! A new epoch begins closed. It opens once every registered gateway announced its live holds and un-posted
//! charges, or its lease ran out, or the gate has been closed for as long as a hold lives without renewal, **and** the
//! books have reached the end the log had when the epoch began.
//! Then the whole state is set. [`Learning`] is the waiting, without I/O; [`Coordinator`] drives it for
//! the ledger role. **One coordinator at a time**: two would supersede each other for ever, so each asks for its turn first.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use eventlog::fault;
use futures_util::future::BoxFuture;
use schemas::{AccountId, Day, KeyId, NanoUsd, NodeId, RequestId, Timestamp};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{BalanceGate, GateState};
use crate::metrics::{GATE_LEARNING_FAILURES_TOTAL, GATE_LEARNINGS_TOTAL};
use crate::protocol::{GateError, RestoredHold, RestoredSpend};

/// Whether a gate answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateStatus {
    /// It has no state, or one that is not to be trusted.
    Closed,
    /// Gateways announce what they have in flight.
    Learning {
        epoch: u64,
    },
    Open {
        epoch: u64,
    },
}

/// Everything one gateway has in flight. The last announcement of a node replaces those before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    pub node: NodeId,
    pub holds: Vec<RestoredHold>,
    /// Durable terminals that are not known to be booked.
    pub pending: Vec<RestoredSpend>,
}

/// A gateway that may have requests in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisteredNode {
    pub node: NodeId,
    /// After it, the node has ended its requests or is dead.
    pub lease_ends_at: Timestamp,
}

/// The books, **all of it at one log position**.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Books {
    pub accounts: Vec<(AccountId, NanoUsd, u64)>,
    pub key_spend: Vec<(KeyId, Day, NanoUsd)>,
    /// Those of the requests asked about whose terminal is booked.
    pub booked: BTreeSet<RequestId>,
}

/// What a learning epoch still waits for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waiting {
    pub nodes: Vec<NodeId>,
    pub log_entries: u64,
}

/// One learning epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learning {
    epoch: u64,
    log_end: u64,
    position: u64,
    leases: BTreeMap<NodeId, Timestamp>,
    announced: BTreeMap<NodeId, Announcement>,
    all_fenced: bool,
}

impl Learning {
    /// `log_end` is read **after** the epoch began: what is settled at the old gate is before it or announced.
    pub fn new(epoch: u64, log_end: u64) -> Self {
        Self { epoch, log_end, position: 0, leases: BTreeMap::new(), announced: BTreeMap::new(), all_fenced: false }
    }

    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes note of nodes and their leases. A node is never forgotten, only its lease runs out.
    pub fn registered(&mut self, nodes: &[RegisteredNode]) {
        for known in nodes {
            let lease = self.leases.entry(known.node).or_default();
            *lease = (*lease).max(known.lease_ends_at);
        }
    }

    pub fn announced(&mut self, announcement: Announcement) {
        self.announced.insert(announcement.node, announcement);
    }

    /// No hold could be renewed for as long as one lives: gateways that are still silent have ended their requests, as
    /// owners must that cannot renew, or are dead.
    pub fn all_are_fenced(&mut self) {
        self.all_fenced = true;
    }

    pub fn booked_to(&mut self, position: u64) {
        self.position = self.position.max(position);
    }

    pub fn waits_for(&self, now: Timestamp) -> Waiting {
        let may_run = |ends_at: Timestamp| ends_at > now && !self.all_fenced;
        let silent = self.leases.iter().filter(|(node, ends_at)| may_run(**ends_at) && !self.announced.contains_key(node));
        Waiting { nodes: silent.map(|(node, _)| *node).collect(), log_entries: self.log_end.saturating_sub(self.position) }
    }

    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.waits_for(now) == Waiting::default()
    }

    /// Every request that was announced: which of them are booked is asked of the ledger.
    pub fn requests(&self) -> Vec<RequestId> {
        let holds = self.announced.values().flat_map(|said| said.holds.iter().map(|hold| hold.request_id));
        let pending = self.announced.values().flat_map(|said| said.pending.iter().map(|spend| spend.request_id));
        holds.chain(pending).collect()
    }

    /// The whole state: the books, and what is announced and not in them.
    pub fn state(&self, books: Books) -> GateState {
        let Books { accounts, key_spend, booked } = books;
        let said = || self.announced.values();
        GateState {
            accounts,
            key_spend,
            pending: said().flat_map(|said| &said.pending).filter(|spend| !booked.contains(&spend.request_id)).copied().collect(),
            holds: said().flat_map(|said| &said.holds).filter(|hold| !booked.contains(&hold.request_id)).copied().collect(),
        }
    }
}

pub type SourceError = Box<dyn Error + Send + Sync>;
type Source<T> = BoxFuture<'static, Result<T, SourceError>>;

/// Whom a coordinator asks.
#[derive(Clone)]
pub struct LearningSources {
    /// Gateways with a lease; also of those that ended a while ago.
    pub nodes: Arc<dyn Fn() -> Source<Vec<RegisteredNode>> + Send + Sync>,
    /// The last position in the event log.
    pub log_end: Arc<dyn Fn() -> Source<u64> + Send + Sync>,
    /// How far the books are.
    pub position: Arc<dyn Fn() -> Source<u64> + Send + Sync>,
    /// Whether it is this process's turn to rebuild the gate, of all that have the ledger role.
    pub turn: Arc<dyn Fn() -> Source<bool> + Send + Sync>,
    /// The books in one read, and which of these requests are in them.
    pub books: Arc<dyn Fn(Vec<RequestId>) -> Source<Books> + Send + Sync>,
    /// Leases are compared with it.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
}

/// Why learning stopped. It begins again.
#[derive(Debug, thiserror::Error)]
pub enum LearningError {
    #[error("balance gate could not be rebuilt")]
    Gate(#[from] GateError),
    #[error("what the balance gate is rebuilt from could not be read")]
    Source(#[source] SourceError),
    #[error("learning was cancelled")]
    Cancelled,
}

/// Keeps a gate open: looks at it, and rebuilds it when it is closed.
pub struct Coordinator {
    pub gate: BalanceGate,
    pub sources: LearningSources,
    /// Between two looks.
    pub period: Duration,
}

impl Coordinator {
    /// Runs until cancelled. A failed attempt is logged and begun anew.
    pub async fn run(self, cancel: CancellationToken) {
        let mut ticks = tokio::time::interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut waiting_since = None;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.look_in_turn(&mut waiting_since, &cancel).await {
                metrics::counter!(GATE_LEARNING_FAILURES_TOTAL).increment(1);
                tracing::error!(error = &error as &dyn Error, "balance gate is not rebuilt yet");
            }
        }
    }

    /// The same as [`Self::look`], where it is this process's turn, or whoever has it (frozen, perhaps) leaves the gate closed for
    /// longer than learning takes.
    async fn look_in_turn(&self, waiting_since: &mut Option<Instant>, cancel: &CancellationToken) -> Result<(), LearningError> {
        if matches!(self.gate.status().await?, GateStatus::Open { .. }) {
            *waiting_since = None;
            return Ok(());
        }
        if !(self.sources.turn)().await.map_err(LearningError::Source)? {
            let patience = self.gate.hold_ttl() * 2;
            if waiting_since.get_or_insert_with(Instant::now).elapsed() < patience {
                return Ok(());
            }
            tracing::warn!("the balance gate stays closed though another process is to rebuild it; this one does");
        }
        *waiting_since = None;
        self.look(cancel).await.map(drop)
    }

    /// Rebuilds the gate unless it is open. The epoch that is open afterwards.
    pub async fn look(&self, cancel: &CancellationToken) -> Result<u64, LearningError> {
        match self.gate.status().await? {
            GateStatus::Open { epoch } => Ok(epoch),
            // Learning without a coordinator: the one that began it is gone.
            GateStatus::Closed | GateStatus::Learning { .. } => self.learn(cancel).await,
        }
    }

    /// One epoch from its beginning until it is open.
    pub async fn learn(&self, cancel: &CancellationToken) -> Result<u64, LearningError> {
        let epoch = self.gate.begin_epoch().await?;
        // Every shard is closed by now.
        let closed_at = Instant::now();
        fault::point("gate.after_begin");
        tracing::warn!(gate.epoch = epoch, "balance gate is closed and learns what is in flight");
        metrics::counter!(GATE_LEARNINGS_TOTAL).increment(1);
        let log_end = cancel.run_until_cancelled((self.sources.log_end)()).await.ok_or(LearningError::Cancelled)?;
        let mut learning = Learning::new(epoch, log_end.map_err(LearningError::Source)?);
        let mut ticks = tokio::time::interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            learning.registered(&(self.sources.nodes)().await.map_err(LearningError::Source)?);
            for announcement in self.gate.announcements(epoch).await? {
                learning.announced(announcement);
            }
            if closed_at.elapsed() >= self.gate.hold_ttl() {
                learning.all_are_fenced();
            }
            learning.booked_to((self.sources.position)().await.map_err(LearningError::Source)?);
            let now = (self.sources.clock)();
            if learning.is_ready(now) {
                let books = (self.sources.books)(learning.requests()).await.map_err(LearningError::Source)?;
                fault::point("gate.before_rebuild");
                self.gate.complete_epoch(now, epoch, learning.state(books)).await?;
                fault::point("gate.after_open");
                tracing::info!(gate.epoch = epoch, "balance gate is open");
                return Ok(epoch);
            }
            tokio::select! {
                () = cancel.cancelled() => return Err(LearningError::Cancelled),
                _ = ticks.tick() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn node(number: u128) -> NodeId {
        NodeId::from_uuid(Uuid::from_u128(number))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn silent(number: u128) -> Announcement {
        Announcement { node: node(number), holds: Vec::new(), pending: Vec::new() }
    }

    fn two_nodes() -> Learning {
        let mut learning = Learning::new(7, 100);
        let lease = |number, seconds| RegisteredNode { node: node(number), lease_ends_at: at(seconds) };
        learning.registered(&[lease(1, 10), lease(2, 20)]);
        learning
    }

    #[test]
    fn it_waits_for_every_node_and_for_the_log() {
        let mut learning = two_nodes();
        assert_eq!(learning.waits_for(at(0)), Waiting { nodes: vec![node(1), node(2)], log_entries: 100 });
        learning.announced(silent(1));
        learning.booked_to(99);
        assert_eq!(learning.waits_for(at(0)), Waiting { nodes: vec![node(2)], log_entries: 1 });
        learning.announced(silent(2));
        learning.booked_to(100);
        assert!(learning.is_ready(at(0)));
    }

    #[test]
    fn a_node_whose_lease_ran_out_is_not_waited_for() {
        let mut learning = two_nodes();
        learning.booked_to(100);
        learning.announced(silent(2));
        assert!(!learning.is_ready(at(9)));
        assert!(learning.is_ready(at(10)));
        learning.registered(&[RegisteredNode { node: node(1), lease_ends_at: at(30) }]);
        assert!(!learning.is_ready(at(10)), "it lives: its lease was renewed");
    }

    #[test]
    fn a_silent_node_is_not_waited_for_longer_than_its_holds_could_live() {
        let mut learning = two_nodes();
        learning.booked_to(100);
        learning.announced(silent(1));
        assert!(!learning.is_ready(at(0)));
        learning.all_are_fenced();
        assert!(learning.is_ready(at(0)), "its lease runs, its requests do not");
        learning.registered(&[RegisteredNode { node: node(3), lease_ends_at: at(90) }]);
        assert!(learning.is_ready(at(0)));
        assert!(!Learning::new(8, 1).is_ready(at(0)), "the books are waited for all the same");
    }

    #[test]
    fn what_is_booked_is_not_in_flight() {
        let mut learning = two_nodes();
        let spend = |number| RestoredSpend {
            request_id: RequestId::from_uuid(Uuid::from_u128(number)),
            account_id: AccountId::SYSTEM,
            key_id: None,
            actual: NanoUsd::from_nanos(1),
            admission_day: Day::default(),
        };
        learning.announced(Announcement { pending: vec![spend(1), spend(2)], ..silent(1) });
        let booked = BTreeSet::from([spend(1).request_id]);
        let state = learning.state(Books { booked, ..Books::default() });
        assert_eq!(state.pending, [spend(2)]);
    }
}
