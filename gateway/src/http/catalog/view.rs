//! What the catalog shows of a model, an endpoint and a provider.

use projector::histogram::Percentiles;
use schemas::price::PriceTier;
use schemas::{PicoUsd, PriceTable};
use serde::Serialize;
use utoipa::ToSchema;

use crate::control::catalog::{Channel, Endpoint, Model};
use crate::control::endpoint_stats::{EndpointStats, Window};
use crate::http::generation::endpoint_id;
use crate::routing::health::HealthStatus;

/// The tokenizer of a model of which nothing else is said.
pub const UNKNOWN_TOKENIZER: &str = "Other";

/// A model in OpenRouter's shape.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelView {
    id: String,
    canonical_slug: String,
    hugging_face_id: Option<String>,
    name: String,
    created: i64,
    object: &'static str,
    owned_by: String,
    description: String,
    context_length: Option<u64>,
    architecture: Architecture,
    pricing: Pricing,
    top_provider: TopProvider,
    #[schema(value_type = Option<String>)]
    per_request_limits: Option<()>,
    supported_parameters: Vec<String>,
    #[schema(value_type = Option<String>)]
    default_parameters: Option<()>,
    #[schema(value_type = Option<String>)]
    supported_voices: Option<()>,
    #[schema(value_type = Option<String>)]
    expiration_date: Option<()>,
    #[schema(value_type = Option<String>)]
    knowledge_cutoff: Option<()>,
    links: ModelLinks,
}

#[derive(Debug, Serialize, ToSchema)]
struct Architecture {
    /// `text+image->text`
    modality: String,
    input_modalities: Vec<String>,
    output_modalities: Vec<String>,
    tokenizer: String,
    instruct_type: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct TopProvider {
    context_length: Option<u64>,
    max_completion_tokens: Option<u64>,
    is_moderated: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct ModelLinks {
    details: String,
}

impl ModelView {
    /// Prices and limits are those of the endpoint that is tried first.
    pub fn of(model: &Model) -> Self {
        let first = model.endpoints.first();
        Self {
            id: model.id.to_string(),
            canonical_slug: model.id.to_string(),
            hugging_face_id: model.hugging_face_id.clone(),
            name: model.name.clone(),
            created: model.created,
            object: "model",
            owned_by: model.author().to_owned(),
            description: model.description.clone(),
            context_length: model.context_length,
            architecture: Architecture::of(model),
            pricing: first.map(|endpoint| Pricing::of(&endpoint.price.table)).unwrap_or_default(),
            top_provider: TopProvider {
                context_length: first.and_then(|endpoint| endpoint.context_length),
                max_completion_tokens: first.and_then(|endpoint| endpoint.max_completion_tokens),
                is_moderated: false,
            },
            per_request_limits: None,
            supported_parameters: model.supported_parameters.clone(),
            default_parameters: None,
            supported_voices: None,
            expiration_date: None,
            knowledge_cutoff: None,
            links: ModelLinks { details: format!("/api/v1/models/{}/endpoints", model.id) },
        }
    }
}

impl Architecture {
    fn of(model: &Model) -> Self {
        Self {
            modality: format!("{}->{}", model.input_modalities.join("+"), model.output_modalities.join("+")),
            input_modalities: model.input_modalities.clone(),
            output_modalities: model.output_modalities.clone(),
            tokenizer: model.tokenizer.clone().unwrap_or_else(|| UNKNOWN_TOKENIZER.to_owned()),
            instruct_type: None,
        }
    }
}

/// Prices as decimal text, dollars for one unit. A kind without a price of its own is left out: it costs what
/// it falls back to. The four that OpenRouter always gives are always here.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Pricing {
    prompt: String,
    completion: String,
    request: String,
    image: String,
    #[serde(flatten)]
    kinds: KindPrices,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    overrides: Vec<PriceOverride>,
    discount: u8,
}

#[derive(Debug, Default, Serialize, ToSchema)]
struct KindPrices {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    internal_reasoning: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_read: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_cache_write_1h: Option<String>,
}

/// Prices of long prompts.
#[derive(Debug, Serialize, ToSchema)]
struct PriceOverride {
    min_prompt_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(flatten)]
    kinds: KindPrices,
}

impl Pricing {
    fn of(table: &PriceTable) -> Self {
        let unit = |price: Option<PicoUsd>| price.map(PicoUsd::per_unit_text);
        Self {
            prompt: table.prompt.per_unit_text(),
            completion: table.completion.per_unit_text(),
            request: table.request.unwrap_or_default().per_unit_text(),
            // There is no fee per image: images are priced by their tokens.
            image: PicoUsd::ZERO.per_unit_text(),
            kinds: KindPrices {
                image_token: unit(table.image),
                audio: unit(table.audio),
                internal_reasoning: unit(table.reasoning),
                input_cache_read: unit(table.cache_read),
                input_cache_write: unit(table.cache_write),
                input_cache_write_1h: unit(table.cache_write_1h),
            },
            overrides: table.tiers.iter().map(PriceOverride::of).collect(),
            discount: 0,
        }
    }
}

impl PriceOverride {
    fn of(tier: &PriceTier) -> Self {
        let unit = |price: Option<PicoUsd>| price.map(PicoUsd::per_unit_text);
        Self {
            min_prompt_tokens: tier.above_prompt_tokens,
            prompt: unit(tier.prompt),
            completion: unit(tier.completion),
            request: unit(tier.request),
            kinds: KindPrices {
                image_token: unit(tier.image),
                audio: unit(tier.audio),
                internal_reasoning: unit(tier.reasoning),
                input_cache_read: unit(tier.cache_read),
                input_cache_write: unit(tier.cache_write),
                input_cache_write_1h: unit(tier.cache_write_1h),
            },
        }
    }
}

/// How [`Percentiles`] look in the specification.
#[expect(dead_code, reason = "the shape of a type of another crate")]
#[derive(ToSchema)]
#[schema(as = Percentiles)]
pub struct PercentilesView {
    p50: f64,
    p75: f64,
    p90: f64,
    p99: f64,
}

/// A model with every endpoint that serves it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelEndpointsView {
    id: String,
    name: String,
    created: i64,
    description: String,
    architecture: Architecture,
    endpoints: Vec<EndpointView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EndpointView {
    id: String,
    name: String,
    model_id: String,
    model_name: String,
    context_length: Option<u64>,
    pricing: Pricing,
    provider_name: String,
    tag: String,
    quantization: String,
    max_completion_tokens: Option<u64>,
    max_prompt_tokens: Option<u64>,
    supported_parameters: Vec<String>,
    supports_tool_choice: ToolChoiceSupport,
    /// 0: in use; -1: it fails now and then; -2: it is asked only when nothing else is left.
    status: i8,
    uptime_last_5m: Option<f64>,
    uptime_last_30m: Option<f64>,
    uptime_last_1d: Option<f64>,
    /// Milliseconds.
    #[schema(value_type = Option<PercentilesView>)]
    latency_last_30m: Option<Percentiles>,
    /// Tokens per second.
    #[schema(value_type = Option<PercentilesView>)]
    throughput_last_30m: Option<Percentiles>,
    supports_implicit_caching: bool,
    #[schema(value_type = Vec<String>)]
    native_tools: [&'static str; 0],
}

impl ModelEndpointsView {
    pub fn of(model: &Model, stats: &EndpointStats, knows_speeds: bool) -> Self {
        Self {
            id: model.id.to_string(),
            name: model.name.clone(),
            created: model.created,
            description: model.description.clone(),
            architecture: Architecture::of(model),
            endpoints: model.endpoints.iter().map(|endpoint| EndpointView::of(model, endpoint, stats, knows_speeds)).collect(),
        }
    }
}

/// Which values of `tool_choice` an endpoint takes: all of them or none, as its parameters say.
#[derive(Debug, Serialize, ToSchema)]
struct ToolChoiceSupport {
    auto: bool,
    none: bool,
    required: bool,
    /// A tool by its name.
    function: bool,
}

impl ToolChoiceSupport {
    fn of(parameters: &[String]) -> Self {
        let all = parameters.iter().any(|parameter| parameter == "tool_choice");
        Self { auto: all, none: all, required: all, function: all }
    }
}

impl EndpointView {
    pub fn of(model: &Model, endpoint: &Endpoint, stats: &EndpointStats, knows_speeds: bool) -> Self {
        let channel = &endpoint.channel;
        let uptime = |window| stats.uptime_percent(window, &channel.name, &model.id);
        Self {
            id: endpoint_id(&channel.name, &model.id),
            name: format!("{} | {}", channel.provider_name, model.id),
            model_id: model.id.to_string(),
            model_name: model.name.clone(),
            context_length: endpoint.context_length,
            pricing: Pricing::of(&endpoint.price.table),
            provider_name: channel.provider_name.to_string(),
            tag: channel.provider_slug.to_string(),
            quantization: endpoint.quantization.clone().unwrap_or_else(|| "unknown".to_owned()),
            max_completion_tokens: endpoint.max_completion_tokens,
            max_prompt_tokens: None,
            supports_tool_choice: ToolChoiceSupport::of(&endpoint.supported_parameters),
            supported_parameters: endpoint.supported_parameters.clone(),
            status: match endpoint.state.status() {
                HealthStatus::Healthy => 0,
                HealthStatus::Degraded => -1,
                HealthStatus::Unhealthy => -2,
            },
            uptime_last_5m: uptime(Window::FiveMinutes),
            uptime_last_30m: uptime(Window::ThirtyMinutes),
            uptime_last_1d: uptime(Window::Day),
            latency_last_30m: stats.latency_ms(&channel.name, &model.id).filter(|_| knows_speeds),
            throughput_last_30m: stats.throughput_tokens_per_second(&channel.name, &model.id).filter(|_| knows_speeds),
            supports_implicit_caching: endpoint.price.table.cache_read.is_some(),
            native_tools: [],
        }
    }
}

/// Who is behind channels.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderView {
    pub name: String,
    pub slug: String,
    privacy_policy_url: Option<&'static str>,
    terms_of_service_url: Option<&'static str>,
    status_page_url: Option<&'static str>,
    headquarters: Option<&'static str>,
    datacenters: Option<Vec<&'static str>>,
}

impl ProviderView {
    pub fn of(channel: &Channel) -> Self {
        // A compatible service or a channel with a name of its own is not OpenAI, whatever it speaks.
        let is_openai = &*channel.provider_name == "OpenAI";
        let known = |fact: &'static str| is_openai.then_some(fact);
        Self {
            name: channel.provider_name.to_string(),
            slug: channel.provider_slug.to_string(),
            privacy_policy_url: known("https://openai.com/policies/privacy-policy/"),
            terms_of_service_url: known("https://openai.com/policies/row-terms-of-use/"),
            status_page_url: known("https://status.openai.com/"),
            headquarters: known("US"),
            datacenters: is_openai.then(|| vec!["US"]),
        }
    }
}
