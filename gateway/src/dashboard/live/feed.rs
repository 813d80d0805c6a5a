//! Who watches, and what they are told.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eventlog::EventLog;
use ledger::gate::{Amounts, BalanceGate};
use parking_lot::Mutex;
use schemas::{AccountId, Timestamp};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use uuid::Uuid;

use super::message::{ChannelStatus, CloseReason};
use super::options::LiveOptions;
use super::recent::{Ended, Recent};
use crate::control::Control;
use crate::http::error::ApiError;
use crate::metrics::{LIVE_CLIENTS, LIVE_CLOSED_TOTAL};

/// The first who watches waits this long for the log to be read.
const FOLLOWING_TIMEOUT: Duration = Duration::from_secs(5);
/// A client that is refused may come back after so long.
const RETRY_SECONDS: u64 = 5;

/// An account's money at a time.
pub type KnownAmounts = Option<(Amounts, Timestamp)>;

/// The live feed of one gateway. Cheap to clone.
#[derive(Clone)]
pub struct LiveFeed(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub options: LiveOptions,
    pub control: Control,
    pub gate: BalanceGate,
    pub log: EventLog,
    pub state: Mutex<State>,
    /// Somebody came.
    pub arrived: Notify,
    /// A watched account's money is not known yet.
    pub amounts_wanted: Notify,
    /// Up to where clients have been told what is in the log; `None` while it is not followed. Changed under the state's lock only.
    pub position: watch::Sender<Option<u64>>,
    pub channels: watch::Sender<Arc<[ChannelStatus]>>,
    pub stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Default)]
pub(super) struct State {
    pub recent: Recent,
    pub accounts: HashMap<AccountId, Watched>,
    /// Clients by session.
    sessions: HashMap<Uuid, usize>,
    pub clients: usize,
    next_id: u64,
}

/// An account that somebody watches.
pub(super) struct Watched {
    pub amounts: watch::Sender<KnownAmounts>,
    pub queues: HashMap<u64, Queue>,
}

/// A client's, as the feed sees it.
pub(super) struct Queue {
    pub ended: mpsc::Sender<Arc<Ended>>,
    pub closing: Arc<Closing>,
}

/// Tells a client's task that it has to close, and why.
#[derive(Debug, Default)]
pub struct Closing {
    reason: OnceLock<CloseReason>,
    begun: CancellationToken,
}

impl Closing {
    /// The first reason counts.
    pub fn begin(&self, reason: CloseReason) {
        self.reason.get_or_init(|| reason);
        self.begun.cancel();
    }

    /// Returns once it has begun.
    pub async fn begun(&self) -> CloseReason {
        self.begun.cancelled().await;
        *self.reason.get_or_init(|| CloseReason::Gone)
    }
}

/// One client's place among all; free again when dropped.
struct Place {
    feed: Arc<Inner>,
    session: Uuid,
    /// Shutdown waits for it.
    _task: TaskTrackerToken,
}

/// What one client is told, until it is dropped.
pub struct Subscription {
    pub account: AccountId,
    pub start: Start,
    pub ended: mpsc::Receiver<Arc<Ended>>,
    pub amounts: watch::Receiver<KnownAmounts>,
    pub channels: watch::Receiver<Arc<[ChannelStatus]>>,
    pub closing: Arc<Closing>,
    id: u64,
    place: Place,
}

/// Where a client begins.
#[derive(Debug)]
pub struct Start {
    pub seq: u64,
    /// It came back, and what it missed is not all known.
    pub is_reset: bool,
    /// What ended after `seq`.
    pub missed: Vec<Arc<Ended>>,
}

impl LiveFeed {
    /// Clients are closed after `stop`; `tasks` is awaited at shutdown.
    pub fn new(
        options: LiveOptions,
        control: Control,
        gate: BalanceGate,
        log: EventLog,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            options,
            control,
            gate,
            log,
            state: Mutex::default(),
            arrived: Notify::new(),
            amounts_wanted: Notify::new(),
            position: watch::Sender::new(None),
            channels: watch::Sender::new(Arc::from([])),
            stop,
            tasks,
        }))
    }

    pub fn options(&self) -> &LiveOptions {
        &self.0.options
    }

    /// Clients there are now.
    pub fn clients(&self) -> usize {
        self.0.state.lock().clients
    }

    /// Those of them that keep up.
    pub fn listening(&self) -> usize {
        self.0.state.lock().accounts.values().map(|watched| watched.queues.len()).sum()
    }

    /// Everything in the log up to here is in the queues.
    pub fn position(&self) -> Option<u64> {
        *self.0.position.borrow()
    }

    /// Begins to watch an account; `seen` is the last place of a client that comes back.
    pub async fn subscribe(&self, session: Uuid, account: AccountId, seen: Option<u64>) -> Result<Subscription, ApiError> {
        let place = self.take_place(session)?;
        self.0.arrived.notify_one();
        let mut position = self.0.position.subscribe();
        loop {
            let following = tokio::time::timeout(FOLLOWING_TIMEOUT, position.wait_for(Option::is_some)).await;
            if !matches!(following, Ok(Ok(_))) {
                return Err(ApiError::unavailable("The live feed cannot be read now.", RETRY_SECONDS));
            }
            // It may just have stopped being followed.
            let mut state = self.0.state.lock();
            if let Some(position) = self.position() {
                return Ok(self.register(&mut state, place, account, (position, seen)));
            }
        }
    }

    fn take_place(&self, session: Uuid) -> Result<Place, ApiError> {
        let (feed, options) = (&self.0, &self.0.options);
        let mut state = feed.state.lock();
        if state.clients >= options.clients_max || feed.stop.is_cancelled() {
            return Err(ApiError::unavailable("The gateway has as many live clients as it may. Please retry.", RETRY_SECONDS));
        }
        let of_session = state.sessions.entry(session).or_default();
        if *of_session >= options.clients_per_session_max {
            return Err(ApiError::rate_limited("This session has as many live clients as it may; close another window.", RETRY_SECONDS));
        }
        *of_session += 1;
        state.clients += 1;
        metrics::gauge!(LIVE_CLIENTS).set(state.clients as f64);
        Ok(Place { feed: Arc::clone(feed), session, _task: feed.tasks.token() })
    }

    fn register(&self, state: &mut State, place: Place, account: AccountId, (position, seen): (u64, Option<u64>)) -> Subscription {
        let missed = seen.filter(|seen| *seen <= position).and_then(|seen| Some((seen, state.recent.since(seen, account)?)));
        let is_reset = seen.is_some() && missed.is_none();
        let (seq, missed) = missed.unwrap_or((position, Vec::new()));
        let (sender, ended) = mpsc::channel(self.0.options.queue_messages_max);
        let (id, closing) = (state.next_id, Arc::new(Closing::default()));
        state.next_id += 1;
        let watched = state.accounts.entry(account).or_insert_with(|| {
            self.0.amounts_wanted.notify_one();
            Watched { amounts: watch::Sender::new(None), queues: HashMap::new() }
        });
        watched.queues.insert(id, Queue { ended: sender, closing: Arc::clone(&closing) });
        Subscription {
            account,
            start: Start { seq, is_reset, missed },
            ended,
            amounts: watched.amounts.subscribe(),
            channels: self.0.channels.subscribe(),
            closing,
            id,
            place,
        }
    }
}

impl Subscription {
    /// The client was closed for a reason.
    pub fn closed(self, reason: CloseReason) {
        metrics::counter!(LIVE_CLOSED_TOTAL, "reason" => reason.as_str()).increment(1);
        drop(self);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut state = self.place.feed.state.lock();
        if let Some(watched) = state.accounts.get_mut(&self.account) {
            watched.queues.remove(&self.id);
            if watched.queues.is_empty() {
                state.accounts.remove(&self.account);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.feed.state.lock();
        state.clients -= 1;
        metrics::gauge!(LIVE_CLIENTS).set(state.clients as f64);
        if let Some(of_session) = state.sessions.get_mut(&self.session) {
            *of_session -= 1;
            if *of_session == 0 {
                state.sessions.remove(&self.session);
            }
        }
    }
}

impl State {
    /// Tells those who watch the account. **Nobody is waited for**: whose queue is full is closed.
    pub fn tell(&mut self, ended: Arc<Ended>, recent_max: usize) {
        if let Some(watched) = self.accounts.get_mut(&ended.account) {
            watched.queues.retain(|_, queue| {
                let told = queue.ended.try_send(Arc::clone(&ended));
                if told.is_err() {
                    queue.closing.begin(CloseReason::TooSlow);
                }
                told.is_ok()
            });
        }
        self.recent.push(ended, recent_max);
    }

    pub fn close_all(&mut self, reason: CloseReason) {
        for queue in self.accounts.values().flat_map(|watched| watched.queues.values()) {
            queue.closing.begin(reason);
        }
    }
}
