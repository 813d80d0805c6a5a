//! What the log holds, and whether it still holds what it held.
//!
//! **The end of the log never moves back.** A server that lost its disk, or was put back to a backup, answers an
//! older end; then this process stops using the log, because the books may be ahead of it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::api::StreamInfo;
use super::error::JetStreamError;
use super::stream::NOT_FOUND;
use super::{Fault, Shared};
use crate::log::{Bounds, LogError};

/// A new leader may have to apply what the old one had committed before it tells of it.
const REGRESSION_GRACE: Duration = Duration::from_secs(5);
const ASK_AGAIN_FIRST: Duration = Duration::from_millis(10);
const ASK_AGAIN_MAX: Duration = Duration::from_millis(500);

impl Shared {
    pub(super) async fn bounds(&self) -> Result<Bounds, LogError> {
        self.check_health()?;
        let mut asking = Asking::for_up_to(REGRESSION_GRACE);
        loop {
            let seen = self.last_seen();
            let info = match self.patiently(|| self.api.stream_info(&self.options.stream)).await {
                Ok(info) if info.created == self.created => info,
                // A cluster that has just come up may not know its streams yet.
                Err(JetStreamError::Refused { code: NOT_FOUND, .. }) if asking.again().await => continue,
                Ok(_) | Err(JetStreamError::Refused { code: NOT_FOUND, .. }) => {
                    return Err(self.fail(Fault::Replaced { stream: self.options.stream.clone() }).into());
                }
                Err(error) => return Err(error.into()),
            };
            let last = info.state.last_seq;
            if last >= seen {
                return Ok(self.take_bounds(&info)?);
            }
            if !asking.again().await {
                return Err(self.fail(Fault::Regressed { last, seen }).into());
            }
        }
    }

    /// Notes how far the log reaches. A stream with positions missing inside is no log.
    pub(super) fn take_bounds(&self, info: &StreamInfo) -> Result<Bounds, JetStreamError> {
        let state = &info.state;
        if state.num_deleted > 0 {
            return Err(self.fail(Fault::Holes { stream: self.options.stream.clone(), count: state.num_deleted }));
        }
        self.saw(state.last_seq);
        // A stream that never had a message begins at 0, by its own words.
        Ok(Bounds { first: state.first_seq.max(1), last: state.last_seq })
    }

    /// Asks again while the servers are not there or have no leader, for as long as the log's patience lasts.
    pub(super) async fn patiently<T, Asked>(&self, ask: impl Fn() -> Asked) -> Result<T, JetStreamError>
    where
        Asked: Future<Output = Result<T, JetStreamError>>,
    {
        let mut asking = Asking::for_up_to(self.options.patience);
        loop {
            match ask().await {
                Err(error) if error.is_transient() => {
                    if !asking.again().await {
                        return Err(error);
                    }
                    // Somebody else may have found out meanwhile that there is nothing to wait for.
                    self.check_health()?;
                }
                answer => return answer,
            }
        }
    }
}

/// Pauses that double, up to a deadline.
pub(super) struct Asking {
    /// `None` is for ever.
    until: Option<Instant>,
    pause: Duration,
}

impl Asking {
    pub(super) fn for_up_to(patience: Duration) -> Self {
        Self { until: Instant::now().checked_add(patience), pause: ASK_AGAIN_FIRST }
    }

    /// Pauses; false if it has been long enough.
    pub(super) async fn again(&mut self) -> bool {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(ASK_AGAIN_MAX);
        true
    }
}
