//! Accounts, keys, channels, the catalog and administration.

mod accounts;
mod analytics;
mod bootstrap;
mod catalog;
mod channels;
mod credits;
mod generation;
mod keys;
mod on_postgres;
mod on_sqlite;
mod scopes;
mod secrets;

use gateway::control::channel::ChannelSpec;
use serde_json::{Value, json};

/// A channel that offers one model at `0.15 / 0.60` a million.
pub fn channel_json(name: &str) -> Value {
    json!({
        "name": name,
        "provider": "openai-compatible",
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": "sk-upstream-very-secret",
        "models": [{
            "id": "acme/model-1",
            "context_length": 128_000,
            "max_completion_tokens": 4_096,
            "price": { "prompt": "0.15", "completion": "0.60", "cache_read": "0.075" },
            "cost": { "prompt": "0.10", "completion": "0.40" },
        }],
    })
}

pub fn channel(name: &str) -> ChannelSpec {
    serde_json::from_value(channel_json(name)).unwrap()
}
