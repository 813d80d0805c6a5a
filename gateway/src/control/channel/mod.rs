//! What a channel is told to be: the shapes `tollgate.toml` and the administration API share.
//!
//! Owns the fields, their defaults and, in `rules`, every rule about them; a problem is reported with the path of the
//! field it is in, so that the reader of a file can print the line. It must never resolve a secret or
//! touch a store. A model without a price is refused here: missing is not free.

use std::fmt;
use std::time::Duration;

use schemas::PriceTable;
use schemas::price::PriceText;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::secrets::Secret;

mod rules;
mod settings;

pub use rules::SpecError;
pub use settings::{AttemptTimeoutsSpec, ChannelLimitsSpec, ChannelSettings, DataPolicySpec};

/// One upstream account at one provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSpec {
    /// Unique in the deployment; events name the channel by it.
    pub name: String,
    pub provider: ProviderKind,
    /// Used as written. Required for `openai-compatible`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// `env:NAME`, `file:PATH` or the key itself. Never written back.
    #[serde(default, skip_serializing)]
    pub api_key: Option<Secret>,
    /// Further keys: requests take turns among all of them. An empty list takes them away. Never written back.
    #[serde(default, skip_serializing)]
    pub api_keys: Option<Vec<Secret>>,
    /// What `provider_name` says in answers; default: the provider's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_name: Option<String>,
    /// Lower first.
    #[serde(default)]
    pub priority: i32,
    /// Share of requests among channels of one priority.
    #[serde(default = "default_weight")]
    pub weight: u32,
    #[serde(default)]
    pub health_check: HealthCheckSpec,
    /// Where it computes, as its provider names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    #[serde(default)]
    pub data_policy: DataPolicySpec,
    #[serde(default)]
    pub limits: ChannelLimitsSpec,
    #[serde(default)]
    pub timeouts: AttemptTimeoutsSpec,
    #[serde(default)]
    pub status: Availability,
    /// May be left out for a provider whose models are shipped: see [`super::shipped`].
    #[serde(default)]
    pub models: Vec<ModelSpec>,
}

const fn default_weight() -> u32 {
    100
}

impl ChannelSpec {
    /// The part that is stored as one value.
    pub fn settings(&self) -> ChannelSettings {
        ChannelSettings { region: self.region.clone(), data_policy: self.data_policy, limits: self.limits, timeouts: self.timeouts }
    }
}

/// The protocol spoken to a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderKind {
    #[serde(rename = "openai")]
    OpenAi,
    #[serde(rename = "openai-compatible")]
    OpenAiCompatible,
    /// The Messages API.
    Anthropic,
    /// OpenAI's dialect, with OpenRouter's headers and its word on what an answer cost.
    #[serde(rename = "openrouter")]
    OpenRouter,
    /// Built in: answers without any account.
    Demo,
}

impl ProviderKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiCompatible => "openai-compatible",
            Self::Anthropic => "anthropic",
            Self::OpenRouter => "openrouter",
            Self::Demo => "demo",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::OpenAi, Self::OpenAiCompatible, Self::Anthropic, Self::OpenRouter, Self::Demo].into_iter().find(|kind| kind.as_str() == text)
    }

    /// Where its API is, unless a channel says otherwise.
    pub const fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Anthropic => Some("https://api.anthropic.com"),
            Self::OpenRouter => Some("https://openrouter.ai/api/v1"),
            Self::OpenAiCompatible | Self::Demo => None,
        }
    }

    /// The name people know it by; a compatible service has the channel's name.
    pub const fn display_name(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("OpenAI"),
            Self::Anthropic => Some("Anthropic"),
            Self::OpenRouter => Some("OpenRouter"),
            Self::Demo => Some("Demo"),
            Self::OpenAiCompatible => None,
        }
    }
}

/// Whether a channel or a model takes requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Availability {
    #[default]
    Enabled,
    Disabled,
}

impl Availability {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Enabled, Self::Disabled].into_iter().find(|availability| availability.as_str() == text)
    }

    pub const fn is_enabled(self) -> bool {
        matches!(self, Self::Enabled)
    }
}

/// How a channel is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthCheckSpec {
    pub enabled: bool,
    #[serde(with = "duration_text")]
    pub interval: Duration,
    #[serde(with = "duration_text")]
    pub timeout: Duration,
    /// Failures in a row before the channel counts as down.
    pub failure_threshold: u32,
}

impl Default for HealthCheckSpec {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(60), timeout: Duration::from_secs(10), failure_threshold: 3 }
    }
}

/// One model a channel offers: an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Public id, `author/slug` or `author/slug:variant`.
    pub id: String,
    /// Name sent upstream; default: the slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// What customers are charged. There is no default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceSpec>,
    /// What the provider charges us; default: `price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<PriceSpec>,
    #[serde(default)]
    pub status: Availability,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Tokens in and out together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_length: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_modalities: Option<Vec<String>>,
    /// `["embeddings"]` makes it a model that is asked for embeddings and for nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported_parameters: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,
    /// Where it differs from the channel's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_policy: Option<DataPolicySpec>,
    /// Other ids it is asked by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Unix seconds of the model's release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hugging_face_id: Option<String>,
}

/// The word in `output_modalities` of a model that makes vectors of what it is given.
pub const EMBEDDINGS: &str = "embeddings";

impl ModelSpec {
    /// Whether it is asked for embeddings.
    pub fn embeds(&self) -> bool {
        self.output_modalities.as_ref().is_some_and(|words| words.iter().any(|word| word == EMBEDDINGS))
    }

    /// The name the provider knows the model by.
    pub fn upstream_name(&self) -> &str {
        let slug = self.id.split_once('/').map_or(self.id.as_str(), |(_, slug)| slug);
        self.upstream.as_deref().unwrap_or_else(|| slug.split(':').next().unwrap_or(slug))
    }
}

/// A price as people write it: a table, or the word `free`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceSpec {
    Free,
    Table(Box<PriceText>),
}

impl PriceSpec {
    pub fn table(&self) -> Result<PriceTable, schemas::price::PriceError> {
        match self {
            Self::Free => Ok(PriceTable::free()),
            Self::Table(text) => PriceTable::try_from(text.as_ref()),
        }
    }

    /// The form a stored table is shown in.
    pub fn of(table: &PriceTable) -> Self {
        if table.is_free() { Self::Free } else { Self::Table(Box::new(PriceText::from(table))) }
    }
}

impl Serialize for PriceSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Free => serializer.serialize_str("free"),
            Self::Table(text) => text.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for PriceSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriceVisitor)
    }
}

struct PriceVisitor;

impl<'de> Visitor<'de> for PriceVisitor {
    type Value = PriceSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table such as { prompt = \"0.15\", completion = \"0.60\" } in USD per million tokens, or \"free\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PriceSpec, E> {
        if text == "free" { Ok(PriceSpec::Free) } else { Err(E::invalid_value(de::Unexpected::Str(text), &self)) }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PriceSpec, A::Error> {
        PriceText::deserialize(MapAccessDeserializer::new(map)).map(|text| PriceSpec::Table(Box::new(text)))
    }
}

/// Durations as people write them: `60s`, `1m 30s`.
mod duration_text {
    use super::{Deserialize, Deserializer, Duration, Serializer, de};

    pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text)
            .map_err(|error| de::Error::custom(format!("`{text}` is not a duration such as \"60s\" or \"5m\": {error}")))
    }
}

/// The same, where there may be none.
mod optional_duration_text {
    use super::{Deserializer, Duration, Serializer, duration_text};

    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => duration_text::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        duration_text::deserialize(deserializer).map(Some)
    }
}
