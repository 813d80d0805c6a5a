//! The columns of every table, in the order rows are written; the same in every database.

pub(super) const ENTRY_COLUMNS: &[&str] = &[
    "position",
    "partition",
    "ordinal",
    "event_id",
    "event_type",
    "verdict",
    "rejection",
    "account_id",
    "request_id",
    "key_id",
    "admission_day",
    "amount_nanos",
    "balance_after_nanos",
    "provider_cost_nanos",
    "provisional",
    "occurred_at_micros",
    "event_sha256",
    "head",
];

pub(super) const POSTING_COLUMNS: &[&str] = &["position", "leg", "account_code", "account_id", "partition", "amount_nanos"];

pub(super) const ORDER_COLUMNS: &[&str] =
    &["position", "ordered_nanos", "actor", "input_sha256", "reason", "reference", "request_id", "expires_at_micros", "grant_id"];

pub(super) const QUARANTINE_COLUMNS: &[&str] = &["position", "reason", "payload"];

pub(super) const BALANCE_COLUMNS: &[&str] = &["account_id", "balance_nanos", "credits_nanos", "usage_nanos", "position"];

pub(super) const KEY_SPEND_COLUMNS: &[&str] = &["key_id", "day", "account_id", "spent_nanos", "position"];

pub(super) const LOT_COLUMNS: &[&str] =
    &["grant_id", "account_id", "granted_nanos", "remaining_nanos", "expires_at_micros", "granted_position", "position"];

pub(super) const PARTITION_COLUMNS: &[&str] = &["partition", "ordinal", "head", "latest_day", "position"];

pub(super) const PRODUCER_COLUMNS: &[&str] = &["node_id", "boot_id", "partition", "contiguous", "ahead", "position"];
