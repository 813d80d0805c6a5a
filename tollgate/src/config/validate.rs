//! What types cannot say: values that do not fit together, and references that lead nowhere.

use std::collections::BTreeMap;
use std::time::Duration;

use super::backends::Backends;
use super::key_path::KeyPath;
use super::layers::Layers;
use super::problem::Problem;
use super::settings::Config;
use super::units::{Size, Span};
use gateway::control::people::normal_email;
use gateway::control::secrets::Secret;

const MANAGEMENT_KEY_PREFIX: &str = "sk-tg-v1-";
const MANAGEMENT_KEY_HEX_DIGITS: usize = 64;
const SECRET_KEY_CHARS_MIN: usize = 16;
/// Nesting is read by recursion.
const BODY_DEPTH_MAX: usize = 512;
/// A renewal may fail, and the next, before a request has to end.
const RENEWALS_MIN: u32 = 3;
/// Longer, and the holds of a gateway that was killed block balances for longer.
const HOLD_TTL_MAX: Duration = Duration::from_secs(3_600);
/// Two segments of the spool and room to work in.
const SPOOL_BYTES_MIN: Size = Size(64 << 20);

/// Every problem of a configuration that could be read, apart from its references.
pub fn validate(config: &Config, layers: &Layers) -> Vec<Problem> {
    let mut findings = Findings { layers, problems: Vec::new() };
    if let Err(wrong) = Backends::of(config) {
        for (path, error) in wrong {
            let message = format!("`{path}`: {error}");
            findings.add(&path, message);
        }
    }
    findings.addresses(config);
    findings.limits(config);
    findings.deadlines(config);
    findings.channels(config);
    findings.problems
}

/// Follows every reference to a secret, so that a missing variable shows at start and not at the first request.
pub fn resolve_references(config: &Config, layers: &Layers) -> Vec<Problem> {
    let mut findings = Findings { layers, problems: Vec::new() };
    if let Some(key) = findings.secret(KeyPath::of_keys(["secret_key"]), config.secret_key.as_ref())
        && key.expose().chars().count() < SECRET_KEY_CHARS_MIN
    {
        let message = format!("`secret_key` must have at least {SECRET_KEY_CHARS_MIN} characters; `openssl rand -hex 32` makes a good one");
        findings.add(&KeyPath::of_keys(["secret_key"]), message);
    }
    for (place, key) in config.previous_secret_keys.iter().enumerate() {
        findings.secret(KeyPath::of_keys(["previous_secret_keys"]).index(place), Some(key));
    }
    let bootstrap = KeyPath::of_keys(["bootstrap"]);
    findings.secret(bootstrap.key("admin_password"), config.bootstrap.admin_password.as_ref());
    let management_key = bootstrap.key("management_key");
    if let Some(key) = findings.secret(management_key.clone(), config.bootstrap.management_key.as_ref())
        && !is_key(key.expose())
    {
        let message = format!("`{management_key}` must be {MANAGEMENT_KEY_PREFIX} and {MANAGEMENT_KEY_HEX_DIGITS} hexadecimal digits");
        findings.add(&management_key, message);
    }
    let auth = KeyPath::of_keys(["auth"]);
    if let Some(google) = &config.auth.google {
        findings.secret(auth.key("google").key("client_id"), Some(&google.client_id));
        findings.secret(auth.key("google").key("client_secret"), Some(&google.client_secret));
    }
    for (name, client) in &config.auth.oidc {
        findings.secret(auth.key("oidc").key(name).key("client_id"), Some(&client.client_id));
        findings.secret(auth.key("oidc").key(name).key("client_secret"), Some(&client.client_secret));
    }
    for (index, channel) in &config.channels {
        findings.secret(KeyPath::of_keys(["channels"]).index(*index).key("api_key"), channel.api_key.as_ref());
        for (place, key) in channel.api_keys.iter().flatten().enumerate() {
            findings.secret(KeyPath::of_keys(["channels"]).index(*index).key("api_keys").index(place), Some(key));
        }
    }
    findings.problems
}

struct Findings<'l> {
    layers: &'l Layers,
    problems: Vec<Problem>,
}

impl Findings<'_> {
    fn add(&mut self, path: &KeyPath, message: String) {
        self.problems.push(Problem { place: self.layers.place(path), message });
    }

    fn secret(&mut self, path: KeyPath, reference: Option<&Secret>) -> Option<Secret> {
        match Secret::resolve(reference?) {
            Ok(secret) => Some(secret),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
                self.add(&path, format!("`{path}`: {error}{cause}"));
                None
            }
        }
    }

    fn addresses(&mut self, config: &Config) {
        if let Some(url) = &config.public_url {
            let host = url.strip_prefix("https://").or(url.strip_prefix("http://")).map(|rest| rest.trim_end_matches('/'));
            if host.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', '@', ' '])) {
                let message = format!("`public_url` cannot be \"{url}\"; write scheme and host, such as \"https://llm.example.com\"");
                self.add(&KeyPath::of_keys(["public_url"]), message);
            }
        }
        if normal_email(&config.bootstrap.admin_email).is_none() {
            let path = KeyPath::of_keys(["bootstrap", "admin_email"]);
            self.add(&path, format!("`{path}` is not an e-mail address"));
        }
        for (name, client) in &config.auth.oidc {
            if !client.issuer.starts_with("https://") && !client.issuer.starts_with("http://") {
                let path = KeyPath::of_keys(["auth", "oidc", name, "issuer"]);
                self.add(&path, format!("`{path}` must be a URL, such as \"https://accounts.example.com\""));
            }
        }
    }

    fn limits(&mut self, config: &Config) {
        let at = |key: &str| KeyPath::of_keys(["limits", key]);
        let (limits, live) = (&config.limits, &config.live);
        let counts = [
            ("body_bytes_max", limits.body_bytes_max.bytes()),
            ("requests_max", limits.requests_max),
            ("attempts_max", limits.attempts_max),
            ("answer_bytes_max", limits.answer_bytes_max.bytes()),
            ("client_queue_pieces_max", limits.client_queue_pieces_max),
            ("gate_accounts_max", limits.gate_accounts_max),
            ("generation_records_max", limits.generation_records_max),
            ("generation_bytes_max", limits.generation_bytes_max.bytes()),
            ("hold_output_tokens_max", usize::try_from(limits.hold_output_tokens_max).unwrap_or(usize::MAX)),
        ];
        let of_live = [
            ("clients_max", live.clients_max),
            ("clients_per_session_max", live.clients_per_session_max),
            ("queue_messages_max", live.queue_messages_max),
        ];
        let counts = counts.map(|(key, count)| (at(key), count)).into_iter();
        let counts = counts.chain(of_live.map(|(key, count)| (KeyPath::of_keys(["live", key]), count)));
        for (path, _) in counts.filter(|(_, count)| *count == 0) {
            self.add(&path, format!("`{path}` must be more than zero"));
        }
        let share = KeyPath::of_keys(["routing", "hedging", "share_percent"]);
        if config.routing.hedging.share_percent > 100 {
            self.add(&share, format!("`{share}` must be at most 100"));
        }
        if !(1..=BODY_DEPTH_MAX).contains(&limits.body_depth_max) {
            self.add(&at("body_depth_max"), format!("`{}` must be from 1 to {BODY_DEPTH_MAX}", at("body_depth_max")));
        }
        if limits.spool_bytes_max < SPOOL_BYTES_MIN {
            self.add(&at("spool_bytes_max"), format!("`{}` must be at least 64MiB", at("spool_bytes_max")));
        }
        if limits.overdraft_max.0.is_negative() {
            self.add(&at("overdraft_max"), format!("`{}` cannot be negative; write \"0\" for none", at("overdraft_max")));
        }
        if config.free_tier.credits.0.is_negative() {
            let path = KeyPath::of_keys(["free_tier", "credits"]);
            self.add(&path, format!("`{path}` cannot be negative; write \"0\" for none"));
        }
        if config.webhooks.attempts_max == 0 {
            let path = KeyPath::of_keys(["webhooks", "attempts_max"]);
            self.add(&path, format!("`{path}` must be more than zero"));
        }
        if config.events.replicas.is_some_and(|replicas| !matches!(replicas, 1 | 3 | 5)) {
            let path = KeyPath::of_keys(["events", "replicas"]);
            self.add(&path, format!("`{path}` must be 1, 3 or 5"));
        }
        if config.bootstrap.credit.0.is_negative() {
            let path = KeyPath::of_keys(["bootstrap", "credit"]);
            self.add(&path, format!("`{path}` cannot be negative; write \"0\" for none"));
        }
    }

    fn deadlines(&mut self, config: &Config) {
        let timeouts = &config.timeouts;
        let stream = &config.stream;
        let spans: [(&str, &str, Span); 20] = [
            ("webhooks", "timeout", config.webhooks.timeout),
            ("webhooks", "retry_first", config.webhooks.retry_first),
            ("auth", "session", config.auth.session),
            ("timeouts", "body", timeouts.body),
            ("timeouts", "connect", timeouts.connect),
            ("timeouts", "first_byte", timeouts.first_byte),
            ("timeouts", "whole_answer", timeouts.whole_answer),
            ("timeouts", "idle", timeouts.idle),
            ("timeouts", "total", timeouts.total),
            ("timeouts", "drain", timeouts.drain),
            ("timeouts", "client_stall", timeouts.client_stall),
            ("timeouts", "idempotency", timeouts.idempotency),
            ("timeouts", "credit_verdict", timeouts.credit_verdict),
            ("stream", "keep_alive_interval", stream.keep_alive_interval),
            ("stream", "checkpoint_interval", stream.checkpoint_interval),
            ("stream", "renewal_interval", stream.renewal_interval),
            ("timeouts", "shutdown_grace", timeouts.shutdown_grace),
            ("live", "ping_interval", config.live.ping_interval),
            ("live", "check_interval", config.live.check_interval),
            ("live", "look_interval", config.live.look_interval),
        ];
        for (section, key, _) in spans.into_iter().filter(|(.., span)| span.0 < Duration::from_millis(1)) {
            let path = KeyPath::of_keys([section, key]);
            self.add(&path, format!("`{path}` must be at least 1ms"));
        }
        let hold_ttl_min = stream.renewal_interval.0 * RENEWALS_MIN;
        if stream.hold_ttl.0 < hold_ttl_min || stream.hold_ttl.0 > HOLD_TTL_MAX {
            let path = KeyPath::of_keys(["stream", "hold_ttl"]);
            let message = format!("`{path}` ({}) must be from {RENEWALS_MIN} times `stream.renewal_interval` to an hour", stream.hold_ttl);
            self.add(&path, message);
        }
        for (key, span) in [("connect", timeouts.connect), ("first_byte", timeouts.first_byte), ("idle", timeouts.idle)] {
            if span > timeouts.total {
                let path = KeyPath::of_keys(["timeouts", key]);
                self.add(&path, format!("`{path}` ({span}) is longer than `timeouts.total` ({})", timeouts.total));
            }
        }
    }

    fn channels(&mut self, config: &Config) {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, channel) in &config.channels {
            let at = KeyPath::of_keys(["channels"]).index(*index);
            for error in channel.check().err().unwrap_or_default() {
                let path = at.join(&error.path);
                self.add(&path, format!("`{path}`: {}", error.message));
            }
            if let Some(other) = first.insert(&channel.name, *index) {
                self.add(&at.key("name"), format!("`{}` repeats the name of channels[{other}]: {}", at.key("name"), channel.name));
            }
        }
    }
}

fn is_key(text: &str) -> bool {
    text.strip_prefix(MANAGEMENT_KEY_PREFIX)
        .is_some_and(|digits| digits.len() == MANAGEMENT_KEY_HEX_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
