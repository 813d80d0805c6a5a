//! What a deployment offers: the file's channels; where nobody configured any, those whose keys lie ready in the
//! environment; without such keys the demo channel.

use gateway::control::Control;
use gateway::control::catalog::Channel;
use gateway::control::channel::{
    AttemptTimeoutsSpec, Availability, ChannelLimitsSpec, ChannelSpec, DataPolicySpec, EMBEDDINGS, HealthCheckSpec, ModelSpec, PriceSpec,
    ProviderKind,
};
use gateway::control::secrets::Secret;
use gateway::control::shipped::models_of;
use gateway::control::store::ManagedBy;
use gateway::providers::demo::catalog::{DemoModel, EMBEDDING, MODELS};
use gateway::routing::DataCollection;

use schemas::price::PriceText;

use crate::config::Config;

/// Variables that hold the key of a well-known provider, and the channel each makes.
const WELL_KNOWN_KEYS: [(&str, ProviderKind); 3] = [
    ("OPENAI_API_KEY", ProviderKind::OpenAi),
    ("ANTHROPIC_API_KEY", ProviderKind::Anthropic),
    ("OPENROUTER_API_KEY", ProviderKind::OpenRouter),
];

/// The channels that the file manages from now on. Without any channel anywhere, those that need only a key that is
/// there, else the built-in demo one.
pub fn offered_channels(config: &Config, control: &Control) -> Vec<ChannelSpec> {
    let configured: Vec<ChannelSpec> = config.channels.iter().map(|(_, spec)| spec.clone()).collect();
    // Further demo channels replace nothing.
    let is_other = |channel: &Channel| channel.managed_by == ManagedBy::Api && channel.provider != ProviderKind::Demo;
    let has_others = control.catalog().channels().iter().any(|channel| is_other(channel));
    if !configured.is_empty() || has_others {
        return configured;
    }
    let known = well_known_channels(|name| std::env::var_os(name).is_some_and(|key| !key.is_empty()));
    if known.is_empty() { vec![demo_channel()] } else { known }
}

/// A channel for every key that is there. OpenRouter serves what the others do not: its priority is lower.
fn well_known_channels(has_key: impl Fn(&str) -> bool) -> Vec<ChannelSpec> {
    let present = WELL_KNOWN_KEYS.iter().filter(|(name, _)| has_key(name));
    present
        .map(|(name, provider)| ChannelSpec {
            name: provider.as_str().to_owned(),
            provider: *provider,
            api_key: Some(Secret::new(format!("env:{name}"))),
            priority: i32::from(*provider == ProviderKind::OpenRouter),
            models: models_of(*provider),
            data_policy: DataPolicySpec::default(),
            ..demo_channel()
        })
        .collect()
}

/// The built-in channel: answers without any account, streamed and billed like any other.
fn demo_channel() -> ChannelSpec {
    ChannelSpec {
        name: "demo".to_owned(),
        provider: ProviderKind::Demo,
        base_url: None,
        api_key: None,
        api_keys: None,
        provider_name: None,
        priority: 0,
        weight: 100,
        health_check: HealthCheckSpec::default(),
        region: None,
        data_policy: DataPolicySpec { data_collection: DataCollection::Deny, zdr: true },
        limits: ChannelLimitsSpec::default(),
        timeouts: AttemptTimeoutsSpec::default(),
        status: Availability::Enabled,
        models: MODELS.iter().map(demo_model).chain([demo_embedding_model()]).collect(),
    }
}

fn demo_model(model: &DemoModel) -> ModelSpec {
    let price = model.price.map_or(PriceSpec::Free, |price| {
        PriceSpec::Table(Box::new(PriceText {
            prompt: Some(price.prompt.to_owned()),
            completion: Some(price.completion.to_owned()),
            cache_read: Some(price.cache_read.to_owned()),
            ..PriceText::default()
        }))
    });
    ModelSpec {
        id: model.id.to_owned(),
        upstream: Some(model.upstream.to_owned()),
        price: Some(price),
        cost: None,
        status: Availability::Enabled,
        name: Some(model.name.to_owned()),
        description: Some(model.description.to_owned()),
        context_length: Some(model.context_length),
        max_completion_tokens: Some(model.max_completion_tokens),
        input_modalities: None,
        output_modalities: None,
        supported_parameters: None,
        quantization: None,
        data_policy: None,
        aliases: Vec::new(),
        tokenizer: None,
        created: None,
        hugging_face_id: None,
    }
}

fn demo_embedding_model() -> ModelSpec {
    let price = PriceText { prompt: Some(EMBEDDING.price.to_owned()), completion: Some("0".to_owned()), ..PriceText::default() };
    ModelSpec {
        id: EMBEDDING.id.to_owned(),
        upstream: Some(EMBEDDING.upstream.to_owned()),
        price: Some(PriceSpec::Table(Box::new(price))),
        name: Some(EMBEDDING.name.to_owned()),
        description: Some(EMBEDDING.description.to_owned()),
        context_length: Some(EMBEDDING.context_length),
        max_completion_tokens: None,
        output_modalities: Some(vec![EMBEDDINGS.to_owned()]),
        supported_parameters: Some(vec!["dimensions".to_owned()]),
        ..demo_model(&MODELS[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_there_makes_its_channel() {
        let channels = well_known_channels(|name| name != "OPENAI_API_KEY");
        let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
        assert_eq!(names, ["anthropic", "openrouter"]);
        assert!(channels.iter().all(|channel| channel.check() == Ok(())));
        assert!(channels[0].priority < channels[1].priority);
        assert!(well_known_channels(|_| false).is_empty());
    }
}
