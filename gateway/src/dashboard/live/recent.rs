//! The last requests that ended, for clients that come back.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use schemas::AccountId;

/// What the remembered events may weigh together.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// The terminal event of a request.
#[derive(Debug)]
pub struct Ended {
    /// Its place in the log.
    pub position: u64,
    pub account: AccountId,
    pub event: Bytes,
}

/// A bounded stretch of the log's end.
#[derive(Debug, Default)]
pub struct Recent {
    /// Oldest first.
    ended: VecDeque<Arc<Ended>>,
    bytes: usize,
    /// Everything behind this place is here.
    complete_after: u64,
}

impl Recent {
    /// Knows nothing up to a place.
    pub fn after(position: u64) -> Self {
        Self { complete_after: position, ..Self::default() }
    }

    pub fn push(&mut self, ended: Arc<Ended>, count_max: usize) {
        self.bytes += ended.event.len();
        self.ended.push_back(ended);
        while self.ended.len() > count_max || self.bytes > BYTES_MAX {
            let Some(oldest) = self.ended.pop_front() else { return };
            self.bytes -= oldest.event.len();
            self.complete_after = oldest.position;
        }
    }

    /// What ended in an account behind a place; `None` where that is not known any more.
    pub fn since(&self, seen: u64, account: AccountId) -> Option<Vec<Arc<Ended>>> {
        if seen < self.complete_after {
            return None;
        }
        let missed = self.ended.iter().filter(|ended| ended.position > seen && ended.account == account);
        Some(missed.cloned().collect())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    fn push(recent: &mut Recent, position: u64, account: AccountId, bytes: usize) {
        recent.push(Arc::new(Ended { position, account, event: Bytes::from(vec![b' '; bytes]) }), 3);
    }

    #[test]
    fn what_was_missed_is_told_as_long_as_all_of_it_is_known() {
        let (ours, other) = (AccountId::mint(), AccountId::mint());
        let mut recent = Recent::after(10);
        for (position, account) in [(11, ours), (13, other), (15, ours)] {
            push(&mut recent, position, account, 1);
        }
        let missed =
            |recent: &Recent, seen| recent.since(seen, ours).map(|missed| missed.iter().map(|ended| ended.position).collect::<Vec<_>>());
        assert_eq!(missed(&recent, 9), None, "10 may have been something");
        assert_eq!(missed(&recent, 10), Some(vec![11, 15]));
        assert_eq!((missed(&recent, 11), missed(&recent, 15)), (Some(vec![15]), Some(vec![])));
        push(&mut recent, 16, other, 1);
        assert_eq!((missed(&recent, 10), missed(&recent, 11)), (None, Some(vec![15])));
    }

    #[test]
    fn large_events_push_out_older_ones() {
        let ours = AccountId::mint();
        let mut recent = Recent::default();
        push(&mut recent, 1, ours, BYTES_MAX / 2);
        push(&mut recent, 2, ours, BYTES_MAX / 2 + 1);
        assert!(recent.since(0, ours).is_none());
        assert_eq!(recent.since(1, ours).unwrap().len(), 1);
    }
}
