//! Rebuilding the books from the log: into an empty store, in any batches, to the same rows and heads.
//!
//! Live tables are never replayed into: a store that holds anything is refused. The caller compares the
//! report's digests and heads with the live store's.

use std::collections::BTreeMap;

use eventlog::{EventLog, LogError};

use crate::feed::{Feed, FeedError};
use crate::store::{LedgerError, LedgerStore, PartitionHead};

/// Entries applied per transaction unless said otherwise.
pub const REPLAY_BATCH: usize = 2_000;
/// The most entries one transaction takes.
pub const REPLAY_BATCH_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy)]
pub struct ReplayOptions {
    /// The last log position to apply; the log's end by default.
    pub to_position: Option<u64>,
    /// Entries per transaction, 1 to [`REPLAY_BATCH_MAX`].
    pub batch: usize,
}

impl Default for ReplayOptions {
    fn default() -> Self {
        Self { to_position: None, batch: REPLAY_BATCH }
    }
}

/// How far long work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub position: u64,
    pub last: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayReport {
    /// Log entries applied, duplicates and quarantined ones included.
    pub events: u64,
    pub quarantined: u64,
    pub heads: Vec<PartitionHead>,
    /// SHA-256 of every table.
    pub digests: BTreeMap<String, String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("replay needs an empty ledger, this one stands at position {0}")]
    NotEmpty(u64),
    #[error("replay to position {wanted} is impossible, the log ends at {last}")]
    BeyondLog { wanted: u64, last: u64 },
    #[error("event log could not be read")]
    Log(#[from] LogError),
    #[error("event log could not be fed")]
    Feed(#[from] FeedError),
    #[error("events could not be applied")]
    Ledger(#[from] LedgerError),
    #[error("the log ended at position {found} before {wanted}")]
    Short { wanted: u64, found: u64 },
}

/// Applies the log from its beginning. `next_batch` in [`replay_in`] varies the batch size; here it is fixed.
pub async fn replay(
    log: &EventLog,
    into: &LedgerStore,
    options: ReplayOptions,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<ReplayReport, ReplayError> {
    let batch = options.batch.clamp(1, REPLAY_BATCH_MAX);
    replay_in(log, into, options.to_position, &mut || batch, progress).await
}

/// [`replay`] with a batch size of its own for every batch: the result must not depend on it.
pub async fn replay_in(
    log: &EventLog,
    into: &LedgerStore,
    to_position: Option<u64>,
    next_batch: &mut (dyn FnMut() -> usize + Send),
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<ReplayReport, ReplayError> {
    let position = into.position().await?;
    if position != 0 {
        return Err(ReplayError::NotEmpty(position));
    }
    let last = log.bounds().await?.last;
    let wanted = to_position.unwrap_or(last);
    if wanted > last {
        return Err(ReplayError::BeyondLog { wanted, last });
    }
    let mut feed = Feed::new(log.clone(), 0, Some(wanted));
    let mut batch = feed.next(next_batch()).await?;
    let mut quarantined = 0;
    while !batch.is_empty() {
        let (outcome, next) = tokio::join!(into.apply_prepared(&batch), feed.next(next_batch()));
        let outcome = outcome?;
        quarantined += outcome.quarantined;
        progress(Progress { position: outcome.position, last: wanted });
        batch = next?;
    }
    if feed.position() != wanted {
        return Err(ReplayError::Short { wanted, found: feed.position() });
    }
    into.catch_up_heads().await?;
    Ok(ReplayReport { events: wanted, quarantined, heads: into.heads().await?, digests: into.digests().await? })
}
