//! The reference: what a spool must hold after what was done to it, whatever happened to its disk.
//!
//! Acknowledged records must be found, refused or unfinished ones may be, anything else must not be; sequences
//! have no holes and bytes are the same.

use std::collections::BTreeMap;

use eventlog::testing::SimDisk;
use eventlog::{Durability, Recovery, Spool, SpoolError, SpoolOptions};
use schemas::{BootId, Partition, RequestId};
use uuid::Uuid;

use crate::scene::{DIR, sim};

/// One thing done to a spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Accept,
    /// Checkpoint of one of the open requests.
    Progress(u8),
    /// Terminal of one of the open requests.
    Finish(u8, Partition),
    /// Terminals without a request, written before the first is awaited.
    Credits(u8, Partition),
    /// The ledger applies everything that is acknowledged; the spool releases what it can.
    Apply,
}

/// Whether a record must be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Acknowledged.
    Surely,
    /// Begun, and not acknowledged.
    Perhaps,
}

#[derive(Debug)]
struct Request {
    accepted: Written,
    terminal: Option<Written>,
}

/// Producer's boot, partition, sequence.
type Place = (BootId, Partition, u64);

#[derive(Debug, Default)]
pub struct Model {
    requests: BTreeMap<RequestId, Request>,
    events: BTreeMap<Place, (Vec<u8>, Written)>,
    applied: BTreeMap<(BootId, Partition), u64>,
    minted: u128,
}

impl Model {
    /// Does one thing. An error means the spool took no more; what was begun is then remembered as uncertain.
    pub async fn perform(&mut self, spool: &Spool, act: Act) -> Result<(), SpoolError> {
        match act {
            Act::Accept => {
                self.minted += 1;
                let request = RequestId::from_uuid(Uuid::from_u128(self.minted));
                self.requests.insert(request, Request { accepted: Written::Perhaps, terminal: None });
                spool.accepted(request, request.uuid().as_bytes())?.await?;
                self.update(request, |known| known.accepted = Written::Surely);
            }
            Act::Progress(nth) => {
                if let Some(request) = self.nth_open(nth) {
                    spool.progress(request, &[nth; 40])?;
                }
            }
            Act::Finish(nth, partition) => {
                if let Some(request) = self.nth_open(nth) {
                    self.update(request, |known| known.terminal = Some(Written::Perhaps));
                    self.write(spool, Some(request), partition, 1).await?;
                    self.update(request, |known| known.terminal = Some(Written::Surely));
                }
            }
            Act::Credits(count, partition) => self.write(spool, None, partition, count).await?,
            Act::Apply => {
                for ((boot, partition, pseq), (_, written)) in &self.events {
                    if *written == Written::Surely {
                        self.applied.insert((*boot, *partition), *pseq);
                    }
                }
                let node = spool.producer().node;
                let applied: Vec<_> = self
                    .applied
                    .iter()
                    .map(|((boot, partition), pseq)| (schemas::Producer { node, boot: *boot }, *partition, *pseq))
                    .collect();
                spool.release(&applied)?;
            }
        }
        Ok(())
    }

    async fn write(&mut self, spool: &Spool, request: Option<RequestId>, partition: Partition, count: u8) -> Result<(), SpoolError> {
        let mut waits = Vec::new();
        for _ in 0..count {
            let events = &mut self.events;
            let (_, durable) = spool.terminal(request, partition, |producer, pseq| {
                let filler = usize::try_from(pseq * 61 % 173).unwrap();
                let bytes = format!("{{\"id\":\"{}/{partition}/{pseq}\",\"x\":\"{}\"}}", producer.boot, "y".repeat(filler)).into_bytes();
                events.insert((producer.boot, partition, pseq), (bytes.clone(), Written::Perhaps));
                Ok(bytes)
            })?;
            waits.push(durable);
        }
        let last = self.events.range(..=(spool.producer().boot, partition, u64::MAX)).next_back().unwrap().0.2;
        for (durable, pseq) in waits.into_iter().zip(last + 1 - u64::from(count)..) {
            durable.await?;
            self.events.get_mut(&(spool.producer().boot, partition, pseq)).unwrap().1 = Written::Surely;
        }
        Ok(())
    }

    /// Checks what an opened spool found, then takes it for the truth: what was uncertain is known now. A disk that
    /// crashes meanwhile, under the thread that makes the next segment, cannot be checked; the next life will.
    pub fn check(&mut self, disk: &SimDisk, spool: &Spool, recovery: &Recovery) {
        let mut found = BTreeMap::new();
        let read = spool.unapplied(&mut |producer, partition, pseq, bytes| {
            assert_eq!(producer.node, spool.producer().node);
            let before = found.insert((producer.boot, partition, pseq), bytes.to_vec());
            assert_eq!(before, None, "an event is there twice");
        });
        match read {
            Ok(()) => {
                self.check_events(&found);
                self.check_requests(recovery);
            }
            Err(error) => assert!(disk.has_crashed(), "{error}"),
        }
    }

    fn check_events(&mut self, found: &BTreeMap<Place, Vec<u8>>) {
        for (place, bytes) in found {
            let expected = self.events.get(place).map(|(bytes, _)| bytes);
            assert_eq!(expected, Some(bytes), "an event was invented or altered at {place:?}");
        }
        let applied = &self.applied;
        self.events.retain(|place, (_, written)| {
            let is_found = found.contains_key(place);
            let is_applied = applied.get(&(place.0, place.1)).is_some_and(|applied| place.2 <= *applied);
            assert!(is_found || is_applied || *written == Written::Perhaps, "an acknowledged event is gone: {place:?}");
            *written = Written::Surely;
            is_found || is_applied
        });
        let mut last = None;
        for (boot, partition, pseq) in self.events.keys().copied() {
            let expected = if last.is_some_and(|(b, p, _)| (b, p) == (boot, partition)) { last.map(|(_, _, last)| last + 1) } else { None };
            assert!(expected.is_none_or(|expected| expected == pseq), "a hole before {pseq} in partition {partition}");
            assert!(expected.is_some() || pseq == 1, "a sequence begins with {pseq}");
            last = Some((boot, partition, pseq));
        }
    }

    fn check_requests(&mut self, recovery: &Recovery) {
        let found: BTreeMap<_, _> = recovery.unfinished.iter().map(|unfinished| (unfinished.request, unfinished)).collect();
        assert_eq!(found.len(), recovery.unfinished.len());
        assert!(found.keys().all(|request| self.requests.contains_key(request)), "a request was invented");
        self.requests.retain(|id, request| {
            let unfinished = found.get(id);
            if let Some(unfinished) = unfinished {
                assert_eq!(unfinished.accepted.as_ref(), id.uuid().as_bytes());
                assert_ne!(request.terminal, Some(Written::Surely), "an ended request is unfinished again");
                *request = Request { accepted: Written::Surely, terminal: None };
            } else {
                let must_be_found = request.accepted == Written::Surely && request.terminal.is_none();
                assert!(!must_be_found, "an accepted request is forgotten: {id}");
            }
            unfinished.is_some()
        });
    }

    fn nth_open(&self, nth: u8) -> Option<RequestId> {
        let open: Vec<_> = self.requests.iter().filter(|(_, request)| request.terminal.is_none()).map(|(id, _)| *id).collect();
        (!open.is_empty()).then(|| open[usize::from(nth) % open.len()])
    }

    fn update(&mut self, request: RequestId, change: impl FnOnce(&mut Request)) {
        change(self.requests.get_mut(&request).unwrap());
    }
}

/// A spool with segments of a few records, without a background sync, so that only the acts touch the disk.
pub fn options(durability: Durability) -> SpoolOptions {
    SpoolOptions { durability, segment_bytes: 1_536, background_sync: None, ..SpoolOptions::default() }
}

pub fn open(disk: &SimDisk, durability: Durability) -> Result<(Spool, Recovery), SpoolError> {
    Spool::open(sim(disk), std::path::Path::new(DIR), options(durability))
}
