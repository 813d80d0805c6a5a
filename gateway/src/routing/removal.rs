//! The hard filters: why an endpoint may not be asked, checked in one order for every endpoint.
//!
//! What a person set comes first, in the order of `STEPS`; what only the moment forbids (a breaker, a limit of the
//! channel) comes last, so that an endpoint removed by it would otherwise have been asked.

use schemas::{Timestamp, TokenKind};

use super::asked::Asked;
use super::health::PassRefusal;
use super::parameters::ParameterSet;
use super::preferences::PreferenceLevel;
use super::rules::Variant;
use crate::control::catalog::Endpoint;
use crate::http::error::availability::AvailabilityCode;

/// Why an endpoint is not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    NotAmongOnly,
    Ignored,
    NotInOrder,
    NotFree,
    DataCollection(PreferenceLevel),
    Zdr(PreferenceLevel),
    Quantization,
    MaxPrice(&'static str),
    Parameters(ParameterSet),
    /// Its model answers where embeddings are asked for, or the other way round.
    Output,
    Modality(&'static str),
    Context {
        context_length: u64,
    },
    /// Of the endpoint: its provider lately did not have the model.
    ModelMissing {
        until: Timestamp,
    },
    Channel(PassRefusal),
}

/// The steps of the funnel, as they are named to clients.
pub const STEPS: [&str; 12] = [
    "allowed_providers",
    "ignored_providers",
    "order",
    "variant",
    "data_policy:training",
    "data_policy:zdr",
    "quantization",
    "max_price",
    "require_parameters",
    "modality",
    "context_length",
    "health",
];

impl Removal {
    /// Its place in [`STEPS`].
    pub const fn step(&self) -> usize {
        match self {
            Self::NotAmongOnly => 0,
            Self::Ignored => 1,
            Self::NotInOrder => 2,
            Self::NotFree => 3,
            Self::DataCollection(_) => 4,
            Self::Zdr(_) => 5,
            Self::Quantization => 6,
            Self::MaxPrice(_) => 7,
            Self::Parameters(_) => 8,
            Self::Output | Self::Modality(_) => 9,
            Self::Context { .. } => 10,
            Self::ModelMissing { .. } | Self::Channel(_) => 11,
        }
    }

    /// The setting that removed it, as whoever set it wrote it.
    pub fn setting(&self) -> String {
        match self {
            Self::NotAmongOnly => "provider.only".to_owned(),
            Self::Ignored => "provider.ignore".to_owned(),
            Self::NotInOrder => "provider.order with provider.allow_fallbacks = false".to_owned(),
            Self::NotFree => "the :free variant".to_owned(),
            Self::DataCollection(PreferenceLevel::Request) => "provider.data_collection = deny".to_owned(),
            Self::DataCollection(_) => "privacy.data_collection = deny".to_owned(),
            Self::Zdr(PreferenceLevel::Request) => "provider.zdr = true".to_owned(),
            Self::Zdr(_) => "privacy.zdr = true".to_owned(),
            Self::Quantization => "provider.quantizations".to_owned(),
            Self::MaxPrice(kind) => format!("provider.max_price.{kind}"),
            Self::Parameters(_) => "provider.require_parameters".to_owned(),
            Self::Output => "its output_modalities".to_owned(),
            Self::Modality(what) => format!("{what} in messages"),
            Self::Context { .. } => "the length of messages".to_owned(),
            Self::ModelMissing { .. } => "the provider does not have the model".to_owned(),
            Self::Channel(refusal) => match refusal {
                PassRefusal::BreakerOpen { .. } => "the channel's breaker is open".to_owned(),
                PassRefusal::CoolingDown { .. } => "the provider asked to wait".to_owned(),
                PassRefusal::Pausing { .. } => "the provider failed and asked to wait".to_owned(),
                PassRefusal::KeysRefused { .. } => "the provider refuses the channel's keys".to_owned(),
                PassRefusal::Concurrency => "limits.concurrency".to_owned(),
                PassRefusal::RequestRate { .. } => "limits.requests_per_minute".to_owned(),
                PassRefusal::TokenRate { .. } => "limits.tokens_per_minute".to_owned(),
            },
        }
    }

    /// The field of a request, or of preferences, that removed it; none where it was the moment.
    pub fn field(&self) -> Option<String> {
        let field = match self {
            Self::NotAmongOnly => "provider.only",
            Self::Ignored => "provider.ignore",
            Self::NotInOrder => "provider.order",
            Self::NotFree | Self::Output => "model",
            Self::DataCollection(PreferenceLevel::Request) => "provider.data_collection",
            Self::DataCollection(_) => "privacy.data_collection",
            Self::Zdr(PreferenceLevel::Request) => "provider.zdr",
            Self::Zdr(_) => "privacy.zdr",
            Self::Quantization => "provider.quantizations",
            Self::MaxPrice(kind) => return Some(format!("provider.max_price.{kind}")),
            Self::Parameters(_) => "provider.require_parameters",
            Self::Modality(_) | Self::Context { .. } => "messages",
            Self::ModelMissing { .. } | Self::Channel(_) => return None,
        };
        Some(field.to_owned())
    }

    /// `OpenRouter`'s word for the filter, where it has one.
    pub const fn excluded_by(&self) -> Option<&'static str> {
        match self {
            Self::NotAmongOnly | Self::Ignored | Self::NotInOrder => Some("allowed_providers"),
            Self::DataCollection(_) => Some("data_policy:training"),
            Self::Zdr(_) => Some("data_policy:zdr"),
            Self::Quantization => Some("quantization"),
            Self::MaxPrice(_) => Some("max_price"),
            Self::Parameters(_) => Some("require_parameters"),
            Self::Context { .. } => Some("context_length"),
            Self::NotFree | Self::Output | Self::Modality(_) | Self::ModelMissing { .. } | Self::Channel(_) => None,
        }
    }

    /// What an error says to programs where this removed the last endpoint. A prompt that is too long is the request's own mistake.
    pub const fn availability_code(&self) -> Option<AvailabilityCode> {
        match self {
            Self::DataCollection(_) | Self::Zdr(_) => Some(AvailabilityCode::PrivacyRestricted),
            Self::Output | Self::Modality(_) => Some(AvailabilityCode::NoEndpoints),
            Self::Context { .. } | Self::ModelMissing { .. } | Self::Channel(_) => None,
            _ => Some(AvailabilityCode::ConstraintFiltered),
        }
    }

    /// Who set it.
    pub const fn level(&self) -> &'static str {
        match self {
            Self::DataCollection(level) | Self::Zdr(level) => level.as_str(),
            Self::ModelMissing { .. } | Self::Output => "endpoint",
            Self::Channel(_) => "channel",
            _ => "request",
        }
    }

    /// Until when it stands, where it passes by itself.
    pub fn until(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::ModelMissing { until } => Some(*until),
            Self::Channel(refusal) => Some(refusal.until(now)),
            _ => None,
        }
    }

    /// Whether it is about how much may be sent, not about a failure.
    pub const fn is_about_rates(&self) -> bool {
        matches!(self, Self::Channel(refusal) if refusal.is_about_rates())
    }
}

/// What removes an endpoint, if anything does.
pub fn removal(endpoint: &Endpoint, variant: Variant, asked: &Asked) -> Option<Removal> {
    by_setting(endpoint, variant, asked).or_else(|| by_moment(endpoint, asked))
}

/// What people set.
pub fn by_setting(endpoint: &Endpoint, variant: Variant, asked: &Asked) -> Option<Removal> {
    let (channel, object) = (&*endpoint.channel, &asked.object);
    if object.only.is_some() && !object.only_allows(channel) {
        return Some(Removal::NotAmongOnly);
    }
    if !object.ignore.is_empty() && object.ignores(channel) {
        return Some(Removal::Ignored);
    }
    if object.no_fallbacks && object.is_ordered() && object.place(channel).is_none() {
        return Some(Removal::NotInOrder);
    }
    if variant == Variant::Free && !endpoint.is_free {
        return Some(Removal::NotFree);
    }
    if let Some(level) = asked.denies_data_collection
        && !endpoint.data_policy.collects_nothing()
    {
        return Some(Removal::DataCollection(level));
    }
    if let Some(level) = asked.zdr
        && !endpoint.data_policy.zdr
    {
        return Some(Removal::Zdr(level));
    }
    if !object.quantizations.is_empty() {
        let of_endpoint = endpoint.quantization.as_deref().unwrap_or("unknown");
        if !object.quantizations.iter().any(|wanted| wanted == of_endpoint) {
            return Some(Removal::Quantization);
        }
    }
    if !object.max_price.is_empty()
        && let Some(kind) = too_dear(endpoint, asked)
    {
        return Some(Removal::MaxPrice(kind));
    }
    if object.require_parameters {
        let missing = asked.parameters.without(endpoint.parameters);
        if !missing.is_empty() {
            return Some(Removal::Parameters(missing));
        }
    }
    if endpoint.embeds != asked.embeds {
        return Some(Removal::Output);
    }
    if asked.has_images && !endpoint.takes_images {
        return Some(Removal::Modality("image"));
    }
    if asked.has_audio && !endpoint.takes_audio {
        return Some(Removal::Modality("audio"));
    }
    let context_length = endpoint.context_length.unwrap_or(u64::MAX);
    (asked.prompt_tokens_least > context_length).then_some(Removal::Context { context_length })
}

/// What only the moment forbids.
pub fn by_moment(endpoint: &Endpoint, asked: &Asked) -> Option<Removal> {
    if !endpoint.state.breaker.lets_through(asked.now) {
        return Some(Removal::ModelMissing { until: endpoint.state.breaker.open_until().unwrap_or(asked.now) });
    }
    let channel = &*endpoint.channel;
    channel.state.refusal(&channel.keys, &channel.limits, asked.now).map(Removal::Channel)
}

/// By the price a prompt as long as this one has.
fn too_dear(endpoint: &Endpoint, asked: &Asked) -> Option<&'static str> {
    let most = &asked.object.max_price;
    let price = |kind| endpoint.price.table.price(kind, asked.prompt_tokens);
    let kinds = [
        ("prompt", TokenKind::UncachedInput, most.prompt),
        ("completion", TokenKind::TextOutput, most.completion),
        ("request", TokenKind::Request, most.request),
    ];
    kinds.into_iter().find(|(_, kind, most)| most.is_some_and(|most| price(*kind) > most)).map(|(name, _, _)| name)
}
