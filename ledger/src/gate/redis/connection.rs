//! Two connections to the server, and what a call does when one fails.
//!
//! A call that got no answer is repeated once: every command is idempotent, by request id or by being
//! absolute. **Nothing waits longer than its timeout twice.**

use std::error::Error;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind};

use super::options::RedisGateOptions;
use crate::metrics::GATE_RETRIES_TOTAL;
use crate::protocol::GateError;

/// Commands that wait in line for the connection; more wait in their tasks.
const PIPELINE_BUFFER: usize = 1_024;
/// Between two attempts to connect. One attempt a call: the next call tries again.
const RECONNECT_DELAY: Duration = Duration::from_millis(50);

/// Which connection a command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Requests wait for it.
    Hot,
    /// Looks at all there is, rebuilds: must not stand in a request's way.
    Slow,
}

pub(super) struct Connections {
    hot: ConnectionManager,
    slow: ConnectionManager,
    hot_timeout: Duration,
    slow_timeout: Duration,
}

/// Why a command has no answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// Nobody has looked at the server since it was started, or it does not know the functions.
    Unvouched,
    Other(GateError),
}

impl Connections {
    pub async fn open(url: &str, options: &RedisGateOptions) -> Result<Self, RedisError> {
        let client = Client::open(url)?;
        let (hot, slow) = configs(options);
        Ok(Self {
            hot: ConnectionManager::new_with_config(client.clone(), hot).await?,
            slow: ConnectionManager::new_with_config(client, slow).await?,
            hot_timeout: options.response_timeout,
            slow_timeout: options.slow_response_timeout,
        })
    }

    /// They connect when they are first used.
    pub fn open_later(url: &str, options: &RedisGateOptions) -> Result<Self, RedisError> {
        let client = Client::open(url)?;
        let (hot, slow) = configs(options);
        Ok(Self {
            hot: ConnectionManager::new_lazy_with_config(client.clone(), hot)?,
            slow: ConnectionManager::new_lazy_with_config(client, slow)?,
            hot_timeout: options.response_timeout,
            slow_timeout: options.slow_response_timeout,
        })
    }

    /// Says hello, with the server's own words where it does not let us in.
    pub async fn greet(&self) -> Result<(), RedisError> {
        let (connection, _) = self.lane(Lane::Slow);
        let mut ping = Cmd::new();
        ping.arg("PING").query_async(&mut connection.clone()).await
    }

    pub async fn query<T: FromRedisValue>(&self, lane: Lane, command: &Cmd) -> Result<T, Failed> {
        let (connection, timeout) = self.lane(lane);
        let first = tokio::time::timeout(timeout, command.query_async(&mut connection.clone())).await;
        if let Some(result) = settled(first) {
            return result;
        }
        metrics::counter!(GATE_RETRIES_TOTAL).increment(1);
        let second = tokio::time::timeout(timeout, command.query_async(&mut connection.clone())).await;
        settled(second).unwrap_or(Err(Failed::Other(GateError::Unavailable)))
    }

    pub async fn pipeline<T: FromRedisValue>(&self, lane: Lane, pipeline: &Pipeline) -> Result<T, Failed> {
        let (connection, timeout) = self.lane(lane);
        let first = tokio::time::timeout(timeout, pipeline.query_async(&mut connection.clone())).await;
        if let Some(result) = settled(first) {
            return result;
        }
        metrics::counter!(GATE_RETRIES_TOTAL).increment(1);
        let second = tokio::time::timeout(timeout, pipeline.query_async(&mut connection.clone())).await;
        settled(second).unwrap_or(Err(Failed::Other(GateError::Unavailable)))
    }

    fn lane(&self, lane: Lane) -> (&ConnectionManager, Duration) {
        match lane {
            Lane::Hot => (&self.hot, self.hot_timeout),
            Lane::Slow => (&self.slow, self.slow_timeout),
        }
    }
}

fn configs(options: &RedisGateOptions) -> (ConnectionManagerConfig, ConnectionManagerConfig) {
    let config = |timeout| {
        ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_min_delay(RECONNECT_DELAY)
            .set_max_delay(RECONNECT_DELAY)
            .set_response_timeout(Some(timeout))
            .set_connection_timeout(Some(options.connect_timeout))
            .set_pipeline_buffer_size(PIPELINE_BUFFER)
    };
    (config(options.response_timeout), config(options.slow_response_timeout))
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connections")
    }
}

impl From<GateError> for Failed {
    fn from(error: GateError) -> Self {
        Self::Other(error)
    }
}

impl From<Failed> for GateError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Unvouched => Self::Unavailable,
            Failed::Other(error) => error,
        }
    }
}

/// `None` where the outcome is unknown or the server asks to come back.
fn settled<T>(outcome: Result<Result<T, RedisError>, tokio::time::error::Elapsed>) -> Option<Result<T, Failed>> {
    let error = match outcome {
        Ok(Ok(answer)) => return Some(Ok(answer)),
        Ok(Err(error)) => error,
        Err(_) => return None,
    };
    if is_unvouched(&error) {
        return Some(Err(Failed::Unvouched));
    }
    if error.code() == Some("OOM") {
        tracing::error!("balance gate's server has reached its `maxmemory`: raise it");
        return Some(Err(Failed::Other(GateError::Unavailable)));
    }
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ResponseError | ServerErrorKind::CrossSlot) | ErrorKind::UnexpectedReturnType => {
            tracing::error!(error = &error as &dyn Error, "balance gate's server answered an error");
            Some(Err(Failed::Other(GateError::Corrupt { reason: error.to_string() })))
        }
        ErrorKind::Server(ServerErrorKind::BusyLoading | ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => {
            Some(Err(Failed::Other(GateError::Unavailable)))
        }
        _ => {
            tracing::warn!(error = &error as &dyn Error, "balance gate's server did not answer");
            None
        }
    }
}

/// As `lua/call.lua` answers; or as a server does that has no such function.
fn is_unvouched(error: &RedisError) -> bool {
    error.code() == Some("UNVOUCHED") || error.detail().is_some_and(|detail| detail.contains("Function not found"))
}
