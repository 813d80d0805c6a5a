//! The heads kept outside the database against the heads the log makes.

use std::collections::{BTreeMap, HashMap};

use schemas::Partition;

use crate::apply::Entered;
use crate::chain::Checkpoint;
use crate::store::{LedgerError, LedgerStore};

use super::report::AuditReport;

/// Checkpointed heads by their place, until the recomputation reaches them.
pub(super) struct Heads {
    lines: HashMap<(Partition, u64), Checkpoint>,
    /// Heads that were due, in log order, without those that have a line.
    due: BTreeMap<u64, Checkpoint>,
    kept: bool,
}

impl Heads {
    pub(super) fn read(store: &LedgerStore) -> Result<Self, LedgerError> {
        let lines = store.heads_log().map(|heads| heads.read()).transpose()?;
        let kept = lines.is_some();
        let lines = lines.unwrap_or_default().into_iter().map(|line| ((line.partition, line.ordinal), line)).collect();
        Ok(Self { lines, due: BTreeMap::new(), kept })
    }

    pub(super) fn made(&mut self, entered: &Entered, report: &mut AuditReport) {
        let place = (entered.booking.partition, entered.ordinal);
        if let Some(line) = self.lines.remove(&place) {
            report.count("checkpoints", 1);
            let subject = format!("partition {} ordinal {}", place.0, place.1);
            report.check_that(line.head == entered.head, "checkpoint", &subject, &hex::encode(entered.head), &hex::encode(line.head));
        } else if let Some(checkpoint) = entered.checkpoint.filter(|_| self.kept) {
            self.due.insert(checkpoint.position, checkpoint);
        }
    }

    /// Lines the log never made, and heads that were due but have no line. Those after the last line may
    /// be missing: a worker writes them just after its commit, or at its next start.
    pub(super) fn finish(mut self, store: &LedgerStore, position: u64, report: &mut AuditReport) -> Result<(), LedgerError> {
        let Some(heads) = store.heads_log() else { return Ok(()) };
        let lines = heads.read()?;
        let last = lines.iter().map(|line| line.position).max().unwrap_or(0);
        for line in &lines {
            if self.due.remove(&line.position).is_some_and(|due| due != *line) {
                report.differ("checkpoint", &subject(line), "the recomputed head", &hex::encode(line.head));
            }
        }
        for line in self.lines.values().filter(|line| line.position <= position) {
            report.differ("checkpoint", &subject(line), "a head the log makes", &hex::encode(line.head));
        }
        for due in self.due.values() {
            match due.position < last {
                true => report.differ("checkpoint", &subject(due), &hex::encode(due.head), "no line"),
                false => report.count("checkpoints_not_yet_written", 1),
            }
        }
        Ok(())
    }
}

fn subject(line: &Checkpoint) -> String {
    format!("partition {} ordinal {}", line.partition, line.ordinal)
}
