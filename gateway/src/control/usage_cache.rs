//! Usage figures that many may ask for at once: computed at most once in [`AGE_MAX_MICROS`], whoever asks, and only a few
//! at a time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use projector::{AnalyticsError, AnalyticsStore, EndpointHour, UsageGroup, UsageQuery};
use schemas::Timestamp;
use tokio::sync::Semaphore;

/// Figures older than this are computed anew.
const AGE_MAX_MICROS: i64 = 15 * 1_000_000;
/// Answers that are kept, of each kind of question.
const ANSWERS_MAX: usize = 128;
/// Questions that are computed at a time; others wait their turn.
const COMPUTING_MAX: usize = 2;

/// Answers of the last seconds.
pub struct UsageCache {
    usage: Answers<UsageQuery, UsageGroup>,
    hours: Answers<HoursQuery, EndpointHour>,
    turns: Semaphore,
}

/// A model, and the hours that begin at or after the first moment and before the second.
type HoursQuery = (String, (Timestamp, Timestamp));

impl Default for UsageCache {
    fn default() -> Self {
        Self { usage: Answers::new(), hours: Answers::new(), turns: Semaphore::new(COMPUTING_MAX) }
    }
}

impl UsageCache {
    /// Figures of at most [`AGE_MAX_MICROS`] ago.
    pub async fn recent(
        &self,
        analytics: &AnalyticsStore,
        query: UsageQuery,
        now: Timestamp,
    ) -> Result<Arc<Vec<UsageGroup>>, AnalyticsError> {
        self.usage.recent(&self.turns, query.clone(), now, analytics.usage(&query)).await
    }

    /// A model's endpoints by the hour, of at most [`AGE_MAX_MICROS`] ago.
    pub async fn endpoint_hours(
        &self,
        analytics: &AnalyticsStore,
        model: String,
        (from, to): (Timestamp, Timestamp),
        now: Timestamp,
    ) -> Result<Arc<Vec<EndpointHour>>, AnalyticsError> {
        let query = (model.clone(), (from, to));
        self.hours.recent(&self.turns, query, now, analytics.endpoint_hours(&model, from, to)).await
    }

    /// Figures of now, in its turn.
    pub async fn exact(&self, analytics: &AnalyticsStore, query: &UsageQuery) -> Result<Vec<UsageGroup>, AnalyticsError> {
        let _turn = self.turns.acquire().await.ok();
        analytics.usage(query).await
    }
}

/// What was answered to one kind of question, and when.
struct Answers<Q, A>(Mutex<HashMap<Q, Answer<A>>>);

/// When it was computed, and its rows.
type Answer<A> = (Timestamp, Arc<Vec<A>>);

impl<Q: Eq + Hash, A> Answers<Q, A> {
    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    /// The answer that is known, else what is computed in its turn. `computed` is not begun where it is not needed.
    async fn recent(
        &self,
        turns: &Semaphore,
        query: Q,
        now: Timestamp,
        computed: impl Future<Output = Result<Vec<A>, AnalyticsError>>,
    ) -> Result<Arc<Vec<A>>, AnalyticsError> {
        if let Some(answer) = self.known(&query, now) {
            return Ok(answer);
        }
        // Never closed; were it, there would be no bound and still the right answer.
        let _turn = turns.acquire().await.ok();
        if let Some(answer) = self.known(&query, now) {
            return Ok(answer);
        }
        let answer = Arc::new(computed.await?);
        let mut answers = self.0.lock();
        if answers.len() >= ANSWERS_MAX {
            answers.retain(|_, (computed_at, _)| is_fresh(*computed_at, now));
        }
        if answers.len() < ANSWERS_MAX {
            answers.insert(query, (now, Arc::clone(&answer)));
        }
        Ok(answer)
    }

    fn known(&self, query: &Q, now: Timestamp) -> Option<Arc<Vec<A>>> {
        let answers = self.0.lock();
        answers.get(query).filter(|(computed_at, _)| is_fresh(*computed_at, now)).map(|(_, answer)| Arc::clone(answer))
    }
}

fn is_fresh(computed_at: Timestamp, now: Timestamp) -> bool {
    computed_at.plus_micros(AGE_MAX_MICROS) >= now
}
