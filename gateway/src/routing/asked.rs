//! What one request asks of an endpoint, put together from its members and the preferences of its key.

use schemas::Timestamp;

use super::parameters::ParameterSet;
use super::preferences::{EffectivePreferences, PreferenceLevel, RoutingStrategy};
use super::provider_object::ProviderObject;
use crate::http::chat::ChatRequest;
use crate::http::error::ApiError;
use crate::metering::PromptTokens;

/// What is expected of an answer whose client named no cap.
const OUTPUT_TOKENS_EXPECTED: u64 = 512;

/// See the module.
#[derive(Debug)]
pub struct Asked {
    pub object: ProviderObject,
    pub strategy: RoutingStrategy,
    pub strategy_level: PreferenceLevel,
    /// Who wants no data collected.
    pub denies_data_collection: Option<PreferenceLevel>,
    pub zdr: Option<PreferenceLevel>,
    pub parameters: ParameterSet,
    /// Of them those that change what an answer is, not how it sounds.
    pub telling_parameters: ParameterSet,
    /// Embeddings, not an answer.
    pub embeds: bool,
    pub has_images: bool,
    pub has_audio: bool,
    pub stream: bool,
    /// About what it is, and what it is at least.
    pub prompt_tokens: u64,
    pub prompt_tokens_least: u64,
    pub output_tokens_cap: Option<u64>,
    pub output_tokens: u64,
    pub now: Timestamp,
}

/// The size of a prompt.
#[derive(Debug, Clone, Copy)]
pub struct PromptSize {
    /// Upper bound.
    pub tokens_max: PromptTokens,
    pub expected: u64,
    /// What it is at least; of many texts the longest one.
    pub tokens_least: u64,
}

impl Asked {
    pub fn of(request: &ChatRequest<'_>, preferences: &EffectivePreferences, prompt: PromptSize, now: Timestamp) -> Result<Self, ApiError> {
        let object = ProviderObject::read(request.provider)?;
        object.max_price.check_media(prompt.tokens_max.image > 0, prompt.tokens_max.audio > 0)?;
        let of_request = object.routing_strategy.map(|strategy| (strategy, PreferenceLevel::Request));
        let chosen = of_request.or(preferences.routing_strategy).unwrap_or((RoutingStrategy::default(), PreferenceLevel::Default));
        let by_request = |is_set: bool| is_set.then_some(PreferenceLevel::Request);
        let sent = request.members.iter().filter(|(_, value)| value.get() != "null");
        let parameters = sent.fold(ParameterSet::default(), |set, (name, _)| set.and(ParameterSet::of(name)));
        Ok(Self {
            strategy: chosen.0,
            strategy_level: chosen.1,
            denies_data_collection: by_request(object.denies_data_collection).or(preferences.data_collection_denied),
            zdr: by_request(object.zdr).or(preferences.zdr),
            object,
            parameters,
            telling_parameters: parameters.in_common(ParameterSet::TELLING),
            embeds: request.embeddings.is_some(),
            has_images: prompt.tokens_max.image > 0,
            has_audio: prompt.tokens_max.audio > 0,
            stream: request.stream,
            prompt_tokens: prompt.expected,
            prompt_tokens_least: prompt.tokens_least,
            output_tokens_cap: request.output_tokens_cap,
            output_tokens: request.output_tokens_cap.unwrap_or(OUTPUT_TOKENS_EXPECTED).saturating_mul(request.choices),
            now,
        })
    }
}
