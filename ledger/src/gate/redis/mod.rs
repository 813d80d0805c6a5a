//! The gate that several processes share: its state is in Redis or Valkey, its decisions in Lua.
//!
//! Owns the connections, the functions and their layouts. Each transition of `protocol/account` is a function
//! that does the same step by step; random histories compare the two. What is lost with the server, and how
//! it is noticed, stands in `docs/protocol.md`. The port's calls are in `calls.rs` and `looks.rs`,
//! whole states in `rebuild.rs`, layouts in `encode.rs`, `decode.rs` and `lua/account.lua`.

mod bytes;
mod calls;
mod connection;
mod decode;
mod encode;
mod library;
mod looks;
mod names;
mod options;
mod rebuild;
mod seen;
mod server;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use redis::{Cmd, Pipeline};
use schemas::Timestamp;

use self::bytes::{Reader, Writer};
use self::connection::{Connections, Failed, Lane};
use self::decode::{Code, Head};
use self::library::Library;
use self::names::{Names, Shard};
pub use self::options::{GateClock, RedisGateOptions};
use self::seen::Seen;
pub use self::server::RedisGateError;
use super::memory::full;
use crate::metrics::{GATE_OPEN, GATE_STATE_LOST_TOTAL};
use crate::protocol::GateError;

/// A server that is another one after so many looks is left alone for now.
const LOOKS_MAX: usize = 3;

/// See [`super::BalanceGate`], whose methods these are.
#[derive(Debug)]
pub struct RedisGate {
    options: RedisGateOptions,
    names: Names,
    connections: Connections,
    library: Library,
    seen: Seen,
    /// How often the server's run was checked.
    vouched: AtomicU64,
    vouching: tokio::sync::Semaphore,
    /// As the last answer had it; for the metric.
    is_open: AtomicBool,
}

/// One function on one shard.
struct Call<'a> {
    function: &'a str,
    shard: Shard,
    /// After the shard's own.
    keys: Vec<String>,
    /// After the header.
    arguments: Vec<&'a [u8]>,
    lane: Lane,
}

impl RedisGate {
    pub async fn open(url: &str, options: RedisGateOptions) -> Result<Self, RedisGateError> {
        let gate = Self::with(Connections::open(url, &options).await?, options);
        gate.vouch(0).await?;
        Ok(gate)
    }

    /// Without asking the server, which is away: it is checked when it is first needed.
    pub fn open_later(url: &str, options: RedisGateOptions) -> Result<Self, RedisGateError> {
        Ok(Self::with(Connections::open_later(url, &options)?, options))
    }

    fn with(connections: Connections, options: RedisGateOptions) -> Self {
        let names = Names::new(&options.key_prefix, options.gate.shards);
        let seen = Seen::new(names.shard_count());
        Self {
            options,
            names,
            connections,
            library: Library::new(),
            seen,
            vouched: AtomicU64::new(0),
            vouching: tokio::sync::Semaphore::new(1),
            is_open: AtomicBool::new(false),
        }
    }

    /// Calls a function; the answer's head, and what follows it.
    async fn call(&self, now: Timestamp, call: Call<'_>) -> Result<Vec<u8>, GateError> {
        let (epoch, tick) = self.seen.of(call.shard);
        let at = match self.options.clock {
            GateClock::Server => 0,
            GateClock::Caller => now.micros(),
        };
        let header = Writer::default().micros(at).count(epoch).count(tick).done();
        let common = self.names.common(call.shard);
        let mut command = Cmd::new();
        command.arg("FCALL").arg(call.function).arg(common.len() + call.keys.len()).arg(&common);
        command.arg(&call.keys).arg(&header[..]);
        for argument in &call.arguments {
            command.arg(*argument);
        }
        self.run(call.lane, &command).await
    }

    /// Runs a command that calls a function; a server that nobody has looked at is looked at before it is told.
    async fn run<T: redis::FromRedisValue>(&self, lane: Lane, command: &Cmd) -> Result<T, GateError> {
        let vouched = self.vouched.load(Ordering::Acquire);
        match self.connections.query(lane, command).await {
            Err(Failed::Unvouched) => {
                self.vouch(vouched).await.map_err(RedisGateError::into_gate_error)?;
                Ok(self.connections.query(lane, command).await?)
            }
            result => Ok(result?),
        }
    }

    /// Makes sure that the server can be trusted and is the one the gate was rebuilt on; gives it the functions and tells it so.
    ///
    /// A server that starts has nobody's word: **nothing can be authorised on state that came back from a disk or from
    /// a replica before somebody has been here.** A shard of another run is closed.
    async fn vouch(&self, vouched_before: u64) -> Result<(), RedisGateError> {
        let permit = self.vouching.acquire().await;
        if permit.is_ok() && self.vouched.load(Ordering::Acquire) != vouched_before {
            return Ok(());
        }
        server::check(&self.connections).await?;
        server::load(&self.connections, &self.library).await?;
        for _ in 0..LOOKS_MAX {
            let run = server::run_id(&self.connections).await.map_err(GateError::from)?;
            self.close_other_runs(&run).await?;
            let mut vouch = Cmd::new();
            vouch.arg("FCALL").arg(&self.library.vouch).arg(0).arg(&run);
            // Of another run, it was restarted in between: it is looked at again.
            if self.connections.query::<bool>(Lane::Slow, &vouch).await.map_err(GateError::from)? {
                self.vouched.fetch_add(1, Ordering::Release);
                return Ok(());
            }
        }
        Err(GateError::Unavailable.into())
    }

    async fn close_other_runs(&self, run: &str) -> Result<(), RedisGateError> {
        let mut ask = Pipeline::new();
        for shard in self.names.shards() {
            ask.cmd("HMGET").arg(self.names.gate(shard)).arg("open").arg("run").arg("shards");
        }
        let gates: Vec<(Option<String>, Option<String>, Option<usize>)> =
            self.connections.pipeline(Lane::Slow, &ask).await.map_err(GateError::from)?;
        self.check_shards(gates.first().and_then(|(_, _, shards)| *shards))?;
        let stale = |(open, known, _): &(Option<String>, Option<String>, _)| open.as_deref() == Some("1") && known.as_deref() != Some(run);
        if gates.iter().any(stale) {
            tracing::error!("balance gate's server was restarted or replaced: closed until it is rebuilt");
            metrics::counter!(GATE_STATE_LOST_TOTAL, "sign" => "run").increment(1);
            self.close().await?;
        }
        Ok(())
    }

    /// **An account's shard depends on their number**: two numbers would be two balances.
    fn check_shards(&self, known: Option<usize>) -> Result<(), RedisGateError> {
        let ours = self.names.shard_count();
        match known {
            Some(known) if known != ours => Err(RedisGateError::Shards { known, ours }),
            _ => Ok(()),
        }
    }

    /// Closes every shard that is open.
    async fn close(&self) -> Result<(), GateError> {
        self.note_open(false);
        let mut close = Pipeline::new();
        for shard in self.names.shards() {
            close.cmd("HSET").arg(self.names.gate(shard)).arg("open").arg("0").ignore();
        }
        Ok(self.connections.pipeline(Lane::Slow, &close).await?)
    }

    /// The answers that mean the same in every call.
    async fn understood<'a>(&self, shard: Shard, answer: &'a [u8]) -> Result<(Head, Reader<'a>), GateError> {
        let (head, mut reader) = decode::head(answer)?;
        let not_ready = |learning| GateError::NotReady { retry_after_ms: self.options.gate.not_ready_retry_ms, learning };
        match head.code {
            Code::Closed => {
                self.note_open(false);
                let learning = reader.byte()? == 1;
                Err(not_ready(learning.then_some(head.epoch)))
            }
            Code::WentBack => {
                tracing::error!(shard = shard.0, gate.epoch = head.epoch, "balance gate's server lost writes: closed until it is rebuilt");
                metrics::counter!(GATE_STATE_LOST_TOTAL, "sign" => "tick").increment(1);
                self.close().await?;
                Err(not_ready(None))
            }
            Code::Overflow => Err(GateError::Overflow),
            Code::Superseded => Err(GateError::Superseded),
            Code::Full => Err(match reader.byte()? {
                0 => full("accounts_max", self.options.gate.accounts_max),
                1 => GateError::Full { bound: "entries_max", max: self.options.gate.rules.entries_max },
                _ => GateError::Full { bound: "keys_max", max: self.options.gate.rules.keys_max },
            }),
            Code::Ok | Code::NeedKeys | Code::NoHold | Code::Ended | Code::Refused => {
                self.seen.note(shard, head.epoch, head.tick);
                self.note_open(true);
                Ok((head, reader))
            }
        }
    }

    /// Only what changes is told: every answer comes by here.
    pub(super) fn note_open(&self, is_open: bool) {
        if self.is_open.load(Ordering::Relaxed) != is_open || !is_open {
            self.is_open.store(is_open, Ordering::Relaxed);
            metrics::gauge!(GATE_OPEN).set(if is_open { 1.0 } else { 0.0 });
        }
    }

    fn accounts_max_per_shard(&self) -> u64 {
        self.options.gate.accounts_max.div_ceil(self.names.shard_count()) as u64
    }
}
