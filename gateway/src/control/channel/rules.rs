//! Every rule about a channel. A problem is told with the path of its field; all are told at once.

use std::collections::HashSet;
use std::time::Duration;

use super::{AttemptTimeoutsSpec, ChannelLimitsSpec, ChannelSpec, EMBEDDINGS, HealthCheckSpec, ModelSpec, PriceSpec, ProviderKind};
use crate::control::secrets::Secret;
use crate::routing::QUANTIZATIONS;

/// Longest name of a channel and of a model.
const NAME_CHARS_MAX: usize = 128;
/// Keys of one channel beside its first.
const MORE_KEYS_MAX: usize = 63;
/// No attempt is worth waiting for longer.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);
/// Other names of one model.
const ALIASES_MAX: usize = 16;
/// Models of one channel.
const MODELS_MAX: usize = 2_000;
/// Longest free text of a model.
const DESCRIPTION_CHARS_MAX: usize = 10_000;
/// Words in one list of a model.
const WORDS_MAX: usize = 64;
/// No model has a longer context; a larger number is a slip.
const CONTEXT_TOKENS_MAX: u64 = 100_000_000;

/// One thing wrong with a channel, and where: `models[2].price`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SpecError {
    pub path: String,
    pub message: String,
}

impl ChannelSpec {
    /// Checks every rule and reports all that is wrong, not only the first thing.
    pub fn check(&self) -> Result<(), Vec<SpecError>> {
        let mut problems = Problems::default();
        check_name(&self.name, &mut problems);
        check_base_url(self.provider, self.base_url.as_deref(), &mut problems);
        if self.api_key.as_ref().is_some_and(|key| key.expose().is_empty()) {
            problems.add("api_key", "must not be empty; leave it out where no key is needed");
        }
        if self.provider_name.as_ref().is_some_and(|name| name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX) {
            problems.add("provider_name", format!("must have 1 to {NAME_CHARS_MAX} characters"));
        }
        if self.weight == 0 {
            problems.add("weight", "must be at least 1; set status = \"disabled\" to take the channel out of use");
        }
        let is_header = |key: &Secret| key.expose().bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if self.api_key.as_ref().is_some_and(|key| !is_header(key)) {
            problems.add("api_key", "must be printable ASCII in one line: it is sent in a header");
        }
        self.health_check.check(&mut problems);
        let more_keys = self.api_keys.as_deref().unwrap_or_default();
        if more_keys.len() > MORE_KEYS_MAX || more_keys.iter().any(|key| key.expose().is_empty()) {
            problems.add("api_keys", format!("must be at most {MORE_KEYS_MAX} keys, none of them empty"));
        }
        if !more_keys.iter().all(is_header) {
            problems.add("api_keys", "must be printable ASCII in one line each: they are sent in a header");
        }
        if self.region.as_ref().is_some_and(|region| region.trim().is_empty() || region.chars().count() > NAME_CHARS_MAX) {
            problems.add("region", format!("must have 1 to {NAME_CHARS_MAX} characters"));
        }
        self.limits.check(&mut problems);
        self.timeouts.check(&mut problems);
        if self.models.is_empty() || self.models.len() > MODELS_MAX {
            problems.add("models", format!("a channel offers 1 to {MODELS_MAX} models"));
        }
        let mut seen = HashSet::new();
        for (index, model) in self.models.iter().enumerate() {
            if !seen.insert(model.id.as_str()) {
                problems.add(format!("models[{index}].id"), format!("`{}` is offered twice by this channel", model.id));
            }
            model.check(&format!("models[{index}]"), &mut problems);
            if model.embeds() && self.provider == ProviderKind::Anthropic {
                problems.add(format!("models[{index}].output_modalities"), "Anthropic has no models for embeddings");
            }
        }
        problems.into_result()
    }
}

impl ChannelSpec {
    /// Whether two specs mean the same, however their prices are written. Keys are not compared.
    pub fn says_the_same(&self, other: &Self) -> bool {
        let same_models = self.models.len() == other.models.len()
            && self.models.iter().zip(&other.models).all(|(ours, theirs)| ours.says_the_same(theirs));
        let bare = |spec: &Self| Self { api_key: None, api_keys: None, models: Vec::new(), ..spec.clone() };
        same_models && bare(self) == bare(other)
    }
}

impl ChannelLimitsSpec {
    fn check(&self, problems: &mut Problems) {
        let limits = [
            ("limits.requests_per_minute", self.requests_per_minute.map(u64::from)),
            ("limits.tokens_per_minute", self.tokens_per_minute),
            ("limits.concurrency", self.concurrency.map(u64::from)),
        ];
        for (path, _) in limits.into_iter().filter(|(_, limit)| *limit == Some(0)) {
            problems.add(path, "must be at least 1; set status = \"disabled\" to take the channel out of use");
        }
    }
}

impl AttemptTimeoutsSpec {
    fn check(&self, problems: &mut Problems) {
        let timeouts = [
            ("timeouts.connect", self.connect),
            ("timeouts.first_byte", self.first_byte),
            ("timeouts.idle", self.idle),
            ("timeouts.total", self.total),
        ];
        for (path, _) in
            timeouts.into_iter().filter(|(_, timeout)| timeout.is_some_and(|timeout| timeout.is_zero() || timeout > TIMEOUT_MAX))
        {
            problems.add(path, "must be more than 0s and at most 24h");
        }
    }
}

impl HealthCheckSpec {
    fn check(&self, problems: &mut Problems) {
        if self.interval < Duration::from_secs(1) {
            problems.add("health_check.interval", "must be at least 1s");
        }
        if self.timeout.is_zero() || self.timeout > self.interval {
            problems.add("health_check.timeout", "must be more than 0s and at most the interval");
        }
        if self.failure_threshold == 0 {
            problems.add("health_check.failure_threshold", "must be at least 1");
        }
    }
}

impl ModelSpec {
    fn says_the_same(&self, other: &Self) -> bool {
        let price = |spec: &Self| spec.price.as_ref().and_then(|price| price.table().ok());
        let cost = |spec: &Self| spec.cost.as_ref().and_then(|cost| cost.table().ok()).or_else(|| price(spec));
        let bare = |spec: &Self| Self { price: None, cost: None, ..spec.clone() };
        price(self) == price(other) && cost(self) == cost(other) && bare(self) == bare(other)
    }

    fn check(&self, path: &str, problems: &mut Problems) {
        if let Err(message) = check_model_id(&self.id) {
            problems.add(format!("{path}.id"), message);
        }
        if self.upstream.as_ref().is_some_and(|name| name.is_empty() || name.chars().count() > NAME_CHARS_MAX) {
            problems.add(format!("{path}.upstream"), format!("must have 1 to {NAME_CHARS_MAX} characters"));
        }
        match &self.price {
            None => problems.add(
                format!("{path}.price"),
                format!(
                    "model `{}` has no price; write price = {{ prompt = \"0.15\", completion = \"0.60\" }} in USD per million tokens, \
                     or price = \"free\"",
                    self.id
                ),
            ),
            Some(price) => check_price(price, &format!("{path}.price"), problems),
        }
        if let Some(cost) = &self.cost {
            check_price(cost, &format!("{path}.cost"), problems);
        }
        self.check_details(path, problems);
    }

    fn check_details(&self, path: &str, problems: &mut Problems) {
        for (field, tokens) in [("context_length", self.context_length), ("max_completion_tokens", self.max_completion_tokens)] {
            if tokens.is_some_and(|tokens| tokens == 0 || tokens > CONTEXT_TOKENS_MAX) {
                problems.add(format!("{path}.{field}"), format!("must be from 1 to {CONTEXT_TOKENS_MAX}"));
            }
        }
        let texts = [("name", &self.name), ("quantization", &self.quantization), ("tokenizer", &self.tokenizer)];
        for (field, text) in texts.into_iter().chain([("hugging_face_id", &self.hugging_face_id)]) {
            if text.as_ref().is_some_and(|text| text.chars().count() > NAME_CHARS_MAX) {
                problems.add(format!("{path}.{field}"), format!("must have at most {NAME_CHARS_MAX} characters"));
            }
        }
        if self.quantization.as_ref().is_some_and(|quantization| !QUANTIZATIONS.contains(&quantization.as_str())) {
            problems.add(format!("{path}.quantization"), format!("must be one of {}", QUANTIZATIONS.join(", ")));
        }
        if self.aliases.len() > ALIASES_MAX {
            problems.add(format!("{path}.aliases"), format!("a model has at most {ALIASES_MAX} aliases"));
        }
        for (index, alias) in self.aliases.iter().enumerate() {
            if let Err(message) = check_model_id(alias.strip_prefix('~').unwrap_or(alias)) {
                problems.add(format!("{path}.aliases[{index}]"), message);
            }
        }
        if self.description.as_ref().is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX) {
            problems.add(format!("{path}.description"), format!("must have at most {DESCRIPTION_CHARS_MAX} characters"));
        }
        let lists = [("input_modalities", &self.input_modalities), ("output_modalities", &self.output_modalities)];
        for (field, words) in lists.into_iter().chain([("supported_parameters", &self.supported_parameters)]) {
            let fits = |words: &Vec<String>| words.len() <= WORDS_MAX && words.iter().all(|word| is_plain_word(word));
            if !words.as_ref().is_none_or(fits) {
                problems.add(format!("{path}.{field}"), format!("must be at most {WORDS_MAX} words such as \"text\" or \"max_tokens\""));
            }
        }
        if self.embeds() && self.output_modalities.as_ref().is_some_and(|words| words.len() > 1) {
            let message = format!("a model gives \"{EMBEDDINGS}\" or it answers; write the word alone, or leave it out");
            problems.add(format!("{path}.output_modalities"), message);
        }
    }
}

#[derive(Default)]
struct Problems(Vec<SpecError>);

impl Problems {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.push(SpecError { path: path.into(), message: message.into() });
    }

    fn into_result(self) -> Result<(), Vec<SpecError>> {
        if self.0.is_empty() { Ok(()) } else { Err(self.0) }
    }
}

fn check_name(name: &str, problems: &mut Problems) {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.' | ' ');
    if name.is_empty() || name.trim() != name || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(plain) {
        let message = format!("must have 1 to {NAME_CHARS_MAX} letters, digits, `-`, `_`, `.` or spaces, none at either end");
        problems.add("name", message);
    }
}

fn check_base_url(provider: ProviderKind, base_url: Option<&str>, problems: &mut Problems) {
    match base_url {
        Some(_) if provider == ProviderKind::Demo => problems.add("base_url", "the demo provider is built in and has no base_url"),
        Some(url) if !is_http_url(url) => {
            problems.add("base_url", "must be an http:// or https:// URL without user, query or fragment".to_owned())
        }
        None if provider == ProviderKind::OpenAiCompatible => {
            problems.add("base_url", "openai-compatible needs a base_url, for example \"https://api.example.com/v1\"");
        }
        _ => {}
    }
}

fn is_http_url(url: &str) -> bool {
    let uri: Result<http::Uri, _> = url.parse();
    uri.is_ok_and(|uri| {
        let scheme = uri.scheme_str().is_some_and(|scheme| scheme == "http" || scheme == "https");
        let no_user = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        scheme && no_user && uri.query().is_none() && !url.contains('#')
    })
}

fn check_price(price: &PriceSpec, path: &str, problems: &mut Problems) {
    if let Err(error) = price.table() {
        let cause = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        problems.add(path, format!("{error}{cause}"));
    }
}

fn is_plain_word(word: &str) -> bool {
    let plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
    !word.is_empty() && word.len() <= NAME_CHARS_MAX && word.chars().all(plain)
}

/// `author/slug` with an optional `:variant`.
fn check_model_id(id: &str) -> Result<(), String> {
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
    };
    let well_formed = id.split_once('/').is_some_and(|(author, rest)| {
        let (slug, variant) = rest.split_once(':').map_or((rest, None), |(slug, variant)| (slug, Some(variant)));
        plain(author) && plain(slug) && variant.is_none_or(plain)
    });
    if well_formed && id.len() <= NAME_CHARS_MAX {
        Ok(())
    } else {
        Err(format!("`{id}` is not a model id; write author/slug, for example openai/gpt-4o-mini or openai/gpt-4o-mini:free"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests assert by panicking")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::control::channel::Availability;

    fn spec(change: impl FnOnce(&mut serde_json::Value)) -> Result<ChannelSpec, String> {
        let mut value = json!({
            "name": "main", "provider": "openai", "api_key": "sk-1",
            "models": [{ "id": "openai/gpt-4o-mini", "price": { "prompt": "0.15", "completion": "0.60" } }],
        });
        change(&mut value);
        serde_path_to_error::deserialize(value).map_err(|error| format!("{}: {}", error.path(), error.inner()))
    }

    fn problems(change: impl FnOnce(&mut serde_json::Value)) -> Vec<String> {
        match spec(change).unwrap().check() {
            Ok(()) => Vec::new(),
            Err(problems) => problems.into_iter().map(|problem| format!("{}: {}", problem.path, problem.message)).collect(),
        }
    }

    #[test]
    fn the_example_of_the_interface_contract_is_accepted_with_its_defaults() {
        let spec = spec(|value| value["health_check"] = json!({ "interval": "2m", "failure_threshold": 5 })).unwrap();
        assert_eq!(spec.check(), Ok(()));
        assert_eq!((spec.priority, spec.weight, spec.status), (0, 100, Availability::Enabled));
        assert_eq!(spec.health_check.interval, Duration::from_secs(120));
        assert_eq!(spec.health_check.timeout, Duration::from_secs(10));
        assert_eq!(spec.models[0].upstream_name(), "gpt-4o-mini");
    }

    #[test]
    fn the_key_is_never_written_back() {
        let written = serde_json::to_string(&spec(|_| {}).unwrap()).unwrap();
        assert!(!written.contains("sk-1") && !written.contains("api_key"), "{written}");
    }

    #[test]
    fn a_missing_price_is_refused_and_says_what_to_write() {
        let found = problems(|value| value["models"][0] = json!({ "id": "openai/gpt-4o" }));
        assert!(found[0].starts_with("models[0].price: model `openai/gpt-4o` has no price; write price = {"), "{found:?}");
        assert!(problems(|value| value["models"][0]["price"] = json!("free")).is_empty());
    }

    #[test]
    fn a_half_written_price_names_its_missing_key() {
        let found = problems(|value| value["models"][0]["price"] = json!({ "prompt": "0.1" }));
        assert!(found[0].starts_with("models[0].price: price key `completion` is missing"), "{found:?}");
        let fine = problems(|value| value["models"][0]["price"] = json!({ "prompt": "0.1234567", "completion": "1" }));
        assert!(fine[0].contains("price key `prompt`: `0.1234567` has more than 6 fraction digits"), "{fine:?}");
    }

    #[test]
    fn unknown_fields_and_providers_are_refused_with_what_is_valid() {
        let unknown = spec(|value| value["models"][0]["pric"] = json!("free")).unwrap_err();
        assert!(unknown.contains("models[0].pric") && unknown.contains("unknown field `pric`"), "{unknown}");
        let provider = spec(|value| value["provider"] = json!("antropic")).unwrap_err();
        assert!(provider.contains("expected one of `openai`, `openai-compatible`, `anthropic`, `openrouter`, `demo`"), "{provider}");
        let price = spec(|value| value["models"][0]["price"] = json!("cheap")).unwrap_err();
        assert!(price.contains("models[0].price") && price.contains("or \"free\""), "{price}");
        let duration = spec(|value| value["health_check"] = json!({ "interval": "soon" })).unwrap_err();
        assert!(duration.contains("health_check.interval") && duration.contains("\"60s\""), "{duration}");
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let found = problems(|value| {
            value["name"] = json!(" main");
            value["provider"] = json!("openai-compatible");
            value["weight"] = json!(0);
            value["models"] = json!([{ "id": "gpt", "price": "free" }, { "id": "gpt", "price": "free", "context_length": 0 }]);
        });
        let paths: Vec<&str> = found.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
        assert_eq!(paths, ["name", "base_url", "weight", "models[0].id", "models[1].id", "models[1].id", "models[1].context_length"]);
    }

    #[test]
    fn a_model_embeds_or_answers() {
        let modalities = |words: serde_json::Value| problems(|value| value["models"][0]["output_modalities"] = words);
        assert!(modalities(json!(["embeddings"])).is_empty());
        let both = modalities(json!(["text", "embeddings"]));
        assert!(both[0].starts_with("models[0].output_modalities: a model gives \"embeddings\" or it answers"), "{both:?}");
        let of_anthropic = problems(|value| {
            value["provider"] = json!("anthropic");
            value["models"][0]["output_modalities"] = json!(["embeddings"]);
        });
        assert_eq!(of_anthropic, ["models[0].output_modalities: Anthropic has no models for embeddings"]);
    }

    #[test]
    fn base_urls_with_credentials_or_a_query_are_refused() {
        for url in ["ftp://x", "http://user:pass@x/v1", "http://x/v1?key=1", "/v1", "http://x/#a"] {
            assert_eq!(problems(|value| value["base_url"] = json!(url)).len(), 1, "{url}");
        }
        assert!(problems(|value| value["base_url"] = json!("http://127.0.0.1:9/v1")).is_empty());
    }

    #[test]
    fn a_price_given_as_a_number_is_read_as_it_was_written() {
        let spec = spec(|value| value["models"][0]["price"] = json!({ "prompt": 0.15, "completion": 2 })).unwrap();
        let Some(PriceSpec::Table(text)) = &spec.models[0].price else { panic!("a table was given") };
        assert_eq!((text.prompt.as_deref(), text.completion.as_deref()), (Some("0.15"), Some("2")));
    }
}
