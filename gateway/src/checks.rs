//! Active checks: a tiny request to every channel at its own interval, sent by one gateway for all.
//!
//! The gateway that runs longest is elected (its lease says so); alone, it is the one. A check tells health like any
//! attempt does: one that is answered closes an open breaker and takes a refused key back into use. **Nobody is charged**: what the
//! provider bills us is booked to the system account.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::event::{Body, Event, Header, RequestRecord, UsageReleased, request_event_id};
use schemas::partition::partition_of;
use schemas::{AccountId, ChannelId, RequestId, Timestamp, charge};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::app::AppState;
use crate::control::catalog::{Channel, Endpoint};
use crate::control::channel::ProviderKind;
use crate::metrics::CHECKS_TOTAL;
use crate::providers::AttemptError;
use crate::providers::probe::{Probed, ask, cheapest};
use crate::routing::health::{Ending, observe};

/// Between two looks at what is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Checks under way at once.
const CHECKS_MAX: usize = 16;

/// The checks of one gateway.
pub struct Checks {
    app: AppState,
    places: Arc<Semaphore>,
    /// When each channel was last sent a check from here.
    sent: HashMap<ChannelId, Timestamp>,
}

impl Checks {
    pub fn new(app: AppState) -> Self {
        Self { app, places: Arc::new(Semaphore::new(CHECKS_MAX)), sent: HashMap::new() }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = Timestamp::now();
            if self.is_elected(now).await {
                self.send_due(now, &stop);
            }
        }
    }

    /// Whether this gateway checks for all. Where the store cannot be asked, none does.
    async fn is_elected(&self, now: Timestamp) -> bool {
        self.app.control.store().is_elected(self.app.node(), now).await.unwrap_or(false)
    }

    fn send_due(&mut self, now: Timestamp, stop: &CancellationToken) {
        let catalog = self.app.control.catalog_full();
        self.sent.retain(|id, _| catalog.channels().iter().any(|channel| channel.id == *id));
        for channel in catalog.channels().iter().filter(|channel| channel.health_check.enabled) {
            let interval = i64::try_from(channel.health_check.interval.as_micros()).unwrap_or(i64::MAX / 4);
            let last = self.sent.get(&channel.id).copied().max(channel.state.last_check_at());
            // A channel that was just made, or a gateway that just started, waits for its first interval too.
            let last = *self.sent.entry(channel.id).or_insert_with(|| last.unwrap_or(now));
            if last.plus_micros(interval) > now {
                continue;
            }
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return };
            self.sent.insert(channel.id, now);
            let endpoints = catalog.models().iter().flat_map(|model| &model.endpoints).filter(|endpoint| endpoint.channel.id == channel.id);
            let Some(endpoint) = cheapest(endpoints).cloned() else { continue };
            let (app, stop) = (self.app.clone(), stop.clone());
            self.app.tasks.spawn(async move {
                stop.run_until_cancelled(check(&app, &endpoint)).await;
                drop(place);
            });
        }
    }
}

/// The key to be checked: one that is refused, so that it is found out when it works again; else the first.
fn key_to_check(channel: &Channel, now: Timestamp) -> usize {
    channel.keys.iter().position(|key| key.state.is_refused(now)).unwrap_or(0)
}

/// Sends one check and tells what came of it.
pub async fn check(app: &AppState, endpoint: &Arc<Endpoint>) {
    let (channel, started) = (&endpoint.channel, Timestamp::now());
    let key = key_to_check(channel, started);
    let asked = tokio::time::timeout(channel.health_check.timeout, ask(&app.clients, endpoint, key, channel.health_check.timeout)).await;
    let asked = asked.unwrap_or_else(|_| Err(AttemptError::timeout("the provider did not answer the check in time")));
    let now = Timestamp::now();
    let latency_ms = u64::try_from((now.micros() - started.micros()) / 1_000).unwrap_or_default();
    channel.state.checked_at(now);
    let outcome = match &asked {
        Ok(answer) => {
            observe::began(endpoint, key, None, now);
            let usage = answer.usage.unwrap_or_default();
            let ending = Ending::Succeeded { latency_ms, output_tokens: usage.completion_tokens(), generation_ms: latency_ms };
            observe::succeeded(endpoint, ending, None, now);
            book(app, endpoint, (started, latency_ms), answer);
            "ok"
        }
        Err(error) => {
            observe::failed(endpoint, key, error, now);
            tracing::debug!(channel.name = %channel.name, error.message = %error.message, "check failed");
            error.error_type.as_str()
        }
    };
    metrics::counter!(CHECKS_TOTAL, "channel" => channel.name.to_string(), "outcome" => outcome).increment(1);
}

/// Books what the provider bills for a check to the system account. A check whose cost cannot be written down is forgotten.
fn book(app: &AppState, endpoint: &Endpoint, (at, duration_ms): (Timestamp, u64), answer: &Probed) {
    let usage = answer.usage.unwrap_or_default();
    let reported = answer.reported_cost.filter(|_| endpoint.channel.provider == ProviderKind::OpenRouter);
    let provider_cost = reported.or_else(|| charge(&endpoint.cost, &usage).ok().map(|cost| cost.total));
    let request_id = RequestId::mint();
    let request = RequestRecord {
        admitted_at: at,
        api_key_id: None,
        api_type: "health_check".to_owned(),
        app_title: None,
        app_url: None,
        attempts: Vec::new(),
        cancelled: false,
        channel: endpoint.channel.name.to_string(),
        duration_ms,
        epoch: 0,
        error_type: None,
        external_user: None,
        finish_reason: answer.finish_reason.map(str::to_owned),
        hold_nanos: schemas::NanoUsd::ZERO,
        http_status: 200,
        model: endpoint.model.to_string(),
        model_requested: endpoint.model.to_string(),
        native_finish_reason: answer.native_finish_reason.clone(),
        price_version: Some(endpoint.price.id.to_string()),
        provider: endpoint.channel.provider_name.to_string(),
        provider_cost_nanos: provider_cost,
        request_id,
        session_id: None,
        streamed: false,
        ttft_ms: None,
        upstream_id: answer.upstream_id.clone(),
        usage,
        user_agent: None,
        user_id: None,
    };
    let released = UsageReleased { reason: "health_check".to_owned(), recovered: false, request };
    let written = app.settlement.spool.terminal(None, partition_of(AccountId::SYSTEM), |producer, pseq| {
        let header =
            Header { id: request_event_id(request_id, "released"), account: AccountId::SYSTEM, producer, pseq, time: Timestamp::now() };
        Event { header, body: Body::UsageReleased(Box::new(released)) }.encode()
    });
    if let Err(error) = written {
        tracing::warn!(error = %error, channel.name = %endpoint.channel.name, "cost of a check was not written down");
    }
}
