//! Which of the kept sums a batch changed; the same for every backend.

use std::collections::BTreeSet;

use schemas::ids::{BootId, NodeId};
use schemas::{AccountId, Day, KeyId, Partition, Producer};

use crate::apply::{Applied, Prepared, State};

/// Keys of changed values, each in key order, so that a store touches its pages in order.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) accounts: BTreeSet<AccountId>,
    pub(super) keys: BTreeSet<(KeyId, Day)>,
    pub(super) lots: BTreeSet<String>,
    pub(super) partitions: BTreeSet<Partition>,
    pub(super) sequences: BTreeSet<(NodeId, BootId, Partition)>,
}

impl Touched {
    pub(super) fn by(since: u64, batch: &[Prepared], applied: &[Applied], state: &State) -> Self {
        let mut touched = Self::default();
        for (producer, partition, _) in batch.iter().filter_map(|prepared| prepared.source) {
            if state.sequences.get(&(producer, partition)).is_some_and(|known| known.position > since) {
                touched.sequences.insert((producer.node, producer.boot, partition));
            }
        }
        for one in applied {
            let Applied::Entered(entered) = one else { continue };
            let booking = &entered.booking;
            touched.partitions.insert(booking.partition);
            touched.lots.extend(booking.lots.iter().map(|lot| lot.grant_id.clone()));
            if !booking.amount.is_zero() {
                touched.accounts.insert(booking.account);
                touched.keys.extend(booking.key_id.zip(booking.admission_day));
            }
        }
        touched
    }

    /// Producers' sequences in key order.
    pub(super) fn sources(&self) -> impl Iterator<Item = (Producer, Partition)> {
        self.sequences.iter().map(|(node, boot, partition)| (Producer { node: *node, boot: *boot }, *partition))
    }
}
