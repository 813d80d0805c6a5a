//! The shape of the configuration. Meaning and default of every key stand in `default.toml`, beside its value.
//!
//! Fields that are not optional have no default here: `default.toml` gives it, and a test loads it, so a key can
//! not be added without saying there what it is for. A [`Secret`] here is still what was written, most often a
//! reference: `Secret::resolve` follows it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gateway::admission::FreeTierRules;
use gateway::control::channel::ChannelSpec;
use gateway::control::secrets::Secret;
use serde::Deserialize;

use super::units::{Dollars, Listen, Size, Span, StoreUrl, TrustedProxy};

/// What the operator wants, every layer applied.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: Listen,
    pub public_url: Option<String>,
    pub data_dir: PathBuf,
    pub database_url: StoreUrl,
    pub events_url: StoreUrl,
    pub balance_url: StoreUrl,
    pub analytics_url: StoreUrl,
    pub secret_key: Option<Secret>,
    pub previous_secret_keys: Vec<Secret>,
    pub durability: Durability,
    pub log_ack_timeout: Span,
    pub events: EventStream,
    pub bootstrap: Bootstrap,
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub stream: Stream,
    pub live: Live,
    pub stats: Stats,
    pub routing: Routing,
    pub upstreams: Upstreams,
    pub free_tier: FreeTier,
    pub webhooks: Webhooks,
    pub auth: Auth,
    /// Each with its place among the `[[channels]]` of the file. Read one by one, see [`super::load`].
    #[serde(skip)]
    pub channels: Vec<(usize, ChannelSpec)>,
}

/// When a charge counts as safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    Disk,
    Process,
    Log,
}

/// The event log where it is a stream.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventStream {
    pub replicas: Option<usize>,
    pub servers_sync_always: bool,
}

/// Made at the first start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bootstrap {
    pub admin_email: String,
    pub admin_password: Option<Secret>,
    pub management_key: Option<Secret>,
    pub account_name: String,
    pub credit: Dollars,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub body_bytes_max: Size,
    pub body_depth_max: usize,
    pub requests_max: usize,
    pub attempts_max: usize,
    pub retries_max: usize,
    pub hold_output_tokens_max: u64,
    pub overdraft_max: Dollars,
    pub answer_bytes_max: Size,
    pub drain_bytes_max: Size,
    pub client_queue_pieces_max: usize,
    pub spool_bytes_max: Size,
    pub gate_accounts_max: usize,
    pub generation_records_max: usize,
    pub generation_bytes_max: Size,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    pub body: Span,
    pub connect: Span,
    pub first_byte: Span,
    pub whole_answer: Span,
    pub retry_backoff: Span,
    pub retry_wait: Span,
    pub idle: Span,
    pub total: Span,
    pub drain: Span,
    pub client_stall: Span,
    pub shutdown_grace: Span,
    pub idempotency: Span,
    pub credit_verdict: Span,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    pub usage_chunk_choices: UsageChunkChoices,
    pub keep_alive_interval: Span,
    pub checkpoint_interval: Span,
    pub renewal_interval: Span,
    pub hold_ttl: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UsageChunkChoices {
    Repeat,
    Empty,
}

/// The web app's live feed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Live {
    pub clients_max: usize,
    pub clients_per_session_max: usize,
    pub queue_messages_max: usize,
    pub recent_requests_max: usize,
    pub ping_interval: Span,
    pub check_interval: Span,
    pub look_interval: Span,
}

/// What all customers used together.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    pub public: bool,
}

/// How endpoints are chosen.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routing {
    pub auto_models: Vec<String>,
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    pub hedging: Hedging,
}

/// Second attempts beside slow ones.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hedging {
    pub enabled: bool,
    pub percentile: Percentile,
    pub delay_min: Span,
    pub share_percent: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Percentile {
    P50,
    P75,
    P90,
    P99,
}

/// Which addresses channels may have.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstreams {
    pub allow_private: bool,
}

/// Limits of free models.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FreeTier {
    pub enabled: bool,
    pub requests_per_minute: u32,
    pub requests_per_day: u32,
    pub requests_per_day_with_credits: u32,
    pub credits: Dollars,
    pub zero_priced: bool,
}

impl FreeTier {
    pub fn rules(&self) -> FreeTierRules {
        FreeTierRules {
            requests_per_minute: self.requests_per_minute,
            requests_per_day: self.requests_per_day,
            requests_per_day_with_credits: self.requests_per_day_with_credits,
            credits: self.credits.0,
            zero_priced: self.zero_priced,
        }
    }
}

/// Messages to receivers outside.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    pub timeout: Span,
    pub attempts_max: u32,
    pub retry_first: Span,
    pub retry_max: Span,
    pub allow_private: bool,
}

/// Signing in to the web app.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    pub sign_up: bool,
    pub session: Span,
    pub trusted_proxies: Vec<TrustedProxy>,
    pub google: Option<OauthClient>,
    #[serde(default)]
    pub oidc: BTreeMap<String, OidcClient>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OauthClient {
    pub client_id: Secret,
    pub client_secret: Secret,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcClient {
    /// What a sign-in page calls it; default: the name in the configuration.
    pub name: Option<String>,
    pub issuer: String,
    pub client_id: Secret,
    pub client_secret: Secret,
}

impl Config {
    /// What browsers and clients use to reach us, without a slash at its end.
    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None if self.listen.0.ip().is_unspecified() => format!("http://localhost:{}", self.listen.0.port()),
            None => format!("http://{}", self.listen.0),
        }
    }
}
