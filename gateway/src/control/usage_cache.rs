//! Usage figures that many may ask for at once: computed at most once in [`AGE_MAX_MICROS`], whoever asks, and only a few
//! at a time.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use projector::{AnalyticsError, AnalyticsStore, UsageGroup, UsageQuery};
use schemas::Timestamp;
use tokio::sync::Semaphore;

/// Figures older than this are computed anew.
const AGE_MAX_MICROS: i64 = 15 * 1_000_000;
/// Answers that are kept.
const ANSWERS_MAX: usize = 128;
/// Questions that are computed at a time; others wait their turn.
const COMPUTING_MAX: usize = 2;

type Answer = Arc<Vec<UsageGroup>>;

/// Answers of the last seconds.
pub struct UsageCache {
    answers: Mutex<HashMap<UsageQuery, (Timestamp, Answer)>>,
    turns: Semaphore,
}

impl Default for UsageCache {
    fn default() -> Self {
        Self { answers: Mutex::default(), turns: Semaphore::new(COMPUTING_MAX) }
    }
}

impl UsageCache {
    /// Figures of at most [`AGE_MAX_MICROS`] ago.
    pub async fn recent(&self, analytics: &AnalyticsStore, query: UsageQuery, now: Timestamp) -> Result<Answer, AnalyticsError> {
        if let Some(answer) = self.known(&query, now) {
            return Ok(answer);
        }
        // Never closed; were it, there would be no bound and still the right answer.
        let _turn = self.turns.acquire().await.ok();
        if let Some(answer) = self.known(&query, now) {
            return Ok(answer);
        }
        let answer = Arc::new(analytics.usage(&query).await?);
        let mut answers = self.answers.lock();
        if answers.len() >= ANSWERS_MAX {
            answers.retain(|_, (computed_at, _)| is_fresh(*computed_at, now));
        }
        if answers.len() < ANSWERS_MAX {
            answers.insert(query, (now, Arc::clone(&answer)));
        }
        Ok(answer)
    }

    /// Figures of now, in its turn.
    pub async fn exact(&self, analytics: &AnalyticsStore, query: &UsageQuery) -> Result<Vec<UsageGroup>, AnalyticsError> {
        let _turn = self.turns.acquire().await.ok();
        analytics.usage(query).await
    }

    fn known(&self, query: &UsageQuery, now: Timestamp) -> Option<Answer> {
        let answers = self.answers.lock();
        answers.get(query).filter(|(computed_at, _)| is_fresh(*computed_at, now)).map(|(_, answer)| Arc::clone(answer))
    }
}

fn is_fresh(computed_at: Timestamp, now: Timestamp) -> bool {
    computed_at.plus_micros(AGE_MAX_MICROS) >= now
}
