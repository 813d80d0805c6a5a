//! Whether a server can be trusted with a gate: its version, its memory policy, its run.

use std::collections::HashMap;

use redis::{Cmd, RedisError};

use super::connection::{Connections, Failed, Lane};
use super::library::Library;
use crate::protocol::GateError;

/// Why a server is not used.
#[derive(Debug, thiserror::Error)]
pub enum RedisGateError {
    #[error("balance gate's server cannot be used")]
    Connect(#[from] RedisError),
    #[error("balance gate's server does not answer")]
    Gate(#[from] GateError),
    #[error("balance gate needs Redis 7.0 or Valkey 7.2, not {0}")]
    Version(String),
    /// Evicted keys are lost holds.
    #[error("balance gate needs `maxmemory-policy noeviction`, not `{0}`")]
    Eviction(String),
    #[error("balance gate was built with {known} shards and this process has {ours}: stop all others and start with one number")]
    Shards { known: usize, ours: usize },
}

impl RedisGateError {
    /// Whether the same may succeed once the server is back.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_io_error() || error.is_timeout() || error.is_connection_refusal(),
            Self::Gate(error) => matches!(error, GateError::Unavailable),
            Self::Version(_) | Self::Eviction(_) | Self::Shards { .. } => false,
        }
    }

    /// For a call that came upon it.
    pub(super) fn into_gate_error(self) -> GateError {
        match self {
            Self::Gate(error) => error,
            // Also where it does not let us in any more: a password that is being changed is waited for.
            Self::Connect(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "balance gate's server cannot be used");
                GateError::Unavailable
            }
            other => {
                tracing::error!(error = &other as &dyn std::error::Error, "balance gate's server is not used");
                GateError::Corrupt { reason: other.to_string() }
            }
        }
    }
}

/// Fails where money would be lost silently; warns of what survives less than it should.
pub(super) async fn check(connections: &Connections) -> Result<(), RedisGateError> {
    connections.greet().await?;
    let info = info(connections).await.map_err(GateError::from)?;
    let version = info.get("valkey_version").or_else(|| info.get("redis_version")).cloned().unwrap_or_default();
    let major_minor: Vec<u32> = version.split('.').take(2).filter_map(|part| part.parse().ok()).collect();
    if major_minor < vec![7, 0] {
        return Err(RedisGateError::Version(version));
    }
    let mut ask = Cmd::new();
    ask.arg("CONFIG").arg("GET").arg("maxmemory-policy").arg("appendonly").arg("appendfsync");
    let settings: HashMap<String, String> = match connections.query(Lane::Slow, &ask).await {
        Ok(settings) => settings,
        Err(Failed::Other(GateError::Corrupt { reason })) => {
            tracing::warn!(reason, "balance gate's server does not tell its settings: it must not evict, and should append to a file");
            return Ok(());
        }
        Err(failed) => return Err(GateError::from(failed).into()),
    };
    let setting = |name| settings.get(name).map_or("", String::as_str);
    if setting("maxmemory-policy") != "noeviction" {
        return Err(RedisGateError::Eviction(setting("maxmemory-policy").to_owned()));
    }
    if setting("appendonly") != "yes" {
        tracing::warn!("balance gate's server keeps no append-only file: every restart of it is a rebuild from nothing");
    }
    tracing::info!(version, appendonly = setting("appendonly"), appendfsync = setting("appendfsync"), "balance gate's server");
    Ok(())
}

/// Changes with every start of the server and with every failover.
pub(super) async fn run_id(connections: &Connections) -> Result<String, Failed> {
    info(connections)
        .await?
        .remove("run_id")
        .ok_or_else(|| Failed::Other(GateError::Corrupt { reason: "the server does not tell its run_id".to_owned() }))
}

/// Gives the server the functions, unless it has them: from another gateway, or from its disk.
pub(super) async fn load(connections: &Connections, library: &Library) -> Result<(), RedisGateError> {
    let (mut look, mut load) = (Cmd::new(), Cmd::new());
    look.arg("FUNCTION").arg("LIST").arg("LIBRARYNAME").arg(&library.name);
    let known: Vec<redis::Value> = connections.query(Lane::Slow, &look).await.map_err(GateError::from)?;
    if !known.is_empty() {
        return Ok(());
    }
    load.arg("FUNCTION").arg("LOAD").arg(&library.text);
    match connections.query::<()>(Lane::Slow, &load).await {
        // By another gateway, in between.
        Err(Failed::Other(GateError::Corrupt { reason })) if reason.contains("already exists") => Ok(()),
        loaded => Ok(loaded.map_err(GateError::from)?),
    }
}

async fn info(connections: &Connections) -> Result<HashMap<String, String>, Failed> {
    let mut ask = Cmd::new();
    ask.arg("INFO").arg("server");
    let text: String = connections.query(Lane::Slow, &ask).await?;
    let pairs = text.lines().filter_map(|line| line.trim().split_once(':'));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}
