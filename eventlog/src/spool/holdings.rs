//! What the spool holds and for whom: which requests are owed a terminal, which events the ledger lacks.
//!
//! Pure bookkeeping, no I/O. **A segment may go when every event in it is applied and no request accepted in
//! it is open, and only after all older ones**: so a request's `accepted` never outlives its terminal.

use std::collections::{HashMap, VecDeque};

use schemas::{BootId, NodeId, PARTITION_COUNT, Partition, Producer, RequestId};

/// Up to which sequence, without a gap, the ledger has applied a producer's events.
pub type Applied = (Producer, Partition, u64);

const PARTITIONS: usize = PARTITION_COUNT as usize;

/// One sequence per partition.
type Sequences = [u64; PARTITIONS];

#[derive(Debug, Default)]
pub(super) struct Holdings {
    /// Oldest first; only segments in which something is held.
    segments: VecDeque<HeldSegment>,
    /// Every boot whose events are in the spool, oldest first.
    boots: Vec<HeldBoot>,
    /// Requests without a terminal, and the segment their `accepted` is in.
    open: HashMap<RequestId, u64>,
}

#[derive(Debug)]
struct HeldSegment {
    ordinal: u64,
    /// Requests accepted here that have no terminal.
    open: u64,
    /// The highest sequences here, by boot: one, or a few where a folder was opened often.
    highest: Vec<(BootId, Sequences)>,
}

#[derive(Debug)]
struct HeldBoot {
    boot: BootId,
    last: Sequences,
    applied: Sequences,
}

impl Holdings {
    pub(super) fn accepted(&mut self, request: RequestId, ordinal: u64) {
        let before = self.open.insert(request, ordinal);
        self.segment_mut(ordinal).open += 1;
        self.close(before);
    }

    pub(super) fn terminal(&mut self, request: Option<RequestId>, boot: BootId, partition: Partition, pseq: u64, ordinal: u64) {
        let partition = usize::from(partition) % PARTITIONS;
        let held = self.boot_mut(boot);
        // What came before the first event that is still here was applied, or it would be here.
        if held.last[partition] == 0 {
            held.applied[partition] = held.applied[partition].max(pseq.saturating_sub(1));
        }
        held.last[partition] = held.last[partition].max(pseq);
        let segment = self.segment_mut(ordinal);
        match segment.highest.iter_mut().find(|(known, _)| *known == boot) {
            Some((_, highest)) => highest[partition] = highest[partition].max(pseq),
            None => {
                let mut highest = [0; PARTITIONS];
                highest[partition] = pseq;
                segment.highest.push((boot, highest));
            }
        }
        let accepted_in = request.and_then(|request| self.open.remove(&request));
        self.close(accepted_in);
    }

    pub(super) fn is_open(&self, request: RequestId) -> bool {
        self.open.contains_key(&request)
    }

    pub(super) fn open_requests(&self) -> u64 {
        self.open.len() as u64
    }

    /// The least id of a boot whose events are held.
    pub(super) fn least_boot(&self) -> Option<BootId> {
        self.boots.iter().map(|held| held.boot).min()
    }

    /// Takes note of what the ledger has applied. Never goes back.
    pub(super) fn note_applied(&mut self, node: NodeId, applied: &[Applied]) {
        for (producer, partition, sequence) in applied {
            let partition = usize::from(*partition);
            if producer.node != node || partition >= PARTITIONS {
                continue;
            }
            if let Some(boot) = self.boots.iter_mut().find(|boot| boot.boot == producer.boot) {
                boot.applied[partition] = boot.applied[partition].max(*sequence);
            }
        }
    }

    pub(super) fn is_applied(&self, boot: BootId, partition: Partition, pseq: u64) -> bool {
        let held = self.boots.iter().rev().find(|held| held.boot == boot);
        held.is_some_and(|held| held.applied[usize::from(partition) % PARTITIONS] >= pseq)
    }

    /// How many events up to this one are not known to be applied. A life that is no longer held was released, so all of it was.
    pub(super) fn lacking(&self, boot: BootId, partition: Partition, until: u64) -> u64 {
        let held = self.boots.iter().rev().find(|held| held.boot == boot);
        held.map_or(0, |held| until.saturating_sub(held.applied[usize::from(partition) % PARTITIONS]))
    }

    pub(super) fn unapplied_events(&self) -> u64 {
        let of_boot =
            |boot: &HeldBoot| boot.last.iter().zip(&boot.applied).map(|(last, applied)| last.saturating_sub(*applied)).sum::<u64>();
        self.boots.iter().map(of_boot).sum()
    }

    /// Whether nothing in this segment, the oldest there is, is needed any more.
    pub(super) fn may_release(&self, ordinal: u64) -> bool {
        match self.segments.front() {
            Some(segment) if segment.ordinal == ordinal => segment.open == 0 && self.is_all_applied(segment),
            // Nothing was ever held in it.
            Some(segment) => segment.ordinal > ordinal,
            None => true,
        }
    }

    pub(super) fn released(&mut self, ordinal: u64) {
        while self.segments.front().is_some_and(|segment| segment.ordinal <= ordinal) {
            self.segments.pop_front();
        }
        let segments = &self.segments;
        let newest = self.boots.last().map(|held| held.boot);
        let in_use = |boot: BootId| segments.iter().any(|segment| segment.highest.iter().any(|(held, _)| *held == boot));
        self.boots.retain(|held| Some(held.boot) == newest || in_use(held.boot));
    }

    fn is_all_applied(&self, segment: &HeldSegment) -> bool {
        segment
            .highest
            .iter()
            .all(|(boot, highest)| (0_u16..).zip(highest).all(|(partition, pseq)| *pseq == 0 || self.is_applied(*boot, partition, *pseq)))
    }

    fn close(&mut self, accepted_in: Option<u64>) {
        let Some(ordinal) = accepted_in else { return };
        if let Some(segment) = self.segments.iter_mut().find(|segment| segment.ordinal == ordinal) {
            segment.open = segment.open.saturating_sub(1);
        }
    }

    fn segment_mut(&mut self, ordinal: u64) -> &mut HeldSegment {
        if self.segments.back().is_none_or(|newest| newest.ordinal < ordinal) {
            self.segments.push_back(HeldSegment { ordinal, open: 0, highest: Vec::new() });
        }
        let newest = self.segments.len() - 1;
        &mut self.segments[newest]
    }

    fn boot_mut(&mut self, boot: BootId) -> &mut HeldBoot {
        let at = self.boots.iter().rposition(|held| held.boot == boot).unwrap_or_else(|| {
            self.boots.push(HeldBoot { boot, last: [0; PARTITIONS], applied: [0; PARTITIONS] });
            self.boots.len() - 1
        });
        &mut self.boots[at]
    }
}
