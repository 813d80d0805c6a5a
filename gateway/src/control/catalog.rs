//! What every request reads: models, endpoints, prices and keys, in one immutable snapshot.
//!
//! A [`Catalog`] never changes; an administrative act makes a new one that shares what stayed the same.
//! A request loads it once and keeps it. **Lookups are hash-map gets and allocate nothing.** Start at
//! [`Catalog::authenticate`] and [`Catalog::model`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ledger::gate::{KeyLimit, KeyPolicy, LimitWindow, RateLimits};
use schemas::{AccountId, ChannelId, PriceTable, PriceVersion, Timestamp};

use super::account::{Account, AccountStatus};
use super::channel::{AttemptTimeoutsSpec, ChannelLimitsSpec, DataPolicySpec, HealthCheckSpec, ModelSpec, ProviderKind};
use super::governing::Governing;
use super::key::{ApiKey, KEY_BYTES_MAX, KeyHash, KeyKind, KeyScope, LimitReset};
use super::secrets::{Secret, SecretError, SecretKey};
use super::store::{ManagedBy, StoredChannel, StoredModel};
use crate::providers::Quirks;
use crate::routing::health::{ChannelKey, ChannelState, EndpointState};
use crate::routing::{EffectivePreferences, ParameterSet};

/// What OpenAI's dialect understands; assumed of a model that does not say what it supports.
const PARAMETERS_BY_DEFAULT: [&str; 20] = [
    "frequency_penalty",
    "include_reasoning",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "parallel_tool_calls",
    "presence_penalty",
    "reasoning",
    "reasoning_effort",
    "response_format",
    "seed",
    "stop",
    "structured_outputs",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
];

/// One consistent view of everything administrators change.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    offer: Arc<Offer>,
    keys: Arc<HashMap<KeyHash, Arc<Key>>>,
    accounts: Arc<HashMap<AccountId, Account>>,
    governing: Governing,
}

/// Models and the endpoints behind them. Disabled channels and models are not in it.
#[derive(Debug, Default)]
struct Offer {
    models: HashMap<Arc<str>, Arc<Model>>,
    /// Newest first.
    listed: Vec<Arc<Model>>,
    channels: Vec<Arc<Channel>>,
    /// Other ids of models.
    aliases: HashMap<Box<str>, Arc<str>>,
    disabled: Vec<DisabledEndpoint>,
}

/// An endpoint that takes no requests, for those who ask why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisabledEndpoint {
    pub channel: Box<str>,
    pub model: Box<str>,
    /// Else the model on it.
    pub is_channel_disabled: bool,
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
    pub context_length: Option<u64>,
    pub max_completion_tokens: Option<u64>,
    /// No request can ever cost anything here.
    pub is_free: bool,
    /// Reading a prompt from its cache is cheaper than reading it.
    pub is_cache_cheaper: bool,
    pub takes_images: bool,
    pub takes_audio: bool,
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

    pub fn author(&self) -> &str {
        self.id.split_once('/').map_or("", |(author, _)| author)
    }
}

/// A key, resolved to what it may do.
#[derive(Debug)]
pub struct Key {
    pub record: ApiKey,
    /// As the balance gate takes it.
    pub policy: KeyPolicy,
    /// The key's own, then its creator's, then its account's.
    pub preferences: EffectivePreferences,
    allowed_models: Option<HashSet<Box<str>>>,
    /// Shared by all versions of the key; written down from time to time.
    last_used_micros: Arc<AtomicI64>,
}

impl Key {
    fn new(record: ApiKey, preferences: EffectivePreferences, last_used_micros: Arc<AtomicI64>) -> Self {
        let window = match record.limit_reset {
            None => LimitWindow::Total,
            Some(LimitReset::Daily) => LimitWindow::Daily,
            Some(LimitReset::Weekly) => LimitWindow::Weekly,
            Some(LimitReset::Monthly) => LimitWindow::Monthly,
        };
        let rates = RateLimits {
            requests_per_minute: record.requests_per_minute,
            tokens_per_minute: record.tokens_per_minute,
            concurrency: record.concurrency,
        };
        let limit = record.limit_nanos.map(|amount| KeyLimit { amount, window });
        let policy = KeyPolicy { key_id: record.id, limit, rates };
        let allowed_models = record.allowed_models.as_ref().map(|models| models.iter().map(|model| model.as_str().into()).collect());
        Self { record, policy, preferences, allowed_models, last_used_micros }
    }

    pub fn account_id(&self) -> AccountId {
        self.record.account_id
    }

    pub fn is_management(&self) -> bool {
        self.record.kind == KeyKind::Management
    }

    /// Whether the key may be used for a public model id.
    pub fn allows_model(&self, model: &str) -> bool {
        self.allowed_models.as_ref().is_none_or(|models| models.contains(model))
    }

    /// Remembers that the key was used; costs one relaxed store.
    pub fn touch(&self, now: Timestamp) {
        self.last_used_micros.store(now.micros(), Ordering::Relaxed);
    }

    pub fn last_used_at(&self) -> Option<Timestamp> {
        Some(self.last_used_micros.load(Ordering::Relaxed)).filter(|micros| *micros > 0).map(Timestamp::from_micros)
    }
}

/// Why a bearer is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    #[error("the API key is not known here; check that it was copied whole")]
    Unknown,
    #[error("the API key is disabled")]
    Disabled,
    #[error("the API key has expired")]
    Expired,
    #[error("the account of this API key is suspended")]
    AccountSuspended,
    #[error("the account of this API key is closed")]
    AccountClosed,
}

impl Catalog {
    /// Finds the key of a bearer and checks that it may be used now.
    ///
    /// The map is asked for a SHA-256, so the time it takes tells at most something about the hash of the
    /// guess, which the guesser knows already; no key is ever compared byte by byte.
    pub fn authenticate(&self, bearer: &str, now: Timestamp) -> Result<&Arc<Key>, KeyRefusal> {
        if bearer.len() > KEY_BYTES_MAX {
            return Err(KeyRefusal::Unknown);
        }
        let key = self.keys.get(&KeyHash::of(bearer)).ok_or(KeyRefusal::Unknown)?;
        if key.record.disabled {
            return Err(KeyRefusal::Disabled);
        }
        if key.record.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(KeyRefusal::Expired);
        }
        match self.accounts.get(&key.record.account_id).map(|account| account.status) {
            Some(AccountStatus::Active) => Ok(key),
            Some(AccountStatus::Suspended) => Err(KeyRefusal::AccountSuspended),
            Some(AccountStatus::Closed) | None => Err(KeyRefusal::AccountClosed),
        }
    }

    /// The key of requests that need none: a management key of the platform that nobody has. Its own account
    /// is the first one.
    pub fn local_key(&self, now: Timestamp) -> Arc<Key> {
        let account = self.accounts.keys().min().copied().unwrap_or(AccountId::SYSTEM);
        let nobody = Secret::new(String::new());
        let record = ApiKey::new(&nobody, account, "local administration", KeyKind::Management, KeyScope::Platform, now);
        Arc::new(Key::new(record, EffectivePreferences::default(), Arc::default()))
    }

    pub fn key(&self, hash: &KeyHash) -> Option<&Arc<Key>> {
        self.keys.get(hash)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.keys.values()
    }

    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The model of a public id, if any enabled channel offers it.
    pub fn model(&self, id: &str) -> Option<&Arc<Model>> {
        self.offer.models.get(id)
    }

    /// The model that has this alias.
    pub fn model_of_alias(&self, alias: &str) -> Option<&Arc<Model>> {
        self.offer.aliases.get(alias).and_then(|id| self.offer.models.get(id))
    }

    /// What a model's endpoints are that take no requests.
    pub fn disabled_endpoints<'a>(&'a self, model: &'a str) -> impl Iterator<Item = &'a DisabledEndpoint> {
        self.offer.disabled.iter().filter(move |endpoint| &*endpoint.model == model)
    }

    /// Every model, newest first.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.offer.listed
    }

    /// Every enabled channel, by priority and name.
    pub fn channels(&self) -> &[Arc<Channel>] {
        &self.offer.channels
    }

    /// The same catalog with other channels.
    pub(super) fn with_channels(&self, stored: &[StoredChannel], secret_key: &SecretKey) -> Result<Self, SecretError> {
        Ok(Self { offer: Arc::new(Offer::build(stored, secret_key, &self.offer)?), ..self.clone() })
    }

    pub(super) fn with_keys(&self, records: Vec<ApiKey>) -> Self {
        let keys = records.into_iter().map(|record| (record.hash, Arc::new(self.resolved(record))));
        Self { keys: Arc::new(keys.collect()), ..self.clone() }
    }

    pub(super) fn with_key(&self, record: ApiKey) -> Self {
        let mut keys = self.keys.as_ref().clone();
        if record.deleted_at.is_some() {
            keys.remove(&record.hash);
        } else {
            keys.insert(record.hash, Arc::new(self.resolved(record)));
        }
        Self { keys: Arc::new(keys), ..self.clone() }
    }

    pub(super) const fn governing(&self) -> &Governing {
        &self.governing
    }

    /// The same catalog where other preferences govern its keys.
    pub(super) fn with_governing(&self, governing: Governing) -> Self {
        let catalog = Self { governing, ..self.clone() };
        let keys = self.keys.iter().map(|(hash, key)| (*hash, Arc::new(catalog.resolved(key.record.clone()))));
        Self { keys: Arc::new(keys.collect()), ..catalog }
    }

    pub(super) fn with_accounts(&self, accounts: Vec<Account>) -> Self {
        Self { accounts: Arc::new(accounts.into_iter().map(|account| (account.id, account)).collect()), ..self.clone() }
    }

    pub(super) fn with_account(&self, account: Account) -> Self {
        let mut accounts = self.accounts.as_ref().clone();
        accounts.insert(account.id, account);
        Self { accounts: Arc::new(accounts), ..self.clone() }
    }

    fn resolved(&self, record: ApiKey) -> Key {
        let stored = record.last_used_at.map_or(0, Timestamp::micros);
        let known = self.keys.get(&record.hash).map(|key| Arc::clone(&key.last_used_micros));
        let preferences = self.governing.of(&record);
        Key::new(record, preferences, known.unwrap_or_else(|| Arc::new(AtomicI64::new(stored))))
    }
}

/// The states of endpoints, with the address they were learned at.
type KnownEndpoints<'a> = HashMap<(ChannelId, &'a str), (&'a Option<Arc<str>>, &'a Arc<EndpointState>)>;

/// What one channel says of a model it offers.
type Offered<'a> = (&'a ModelSpec, &'a StoredModel, Arc<Channel>);

impl Offer {
    /// `before` is what was offered until now: what is known of how channels do stays with them.
    fn build(stored: &[StoredChannel], secret_key: &SecretKey, before: &Self) -> Result<Self, SecretError> {
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
        let disabled = stored.iter().flat_map(|channel| channel.spec.models.iter().map(move |spec| (channel, spec)));
        let disabled = disabled.filter(|(channel, spec)| !offered(channel) || !spec.status.is_enabled());
        let disabled = disabled.map(|(channel, spec)| DisabledEndpoint {
            channel: channel.spec.name.as_str().into(),
            model: spec.id.as_str().into(),
            is_channel_disabled: !offered(channel),
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
        let first_offered = offers.iter().map(|(_, stored, _)| stored.created_at.unix_seconds()).min();
        let endpoint = |(spec, stored, channel): &Offered<'_>| {
            let draw_weight = draw_weight(offers, channel, stored);
            let known = known.get(&(channel.id, &*id)).filter(|(base_url, _)| **base_url == channel.base_url);
            let state = known.map(|(_, state)| Arc::clone(state)).unwrap_or_default();
            Arc::new(Endpoint { draw_weight, state, ..Endpoint::of(&id, spec, stored, Arc::clone(channel)) })
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
            output_modalities: words(|spec| spec.output_modalities.as_ref()),
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
    fn of(model: &Arc<str>, spec: &ModelSpec, stored: &StoredModel, channel: Arc<Channel>) -> Self {
        let parameters = spec.supported_parameters.clone().unwrap_or_else(|| PARAMETERS_BY_DEFAULT.map(str::to_owned).to_vec());
        let takes = |what: &str| spec.input_modalities.as_ref().is_none_or(|words| words.iter().any(|word| word == what));
        let price = &stored.price.table;
        Self {
            data_policy: spec.data_policy.unwrap_or(channel.data_policy),
            takes_images: takes("image"),
            takes_audio: takes("audio"),
            parameters: parameters.iter().map(String::as_str).collect(),
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
