//! Every metric name of this crate.

use std::time::Duration;

use schemas::Timestamp;

use crate::apply::Prepared;
use crate::store::BatchOutcome;

/// Gauge, 1 while the gate answers, 0 while it waits for a rebuild.
pub const GATE_OPEN: &str = "tollgate_gate_open";
/// Counter by `level` (`account`, `key`) and `cause`: requests the gate refused.
pub const GATE_REFUSALS_TOTAL: &str = "tollgate_gate_refusals_total";
/// Counter by `bound`: a named bound of the gate was reached.
pub const GATE_BOUND_REACHED_TOTAL: &str = "tollgate_gate_bound_reached_total";
/// Counter: generation records that left the gate because a bound was reached.
pub const GATE_GENERATIONS_EVICTED_TOTAL: &str = "tollgate_gate_generations_evicted_total";
/// Counter: generation records that were not kept: too large, or the server did not answer.
pub const GATE_GENERATIONS_DROPPED_TOTAL: &str = "tollgate_gate_generations_dropped_total";
/// Counter: calls of the shared gate that got no answer and were repeated.
pub const GATE_RETRIES_TOTAL: &str = "tollgate_gate_retries_total";
/// Counter by `sign` (`run`, `tick`): the shared gate was found to have lost writes.
pub const GATE_STATE_LOST_TOTAL: &str = "tollgate_gate_state_lost_total";
/// Counter: epochs in which the gate learns what is in flight.
pub const GATE_LEARNINGS_TOTAL: &str = "tollgate_gate_learnings_total";
/// Counter: looks and rebuilds of the coordinator that failed and are begun anew.
pub const GATE_LEARNING_FAILURES_TOTAL: &str = "tollgate_gate_learning_failures_total";
/// Counter: holds the reaper ended because their owner did not renew them.
pub const REAPER_EXPIRED_TOTAL: &str = "tollgate_reaper_expired_total";
/// Counter: grants whose time was up.
pub const REAPER_GRANTS_EXPIRED_TOTAL: &str = "tollgate_reaper_grants_expired_total";
/// Counter: rounds of the reaper that failed and are tried again.
pub const REAPER_FAILURES_TOTAL: &str = "tollgate_reaper_failures_total";
/// Counter by `outcome` (`recorded`, `duplicate`, `conflict`, `quarantined`): log entries applied.
pub const LEDGER_ENTRIES_TOTAL: &str = "tollgate_ledger_entries_total";
/// Gauge: the log position the books stand at.
pub const LEDGER_POSITION: &str = "tollgate_ledger_position";
/// Gauge: log entries the books are behind.
pub const LEDGER_LAG_ENTRIES: &str = "tollgate_ledger_lag_entries";
/// Histogram, seconds: one batch from its read to its commit.
pub const LEDGER_BATCH_SECONDS: &str = "tollgate_ledger_batch_seconds";
/// Histogram, seconds: from an event to its place in the books, the balance gate told; of what this worker booked.
pub const LEDGER_LAG_SECONDS: &str = "tollgate_ledger_lag_seconds";
/// Counter by `step` (`apply`, `post`): attempts of the worker that failed and are repeated.
pub const LEDGER_RETRIES_TOTAL: &str = "tollgate_ledger_retries_total";
/// Gauge: events that have been missing from their producers' sequences for most of a minute.
pub const LEDGER_MISSING_EVENTS: &str = "tollgate_ledger_missing_events";
/// Gauge, 1 while this worker books, 0 while it stands back for another one.
pub const LEDGER_ACTIVE: &str = "tollgate_ledger_active";
/// Gauge, 1 once a broken invariant halted the worker.
pub const LEDGER_HALTED: &str = "tollgate_ledger_halted";

/// Tells the recorder what each name means. Called once at start.
pub fn describe() {
    ::metrics::describe_gauge!(GATE_OPEN, "1 while the gate answers, 0 while it waits for a rebuild");
    ::metrics::describe_counter!(GATE_REFUSALS_TOTAL, "Requests the gate refused, by level (account, key) and cause");
    ::metrics::describe_counter!(GATE_BOUND_REACHED_TOTAL, "A named bound of the gate was reached, by bound");
    ::metrics::describe_counter!(GATE_GENERATIONS_EVICTED_TOTAL, "Generation records that left the gate because a bound was reached");
    ::metrics::describe_counter!(
        GATE_GENERATIONS_DROPPED_TOTAL,
        "Generation records that were not kept: too large, or the server did not answer"
    );
    ::metrics::describe_counter!(GATE_RETRIES_TOTAL, "Calls of the shared gate that got no answer and were repeated");
    ::metrics::describe_counter!(GATE_STATE_LOST_TOTAL, "The shared gate was found to have lost writes, by sign (run, tick)");
    ::metrics::describe_counter!(GATE_LEARNINGS_TOTAL, "Epochs in which the gate learns what is in flight");
    ::metrics::describe_counter!(GATE_LEARNING_FAILURES_TOTAL, "Looks and rebuilds of the coordinator that failed and are begun anew");
    ::metrics::describe_counter!(REAPER_EXPIRED_TOTAL, "Holds the reaper ended because their owner did not renew them");
    ::metrics::describe_counter!(REAPER_GRANTS_EXPIRED_TOTAL, "Grants whose time was up");
    ::metrics::describe_counter!(REAPER_FAILURES_TOTAL, "Rounds of the reaper that failed and are tried again");
    ::metrics::describe_counter!(LEDGER_ENTRIES_TOTAL, "Log entries applied, by outcome (recorded, duplicate, conflict, quarantined)");
    ::metrics::describe_gauge!(LEDGER_POSITION, "The log position the books stand at");
    ::metrics::describe_gauge!(LEDGER_LAG_ENTRIES, "Log entries the books are behind");
    ::metrics::describe_histogram!(LEDGER_BATCH_SECONDS, "One batch from its read to its commit");
    ::metrics::describe_histogram!(
        LEDGER_LAG_SECONDS,
        "From an event to its place in the books, the balance gate told; of what this worker booked"
    );
    ::metrics::describe_counter!(LEDGER_RETRIES_TOTAL, "Attempts of the worker that failed and are repeated, by step (apply, heads, post)");
    ::metrics::describe_gauge!(LEDGER_MISSING_EVENTS, "Events that have been missing from their producers' sequences for most of a minute");
    ::metrics::describe_gauge!(LEDGER_ACTIVE, "1 while this worker books, 0 while it stands back for another one");
    ::metrics::describe_gauge!(LEDGER_HALTED, "1 once a broken invariant halted the worker");
}

/// A batch is in the books, and whoever waits for it was told.
pub(crate) fn record_lag(batch: &[Prepared], now: Timestamp) {
    let lag = metrics::histogram!(LEDGER_LAG_SECONDS);
    for event in batch.iter().filter_map(|prepared| prepared.event.as_ref().ok()) {
        // Another machine's clock may be ahead of this one's.
        lag.record((now.micros() - event.header.time.micros()).max(0) as f64 / 1e6);
    }
}

pub(crate) fn record_batch(outcome: &BatchOutcome, took: Duration) {
    for (label, count) in [
        ("recorded", outcome.applied),
        ("duplicate", outcome.duplicates - outcome.conflicts),
        ("conflict", outcome.conflicts),
        ("quarantined", outcome.quarantined),
    ] {
        metrics::counter!(LEDGER_ENTRIES_TOTAL, "outcome" => label).increment(count);
    }
    metrics::histogram!(LEDGER_BATCH_SECONDS).record(took.as_secs_f64());
}
