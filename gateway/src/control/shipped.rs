//! The models that come with the program, so that a channel at a well-known provider needs only a key.
//!
//! One file of facts, `shipped_models.json`, which says where they are from and as of when.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::channel::{ChannelSpec, ModelSpec, ProviderKind};

const FILE: &str = include_str!("shipped_models.json");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shipped {
    #[serde(rename = "about")]
    _about: String,
    #[serde(rename = "as_of")]
    _as_of: String,
    providers: BTreeMap<String, Vec<ModelSpec>>,
}

/// The models of a provider; none where the program knows none.
pub fn models_of(provider: ProviderKind) -> Vec<ModelSpec> {
    match serde_json::from_str::<Shipped>(FILE) {
        Ok(mut shipped) => shipped.providers.remove(provider.as_str()).unwrap_or_default(),
        Err(error) => {
            // A test reads the file; a program that was built with a broken one offers nothing from it.
            tracing::error!(error = %error, "the shipped models could not be read");
            Vec::new()
        }
    }
}

impl ChannelSpec {
    /// The same channel; where it names no models, with those that are shipped for its provider.
    #[must_use]
    pub fn with_shipped_models(mut self) -> Self {
        if self.models.is_empty() {
            self.models = models_of(self.provider);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use serde_json::json;

    use super::*;

    fn channel(provider: &str) -> ChannelSpec {
        serde_json::from_value::<ChannelSpec>(json!({ "name": "main", "provider": provider })).unwrap().with_shipped_models()
    }

    #[test]
    fn a_channel_with_nothing_but_its_provider_is_complete() {
        for provider in ["openai", "anthropic", "openrouter"] {
            let channel = channel(provider);
            assert_eq!(channel.check(), Ok(()), "{provider}");
            let complete = |model: &ModelSpec| {
                model.context_length.is_some() && model.max_completion_tokens.is_some() != model.embeds() && model.name.is_some()
            };
            assert!(channel.models.iter().all(complete), "{provider}");
        }
    }

    #[test]
    fn every_provider_in_the_file_is_one_of_ours() {
        let shipped: Shipped = serde_json::from_str(FILE).unwrap();
        assert!(shipped.providers.keys().all(|name| ProviderKind::parse(name).is_some()));
    }

    /// Anthropic's own rule: reading is a tenth, writing five quarters, for an hour twice the price.
    #[test]
    fn cache_prices_of_anthropics_models_follow_its_rule() {
        for model in models_of(ProviderKind::Anthropic) {
            let table = model.price.unwrap().table().unwrap();
            let prompt = table.prompt.picos();
            let found = [table.cache_read, table.cache_write, table.cache_write_1h].map(|price| price.unwrap().picos());
            assert_eq!(found, [prompt / 10, prompt * 5 / 4, prompt * 2], "{}", model.id);
        }
    }

    #[test]
    fn a_provider_without_shipped_models_still_has_to_name_them() {
        assert!(channel("openai-compatible").check().is_err());
    }
}
