//! The names of everything this crate measures. Label `instance` is `spool` or `log`.

use ::metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Counter: records appended, by `instance`.
pub const RECORDS: &str = "tollgate_eventlog_records_total";
/// Counter: bytes appended, by `instance`.
pub const BYTES: &str = "tollgate_eventlog_bytes_total";
/// Histogram: seconds one group commit took, by `instance`.
pub const SYNC_SECONDS: &str = "tollgate_eventlog_sync_seconds";
/// Histogram: records one group commit made durable, by `instance`.
pub const SYNC_GROUP_RECORDS: &str = "tollgate_eventlog_sync_group_records";
/// Counter: appends that waited for the next segment file, by `instance`.
pub const ROTATION_WAITS: &str = "tollgate_eventlog_rotation_waits_total";
/// Counter: appends refused because the space is used up, by `instance`.
pub const FULL: &str = "tollgate_eventlog_full_total";
/// Gauge: 1 while the disk has never failed, 0 for ever after, by `instance`.
pub const HEALTHY: &str = "tollgate_eventlog_healthy";
/// Gauge: bytes the spool holds.
pub const SPOOL_BYTES: &str = "tollgate_spool_bytes";
/// Gauge: terminal events in the spool that the ledger has not applied.
pub const SPOOL_UNAPPLIED: &str = "tollgate_spool_unapplied_events";
/// Counter: terminal events that the event log did not acknowledge in time and that finished on disk instead.
pub const LOG_ACK_TIMEOUTS: &str = "tollgate_spool_log_ack_timeouts_total";
/// Counter: events the event log acknowledged to the shipper.
pub const SHIPPED: &str = "tollgate_shipper_events_total";
/// Counter: batches the event log did not take, or whose outcome is unknown.
pub const SHIP_FAILURES: &str = "tollgate_shipper_failures_total";
/// Counter: events that the log had acknowledged and the books passed without seeing them, sent again.
pub const RESENT: &str = "tollgate_shipper_resent_events_total";
/// Counter: events that JetStream acknowledged, those it had before included.
pub const JETSTREAM_ACKS: &str = "tollgate_jetstream_acks_total";
/// Counter: events that JetStream already had when they were appended.
pub const JETSTREAM_DUPLICATES: &str = "tollgate_jetstream_duplicates_total";
/// Counter: appends whose outcome is unknown; they are repeated.
pub const JETSTREAM_UNKNOWN_OUTCOMES: &str = "tollgate_jetstream_unknown_outcomes_total";
/// Counter: connections to the NATS servers after the first.
pub const JETSTREAM_RECONNECTS: &str = "tollgate_jetstream_reconnects_total";

/// Tells the recorder what each name means. Called once at start.
pub fn describe() {
    ::metrics::describe_counter!(RECORDS, "Records appended, by instance");
    ::metrics::describe_counter!(BYTES, "Bytes appended, by instance");
    ::metrics::describe_histogram!(SYNC_SECONDS, "Seconds one group commit took, by instance");
    ::metrics::describe_histogram!(SYNC_GROUP_RECORDS, "Records one group commit made durable, by instance");
    ::metrics::describe_counter!(ROTATION_WAITS, "Appends that waited for the next segment file, by instance");
    ::metrics::describe_counter!(FULL, "Appends refused because the space is used up, by instance");
    ::metrics::describe_gauge!(HEALTHY, "1 while the disk has never failed, 0 for ever after, by instance");
    ::metrics::describe_gauge!(SPOOL_BYTES, "Bytes the spool holds");
    ::metrics::describe_gauge!(SPOOL_UNAPPLIED, "Terminal events in the spool that the ledger has not applied");
    ::metrics::describe_counter!(
        LOG_ACK_TIMEOUTS,
        "Terminal events that the event log did not acknowledge in time and that finished on disk instead"
    );
    ::metrics::describe_counter!(SHIPPED, "Events the event log acknowledged to the shipper");
    ::metrics::describe_counter!(SHIP_FAILURES, "Batches the event log did not take, or whose outcome is unknown");
    ::metrics::describe_counter!(RESENT, "Events that the log had acknowledged and the books passed without seeing them, sent again");
    ::metrics::describe_counter!(JETSTREAM_ACKS, "Events that JetStream acknowledged, those it had before included");
    ::metrics::describe_counter!(JETSTREAM_DUPLICATES, "Events that JetStream already had when they were appended");
    ::metrics::describe_counter!(JETSTREAM_UNKNOWN_OUTCOMES, "Appends whose outcome is unknown; they are repeated");
    ::metrics::describe_counter!(JETSTREAM_RECONNECTS, "Connections to the NATS servers after the first");
}

/// The handles of a JetStream log. It has the `instance` of the embedded log: a process has one or the other.
pub(crate) struct JetStreamMetrics {
    pub acks: Counter,
    pub duplicates: Counter,
    pub unknown: Counter,
    pub reconnects: Counter,
    pub full: Counter,
    pub healthy: Gauge,
}

impl JetStreamMetrics {
    pub(crate) fn new() -> Self {
        let healthy = gauge!(HEALTHY, "instance" => "log");
        healthy.set(1.0);
        Self {
            acks: counter!(JETSTREAM_ACKS),
            duplicates: counter!(JETSTREAM_DUPLICATES),
            unknown: counter!(JETSTREAM_UNKNOWN_OUTCOMES),
            reconnects: counter!(JETSTREAM_RECONNECTS),
            full: counter!(FULL, "instance" => "log"),
            healthy,
        }
    }
}

/// The handles of one journal, looked up once so that an append pays for an atomic addition only.
pub(crate) struct JournalMetrics {
    pub records: Counter,
    pub bytes: Counter,
    pub sync_seconds: Histogram,
    pub sync_group_records: Histogram,
    pub rotation_waits: Counter,
    pub full: Counter,
    pub healthy: Gauge,
}

impl JournalMetrics {
    pub(crate) fn new(instance: &'static str) -> Self {
        let healthy = gauge!(HEALTHY, "instance" => instance);
        healthy.set(1.0);
        Self {
            records: counter!(RECORDS, "instance" => instance),
            bytes: counter!(BYTES, "instance" => instance),
            sync_seconds: histogram!(SYNC_SECONDS, "instance" => instance),
            sync_group_records: histogram!(SYNC_GROUP_RECORDS, "instance" => instance),
            rotation_waits: counter!(ROTATION_WAITS, "instance" => instance),
            full: counter!(FULL, "instance" => instance),
            healthy,
        }
    }
}
