//! The last generation records, so that `/generation?id=` answers before analytics have projected.
//!
//! A cache with two bounds, count and bytes; the oldest record leaves first. Losing one is harmless.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use parking_lot::Mutex;
use schemas::RequestId;

use super::options::GateOptions;
use crate::metrics::GATE_GENERATIONS_EVICTED_TOTAL;

/// Fewer locks than the gate's: a record is put once a request, for a few instructions.
const SHARDS: usize = 16;

#[derive(Debug)]
pub(super) struct Generations {
    shards: Vec<Mutex<Shard>>,
    /// Per shard.
    records_max: usize,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Shard {
    records: HashMap<RequestId, Bytes>,
    /// Oldest first; the same ids as `records`.
    order: VecDeque<RequestId>,
    bytes: usize,
}

impl Generations {
    pub fn new(options: &GateOptions) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            records_max: options.generations_max.div_ceil(SHARDS),
            bytes_max: options.generation_bytes_max.div_ceil(SHARDS),
        }
    }

    pub fn get(&self, request_id: RequestId) -> Option<Bytes> {
        self.shard(request_id).lock().records.get(&request_id).cloned()
    }

    /// Keeps a record; the first one of a request stays. A record larger than the bound is not kept.
    pub fn put(&self, request_id: RequestId, record: Bytes) {
        if record.is_empty() || record.len() > self.bytes_max || self.records_max == 0 {
            return;
        }
        let evicted = self.shard(request_id).lock().put(request_id, record, self.records_max, self.bytes_max);
        if evicted > 0 {
            metrics::counter!(GATE_GENERATIONS_EVICTED_TOTAL).increment(evicted);
        }
    }

    fn shard(&self, request_id: RequestId) -> &Mutex<Shard> {
        let random = request_id.uuid().as_u128() as usize;
        &self.shards[random % SHARDS]
    }
}

impl Shard {
    fn put(&mut self, request_id: RequestId, record: Bytes, records_max: usize, bytes_max: usize) -> u64 {
        if self.records.contains_key(&request_id) {
            return 0;
        }
        let mut evicted = 0;
        while self.order.len() >= records_max || self.bytes + record.len() > bytes_max {
            let Some(oldest) = self.order.pop_front() else { break };
            self.bytes -= self.records.remove(&oldest).map_or(0, |bytes| bytes.len());
            evicted += 1;
        }
        self.bytes += record.len();
        self.order.push_back(request_id);
        self.records.insert(request_id, record);
        evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_records_leave_when_count_or_bytes_are_reached() {
        let options = GateOptions { generations_max: 64, generation_bytes_max: 16 * 100, ..GateOptions::default() };
        let generations = Generations::new(&options);
        let ids: Vec<RequestId> = (0..10_000).map(|_| RequestId::mint()).collect();
        for id in &ids {
            generations.put(*id, Bytes::from_static(&[7; 30]));
        }
        let kept = ids.iter().filter(|id| generations.get(**id).is_some()).count();
        assert_eq!(kept, 16 * 3, "100 bytes a shard hold three records of 30");
        assert!(generations.get(ids[9_999]).is_some());
    }

    #[test]
    fn the_first_record_of_a_request_stays() {
        let generations = Generations::new(&GateOptions::default());
        let id = RequestId::mint();
        generations.put(id, Bytes::from_static(b"settled"));
        generations.put(id, Bytes::from_static(b"again"));
        assert_eq!(generations.get(id).as_deref(), Some(b"settled".as_slice()));
    }
}
