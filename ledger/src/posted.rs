//! What the ledger tells the gate after it booked a batch.

use schemas::{AccountId, Day, KeyId, NanoUsd, RequestId};

/// One account as the ledger has it. **Absolute values, never differences**: the gate sets them.
///
/// Lost, repeated and reordered messages are therefore harmless as long as the last one arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    pub account_id: AccountId,
    /// The account's balance at `position`.
    pub posted: NanoUsd,
    /// The log position up to which `posted` is complete.
    pub position: u64,
    /// Requests of the batch's terminal events whose terminal **in effect** is settled or released, also
    /// where the batch's own event was a duplicate or came too late: what they cost is in `posted` already,
    /// and the gate forgets exactly these. Not the expired ones: the reaper ends them at the gate itself,
    /// and a late settle of theirs must still count until it is booked.
    pub requests: Vec<RequestId>,
    /// Totals of the key and UTC admission day, for every pair the batch touched.
    pub key_spend: Vec<(KeyId, Day, NanoUsd)>,
}
