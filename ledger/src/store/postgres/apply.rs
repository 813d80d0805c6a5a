//! One batch: lock, preload, fold, write and advance in one statement, commit.

use std::time::Instant;

use eventlog::fault;
use sqlx::Connection as _;

use crate::apply::{Prepared, apply};
use crate::heads;
use crate::metrics as names;
use crate::store::outcome::{fresh, outcome};
use crate::store::queries::position_of;
use crate::store::touched::Touched;
use crate::store::{BatchOutcome, LedgerError};

use super::PostgresLedger;
use super::preload::preload;
use super::write::Batch;

/// Whoever has this lock writes. It is waited for no longer than the session's `lock_timeout`.
const LOCK: &str = "SELECT position FROM ledger_position WHERE singleton = 1 FOR UPDATE";

impl PostgresLedger {
    pub async fn apply_prepared(&self, batch: &[Prepared]) -> Result<BatchOutcome, LedgerError> {
        let started = Instant::now();
        let mut connection = self.writer()?.acquire().await?;
        self.months.ensure(&mut connection, batch).await;
        let mut transaction = connection.begin().await?;
        let position = position_of(&sqlx::query(LOCK).fetch_one(&mut *transaction).await?)?;
        let batch = fresh(position, batch)?;
        let Some(last) = batch.last() else {
            transaction.rollback().await?;
            return Ok(BatchOutcome { position, ..BatchOutcome::default() });
        };
        let mut state = self.cache.take(position);
        preload(&mut transaction, &mut state, batch).await?;
        let applied = batch.iter().map(|prepared| apply(&mut state, prepared)).collect::<Result<Vec<_>, _>>()?;
        let touched = Touched::by(position, batch, &applied, &state);
        let written = Batch { from: position, to: last.position, entries: batch, applied: &applied, touched: &touched, state: &state };
        fault::point("ledger.in_transaction");
        self.statement.run(&mut transaction, &written).await?;
        fault::point("ledger.before_commit");
        transaction.commit().await?;
        fault::point("ledger.after_commit");
        let outcome = outcome(last.position, &applied, &touched, &state);
        self.cache.keep(state);
        heads::append(self.heads.as_ref(), &outcome).await;
        names::record_batch(&outcome, started.elapsed());
        Ok(outcome)
    }
}
