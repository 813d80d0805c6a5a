//! What is offered: models, and the channels and endpoints behind them. Built anew from what is stored, with what is known of how
//! each does taken over. Start at [`Offer::build`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use schemas::{ChannelId, PriceTable, PriceVersion, Timestamp};

use crate::control::channel::{
    AttemptTimeoutsSpec, ChannelLimitsSpec, DataPolicySpec, EMBEDDINGS, HealthCheckSpec, ModelSpec, ProviderKind,
};
use crate::control::secrets::{SecretError, SecretKey};
use crate::control::store::{ManagedBy, StoredChannel, StoredModel};
use crate::providers::Quirks;
use crate::routing::ParameterSet;
use crate::routing::health::{ChannelKey, ChannelState, EndpointState};

/// What OpenAI's dialect understands, and the translation to Anthropic's as well; assumed of a model that does not say what it
/// supports.
const EVERYWHERE: [&str; 13] = [
    "include_reasoning",
    "max_completion_tokens",
    "max_tokens",
    "parallel_tool_calls",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "stop",
    "structured_outputs",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
];
/// Likewise, in OpenAI's dialect only.
const OPENAI: [&str; 8] =
    ["frequency_penalty", "logit_bias", "logprobs", "prediction", "presence_penalty", "seed", "top_logprobs", "verbosity"];
/// Understood by most others, not by OpenAI.
const OTHERS: [&str; 1] = ["top_k"];

fn parameters_by_default(provider: ProviderKind) -> Vec<String> {
    let more: &[&[&str]] = match provider {
        ProviderKind::OpenAi => &[&OPENAI],
        ProviderKind::Anthropic => &[&OTHERS],
        ProviderKind::OpenAiCompatible | ProviderKind::OpenRouter | ProviderKind::Demo => &[&OPENAI, &OTHERS],
    };
    let mut names: Vec<String> = EVERYWHERE.iter().chain(more.iter().copied().flatten()).map(|name| (*name).to_owned()).collect();
    names.sort_unstable();
    names
}

/// Models and the endpoints behind them. Disabled channels and models are not in it.
#[derive(Debug, Default)]
pub(super) struct Offer {
    pub(super) models: HashMap<Arc<str>, Arc<Model>>,
    /// Newest first.
    pub(super) listed: Vec<Arc<Model>>,
    pub(super) channels: Vec<Arc<Channel>>,
    /// Other ids of models.
    pub(super) aliases: HashMap<Box<str>, Arc<str>>,
    pub(super) disabled: Vec<DisabledEndpoint>,
}

/// An endpoint that takes no requests, for those who ask why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisabledEndpoint {
    pub channel: Box<str>,
    pub model: Box<str>,
    /// Else the model on it.
    pub is_channel_disabled: bool,
    /// No request could ever cost anything there.
    pub is_free: bool,
}

/// One upstream account, ready for use. Laid out as [`Endpoint`] is.
#[derive(Debug)]
#[repr(C)]
pub struct Channel {
    /// How it does.
    pub state: Arc<ChannelState>,
    /// Empty where none is needed.
    pub keys: Vec<ChannelKey>,
    /// Lower first.
    pub priority: i32,
    pub weight: u32,
    pub limits: ChannelLimitsSpec,
    /// The same as `provider_name` in lower case without blanks: `openai`.
    pub provider_slug: Arc<str>,
    /// What answers say: `OpenAI`.
    pub provider_name: Arc<str>,
    pub name: Arc<str>,
    pub id: ChannelId,
    pub provider: ProviderKind,
    /// Without a slash at its end; absent for the demo provider.
    pub base_url: Option<Arc<str>>,
    pub region: Option<Arc<str>>,
    pub data_policy: DataPolicySpec,
    pub timeouts: AttemptTimeoutsSpec,
    pub health_check: HealthCheckSpec,
    pub managed_by: ManagedBy,
    pub updated_at: Timestamp,
    /// How its API differs from OpenAI's.
    pub quirks: Quirks,
}

/// One model on one channel: what a request is sent to. What routing reads of every endpoint comes first and stays together:
/// a decision over a thousand of them waits for memory, not for arithmetic.
#[derive(Debug)]
#[repr(C)]
pub struct Endpoint {
    pub channel: Arc<Channel>,
    /// How it does.
    pub state: Arc<EndpointState>,
    /// Its part in a draw among endpoints of its priority: its weight, or 1/price² where all weights are the same.
    pub draw_weight: f64,
    pub parameters: ParameterSet,
    /// Sent by clients and not understood here: left out of what is sent on.
    pub dropped_parameters: ParameterSet,
    pub context_length: Option<u64>,
    pub max_completion_tokens: Option<u64>,
    /// No request can ever cost anything here.
    pub is_free: bool,
    /// Reading a prompt from its cache is cheaper than reading it.
    pub is_cache_cheaper: bool,
    pub takes_images: bool,
    pub takes_audio: bool,
    /// Its model is asked for embeddings and for nothing else.
    pub embeds: bool,
    pub data_policy: DataPolicySpec,
    pub quantization: Option<String>,
    pub price: PriceVersion,
    /// What the provider charges us.
    pub cost: Arc<PriceTable>,
    /// Public id of the model.
    pub model: Arc<str>,
    /// Name sent upstream.
    pub upstream: Arc<str>,
    pub supported_parameters: Vec<String>,
}

impl Endpoint {
    /// Whether its model may think without a word of it in its stream, so that what it used is known when it has ended.
    pub fn thinks_unseen(&self) -> bool {
        self.channel.quirks.thinks_unseen && !self.parameters.in_common(ParameterSet::THINKING).is_empty()
    }
}

/// A public model and everything that serves it.
#[derive(Debug)]
pub struct Model {
    pub id: Arc<str>,
    pub name: String,
    pub description: String,
    /// Unix seconds of its release, or of when it was first offered here.
    pub created: i64,
    /// The longest of its endpoints.
    pub context_length: Option<u64>,
    pub input_modalities: Vec<String>,
    pub output_modalities: Vec<String>,
    /// What at least one endpoint supports, sorted.
    pub supported_parameters: Vec<String>,
    pub tokenizer: Option<String>,
    pub hugging_face_id: Option<String>,
    /// By priority, then by channel name. Never empty.
    pub endpoints: Vec<Arc<Endpoint>>,
}

impl Model {
    /// Named as a free variant (`author/slug:free`), or free at every endpoint.
    pub fn is_free(&self) -> bool {
        self.id.ends_with(":free") || self.endpoints.iter().all(|endpoint| endpoint.is_free)
    }

    /// Asked for embeddings, and for nothing else.
    pub fn embeds(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.embeds)
    }

    pub fn author(&self) -> &str {
        self.id.split_once('/').map_or("", |(author, _)| author)
    }
}

/// The states of endpoints, with the address they were learned at.
type KnownEndpoints<'a> = HashMap<(ChannelId, &'a str), (&'a Option<Arc<str>>, &'a Arc<EndpointState>)>;

/// What one channel says of a model it offers.
type Offered<'a> = (&'a ModelSpec, &'a StoredModel, Arc<Channel>);

impl Offer {
    /// `before` is what was offered until now: what is known of how channels do stays with them.
    pub(super) fn build(stored: &[StoredChannel], secret_key: &SecretKey, before: &Self) -> Result<Self, SecretError> {
        let known_channels: HashMap<ChannelId, &Arc<Channel>> = before.channels.iter().map(|channel| (channel.id, channel)).collect();
        let known_endpoints: KnownEndpoints<'_> = before
            .listed
            .iter()
            .flat_map(|model| &model.endpoints)
            .map(|endpoint| ((endpoint.channel.id, &*endpoint.model), (&endpoint.channel.base_url, &endpoint.state)))
            .collect();
        let mut enabled: Vec<&StoredChannel> = stored.iter().filter(|channel| channel.spec.status.is_enabled()).collect();
        enabled.sort_by(|one, two| (one.spec.priority, &one.spec.name).cmp(&(two.spec.priority, &two.spec.name)));
        let mut channels = Vec::with_capacity(enabled.len());
        let mut by_model: HashMap<&str, Vec<Offered<'_>>> = HashMap::new();
        for stored in enabled {
            let channel = Arc::new(Channel::open(stored, secret_key, known_channels.get(&stored.id).copied())?);
            for (spec, model) in stored.spec.models.iter().zip(&stored.models).filter(|(spec, _)| spec.status.is_enabled()) {
                by_model.entry(&spec.id).or_default().push((spec, model, Arc::clone(&channel)));
            }
            channels.push(channel);
        }
        let mut listed: Vec<Arc<Model>> =
            by_model.into_iter().map(|(id, offers)| Arc::new(Model::of(id, &offers, &known_endpoints))).collect();
        listed.sort_by(|one, two| (two.created, &one.id).cmp(&(one.created, &two.id)));
        let by_id: HashSet<&str> = listed.iter().map(|model| &*model.id).collect();
        let models: HashMap<Arc<str>, Arc<Model>> = listed.iter().map(|model| (Arc::clone(&model.id), Arc::clone(model))).collect();
        let offered = |channel: &StoredChannel| channel.spec.status.is_enabled();
        let mut aliases: HashMap<Box<str>, Arc<str>> = HashMap::new();
        for spec in stored.iter().filter(|channel| offered(channel)).flat_map(|channel| &channel.spec.models) {
            for alias in spec.aliases.iter().filter(|alias| spec.status.is_enabled() && !by_id.contains(alias.as_str())) {
                aliases.entry(alias.as_str().into()).or_insert_with(|| spec.id.as_str().into());
            }
        }
        let disabled = stored
            .iter()
            .flat_map(|channel| channel.spec.models.iter().zip(&channel.models).map(move |(spec, model)| (channel, spec, model)));
        let disabled = disabled.filter(|(channel, spec, _)| !offered(channel) || !spec.status.is_enabled());
        let disabled = disabled.map(|(channel, spec, model)| DisabledEndpoint {
            channel: channel.spec.name.as_str().into(),
            model: spec.id.as_str().into(),
            is_channel_disabled: !offered(channel),
            is_free: model.price.table.is_free(),
        });
        Ok(Self { disabled: disabled.collect(), models, listed, channels, aliases })
    }
}

impl Channel {
    /// `before` is the same channel as it was offered until now.
    fn open(stored: &StoredChannel, secret_key: &SecretKey, before: Option<&Arc<Self>>) -> Result<Self, SecretError> {
        let spec = &stored.spec;
        let known = before.map(|before| before.keys.as_slice()).unwrap_or_default();
        let keys = stored.api_keys(secret_key)?.into_iter();
        let keys: Vec<ChannelKey> = keys
            .map(|secret| known.iter().find(|known| known.secret == secret).cloned().unwrap_or_else(|| ChannelKey::new(secret)))
            .collect();
        let provider_name = spec.provider_name.as_deref().or(spec.provider.display_name()).unwrap_or(&spec.name);
        let base_url = spec.base_url.as_deref().or(spec.provider.default_base_url());
        let base_url: Option<Arc<str>> = base_url.map(|url| url.trim_end_matches('/').into());
        // Another address or another key is another thing to learn about.
        let state = before.filter(|before| before.base_url == base_url && keys.iter().any(|key| is_known(before, key)) != keys.is_empty());
        let mut channel = Self {
            id: stored.id,
            name: spec.name.as_str().into(),
            provider: spec.provider,
            provider_name: provider_name.into(),
            provider_slug: provider_name.to_lowercase().replace(' ', "-").into(),
            base_url,
            keys,
            priority: spec.priority,
            weight: spec.weight,
            region: spec.region.as_deref().map(Arc::from),
            data_policy: spec.data_policy,
            limits: spec.limits,
            timeouts: spec.timeouts,
            health_check: spec.health_check,
            managed_by: stored.managed_by,
            updated_at: stored.updated_at.unwrap_or(stored.created_at),
            state: state.map(|before| Arc::clone(&before.state)).unwrap_or_default(),
            quirks: Quirks::of_base_url(""),
        };
        channel.quirks = Quirks::of(&channel);
        Ok(channel)
    }
}

fn is_known(channel: &Channel, key: &ChannelKey) -> bool {
    channel.keys.iter().any(|known| known.secret == key.secret)
}

impl Model {
    /// Puts a model together from what its channels say, the first to say something about a field counting.
    fn of(id: &str, offers: &[Offered<'_>], known: &KnownEndpoints<'_>) -> Self {
        let id: Arc<str> = id.into();
        let first = |field: fn(&ModelSpec) -> Option<&String>| offers.iter().find_map(|(spec, _, _)| field(spec)).cloned();
        let words = |field: fn(&ModelSpec) -> Option<&Vec<String>>| {
            offers.iter().find_map(|(spec, _, _)| field(spec)).cloned().unwrap_or_else(|| vec!["text".to_owned()])
        };
        let output_modalities = words(|spec| spec.output_modalities.as_ref());
        // Whatever the other channels say of it, or do not: it is one model.
        let embeds = output_modalities.iter().any(|word| word == EMBEDDINGS);
        let first_offered = offers.iter().map(|(_, stored, _)| stored.created_at.unix_seconds()).min();
        let endpoint = |(spec, stored, channel): &Offered<'_>| {
            let draw_weight = draw_weight(offers, channel, stored);
            let known = known.get(&(channel.id, &*id)).filter(|(base_url, _)| **base_url == channel.base_url);
            let state = known.map(|(_, state)| Arc::clone(state)).unwrap_or_default();
            Arc::new(Endpoint { draw_weight, state, ..Endpoint::of(&id, spec, stored, (Arc::clone(channel), embeds)) })
        };
        let endpoints: Vec<Arc<Endpoint>> = offers.iter().map(endpoint).collect();
        let mut parameters: Vec<String> = endpoints.iter().flat_map(|endpoint| endpoint.supported_parameters.iter().cloned()).collect();
        parameters.sort_unstable();
        parameters.dedup();
        Self {
            name: first(|spec| spec.name.as_ref()).unwrap_or_else(|| id.to_string()),
            description: first(|spec| spec.description.as_ref()).unwrap_or_default(),
            created: offers.iter().find_map(|(spec, _, _)| spec.created).or(first_offered).unwrap_or_default(),
            context_length: endpoints.iter().filter_map(|endpoint| endpoint.context_length).max(),
            input_modalities: words(|spec| spec.input_modalities.as_ref()),
            output_modalities,
            supported_parameters: parameters,
            tokenizer: first(|spec| spec.tokenizer.as_ref()),
            hugging_face_id: first(|spec| spec.hugging_face_id.as_ref()),
            endpoints,
            id,
        }
    }
}

/// Endpoints of one priority are drawn by weight; where all weights are the same, by 1/price².
fn draw_weight(offers: &[Offered<'_>], channel: &Channel, stored: &StoredModel) -> f64 {
    let weights_differ = offers.iter().any(|(_, _, other)| other.priority == channel.priority && other.weight != channel.weight);
    if weights_differ {
        return f64::from(channel.weight);
    }
    // Three tokens in for one out, as most requests have it. Free ones go first.
    let picos = |price: schemas::PicoUsd| price.picos() as f64;
    let price = (3.0 * picos(stored.price.table.prompt) + picos(stored.price.table.completion)).max(1.0);
    1e12 / (price * price)
}

impl Endpoint {
    fn of(model: &Arc<str>, spec: &ModelSpec, stored: &StoredModel, (channel, embeds): (Arc<Channel>, bool)) -> Self {
        let by_default = || if embeds { Vec::new() } else { parameters_by_default(channel.provider) };
        let parameters = spec.supported_parameters.clone().unwrap_or_else(by_default);
        let understood: ParameterSet = parameters.iter().map(String::as_str).collect();
        // Of a compatible provider nothing is known beyond what the operator wrote: there, what is sent is its to judge.
        let is_known = spec.supported_parameters.is_some() || channel.provider == ProviderKind::OpenAi;
        let takes = |what: &str| spec.input_modalities.as_ref().is_none_or(|words| words.iter().any(|word| word == what));
        let price = &stored.price.table;
        Self {
            data_policy: spec.data_policy.unwrap_or(channel.data_policy),
            takes_images: takes("image"),
            takes_audio: takes("audio"),
            embeds,
            parameters: understood,
            dropped_parameters: if is_known { ParameterSet::SAMPLING.without(understood) } else { ParameterSet::default() },
            draw_weight: 1.0,
            is_cache_cheaper: price.cache_read.is_some_and(|cached| cached < price.prompt),
            state: Arc::default(),
            channel,
            model: Arc::clone(model),
            upstream: spec.upstream_name().into(),
            price: stored.price.clone(),
            cost: Arc::clone(&stored.cost),
            is_free: stored.price.table.is_free(),
            context_length: spec.context_length,
            max_completion_tokens: spec.max_completion_tokens,
            quantization: spec.quantization.clone(),
            supported_parameters: parameters,
        }
    }
}
