//! What the providers' answers cost, by day, channel and model: what a provider should have invoiced.

use std::collections::BTreeMap;

use schemas::{Day, NanoUsd};

/// What one model of one channel cost on a UTC day of admission. Their sum is what the ledger booked to `provider_cost`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderCost {
    pub day: Day,
    /// Empty with provider and model where nobody knows who was asked: the hold of a gateway that died expired.
    pub channel: String,
    /// Empty where all that is known of the day is an attempt that another one was faster than.
    pub provider: String,
    pub model: String,
    /// Requests that were answered, or may have been.
    pub requests: u64,
    /// Of them, those whose cost does not come from the provider's own count of tokens.
    pub estimated_requests: u64,
    /// Those whose cost nobody knows; it is not in `cost`.
    pub unknown_requests: u64,
    pub tokens: ProviderTokens,
    pub cost: NanoUsd,
    /// What of it is estimated.
    pub estimated_cost: NanoUsd,
}

/// Tokens by kind, none of them in another one; as providers count them, or as they were estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProviderTokens {
    pub uncached_input: u64,
    pub cache_read: u64,
    pub cache_write_5m: u64,
    pub cache_write_1h: u64,
    pub image_input: u64,
    pub audio_input: u64,
    pub text_output: u64,
    pub reasoning: u64,
    pub image_output: u64,
    pub audio_output: u64,
}

/// Attempts that others were faster than: their cost stands in the row of who served, and is another channel's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outrun {
    pub day: Day,
    pub served_by: (String, String),
    /// The cost of who served is an estimate, too.
    pub is_estimated: bool,
    /// Whose it is.
    pub channel: String,
    pub model: String,
    pub attempts: u64,
    pub cost: NanoUsd,
}

/// Gives every channel its own. **What is taken from one is given to another**: the sum stays.
pub(crate) fn apportioned(rows: Vec<ProviderCost>, outrun: Vec<Outrun>) -> Vec<ProviderCost> {
    let keyed = rows.into_iter().map(|row| ((row.day, row.channel.clone(), row.model.clone()), row));
    let mut rows: BTreeMap<(Day, String, String), ProviderCost> = keyed.collect();
    for Outrun { day, served_by: (served_channel, served_model), is_estimated, channel, model, attempts, cost } in outrun {
        let Some(served) = rows.get_mut(&(day, served_channel, served_model)) else { continue };
        served.cost = served.cost.saturating_sub(cost);
        if is_estimated {
            served.estimated_cost = served.estimated_cost.saturating_sub(cost);
        }
        let own = rows.entry((day, channel.clone(), model.clone())).or_insert_with(|| ProviderCost {
            day,
            channel,
            provider: String::new(),
            model,
            requests: 0,
            estimated_requests: 0,
            unknown_requests: 0,
            tokens: ProviderTokens::default(),
            cost: NanoUsd::ZERO,
            estimated_cost: NanoUsd::ZERO,
        });
        own.requests += attempts;
        own.estimated_requests += attempts;
        own.cost = own.cost.saturating_add(cost);
        own.estimated_cost = own.estimated_cost.saturating_add(cost);
    }
    rows.into_values().collect()
}
