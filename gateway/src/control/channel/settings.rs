//! What a channel says of itself that routing goes by: what its provider does with data, where it is, how much it
//! bears and how long it may take.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::optional_duration_text;
use crate::routing::DataCollection;

/// What a provider does with what it is sent. Nothing is promised unless it is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataPolicySpec {
    /// `deny`: it neither stores prompts beyond the answer nor trains on them.
    pub data_collection: DataCollection,
    /// Zero data retention: nothing is kept at all.
    pub zdr: bool,
}

impl DataPolicySpec {
    /// Whether it keeps nothing that could be collected: zero retention is the stricter promise.
    pub fn collects_nothing(self) -> bool {
        self.zdr || self.data_collection == DataCollection::Deny
    }
}

/// What a channel takes at most, over all gateways: each keeps to its share. Absent: without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChannelLimitsSpec {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<u64>,
    /// Requests running at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
}

/// Budgets of one attempt at this channel; absent, the deployment's (`[timeouts]`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttemptTimeoutsSpec {
    /// Until its connection stands.
    #[serde(with = "optional_duration_text", skip_serializing_if = "Option::is_none")]
    pub connect: Option<Duration>,
    /// Until it begins to answer.
    #[serde(with = "optional_duration_text", skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Duration>,
    /// Between two pieces of its answer.
    #[serde(with = "optional_duration_text", skip_serializing_if = "Option::is_none")]
    pub idle: Option<Duration>,
    /// For the attempt as a whole.
    #[serde(with = "optional_duration_text", skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
}

/// The part of a channel that is stored as one JSON value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct ChannelSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub data_policy: DataPolicySpec,
    pub limits: ChannelLimitsSpec,
    pub timeouts: AttemptTimeoutsSpec,
}
