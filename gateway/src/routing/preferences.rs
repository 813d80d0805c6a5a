//! What people prefer once and for all: the strategy, the model and the privacy of their requests.
//!
//! Set for a key, for whoever created it, or for an account. A strategy and a default model come from the nearest
//! level that names one; **privacy only ever tightens**: what any level forbids is forbidden. A request may
//! choose another strategy and tighten further (its `provider` object).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How an endpoint is chosen among those a request may go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoutingStrategy {
    /// By weight; where all weights are the same, cheaper ones more often.
    #[default]
    WeightedRandom,
    /// The one that begins to answer first.
    LowestLatency,
    /// The one where this request costs least.
    LowestCost,
}

impl RoutingStrategy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WeightedRandom => "weighted_random",
            Self::LowestLatency => "lowest_latency",
            Self::LowestCost => "lowest_cost",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::WeightedRandom, Self::LowestLatency, Self::LowestCost].into_iter().find(|strategy| strategy.as_str() == text)
    }
}

/// Whether a provider may keep what it is sent. Said of endpoints by operators, wanted of them by requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataCollection {
    /// It may store prompts for longer than it answers, or train on them.
    #[default]
    Allow,
    Deny,
}

impl DataCollection {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Allow, Self::Deny].into_iter().find(|policy| policy.as_str() == text)
    }
}

/// What one level prefers; absent is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoutingPreferences {
    /// Answers requests that name no model.
    pub default_model: Option<String>,
    pub routing_strategy: Option<RoutingStrategy>,
    pub data_collection: Option<DataCollection>,
    /// Only endpoints with zero data retention.
    pub zdr: Option<bool>,
}

/// Where a preference was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PreferenceLevel {
    Request,
    Key,
    /// Whoever created the key.
    Creator,
    Account,
    /// The deployment's operator, or nobody.
    Default,
}

impl PreferenceLevel {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Key => "key",
            Self::Creator => "creator",
            Self::Account => "account",
            Self::Default => "default",
        }
    }
}

/// The preferences of all levels put together, each with the level that set it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EffectivePreferences {
    pub default_model: Option<Arc<str>>,
    pub routing_strategy: Option<(RoutingStrategy, PreferenceLevel)>,
    /// Set where data collection is denied.
    pub data_collection_denied: Option<PreferenceLevel>,
    /// Set where only zero data retention will do.
    pub zdr: Option<PreferenceLevel>,
}

impl EffectivePreferences {
    /// Puts together what a key, its creator and its account prefer.
    pub fn of(key: Option<&RoutingPreferences>, creator: Option<&RoutingPreferences>, account: Option<&RoutingPreferences>) -> Self {
        let levels = [(PreferenceLevel::Key, key), (PreferenceLevel::Creator, creator), (PreferenceLevel::Account, account)];
        let mut effective = Self::default();
        for (level, preferences) in levels.into_iter().filter_map(|(level, preferences)| Some((level, preferences?))) {
            if effective.default_model.is_none() {
                effective.default_model = preferences.default_model.as_deref().map(Arc::from);
            }
            let strategy = preferences.routing_strategy.map(|strategy| (strategy, level));
            effective.routing_strategy = effective.routing_strategy.or(strategy);
            let denied = preferences.data_collection == Some(DataCollection::Deny);
            effective.data_collection_denied = effective.data_collection_denied.or(denied.then_some(level));
            effective.zdr = effective.zdr.or((preferences.zdr == Some(true)).then_some(level));
        }
        effective
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_level_chooses_and_privacy_only_tightens() {
        let key = RoutingPreferences { zdr: Some(false), ..RoutingPreferences::default() };
        let creator = RoutingPreferences { routing_strategy: Some(RoutingStrategy::LowestCost), ..RoutingPreferences::default() };
        let account = RoutingPreferences {
            default_model: Some("a/b".to_owned()),
            routing_strategy: Some(RoutingStrategy::LowestLatency),
            data_collection: Some(DataCollection::Deny),
            zdr: Some(true),
        };
        let effective = EffectivePreferences::of(Some(&key), Some(&creator), Some(&account));
        assert_eq!(effective.routing_strategy, Some((RoutingStrategy::LowestCost, PreferenceLevel::Creator)));
        assert_eq!(effective.default_model.as_deref(), Some("a/b"));
        assert_eq!((effective.data_collection_denied, effective.zdr), (Some(PreferenceLevel::Account), Some(PreferenceLevel::Account)));
        assert_eq!(EffectivePreferences::of(None, None, None), EffectivePreferences::default());
    }
}
