//! Analytics, rebuilt from the log: into an empty store, never into a live one.
//!
//! The result is the same for any batch size and any interruption: `digests` prove it.

use eventlog::{EventLog, LogError, ReadLimit};

use crate::error::AnalyticsError;
use crate::fold::{Fact, fold_all};
use crate::store::{AnalyticsStore, Digests};

/// Bytes of a batch at most, however many entries it may have.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How to replay.
#[derive(Debug, Clone, Copy)]
pub struct ReplayOptions {
    /// The last position to project; the log's end when absent.
    pub to_position: Option<u64>,
    /// Entries a transaction projects at most; at least 1.
    pub batch: usize,
    /// Goes on where an interrupted replay stopped, instead of refusing a store that is not empty.
    pub resume: bool,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self { to_position: None, batch: 5_000, resume: false }
    }
}

/// How far a replay is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayProgress {
    pub position: u64,
    pub to_position: u64,
}

/// What a replay did and made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayReport {
    /// Log entries read by this replay.
    pub events: u64,
    pub quarantined: u64,
    pub digests: Digests,
}

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("event log could not be read")]
    Log(#[from] LogError),
    #[error("events could not be projected")]
    Store(#[from] AnalyticsError),
    #[error("the store already stands at log position {0}: replay into an empty one")]
    NotEmpty(u64),
    #[error("position {wanted} was asked for, but the log ends at {last}")]
    Beyond { wanted: u64, last: u64 },
    #[error("the log has nothing after position {position}, before its end at {last}")]
    Hole { position: u64, last: u64 },
}

/// Projects the log from the store's position on, refreshes, and hashes the result.
pub async fn replay(
    log: &EventLog,
    into: &AnalyticsStore,
    options: ReplayOptions,
    progress: &mut (dyn FnMut(ReplayProgress) + Send),
) -> Result<ReplayReport, ReplayError> {
    let last = log.bounds().await?.last;
    let to_position = options.to_position.unwrap_or(last);
    if to_position > last {
        return Err(ReplayError::Beyond { wanted: to_position, last });
    }
    let start = into.position().await?;
    if start > 0 && !options.resume {
        return Err(ReplayError::NotEmpty(start));
    }
    let limit = ReadLimit { entries: options.batch.max(1), bytes: BATCH_BYTES_MAX };
    let mut position = start;
    let mut quarantined = 0;
    let mut batch = read_facts(log, position, to_position, limit).await?;
    while position < to_position {
        let Some(end) = batch.last().map(|(position, _)| *position) else {
            return Err(ReplayError::Hole { position, last });
        };
        // The next batch is read while this one is written.
        let (outcome, next) = tokio::join!(into.project_facts(batch), read_facts(log, end, to_position, limit));
        let outcome = outcome?;
        batch = next?;
        position = outcome.position;
        quarantined += outcome.quarantined;
        progress(ReplayProgress { position, to_position });
    }
    Ok(ReplayReport { events: position - start, quarantined, digests: into.snapshot_digests().await? })
}

async fn read_facts(log: &EventLog, after: u64, to_position: u64, limit: ReadLimit) -> Result<Vec<(u64, Fact)>, ReplayError> {
    let mut entries = if after < to_position { log.read(after, limit).await? } else { Vec::new() };
    entries.retain(|entry| entry.position <= to_position);
    Ok(fold_all(&entries).await)
}
