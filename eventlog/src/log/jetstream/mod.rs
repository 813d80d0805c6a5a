//! The event log on NATS JetStream: one stream, its sequence is the position.
//!
//! Owns the stream's settings, publishing in order, reading by position and waiting. It must never acknowledge
//! what the server has not, never skip a position, and never print the URL's password. Start at
//! [`JetStreamLog`]; [`publish`] says how order survives a lost acknowledgement, `docs/eventlog.md` what is
//! asked of the server.

mod address;
mod api;
mod bounds;
mod connect;
mod error;
mod known;
mod marks;
mod options;
mod publish;
mod read;
mod stream;
mod wait;

use std::sync::{Arc, OnceLock};

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::api::Api;
use self::marks::Marks;
use super::{Bounds, Entry, LogError, Message, ReadLimit};
use crate::metrics::JetStreamMetrics;

pub use error::{Difference, JetStreamError};
pub use options::{IN_FLIGHT_MAX, JetStreamOptions};

/// Events in one JetStream stream, shared by any number of processes.
pub struct JetStreamLog {
    shared: Arc<Shared>,
    warnings: Vec<String>,
    tasks: TaskTracker,
    stop: CancellationToken,
    _stop_when_dropped: DropGuard,
}

/// What the log and its watching task both use.
struct Shared {
    api: Api,
    options: JetStreamOptions,
    /// When the stream was made: another time is another stream.
    created: String,
    /// What this process has seen of the log.
    seen: watch::Sender<Seen>,
    /// The highest position that somebody waits for; 0 as long as nobody does.
    wanted: watch::Sender<u64>,
    fault: OnceLock<Fault>,
    marks: Marks,
    singles: Semaphore,
    batches: Semaphore,
    metrics: JetStreamMetrics,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// The highest position that was acknowledged, read or told of.
    last: u64,
    faulty: bool,
}

/// What is never forgotten: from then on the log refuses everything.
#[derive(Debug, Clone)]
enum Fault {
    Hole { position: u64, found: u64 },
    Holes { stream: String, count: u64 },
    Regressed { last: u64, seen: u64 },
    Replaced { stream: String },
    Rewritten { position: u64 },
}

impl JetStreamLog {
    /// Connects, checks server and stream, and makes the stream if there is none. The URL may name several
    /// servers, separated by commas, and has the credentials.
    pub async fn connect(url: &str, options: JetStreamOptions) -> Result<Self, JetStreamError> {
        let (shared, warnings) = connect::connect(url, options).await?;
        let (shared, tasks, stop) = (Arc::new(shared), TaskTracker::new(), CancellationToken::new());
        tasks.spawn(wait::watch(Arc::clone(&shared), stop.clone()));
        tasks.close();
        Ok(Self { shared, warnings, tasks, stop: stop.clone(), _stop_when_dropped: stop.drop_guard() })
    }

    /// What an operator should know and mend, in sentences. They were logged too.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Host and port of the servers, without credentials.
    pub fn servers(&self) -> &str {
        &self.shared.api.servers
    }

    /// False while there is no connection: appends are refused at once then, reads wait for it.
    pub fn is_connected(&self) -> bool {
        self.shared.api.is_connected()
    }

    pub async fn append(&self, messages: &[Message]) -> Result<u64, LogError> {
        self.shared.append(messages).await
    }

    pub async fn read(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, LogError> {
        self.shared.read(after, limit).await
    }

    pub async fn wait_past(&self, position: u64) {
        self.shared.wait_past(position).await;
    }

    pub async fn bounds(&self) -> Result<Bounds, LogError> {
        self.shared.bounds().await
    }

    pub fn is_healthy(&self) -> bool {
        self.shared.fault.get().is_none()
    }

    /// Stops what runs in the background and waits for it. Dropping the log stops it too.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

impl Shared {
    fn last_seen(&self) -> u64 {
        self.seen.borrow().last
    }

    /// Notes that the log reaches at least so far.
    fn saw(&self, position: u64) {
        self.seen.send_if_modified(|seen| {
            let is_news = position > seen.last;
            seen.last = seen.last.max(position);
            is_news
        });
    }

    fn check_health(&self) -> Result<(), JetStreamError> {
        self.fault.get().map_or(Ok(()), |fault| Err(fault.clone().into()))
    }

    /// **A log that lost or skipped an event is not used any further.** Answers the first fault, if there are several.
    fn fail(&self, fault: Fault) -> JetStreamError {
        let first = self.fault.get_or_init(|| {
            self.metrics.healthy.set(0.0);
            fault
        });
        self.seen.send_modify(|seen| seen.faulty = true);
        first.clone().into()
    }
}

impl From<Fault> for JetStreamError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Hole { position, found } => Self::Hole { position, found },
            Fault::Holes { stream, count } => Self::Holes { stream, count },
            Fault::Regressed { last, seen } => Self::Regressed { last, seen },
            Fault::Replaced { stream } => Self::Replaced { stream },
            Fault::Rewritten { position } => Self::Rewritten { position },
        }
    }
}
