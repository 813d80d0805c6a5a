//! What a batch does to the store, decided without touching it.
//!
//! Pure: read entries and what is known of their requests go in, rows to write and buckets to mark come out. An
//! engine only executes the plan, so engines cannot disagree.

use std::collections::{BTreeSet, HashMap};

use schemas::terminal::{Precedence, Terminal};
use schemas::{AccountId, RequestId, Timestamp};

use crate::error::AnalyticsError;
use crate::fold::{Fact, Unreadable};
use crate::row::UsageRow;
use crate::store::ProjectOutcome;

/// What the store already has of a request.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub account_id: AccountId,
    pub terminal: Terminal,
    pub admitted_at: Timestamp,
}

/// Writes of one batch.
#[derive(Debug, Default)]
pub struct Plan {
    /// At most one a request; replaces what is stored under its id.
    pub rows: Vec<UsageRow>,
    /// Starts of the hours whose rows change.
    pub dirty_hours: BTreeSet<Timestamp>,
    pub quarantine: Vec<Unreadable>,
    pub outcome: ProjectOutcome,
    /// Where in `rows` a request of this batch stands.
    planned: HashMap<RequestId, usize>,
}

impl Plan {
    /// A plan for a store that stands at `position`.
    pub fn new(position: u64) -> Self {
        Self { outcome: ProjectOutcome { position, ..ProjectOutcome::default() }, ..Self::default() }
    }

    /// Takes the next entry. **Positions follow each other without a hole**, or nothing is projected.
    pub fn take(&mut self, position: u64, fact: Fact, known: &HashMap<RequestId, Known>) -> Result<(), AnalyticsError> {
        if position <= self.outcome.position {
            self.outcome.skipped += 1;
            return Ok(());
        }
        if position != self.outcome.position + 1 {
            return Err(AnalyticsError::Gap { expected: self.outcome.position + 1, found: position });
        }
        self.outcome.position = position;
        match fact {
            Fact::Other => self.outcome.other += 1,
            Fact::Unreadable(unreadable) => self.refuse(unreadable),
            Fact::Usage { row, payload } => match self.effective(row.request_id, known) {
                Some(effective) if effective.account_id != row.account_id => {
                    let detail = "the request belongs to another account";
                    self.refuse(Unreadable::new(position, &payload, "foreign_request", detail));
                }
                effective => self.take_row(*row, effective),
            },
        }
        Ok(())
    }

    fn refuse(&mut self, unreadable: Unreadable) {
        self.outcome.quarantined += 1;
        self.quarantine.push(unreadable);
    }

    /// What is in effect for a request: from this batch, else from the store.
    fn effective(&self, request: RequestId, known: &HashMap<RequestId, Known>) -> Option<Known> {
        let planned = self.planned.get(&request).map(|index| &self.rows[*index]);
        let planned = planned.map(|row| Known { account_id: row.account_id, terminal: row.terminal, admitted_at: row.admitted_at });
        planned.or_else(|| known.get(&request).copied())
    }

    fn take_row(&mut self, row: UsageRow, effective: Option<Known>) {
        match row.terminal.against(effective.map(|known| known.terminal)) {
            Precedence::Ignored => {
                self.outcome.ignored += 1;
                return;
            }
            Precedence::First => self.outcome.inserted += 1,
            Precedence::Supersedes => self.outcome.superseded += 1,
        }
        // The row that is replaced may have counted in another hour.
        self.dirty_hours.extend(effective.map(|known| known.admitted_at.hour()));
        self.dirty_hours.insert(row.admitted_at.hour());
        match self.planned.get(&row.request_id).copied() {
            Some(index) => self.rows[index] = row,
            None => {
                self.planned.insert(row.request_id, self.rows.len());
                self.rows.push(row);
            }
        }
    }
}
