//! What this process has seen of each shard: its epoch and its tick, the number of changes in it.
//!
//! A shard that shows less than what was seen before lost writes: it was restored from a snapshot.

use parking_lot::Mutex;

use super::names::Shard;

#[derive(Debug)]
pub(super) struct Seen(Vec<Mutex<(u64, u64)>>);

impl Seen {
    pub fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| Mutex::default()).collect())
    }

    pub fn of(&self, shard: Shard) -> (u64, u64) {
        *self.0[shard.0].lock()
    }

    pub fn note(&self, shard: Shard, epoch: u64, tick: u64) {
        let mut seen = self.0[shard.0].lock();
        *seen = (*seen).max((epoch, tick));
    }

    pub fn epoch_max(&self) -> u64 {
        self.0.iter().map(|seen| seen.lock().0).max().unwrap_or(0)
    }
}
