//! What opening a spool finds: of every request the highest record decides.
//!
//! Reading changes nothing, so opening twice gives the same answer until someone writes the terminals.

use std::collections::HashMap;

use bytes::Bytes;
use schemas::{Producer, RequestId};

use super::holdings::Holdings;
use super::record::{Record, decode};
use crate::journal::Found;

/// A request that was accepted in an earlier life of the process and has no terminal. It is owed one, written
/// with [`Spool::terminal`](super::Spool::terminal).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    pub request: RequestId,
    /// As given to `accepted`.
    pub accepted: Bytes,
    /// The last checkpoint that survived.
    pub progress: Option<Bytes>,
}

/// What opening a spool found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// In the order they were accepted.
    pub unfinished: Vec<Unfinished>,
    /// The producer of this life.
    pub producer: Producer,
    /// Bytes of a torn tail that were cut off: never acknowledged under `Durability::Disk`.
    pub torn_bytes: u64,
}

/// Folds the records as they are read.
#[derive(Default)]
pub(super) struct Recovering {
    pub holdings: Holdings,
    unfinished: HashMap<RequestId, (u64, Unfinished)>,
    /// Where a record stood that this build cannot read: segment and lsn.
    pub unreadable: Option<(u64, u64)>,
}

impl Recovering {
    pub(super) fn see(&mut self, found: Found<'_>) {
        let Some(record) = decode(found.kind, found.payload) else {
            self.unreadable.get_or_insert((found.ordinal, found.lsn));
            return;
        };
        match record {
            Record::Boot => {}
            Record::Accepted { request, payload } => {
                self.holdings.accepted(request, found.ordinal);
                let unfinished = Unfinished { request, accepted: Bytes::copy_from_slice(payload), progress: None };
                self.unfinished.insert(request, (found.lsn, unfinished));
            }
            Record::Progress { request, payload } => {
                if let Some((_, unfinished)) = self.unfinished.get_mut(&request) {
                    unfinished.progress = Some(Bytes::copy_from_slice(payload));
                }
            }
            Record::Terminal { head, .. } => {
                self.holdings.terminal(head.request, head.boot, head.partition, head.pseq, found.ordinal);
                if let Some(request) = head.request {
                    self.unfinished.remove(&request);
                }
            }
        }
    }

    /// Everything that was folded: what is held, and the unfinished requests in the order they were accepted.
    pub(super) fn finish(self) -> (Holdings, Vec<Unfinished>) {
        let mut unfinished: Vec<_> = self.unfinished.into_values().collect();
        unfinished.sort_unstable_by_key(|(lsn, _)| *lsn);
        (self.holdings, unfinished.into_iter().map(|(_, unfinished)| unfinished).collect())
    }
}
