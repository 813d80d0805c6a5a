//! Reads terminals from the spool's files, oldest first, for the shipper.

use std::collections::BTreeMap;

use bytes::Bytes;
use schemas::{BootId, Partition, Producer};

use super::error::SpoolError;
use super::record::{Record, TerminalHead, decode};
use super::writer::Spool;
use crate::journal::{JournalError, Scanner, Step};
use crate::log::Message;

/// Up to which number of every producer's life and partition.
pub(crate) type Sequences = BTreeMap<(BootId, Partition), u64>;

/// How much one batch may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShipLimits {
    pub events: usize,
    pub bytes: usize,
}

/// How far the shipper has read.
#[derive(Default)]
pub(crate) struct ShipCursor {
    next_lsn: u64,
    /// The file being read: its segment, and the lsn its scanner stands at.
    open: Option<(u64, u64, Scanner)>,
}

/// What is to be shipped next.
#[derive(Default)]
pub(crate) struct ShipBatch {
    pub messages: Vec<Message>,
    /// What stood before each of the messages.
    heads: Vec<TerminalHead>,
    bytes: usize,
    /// The last lsn that was looked at: once the messages are in the log, everything up to it is.
    pub last_lsn: u64,
}

impl ShipBatch {
    fn is_full(&self, limits: ShipLimits) -> bool {
        self.messages.len() >= limits.events || self.bytes >= limits.bytes
    }
}

impl ShipBatch {
    /// The last sequence of every producer's life and partition.
    pub(crate) fn last_sequences(&self) -> Sequences {
        self.heads.iter().map(|head| ((head.boot, head.partition), head.pseq)).collect()
    }
}

impl ShipCursor {
    /// How many records have been written that were not looked at.
    pub(crate) fn records_behind(&self, spool: &Spool) -> u64 {
        (spool.inner.journal.last_lsn() + 1).saturating_sub(self.next_lsn)
    }
}

impl Spool {
    /// Shows every terminal event that the ledger is not known to have applied, oldest first, with its producer,
    /// partition and sequence: what a balance gate that starts empty has to count as pending. Reads files, and
    /// blocks on them.
    pub fn unapplied(&self, visit: &mut dyn FnMut(Producer, Partition, u64, &Bytes)) -> Result<(), SpoolError> {
        let last_lsn = self.inner.journal.last_lsn();
        let node = self.producer().node;
        let mut cursor = ShipCursor::default();
        loop {
            let batch = self.read_unshipped(&mut cursor, ShipLimits { events: 1_000, bytes: 256 * 1024 })?;
            for (head, message) in batch.heads.iter().zip(&batch.messages) {
                visit(Producer { node, boot: head.boot }, head.partition, head.pseq, &message.payload);
            }
            if batch.last_lsn >= last_lsn {
                return Ok(());
            }
        }
    }

    /// Reads on from the cursor. Terminals that the ledger is known to have applied are skipped.
    pub(crate) fn read_unshipped(&self, cursor: &mut ShipCursor, limits: ShipLimits) -> Result<ShipBatch, SpoolError> {
        let journal = &self.inner.journal;
        let last_lsn = journal.last_lsn();
        let mut batch = ShipBatch::default();
        while cursor.next_lsn <= last_lsn && !batch.is_full(limits) {
            // Below the oldest segment everything was applied and released.
            cursor.next_lsn = cursor.next_lsn.max(journal.first_lsn());
            let Some(place) = journal.locate(cursor.next_lsn) else { break };
            if place.lsn > cursor.next_lsn {
                continue;
            }
            let wanted = (place.ordinal, cursor.next_lsn);
            let (mut lsn, mut scanner) = match cursor.open.take_if(|(ordinal, lsn, _)| (*ordinal, *lsn) == wanted) {
                Some((_, lsn, mut scanner)) => {
                    scanner.renew(place.end);
                    (lsn, scanner)
                }
                None => match journal.open_for_reading(place.ordinal) {
                    Ok(file) => (place.lsn, Scanner::new(file, place.offset, place.end)),
                    // Released between looking and opening.
                    Err(_) if journal.first_lsn() > cursor.next_lsn => continue,
                    Err(error) => return Err(error.into()),
                },
            };
            let until = place.last_lsn.min(last_lsn);
            while lsn <= until && !batch.is_full(limits) {
                let path = || journal.segment_path(place.ordinal);
                match scanner.step(Some(lsn)).map_err(|error| JournalError::io("read", &path())(error))? {
                    Step::Record { kind, payload, .. } if lsn >= cursor.next_lsn => self.take(kind, payload, &mut batch),
                    Step::Record { .. } => {}
                    Step::End | Step::Blank | Step::Bad => {
                        return Err(SpoolError::Corrupt { file: path(), offset: scanner.offset() });
                    }
                }
                lsn += 1;
            }
            cursor.next_lsn = lsn;
            cursor.open = Some((place.ordinal, lsn, scanner));
        }
        batch.last_lsn = cursor.next_lsn.saturating_sub(1);
        Ok(batch)
    }

    /// How many events up to these sequences the ledger is not known to have applied.
    pub(crate) fn lacking(&self, sequences: &Sequences) -> u64 {
        let state = self.inner.state.lock();
        sequences.iter().map(|((boot, partition), until)| state.holdings.lacking(*boot, *partition, *until)).sum()
    }

    /// The oldest events that are not known to be applied of these producers' lives and partitions, up to a sequence each. Reads files,
    /// and blocks on them.
    pub(crate) fn unapplied_of(&self, sequences: &Sequences, limits: ShipLimits) -> Result<Vec<Message>, SpoolError> {
        let last_lsn = self.inner.journal.last_lsn();
        let (mut cursor, mut found) = (ShipCursor::default(), Vec::new());
        loop {
            let batch = self.read_unshipped(&mut cursor, limits)?;
            let is_wanted = |head: &TerminalHead| sequences.get(&(head.boot, head.partition)).is_some_and(|until| head.pseq <= *until);
            found.extend(batch.heads.iter().zip(batch.messages).filter(|(head, _)| is_wanted(head)).map(|(_, message)| message));
            if found.len() >= limits.events || batch.last_lsn >= last_lsn {
                found.truncate(limits.events);
                return Ok(found);
            }
        }
    }

    /// Waits until a terminal was written since the last time this returned.
    pub(crate) async fn terminal_written(&self) {
        self.inner.terminal_written.notified().await;
    }

    /// Says that every terminal up to this lsn is in the event log.
    pub(crate) fn mark_shipped(&self, lsn: u64) {
        self.inner.mark_shipped(lsn);
    }

    fn take(&self, kind: u8, payload: &[u8], batch: &mut ShipBatch) {
        let Some(Record::Terminal { head, event }) = decode(kind, payload) else { return };
        if self.inner.state.lock().holdings.is_applied(head.boot, head.partition, head.pseq) {
            return;
        }
        batch.bytes += event.len();
        batch.heads.push(head);
        batch.messages.push(Message {
            id: Message::id_of(head.boot, head.partition, head.pseq),
            partition: head.partition,
            payload: Bytes::copy_from_slice(event),
        });
    }
}
