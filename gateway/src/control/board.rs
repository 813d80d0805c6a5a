//! The health of channels shared: every gateway writes down what it sees and hears what the others saw.
//!
//! A breaker that opened, a wait a provider asked for and a refused key hold for all gateways within a round; counts
//! are summed over all. A gateway that starts goes on with what it wrote in its last life. While the store is away,
//! each gateway goes on with its own.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use schemas::{NodeId, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Control;
use super::catalog::{Catalog, Channel, Endpoint};
use super::store::{HealthRow, StoreError};
use crate::metrics::CHANNEL_STATUS;
use crate::routing::health::{BreakerState, Counts, HealthStatus, Window, Windows};

/// Between two rounds.
pub const ROUND_EVERY: Duration = Duration::from_secs(1);
/// What did not change is written again so often, so that counts stay true.
const REWRITE_MICROS: i64 = 10_000_000;
/// Clocks of gateways differ by less.
const CLOCKS_MICROS: i64 = 5_000_000;
/// Rows of gateways that are gone are kept as long as their counts say something.
const FORGOTTEN_MICROS: i64 = 86_400_000_000;

/// The JSON of a row.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Details {
    models: HashMap<String, ModelDetails>,
    /// Fingerprints, and until when.
    refused_keys: Vec<(String, i64)>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct ModelDetails {
    windows: Windows,
    ttft_ms: f64,
    latency_ms: f64,
}

/// See the module.
pub struct HealthBoard {
    control: Control,
    node: String,
    rounds: Mutex<Rounds>,
}

#[derive(Default)]
struct Rounds {
    /// What was last written, and when.
    written: HashMap<String, (Facts, i64)>,
    /// The latest row of every other gateway, by channel and node.
    others: HashMap<(String, String), (i64, Details)>,
    read_until: Timestamp,
}

/// What decides whether a row is written again.
#[derive(PartialEq, Eq)]
struct Facts {
    /// Others have to know within a round.
    urgent: (HealthStatus, u32, Option<Timestamp>, Option<Timestamp>, Vec<Option<Timestamp>>),
    /// Can wait.
    seen: [Option<Timestamp>; 3],
}

impl Facts {
    fn of(channel: &Channel) -> Self {
        let state = &channel.state;
        let refused = channel.keys.iter().map(|key| key.state.refused_until()).collect();
        let breaker = (state.breaker.consecutive_failures(), state.breaker.open_until());
        Self {
            urgent: (state.status(), breaker.0, breaker.1, state.cool_until(), refused),
            seen: [state.last_check_at(), state.last_success_at(), state.last_failure_at()],
        }
    }
}

/// A channel with its endpoints.
type Offered<'a> = (&'a Channel, Vec<&'a Endpoint>);

fn offered(catalog: &Catalog) -> HashMap<String, Offered<'_>> {
    let mut by_channel: HashMap<String, Offered<'_>> =
        catalog.channels().iter().map(|channel| (channel.id.uuid().to_string(), (&**channel, Vec::new()))).collect();
    for endpoint in catalog.models().iter().flat_map(|model| &model.endpoints) {
        if let Some((_, endpoints)) = by_channel.get_mut(&endpoint.channel.id.uuid().to_string()) {
            endpoints.push(endpoint);
        }
    }
    by_channel
}

/// How a channel does, from its breaker and the counts of all its endpoints.
pub fn judge(channel: &Channel, counts: &Counts, now: Timestamp) -> HealthStatus {
    const JUDGED_MIN: u64 = 5;
    let permille = counts.success_permille().filter(|_| counts.counted() >= JUDGED_MIN);
    match (channel.state.breaker.state(now), permille) {
        (BreakerState::Open | BreakerState::HalfOpen, _) => HealthStatus::Unhealthy,
        (BreakerState::Closed, Some(permille)) if permille < 800 => HealthStatus::Unhealthy,
        _ if !channel.keys.is_empty() && channel.keys.iter().all(|key| key.state.is_refused(now)) => HealthStatus::Unhealthy,
        (BreakerState::Closed, Some(permille)) if permille < 950 => HealthStatus::Degraded,
        _ if channel.state.breaker.consecutive_failures() > 0 => HealthStatus::Degraded,
        _ if channel.keys.iter().any(|key| key.state.is_refused(now)) => HealthStatus::Degraded,
        _ => HealthStatus::Healthy,
    }
}

impl HealthBoard {
    pub fn new(control: Control, node: NodeId) -> Self {
        Self { control, node: node.uuid().to_string(), rounds: Mutex::default() }
    }

    /// Goes on where the last life ended. Before the first request.
    pub async fn restore(&self) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let rows = self.control.store().channel_health_since(now.plus_micros(-FORGOTTEN_MICROS)).await?;
        let catalog = self.control.catalog_full();
        let offered = offered(&catalog);
        for row in rows.iter().filter(|row| row.node_id == self.node) {
            let Some((channel, endpoints)) = offered.get(&row.channel_id) else { continue };
            if row.updated_at < channel.updated_at.micros() {
                continue;
            }
            hear(channel, row, now);
            let failures = u32::try_from(row.consecutive_failures).unwrap_or_default();
            channel.state.breaker.restore(failures, None);
            let mut details: Details = serde_json::from_str(&row.details).unwrap_or_default();
            for endpoint in endpoints {
                if let Some(model) = details.models.remove(&*endpoint.model) {
                    endpoint.state.restore(model.windows, (model.ttft_ms, model.latency_ms), now);
                }
            }
        }
        self.take_in(rows, &catalog, now);
        self.judge_all(&catalog, now);
        Ok(())
    }

    /// Runs until `stop`, then writes once more.
    pub async fn run(&self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(ROUND_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_failing = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let outcome = self.round(Timestamp::now()).await;
            match &outcome {
                Err(error) if !is_failing => {
                    tracing::warn!(
                        error = error as &dyn std::error::Error,
                        "health of channels is not shared; each gateway goes by its own"
                    );
                }
                Ok(()) if is_failing => tracing::info!("health of channels is shared again"),
                Ok(()) | Err(_) => {}
            }
            is_failing = outcome.is_err();
        }
        // Counts that would have waited for their turn as well.
        self.rounds.lock().written.clear();
        if let Err(error) = self.round(Timestamp::now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "health of channels was not written down");
        }
    }

    /// Judges, writes, reads.
    pub async fn round(&self, now: Timestamp) -> Result<(), StoreError> {
        let catalog = self.control.catalog_full();
        self.judge_all(&catalog, now);
        let changed = self.changed_rows(&catalog, now);
        let store = self.control.store();
        store.save_channel_health(&changed).await?;
        let since = self.rounds.lock().read_until;
        let rows = store.channel_health_since(since.plus_micros(-CLOCKS_MICROS)).await?;
        self.take_in(rows, &catalog, now);
        let gateways = store.gateways(now).await?.len();
        for channel in catalog.channels() {
            channel.state.set_gateways(u32::try_from(gateways).unwrap_or(u32::MAX));
        }
        if now.micros() / FORGOTTEN_MICROS != since.micros() / FORGOTTEN_MICROS {
            store.forget_channel_health(now.plus_micros(-FORGOTTEN_MICROS)).await?;
        }
        Ok(())
    }

    fn judge_all(&self, catalog: &Catalog, now: Timestamp) {
        for (channel, endpoints) in offered(catalog).into_values() {
            let mut counts = Counts::default();
            for endpoint in endpoints {
                endpoint.state.judge(now);
                counts.add(&endpoint.state.counts(Window::FiveMinutes, now));
            }
            let status = judge(channel, &counts, now);
            if channel.state.set_status(status) {
                tracing::info!(channel.name = %channel.name, channel.status = status.as_str(), "channel's health changed");
            }
            metrics::gauge!(CHANNEL_STATUS, "channel" => channel.name.to_string()).set(f64::from(status as u8));
        }
    }

    fn changed_rows(&self, catalog: &Catalog, now: Timestamp) -> Vec<HealthRow> {
        let mut rounds = self.rounds.lock();
        let offered = offered(catalog);
        rounds.written.retain(|channel, _| offered.contains_key(channel));
        let mut changed = Vec::new();
        for (channel_id, (channel, endpoints)) in offered {
            let facts = Facts::of(channel);
            let is_told = rounds.written.get(&channel_id).is_some_and(|(before, at)| {
                let is_quiet = before.seen == facts.seen;
                before.urgent == facts.urgent && (is_quiet || *at + REWRITE_MICROS > now.micros())
            });
            if !is_told {
                changed.push(self.row(&channel_id, channel, &endpoints, now));
                rounds.written.insert(channel_id, (facts, now.micros()));
            }
        }
        changed
    }

    fn row(&self, channel_id: &str, channel: &Channel, endpoints: &[&Endpoint], now: Timestamp) -> HealthRow {
        let used = endpoints.iter().filter(|endpoint| endpoint.state.counts(Window::Day, now) != Counts::default());
        let models = used.map(|endpoint| {
            let (ttft_ms, latency_ms) = endpoint.state.means();
            (endpoint.model.to_string(), ModelDetails { windows: endpoint.state.own_windows(), ttft_ms, latency_ms })
        });
        let refused = channel.keys.iter().filter_map(|key| Some((key.state.fingerprint.to_string(), key.state.refused_until()?.micros())));
        let details = Details { models: models.collect(), refused_keys: refused.collect() };
        let micros = |at: Option<Timestamp>| at.map(Timestamp::micros);
        let state = &channel.state;
        HealthRow {
            channel_id: channel_id.to_owned(),
            node_id: self.node.clone(),
            channel_name: channel.name.to_string(),
            status: state.status().as_str().to_owned(),
            consecutive_failures: i64::from(state.breaker.consecutive_failures()),
            last_check_at: micros(state.last_check_at()),
            last_success_at: micros(state.last_success_at()),
            last_failure_at: micros(state.last_failure_at()),
            open_until: micros(state.breaker.open_until()),
            cool_until: micros(state.cool_until()),
            details: serde_json::to_string(&details).unwrap_or_default(),
            updated_at: now.micros(),
        }
    }

    /// What other gateways found out holds here too; their counts are added to ours.
    fn take_in(&self, rows: Vec<HealthRow>, catalog: &Catalog, now: Timestamp) {
        let mut rounds = self.rounds.lock();
        let offered = offered(catalog);
        for row in rows.into_iter().filter(|row| row.node_id != self.node) {
            rounds.read_until = rounds.read_until.max(Timestamp::from_micros(row.updated_at));
            let Some((channel, endpoints)) = offered.get(&row.channel_id) else { continue };
            let place = (row.channel_id.clone(), row.node_id.clone());
            let is_known = rounds.others.get(&place).is_some_and(|(updated_at, _)| *updated_at >= row.updated_at);
            if is_known || row.updated_at < channel.updated_at.micros() {
                continue;
            }
            hear(channel, &row, now);
            let details: Details = serde_json::from_str(&row.details).unwrap_or_default();
            for endpoint in endpoints {
                if let Some(model) = details.models.get(&*endpoint.model) {
                    endpoint.state.hear_of((model.ttft_ms, model.latency_ms), now);
                }
            }
            rounds.others.insert(place, (row.updated_at, details));
        }
        rounds
            .others
            .retain(|(channel, _), (updated_at, _)| offered.contains_key(channel) && *updated_at + FORGOTTEN_MICROS > now.micros());
        for (channel_id, (_, endpoints)) in &offered {
            for endpoint in endpoints {
                let of_model = |(_, details): &(i64, Details)| details.models.get(&*endpoint.model).map(|model| model.windows.clone());
                let others = rounds.others.iter().filter(|((channel, _), _)| channel == channel_id);
                endpoint.state.set_elsewhere(others.filter_map(|(_, row)| of_model(row)).collect());
            }
        }
        rounds.read_until = rounds.read_until.max(now.plus_micros(-CLOCKS_MICROS));
    }
}

/// What another gateway, or an earlier life, found out about a channel. What has passed says nothing any more.
fn hear(channel: &Channel, row: &HealthRow, now: Timestamp) {
    let future = |micros: Option<i64>| micros.filter(|micros| *micros > now.micros()).map(Timestamp::from_micros);
    // Also what is in the past: a pause that is over leaves the breaker half-open.
    let past = |micros: Option<i64>| micros.map(Timestamp::from_micros);
    let state = &channel.state;
    // A success seen here since then is newer than their failure.
    let is_newer = row.last_failure_at.unwrap_or_default() > state.last_success_at().map_or(0, Timestamp::micros);
    state.breaker.restore(0, past(row.open_until).filter(|_| is_newer));
    if let Some(until) = future(row.cool_until) {
        state.cool_until_at_least(until);
    }
    state.restore(past(row.last_check_at), past(row.last_success_at), past(row.last_failure_at));
    let details: Details = serde_json::from_str(&row.details).unwrap_or_default();
    for (fingerprint, until) in details.refused_keys {
        let key = channel.keys.iter().find(|key| *key.state.fingerprint == *fingerprint);
        if let Some(key) = key.filter(|_| until > now.micros() && is_newer) {
            key.state.refuse_until(Timestamp::from_micros(until), now);
        }
    }
}
