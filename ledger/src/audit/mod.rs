//! The proof that the books are what the log says.
//!
//! Reads the whole log, applies it in memory with the code that booked it, and compares every row, sum
//! and head with a snapshot of the store at one log position; then the heads kept outside the database,
//! the producers' sequences and the balance gate. It never writes. Memory grows with the number of
//! requests in the log, by about 200 bytes each. Start at [`audit`].

mod compare;
mod gate;
mod heads;
mod producers;
mod report;

use eventlog::{EventLog, LogError};
use schemas::NanoUsd;

use crate::apply::{Applied, Prepared, State, apply};
use crate::feed::{Feed, FeedError};
use crate::gate::{BalanceGate, GateError};
use crate::replay::Progress;
use crate::store::rows::{BalanceRow, EntryRow, KeySpendRow, LotRow, OrderRow, PartitionRow, PostingRow, ProducerRow, QuarantineRow};
use crate::store::{LedgerError, LedgerStore, Snapshot};

use self::compare::{Sums, compare};
use self::heads::Heads;

pub use self::report::{AuditReport, DIFFERENCES_MAX, Difference};

/// Entries recomputed at a time.
const BATCH: usize = 2_000;

/// Why an audit could not be carried out. What it found is in the report.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    #[error("event log could not be read")]
    Log(#[from] LogError),
    #[error("event log could not be fed")]
    Feed(#[from] FeedError),
    #[error("ledger could not be read")]
    Ledger(#[from] LedgerError),
    #[error("balance gate could not be read")]
    Gate(#[from] GateError),
}

/// Recomputes everything and compares. Safe beside a live worker.
pub async fn audit(
    store: &LedgerStore,
    log: &EventLog,
    gate: Option<&BalanceGate>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<AuditReport, AuditError> {
    let mut report = AuditReport::default();
    let mut snapshot = store.snapshot().await?;
    let position = snapshot.position();
    let last = log.bounds().await?.last;
    report.check_that(last >= position, "log", "last position", &position, &last);
    let mut recomputed = Recomputed { state: State::default(), sums: Sums::default(), heads: Heads::read(store)? };
    recompute(&mut recomputed, &mut snapshot, log, &mut report, progress).await?;
    report_rows_after(recomputed.state.position, &mut snapshot, &mut report).await?;
    compare_sums(&recomputed, &mut snapshot, &mut report).await?;
    drop(snapshot);
    recomputed.heads.finish(store, position, &mut report)?;
    producers::check(recomputed.state, log, &mut report).await?;
    if let Some(gate) = gate {
        gate::check(store, gate, &mut report).await?;
    }
    report.finish(position);
    Ok(report)
}

/// What the log says the books are.
struct Recomputed {
    state: State,
    /// What the store's own postings add up to.
    sums: Sums,
    heads: Heads,
}

async fn recompute(
    recomputed: &mut Recomputed,
    snapshot: &mut Snapshot,
    log: &EventLog,
    report: &mut AuditReport,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), AuditError> {
    let position = snapshot.position();
    let mut feed = Feed::new(log.clone(), 0, Some(position));
    loop {
        let after = feed.position();
        let batch = match feed.next(BATCH).await {
            Ok(batch) => batch,
            Err(FeedError::Log(error @ (LogError::Corrupt { .. } | LogError::Archived { .. }))) => {
                report.differ("log", &format!("after position {after}"), "readable events", &error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        if batch.is_empty() {
            report.check_that(after == position, "log", "entries", &position, &after);
            return Ok(());
        }
        if let Err(error) = recompute_batch(recomputed, snapshot, &batch, (after, feed.position()), report).await? {
            report.differ("log", &format!("after position {after}"), "events in order", &error);
            return Ok(());
        }
        progress(Progress { position: feed.position(), last: position });
    }
}

/// The inner error is a log that breaks an invariant of applying, in words.
async fn recompute_batch(
    recomputed: &mut Recomputed,
    snapshot: &mut Snapshot,
    batch: &[Prepared],
    (after, to): (u64, u64),
    report: &mut AuditReport,
) -> Result<Result<(), String>, AuditError> {
    let mut entries = Vec::with_capacity(batch.len());
    let mut postings = Vec::with_capacity(batch.len() * 4);
    let mut orders = Vec::new();
    let mut quarantine = Vec::new();
    for prepared in batch {
        match apply(&mut recomputed.state, prepared) {
            Err(error) => return Ok(Err(error.to_string())),
            Ok(Applied::Duplicate { conflict, .. }) => report.count(if conflict { "conflicts" } else { "duplicates" }, 1),
            Ok(Applied::Quarantined(poison)) => {
                quarantine.push(QuarantineRow::new(prepared.position, poison.to_string(), &prepared.payload));
            }
            Ok(Applied::Entered(entered)) => {
                recomputed.heads.made(&entered, report);
                entries.push(EntryRow::from(&*entered));
                let legs = entered.booking.postings.iter().enumerate();
                postings.extend(legs.map(|(leg, posting)| PostingRow::new(entered.position, leg, entered.booking.partition, posting)));
                orders.extend(entered.booking.order.as_ref().map(|order| OrderRow::new(entered.position, order)));
            }
        }
    }
    report.count("events", batch.len() as u64);
    compare(entries, snapshot.entries(after, to).await?, report);
    let found = snapshot.postings(after, to).await?;
    recomputed.sums.add(&found, report);
    compare(postings, found, report);
    compare(orders, snapshot.orders(after, to).await?, report);
    compare(quarantine, snapshot.quarantine(after, to).await?, report);
    Ok(Ok(()))
}

/// Rows that no event of the log explains: all of those after the last one, up to the report's bound.
async fn report_rows_after(mut after: u64, snapshot: &mut Snapshot, report: &mut AuditReport) -> Result<(), AuditError> {
    let position = snapshot.position();
    while report.differences.len() < DIFFERENCES_MAX {
        let to = if after < position { position.min(after + BATCH as u64) } else { u64::MAX };
        compare(Vec::<EntryRow>::new(), snapshot.entries(after, to).await?, report);
        compare(Vec::<PostingRow>::new(), snapshot.postings(after, to).await?, report);
        compare(Vec::<OrderRow>::new(), snapshot.orders(after, to).await?, report);
        compare(Vec::<QuarantineRow>::new(), snapshot.quarantine(after, to).await?, report);
        if to == u64::MAX {
            break;
        }
        after = to;
    }
    Ok(())
}

async fn compare_sums(recomputed: &Recomputed, snapshot: &mut Snapshot, report: &mut AuditReport) -> Result<(), AuditError> {
    let state = &recomputed.state;
    let balances = snapshot.balances().await?;
    recomputed.sums.check(&balances, report);
    let moved = state.accounts.iter().filter(|(_, account)| account.position > 0);
    compare(moved.map(|(id, account)| BalanceRow::new(*id, account)).collect(), balances, report);
    let spends = state.key_spend.iter().map(|((key, day), spend)| KeySpendRow::new(*key, *day, spend));
    compare(spends.collect(), snapshot.key_spend().await?, report);
    compare(state.lots.values().map(LotRow::from).collect(), snapshot.lots().await?, report);
    let partitions = state.partitions.iter().map(|(partition, chain)| PartitionRow::new(*partition, chain));
    compare(partitions.collect(), snapshot.partitions().await?, report);
    let producers = state.sequences.iter().filter(|(_, known)| known.position > 0);
    let producers = producers.map(|((producer, partition), known)| ProducerRow::new(*producer, *partition, known));
    compare(producers.collect(), snapshot.producers().await?, report);
    let negative = state.accounts.values().filter(|account| account.balance < NanoUsd::ZERO).count();
    report.count("accounts_negative", negative as u64);
    Ok(())
}
