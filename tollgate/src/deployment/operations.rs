//! What the web app's administrators ask of the deployment: an audit of the books, and how everything is doing.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use eventlog::{EventLog, ReadLimit};
use gateway::dashboard::Operations;
use gateway::dashboard::operations::Ask;
use gateway::http::error::ApiError;
use schemas::{Event, Timestamp};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::core::Core;
use super::jobs;
use crate::config::Backends;
use crate::config::backends::{Analytics, Balance, Database, Events, ServerUrl};
use crate::local_api::AuditRequest;
use crate::local_api::job::ProgressSender;

/// A backend that does not answer within this does not work.
const LOOK_TIMEOUT: Duration = Duration::from_secs(3);

/// What a backend is, without its secrets.
#[derive(Clone)]
struct Named {
    name: &'static str,
    kind: &'static str,
    url: String,
}

/// The answers of a deployment, for as long as it runs.
pub fn operations(core: &Arc<Core>, backends: &Backends) -> Operations {
    let (of_audit, of_system) = (Arc::downgrade(core), Arc::downgrade(core));
    let named = named(backends);
    let shape = if backends.is_distributed() { "distributed" } else { "embedded" };
    let started = Instant::now();
    let audit: Ask = Box::new(move || {
        let core = of_audit.clone();
        Box::pin(async move { audit(running(&core)?).await })
    });
    let system: Ask = Box::new(move || {
        let (core, named) = (of_system.clone(), named.clone());
        Box::pin(async move { system(running(&core)?, named, shape, started.elapsed()).await })
    });
    Operations::new(audit, system)
}

fn running(core: &Weak<Core>) -> Result<Arc<Core>, ApiError> {
    core.upgrade().ok_or_else(|| ApiError::unavailable("The gateway is ending.", 5))
}

async fn audit(core: Arc<Core>) -> Result<Box<RawValue>, ApiError> {
    let report = jobs::audit(Arc::clone(&core), AuditRequest::default(), ProgressSender::nobody()).await.map_err(ApiError::internal)?;
    let heads = core.stores.ledger.heads().await?;
    let heads: Vec<Value> =
        heads.iter().map(|head| json!({ "partition": head.partition, "position": head.ordinal, "hash": hex::encode(head.head) })).collect();
    raw(&json!({
        "ok": report.ok, "checked": report.checked, "differences": report.differences, "heads": heads, "checked_at": Timestamp::now(),
    }))
}

async fn system(core: Arc<Core>, named: Vec<Named>, shape: &str, uptime: Duration) -> Result<Box<RawValue>, ApiError> {
    let (control, stores) = (core.stores.control.store(), &core.stores);
    let mut backends = Vec::with_capacity(named.len());
    for one in named {
        let look = async {
            let started = Instant::now();
            let works = match one.name {
                "database" => stores.ledger.position().await.is_ok(),
                "events" => stores.log.bounds().await.is_ok(),
                "balance" => stores.gate.amounts(schemas::AccountId::SYSTEM).await.is_ok(),
                _ => stores.analytics.position().await.is_ok(),
            };
            works.then(|| started.elapsed())
        };
        let took = tokio::time::timeout(LOOK_TIMEOUT, look).await.ok().flatten();
        backends.push(json!({
            "name": one.name, "kind": one.kind, "url": one.url, "ok": took.is_some(),
            "latency_ms": took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        }));
    }
    let now = Timestamp::now();
    let gateways: Vec<Value> = match control.gateways(now).await? {
        known if known.is_empty() => vec![json!({ "id": stores.spool.producer().node.to_string(), "address": null, "last_seen_at": now })],
        known => {
            let shown = |lease: &gateway::control::store::GatewayLease| json!({ "id": lease.gateway.node.to_string(), "address": null, "last_seen_at": lease.started_at, "lease_ends_at": lease.ends_at });
            known.iter().map(shown).collect()
        }
    };
    let last = stores.log.bounds().await.map(|bounds| bounds.last).ok();
    let booked = stores.ledger.position().await.ok();
    let projected = stores.analytics.position().await.ok();
    let behind = |position: Option<u64>| Some(last?.saturating_sub(position?));
    raw(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": uptime.as_secs(),
        "shape": shape,
        "backends": backends,
        "gateways": gateways,
        "waiting_for": core.readiness.missing(),
        "lag": {
            "ledger_events": behind(booked),
            "ledger_seconds": seconds_behind(&stores.log, booked, now).await,
            "projector_events": behind(projected),
            "projector_seconds": seconds_behind(&stores.log, projected, now).await,
            "spool_events": stores.spool.usage().unapplied_events,
        },
    }))
}

/// How old the oldest event is that a role has not taken in; zero where there is none.
async fn seconds_behind(log: &EventLog, position: Option<u64>, now: Timestamp) -> Option<u64> {
    let next = ReadLimit { entries: 1, bytes: 1 };
    let entries = tokio::time::timeout(LOOK_TIMEOUT, log.read(position?, next)).await.ok()?.ok()?;
    let Some(entry) = entries.first() else { return Some(0) };
    let event = Event::decode(&entry.payload).ok()?;
    let age_micros = now.micros().saturating_sub(event.header.time.micros());
    Some(u64::try_from(age_micros).unwrap_or_default() / 1_000_000)
}

/// The backends by the names the configuration gives them.
fn named(backends: &Backends) -> Vec<Named> {
    // Without user and password, which stand in front of the host.
    let server = |url: &ServerUrl| format!("{url:?}");
    let one = |name, kind, url| Named { name, kind, url };
    vec![
        match &backends.database {
            Database::Sqlite { path } => one("database", "sqlite", path.display().to_string()),
            Database::Postgres(url) => one("database", "postgresql", server(url)),
        },
        match &backends.events {
            Events::Files { dir } => one("events", "files", dir.display().to_string()),
            Events::JetStream(url) => one("events", "jetstream", server(url)),
        },
        match &backends.balance {
            Balance::Memory => one("balance", "memory", "memory:".to_owned()),
            Balance::Redis(url) => one("balance", "redis", server(url)),
        },
        match &backends.analytics {
            Analytics::Sqlite { path } => one("analytics", "sqlite", path.display().to_string()),
            Analytics::ClickHouse(url) => one("analytics", "clickhouse", server(url)),
        },
    ]
}

fn raw(value: &impl Serialize) -> Result<Box<RawValue>, ApiError> {
    to_raw_value(value).map_err(ApiError::internal)
}
