//! Opens and migrates the stores a process needs, in the order they depend on each other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{Disk, EventLog, FileDisk, JetStreamError, JetStreamOptions, LogError, LogOptions, Recovery, Spool, SpoolError};
use gateway::control::secrets::{Secret, SecretError, SecretKey};
use gateway::control::store::{Act, ControlStore, StoreError};
use gateway::control::{Control, ControlError, Forgotten};
use ledger::gate::{BalanceGate, RedisGateError, RedisGateOptions};
use ledger::heads::HeadsLog;
use ledger::store::{LedgerError, LedgerStore};
use ledger::worker::COMPARED_ENTRIES;
use projector::{AnalyticsError, AnalyticsStore, Retry};
use schemas::Timestamp;

use super::core::Roles;
use crate::config::backends::{Balance, Events};
use crate::config::{Config, Loaded};

/// Brokers that are away are waited for: nothing is lost meanwhile, and there is nothing else to do.
const LOG_PATIENCE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often, and how far apart, the log's end is looked at when it lies before the books.
const LOG_BEHIND_LOOKS: u32 = 10;
const LOG_BEHIND_PAUSE: Duration = Duration::from_millis(500);
/// How long a server is waited for at the start that this process can do without.
const NOT_NEEDED_PATIENCE: Duration = Duration::from_secs(5);
/// The gateway's write-ahead spool, in the data folder.
const SPOOL_DIR: &str = "spool";

/// Everything a gateway works with, open.
pub struct Stores {
    pub control: Control,
    pub ledger: LedgerStore,
    pub analytics: AnalyticsStore,
    pub log: EventLog,
    pub spool: Spool,
    /// What the last life of this process left open.
    pub recovery: Recovery,
    pub gate: BalanceGate,
}

/// Which store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("secret key cannot be used")]
    SecretKey(#[from] SecretError),
    #[error("control store cannot be opened (database_url)")]
    ControlStore(#[from] StoreError),
    #[error("administration cannot be opened")]
    Control(#[from] ControlError),
    #[error("ledger cannot be opened (database_url)")]
    Ledger(#[from] LedgerError),
    #[error("analytics cannot be opened (analytics_url)")]
    Analytics(#[from] AnalyticsError),
    #[error("event log cannot be opened (events_url)")]
    Log(#[from] LogError),
    #[error("balance gate cannot be opened (balance_url)")]
    Gate(#[from] RedisGateError),
    #[error(
        "the event log's stream {stream} is gone, but the books stand at its position {booked}: put the server's data back, or \
         `tollgate import` an archive that reaches as far"
    )]
    LogMissing { stream: String, booked: u64 },
    #[error(
        "the books stand at position {booked} of the event log, which ends at {last}: it is another log, or an older state of it; \
         put back the one that reaches as far"
    )]
    LogBehind { booked: u64, last: u64 },
    #[error(
        "the event log has another event at position {position} than the one the books have: it is another log, or it lost its end and \
         grew past it again; put back the one they were made of"
    )]
    LogDiffers { position: u64 },
    #[error("spool cannot be opened")]
    Spool(#[from] SpoolError),
}

impl Stores {
    /// Opens everything for writing. The data folder's lock must be held. A server that is away is no error where these roles
    /// can do their work without it: only the projector needs analytics, only a gateway the balance gate.
    pub async fn open(loaded: &Loaded, data_dir: &Path, here: Roles) -> Result<Self, OpenError> {
        let config = &loaded.config;
        let secret_key = secret_key(config, data_dir)?;
        let ledger = open_ledger(loaded, data_dir).await?;
        let control = Control::open(ControlStore::open(&loaded.backends.database.url()).await?, secret_key, Timestamp::now()).await?;
        let analytics = analytics_for(loaded, here).await?;
        let log = open_log_for(loaded, &ledger).await?;
        let (spool, recovery) = Spool::open(Arc::new(FileDisk), &data_dir.join(SPOOL_DIR), config.spool_options())?;
        let gate = gate_for(loaded, here).await?;
        Ok(Self { control, ledger, analytics, log, spool, recovery, gate })
    }
}

/// The deployment's secret key, which also opens what those before it sealed.
fn secret_key(config: &Config, data_dir: &Path) -> Result<SecretKey, SecretError> {
    let secret_key = match &config.secret_key {
        Some(reference) => SecretKey::from_secret(&Secret::resolve(reference)?)?,
        None => SecretKey::load_or_create(data_dir)?,
    };
    let previous = config.previous_secret_keys.iter().map(|reference| SecretKey::from_secret(&Secret::resolve(reference)?));
    Ok(secret_key.with_previous(previous.collect::<Result<_, _>>()?))
}

/// Gives up what a lost secret key sealed; the data folder's lock must be held. `None` where nothing is lost.
pub async fn forget_lost_secrets(loaded: &Loaded, data_dir: &Path) -> Result<Option<Forgotten>, OpenError> {
    let key = secret_key(&loaded.config, data_dir)?;
    let store = ControlStore::open(&loaded.backends.database.url()).await.map_err(ControlError::from)?;
    let forgotten = Control::forget_lost_secrets(&store, &key, &Act::new("local", Timestamp::now())).await;
    store.close().await;
    Ok(forgotten?)
}

/// The books, migrated. Their heads are checkpointed in the data folder.
pub async fn open_ledger(loaded: &Loaded, data_dir: &Path) -> Result<LedgerStore, OpenError> {
    let ledger = LedgerStore::open(&loaded.backends.database.url(), ledger::store::Access::ReadWrite).await?;
    ledger.migrate().await?;
    Ok(ledger.with_heads(HeadsLog::open(data_dir, ledger::store::Access::ReadWrite)?))
}

/// The analytics, migrated.
pub async fn open_analytics(loaded: &Loaded) -> Result<AnalyticsStore, OpenError> {
    let analytics = AnalyticsStore::open(&loaded.backends.analytics.url(), projector::Access::ReadWrite).await?;
    analytics.migrate().await?;
    Ok(analytics)
}

async fn analytics_for(loaded: &Loaded, here: Roles) -> Result<AnalyticsStore, OpenError> {
    if here.projector {
        return open_analytics(loaded).await;
    }
    match tokio::time::timeout(NOT_NEEDED_PATIENCE, open_analytics(loaded)).await {
        Ok(Err(OpenError::Analytics(error))) if error.retry() == Retry::Always => {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "analytics are away: statistics are not available until they are back"
            );
        }
        Ok(opened) => return opened,
        Err(_) => tracing::warn!("analytics do not answer: statistics are not available until they do"),
    }
    Ok(AnalyticsStore::open_later(&loaded.backends.analytics.url(), projector::Access::ReadWrite).await?)
}

async fn gate_for(loaded: &Loaded, here: Roles) -> Result<BalanceGate, OpenError> {
    match (open_gate(loaded).await, &loaded.backends.balance) {
        (Err(OpenError::Gate(error)), Balance::Redis(url)) if !here.gateway && error.is_away() => {
            tracing::warn!(error = &error as &dyn std::error::Error, "balance gate's server is away; this role begins without it");
            Ok(BalanceGate::redis_later(url.expose(), redis_options(loaded))?)
        }
        (opened, _) => opened,
    }
}

/// The log these books were made of: a server that lost it, or has another, is no beginning.
async fn open_log_for(loaded: &Loaded, ledger: &LedgerStore) -> Result<EventLog, OpenError> {
    let booked = ledger.position().await?;
    let opened = open_log(loaded, booked == 0).await;
    if let Err(OpenError::Log(LogError::JetStream(JetStreamError::Missing { stream }))) = opened {
        return Err(OpenError::LogMissing { stream, booked });
    }
    let log = opened?;
    if matches!(loaded.backends.events, Events::JetStream(_)) {
        let mut looks = LOG_BEHIND_LOOKS;
        loop {
            let last = log.bounds().await?.last;
            if last >= booked {
                break;
            }
            looks -= 1;
            if looks == 0 {
                return Err(OpenError::LogBehind { booked, last });
            }
            // A new leader may have to apply what the old one had committed before it tells of it.
            tokio::time::sleep(LOG_BEHIND_PAUSE).await;
        }
        if let Some(position) = log.first_difference(&ledger.newest_facts(COMPARED_ENTRIES).await?).await? {
            return Err(OpenError::LogDiffers { position });
        }
    }
    Ok(log)
}

/// `may_create`: where there is none yet, and nobody relies on one.
pub async fn open_log(loaded: &Loaded, may_create: bool) -> Result<EventLog, OpenError> {
    match &loaded.backends.events {
        Events::Files { dir } => {
            let disk: Arc<dyn Disk> = Arc::new(FileDisk);
            Ok(EventLog::open_segmented(disk, dir, LogOptions::default())?)
        }
        Events::JetStream(url) => {
            let events = &loaded.config.events;
            let options = JetStreamOptions {
                may_create,
                patience: LOG_PATIENCE,
                replicas: events.replicas,
                servers_sync_always: events.servers_sync_always,
                ..JetStreamOptions::default()
            };
            Ok(EventLog::connect_jetstream(url.expose(), options).await?)
        }
    }
}

pub async fn open_gate(loaded: &Loaded) -> Result<BalanceGate, OpenError> {
    match &loaded.backends.balance {
        Balance::Memory => Ok(BalanceGate::memory(loaded.config.gate_options())),
        Balance::Redis(url) => Ok(BalanceGate::redis(url.expose(), redis_options(loaded)).await?),
    }
}

fn redis_options(loaded: &Loaded) -> RedisGateOptions {
    RedisGateOptions { gate: loaded.config.gate_options(), ..RedisGateOptions::default() }
}
