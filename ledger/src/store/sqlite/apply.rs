//! One batch: preload, fold, write, advance the position, commit.

use std::time::Instant;

use schemas::NanoUsd;
use sqlx::sqlite::SqliteConnection;

use crate::apply::{Applied, Entered, LedgerAccount, Posting, Prepared, State, apply};
use crate::heads;
use crate::metrics as names;
use crate::store::outcome::{fresh, outcome};
use crate::store::queries::{POSITION, position_of};
use crate::store::rows::{ahead_json, signed};
use crate::store::touched::Touched;
use crate::store::{BatchOutcome, LedgerError};

use super::SqliteLedger;
use super::insert::Inserts;
use super::preload::preload;

impl SqliteLedger {
    pub async fn apply_prepared(&self, batch: &[Prepared]) -> Result<BatchOutcome, LedgerError> {
        let started = Instant::now();
        let mut transaction = self.writer()?.begin_with("BEGIN IMMEDIATE").await?;
        let position = position_of(&sqlx::query(POSITION).fetch_one(&mut *transaction).await?)?;
        let batch = fresh(position, batch)?;
        let Some(last) = batch.last() else {
            return Ok(BatchOutcome { position, ..BatchOutcome::default() });
        };
        let mut state = self.cache.take(position);
        preload(&mut transaction, &mut state, batch).await?;
        let applied = batch.iter().map(|prepared| apply(&mut state, prepared)).collect::<Result<Vec<_>, _>>()?;
        let touched = Touched::by(position, batch, &applied, &state);
        write_rows(&mut transaction, &self.inserts, batch, &applied).await?;
        write_sums(&mut transaction, &self.inserts, &touched, &state).await?;
        advance(&mut transaction, position, last.position).await?;
        transaction.commit().await?;
        let outcome = outcome(last.position, &applied, &touched, &state);
        self.cache.keep(state);
        heads::append(self.heads.as_ref(), &outcome).await;
        names::record_batch(&outcome, started.elapsed());
        Ok(outcome)
    }
}

/// **The compare-and-set**: a batch built on an old position changes nothing.
async fn advance(connection: &mut SqliteConnection, from: u64, to: u64) -> Result<(), LedgerError> {
    let sql = "UPDATE ledger_position SET position = $1 WHERE singleton = 1 AND position = $2";
    let done = sqlx::query(sql).bind(signed(to)).bind(signed(from)).execute(connection).await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(LedgerError::Overtaken { position: from }) }
}

/// The rows that are written once and for ever.
async fn write_rows(
    connection: &mut SqliteConnection,
    inserts: &Inserts,
    batch: &[Prepared],
    applied: &[Applied],
) -> Result<(), LedgerError> {
    let entries: Vec<&Entered> = applied.iter().filter_map(entered).collect();
    inserts
        .entries
        .run(connection, &entries, |entered, values| {
            let booking = &entered.booking;
            values.push(signed(entered.position))?;
            values.push(i64::from(booking.partition))?;
            values.push(signed(entered.ordinal))?;
            values.push(booking.event_id.as_str())?;
            values.push(booking.event_type)?;
            values.push(booking.verdict.name())?;
            values.push(booking.verdict.rejection().map(|reason| reason.name()))?;
            values.push(booking.account.uuid().as_bytes().as_slice())?;
            values.push(booking.request_id.map(|id| id.uuid().as_bytes().to_vec()))?;
            values.push(booking.key_id.map(|id| id.uuid().as_bytes().to_vec()))?;
            values.push(booking.admission_day.map(|day| i64::from(day.number())))?;
            values.push(booking.amount.nanos())?;
            values.push(booking.balance_after.nanos())?;
            values.push(booking.provider_cost.map(NanoUsd::nanos))?;
            values.push(booking.provisional)?;
            values.push(booking.time.micros())?;
            values.push(entered.event_sha256.as_slice())?;
            values.push(entered.head.as_slice())
        })
        .await?;
    let legs: Vec<(&Entered, usize, &Posting)> = entries
        .iter()
        .flat_map(|entered| entered.booking.postings.iter().enumerate().map(|(leg, posting)| (*entered, leg, posting)))
        .collect();
    inserts
        .postings
        .run(connection, &legs, |(entered, leg, posting), values| {
            let customer = if let LedgerAccount::Customer(account) = posting.account { Some(account.uuid()) } else { None };
            values.push(signed(entered.position))?;
            values.push(i64::try_from(*leg).unwrap_or(i64::MAX))?;
            values.push(posting.account.code())?;
            values.push(customer.map(|id| id.as_bytes().to_vec()))?;
            values.push(i64::from(entered.booking.partition))?;
            values.push(posting.amount.nanos())
        })
        .await?;
    write_orders(connection, inserts, &entries).await?;
    let poisoned: Vec<(&Prepared, String)> = batch.iter().zip(applied).filter_map(poisoned).collect();
    inserts
        .quarantine
        .run(connection, &poisoned, |(prepared, reason), values| {
            values.push(signed(prepared.position))?;
            values.push(reason.as_str())?;
            values.push(prepared.payload.as_ref())
        })
        .await
}

async fn write_orders(connection: &mut SqliteConnection, inserts: &Inserts, entries: &[&Entered]) -> Result<(), LedgerError> {
    let orders: Vec<_> =
        entries.iter().filter_map(|entered| entered.booking.order.as_ref().map(|order| (entered.position, order))).collect();
    inserts
        .orders
        .run(connection, &orders, |(position, order), values| {
            values.push(signed(*position))?;
            values.push(order.ordered.nanos())?;
            values.push(order.actor.as_str())?;
            values.push(order.input_sha256.as_str())?;
            values.push(order.reason.as_deref())?;
            values.push(order.reference.as_deref())?;
            values.push(order.request_id.map(|id| id.uuid().as_bytes().to_vec()))?;
            values.push(order.expires_at.map(|at| at.micros()))?;
            values.push(order.grant_id.as_deref())
        })
        .await
}

fn entered(applied: &Applied) -> Option<&Entered> {
    if let Applied::Entered(entered) = applied { Some(entered) } else { None }
}

fn poisoned<'a>((prepared, applied): (&'a Prepared, &Applied)) -> Option<(&'a Prepared, String)> {
    if let Applied::Quarantined(poison) = applied { Some((prepared, poison.to_string())) } else { None }
}

/// The sums that changed.
async fn write_sums(connection: &mut SqliteConnection, inserts: &Inserts, touched: &Touched, state: &State) -> Result<(), LedgerError> {
    let accounts: Vec<_> = touched.accounts.iter().filter_map(|id| Some((id, state.accounts.get(id)?))).collect();
    inserts
        .balances
        .run(connection, &accounts, |(id, account), values| {
            values.push(id.uuid().as_bytes().as_slice())?;
            values.push(account.balance.nanos())?;
            values.push(account.credits.nanos())?;
            values.push(account.usage.nanos())?;
            values.push(signed(account.position))
        })
        .await?;
    let spends: Vec<_> = touched.keys.iter().filter_map(|key| Some((key, state.key_spend.get(key)?))).collect();
    inserts
        .key_spend
        .run(connection, &spends, |((key, day), spend), values| {
            values.push(key.uuid().as_bytes().as_slice())?;
            values.push(i64::from(day.number()))?;
            values.push(spend.account.uuid().as_bytes().as_slice())?;
            values.push(spend.spent.nanos())?;
            values.push(signed(spend.position))
        })
        .await?;
    let lots: Vec<_> = touched.lots.iter().filter_map(|id| state.lots.get(id)).collect();
    inserts
        .lots
        .run(connection, &lots, |lot, values| {
            values.push(lot.grant_id.as_str())?;
            values.push(lot.account.uuid().as_bytes().as_slice())?;
            values.push(lot.granted.nanos())?;
            values.push(lot.remaining.nanos())?;
            values.push(lot.expires_at.map(|at| at.micros()))?;
            values.push(signed(lot.granted_position))?;
            values.push(signed(lot.position))
        })
        .await?;
    write_places(connection, inserts, touched, state).await
}

/// Chains and producers' sequences.
async fn write_places(connection: &mut SqliteConnection, inserts: &Inserts, touched: &Touched, state: &State) -> Result<(), LedgerError> {
    let partitions: Vec<_> = touched.partitions.iter().filter_map(|id| Some((id, state.partitions.get(id)?))).collect();
    inserts
        .partitions
        .run(connection, &partitions, |(partition, chain), values| {
            values.push(i64::from(**partition))?;
            values.push(signed(chain.ordinal))?;
            values.push(chain.head.as_slice())?;
            values.push(chain.day.map(|day| i64::from(day.number())))?;
            values.push(signed(chain.position))
        })
        .await?;
    let sequences: Vec<_> = touched.sources().filter_map(|source| Some((source, state.sequences.get(&source)?))).collect();
    inserts
        .producers
        .run(connection, &sequences, |((producer, partition), known), values| {
            values.push(producer.node.uuid().as_bytes().as_slice())?;
            values.push(producer.boot.uuid().as_bytes().as_slice())?;
            values.push(i64::from(*partition))?;
            values.push(signed(known.sequence.contiguous))?;
            values.push(ahead_json(&known.sequence.ahead))?;
            values.push(signed(known.position))
        })
        .await
}
