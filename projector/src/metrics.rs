//! Every metric of the projector. Labels are bounded: outcomes are the words of [`record`].

use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::store::ProjectOutcome;

const POSITION: &str = "tollgate_projector_position";
const EVENTS: &str = "tollgate_projector_events_total";
const RETRIES: &str = "tollgate_projector_retries_total";
const REFRESH_SECONDS: &str = "tollgate_projector_refresh_seconds";
const DIRTY: &str = "tollgate_projector_dirty_buckets";

/// Tells the recorder what each name means. Called once at start.
pub fn describe() {
    describe_gauge!(POSITION, "The log position that analytics have reached");
    describe_counter!(EVENTS, "Log entries projected, by outcome");
    describe_counter!(RETRIES, "Calls that the analytics store refused and that are tried again");
    describe_histogram!(REFRESH_SECONDS, "Seconds a refresh of stale buckets took");
    describe_gauge!(DIRTY, "Buckets that wait to be computed anew");
}

/// A projected batch.
pub fn record(outcome: &ProjectOutcome) {
    gauge!(POSITION).set(outcome.position as f64);
    for (word, count) in [
        ("inserted", outcome.inserted),
        ("superseded", outcome.superseded),
        ("ignored", outcome.ignored),
        ("other", outcome.other),
        ("quarantined", outcome.quarantined),
        ("skipped", outcome.skipped),
    ] {
        counter!(EVENTS, "outcome" => word).increment(count);
    }
}

/// A batch that the database refused.
pub fn record_retry() {
    counter!(RETRIES).increment(1);
}

/// A refresh, and what it left stale.
pub fn record_refresh(took: Duration, dirty: u64) {
    histogram!(REFRESH_SECONDS).record(took.as_secs_f64());
    gauge!(DIRTY).set(dirty as f64);
}
