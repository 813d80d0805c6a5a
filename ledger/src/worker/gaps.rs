//! Numbers that stay missing from producers' sequences: a log lost events, or they wait in the spool of a gateway that is away.
//!
//! Told, not acted on: what is in the log is booked, and what is missing may still come.

use std::collections::HashMap;
use std::time::Duration;

use schemas::{Partition, Producer};
use tokio::time::Instant;

use crate::metrics::LEDGER_MISSING_EVENTS;
use crate::store::{LedgerStore, ProducerGap};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// An event that another overtook is not lost.
const LATE_FOR: Duration = Duration::from_secs(45);

type Gap = (Producer, Partition, u64);

pub(super) struct Gaps {
    store: LedgerStore,
    /// Since when each is known, and whether it was told.
    known: HashMap<Gap, (Instant, bool)>,
    /// When to look next.
    pub(super) due: Instant,
}

impl Gaps {
    pub(super) fn new(store: LedgerStore) -> Self {
        Self { store, known: HashMap::new(), due: Instant::now() }
    }

    pub(super) async fn look(&mut self) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        self.due = now + LOOK_EVERY;
        // Booking says what is wrong with the database.
        let Ok(gaps) = self.store.producer_gaps().await else { return };
        metrics::gauge!(LEDGER_MISSING_EVENTS).set(self.note(&gaps, now) as f64);
    }

    /// Somebody else books, or nobody: what was missing is not known any more.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.due = Instant::now();
        metrics::gauge!(LEDGER_MISSING_EVENTS).set(0.0);
    }

    /// How many events have been missing for too long.
    fn note(&mut self, gaps: &[ProducerGap], now: Instant) -> u64 {
        let before = std::mem::take(&mut self.known);
        let mut missing = 0;
        for gap in gaps {
            let key = (gap.producer, gap.partition, gap.first);
            let (since, mut is_told) = before.get(&key).copied().unwrap_or((now, false));
            if now.duration_since(since) >= LATE_FOR {
                missing += gap.last - gap.first + 1;
                if !std::mem::replace(&mut is_told, true) {
                    tracing::error!(
                        producer = %gap.producer,
                        partition = gap.partition,
                        first = gap.first,
                        last = gap.last,
                        "events of a producer are missing from the event log: it lost them, or a gateway that is away has them in its spool"
                    );
                }
            }
            self.known.insert(key, (since, is_told));
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use schemas::{BootId, NodeId};

    use super::*;

    #[tokio::test]
    #[expect(clippy::unwrap_used, reason = "a test")]
    async fn only_what_stays_missing_is_counted() {
        let store = LedgerStore::open("sqlite::memory:", crate::store::Access::ReadWrite).await.unwrap();
        let mut gaps = Gaps::new(store);
        let producer = Producer { node: NodeId::mint(), boot: BootId::mint() };
        let gap = |first, last| ProducerGap { producer, partition: 3, first, last };
        let begun = Instant::now();
        assert_eq!(gaps.note(&[gap(4, 6), gap(9, 9)], begun), 0);
        assert_eq!(gaps.note(&[gap(4, 5)], begun + LATE_FOR), 2, "what came since is no longer missing");
        assert_eq!(gaps.note(&[gap(9, 9)], begun + LATE_FOR), 0, "one that came back is new");
        assert_eq!(gaps.note(&[], begun + LATE_FOR * 2), 0);
    }
}
