//! JSON Schema of every event type, generated from the types that read and write them.

use schemars::{Schema, schema_for};

use crate::event;

/// `(file name, schema)` for each event type's `data`, version in the name.
pub fn event_schemas() -> Vec<(&'static str, Schema)> {
    vec![
        ("account.opened.v1", schema_for!(event::AccountOpened)),
        ("balance.credit.v1", schema_for!(event::Credit)),
        ("balance.grant_expired.v1", schema_for!(event::GrantExpired)),
        ("hold.expired.v1", schema_for!(event::HoldExpired)),
        ("price.published.v1", schema_for!(event::PricePublished)),
        ("usage.accepted.v1", schema_for!(event::UsageAccepted)),
        ("usage.released.v1", schema_for!(event::UsageReleased)),
        ("usage.settled.v1", schema_for!(event::UsageSettled)),
    ]
}
