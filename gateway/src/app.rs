//! What every request shares: the stores, the gate, the catalog, the limits.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ledger::store::LedgerStore;
use metrics::Gauge;
use parking_lot::Mutex;
use schemas::NodeId;
use tokio_util::task::TaskTracker;

use crate::admission::FreeTier;
use crate::control::Control;
use crate::http::error::ApiError;
use crate::metrics::IN_FLIGHT;
use crate::options::Options;
use crate::providers::ChannelClients;
use crate::routing::Routing;
use crate::settlement::Settlement;

/// One gateway.
pub struct App {
    pub options: Options,
    pub control: Control,
    pub ledger: LedgerStore,
    pub settlement: Arc<Settlement>,
    pub clients: ChannelClients,
    pub routing: Arc<Routing>,
    pub free_tier: Arc<FreeTier>,
    pub readiness: Arc<Readiness>,
    pub places: Places,
    /// Every task a request leaves behind; awaited at shutdown.
    pub tasks: TaskTracker,
}

/// A handle on the one [`App`]; what handlers take.
#[derive(Clone)]
pub struct AppState(pub Arc<App>);

impl AppState {
    /// The same gateway with upstream connections of its own: a thread that serves alone does not wait for another's.
    #[must_use]
    pub fn with_own_connections(&self) -> Self {
        let app = &self.0;
        Self(Arc::new(App {
            options: app.options.clone(),
            control: app.control.clone(),
            ledger: app.ledger.clone(),
            settlement: Arc::clone(&app.settlement),
            clients: app.clients.unconnected(),
            routing: Arc::clone(&app.routing),
            free_tier: Arc::clone(&app.free_tier),
            readiness: Arc::clone(&app.readiness),
            places: app.places.clone(),
            tasks: app.tasks.clone(),
        }))
    }
}

impl Deref for AppState {
    type Target = Arc<App>;

    fn deref(&self) -> &Arc<App> {
        &self.0
    }
}

impl App {
    pub fn node(&self) -> NodeId {
        self.settlement.spool.producer().node
    }

    /// What is missing before requests can be served and billed.
    pub fn waiting_for(&self) -> Vec<&'static str> {
        let mut waiting_for = self.readiness.missing();
        if !self.settlement.spool.is_healthy() {
            waiting_for.push("a healthy spool disk");
        }
        if self.settlement.refused_lately() {
            waiting_for.push("room in the spool");
        }
        if self.settlement.spool.is_log_behind() {
            waiting_for.push("the event log");
        }
        waiting_for
    }
}

/// What the gateway waits for before it can serve and bill.
#[derive(Debug, Default)]
pub struct Readiness {
    waiting_for: Mutex<Vec<&'static str>>,
}

impl Readiness {
    pub fn waiting(reasons: &[&'static str]) -> Self {
        Self { waiting_for: Mutex::new(reasons.to_vec()) }
    }

    /// A dependency is there.
    pub fn arrived(&self, reason: &'static str) {
        self.waiting_for.lock().retain(|waiting| *waiting != reason);
    }

    /// A dependency is gone again.
    pub fn lost(&self, reason: &'static str) {
        let mut waiting_for = self.waiting_for.lock();
        if !waiting_for.contains(&reason) {
            waiting_for.push(reason);
        }
    }

    pub fn missing(&self) -> Vec<&'static str> {
        self.waiting_for.lock().clone()
    }

    /// 503 while something is missing.
    pub fn check(&self) -> Result<(), ApiError> {
        let waiting_for = self.waiting_for.lock();
        if waiting_for.is_empty() {
            return Ok(());
        }
        let message = format!("The gateway is not ready; it waits for {}.", waiting_for.join(", "));
        Err(ApiError::unavailable(message, 1).with_metadata("waiting_for", &*waiting_for))
    }
}

/// Bounds the requests that run at once.
#[derive(Clone)]
pub struct Places {
    taken: Arc<AtomicUsize>,
    places_max: usize,
    in_flight: Gauge,
}

/// One running request's place; free again when dropped.
pub struct Place {
    taken: Arc<AtomicUsize>,
    in_flight: Gauge,
}

impl Places {
    pub fn new(places_max: usize) -> Self {
        Self { taken: Arc::default(), places_max, in_flight: metrics::gauge!(IN_FLIGHT) }
    }

    /// 503 when `requests_max` are running.
    pub fn take(&self) -> Result<Place, ApiError> {
        let place = Place { taken: Arc::clone(&self.taken), in_flight: self.in_flight.clone() };
        let taken = self.taken.fetch_add(1, Ordering::Relaxed) + 1;
        place.in_flight.increment(1.0);
        if taken > self.places_max {
            return Err(ApiError::unavailable("The gateway is answering as many requests as it may. Please retry.", 1));
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        self.in_flight.decrement(1.0);
    }
}
