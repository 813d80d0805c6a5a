//! The connection pools of all channels, kept across catalogs: a price change must not drop connections.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use schemas::ChannelId;

use super::addresses::Reach;
use super::anthropic::AnthropicChannel;
use super::attempt_error::AttemptError;
use super::call::{ChannelClient, ChannelClientError, HttpChannel};
use super::{demo, openrouter};
use crate::control::catalog::Channel;
use crate::control::channel::{AttemptTimeoutsSpec, ProviderKind};
use crate::control::secrets::Secret;
use crate::control::store::ManagedBy;
use crate::routing::health::ChannelKey;

/// Clients by channel. Made when a channel is first called, and again when its address or key changed.
pub struct ChannelClients {
    clients: ArcSwap<HashMap<ChannelId, Entry>>,
    connect_timeout: Duration,
    demo_pace: demo::Pace,
    allow_private: bool,
}

#[derive(Clone)]
struct Entry {
    /// The channel it was made for: a new catalog brings a new channel.
    made_for: Weak<Channel>,
    base_url: Option<Arc<str>>,
    managed_by: ManagedBy,
    timeouts: AttemptTimeoutsSpec,
    keys: Vec<ChannelKey>,
    /// One a key; the only one where there is none.
    clients: Vec<Arc<ChannelClient>>,
}

impl ChannelClients {
    pub fn new(connect_timeout: Duration, demo_pace: demo::Pace) -> Self {
        Self { clients: ArcSwap::default(), connect_timeout, demo_pace, allow_private: false }
    }

    /// Whether channels of the administration API may be at private addresses.
    #[must_use]
    pub fn with_private(self, allow_private: bool) -> Self {
        Self { allow_private, ..self }
    }

    /// As it was when it was new: no client, no connection.
    #[must_use]
    pub fn unconnected(&self) -> Self {
        Self::new(self.connect_timeout, self.demo_pace).with_private(self.allow_private)
    }

    /// The client of a channel that uses its key at a place.
    pub fn of(&self, channel: &Arc<Channel>, key: usize) -> Result<Arc<ChannelClient>, AttemptError> {
        if let Some(entry) = self.clients.load().get(&channel.id)
            && entry.made_for.as_ptr() == Arc::as_ptr(channel)
            && let Some(client) = entry.clients.get(key)
        {
            return Ok(Arc::clone(client));
        }
        self.renew(channel, key).map_err(|error| {
            tracing::error!(error = %error, channel.name = %channel.name, "channel cannot be called");
            AttemptError::broken("the channel is misconfigured")
        })
    }

    /// A new catalog's channel: keeps the client where nothing that matters to it changed.
    fn renew(&self, channel: &Arc<Channel>, key: usize) -> Result<Arc<ChannelClient>, ChannelClientError> {
        let known = self.clients.load().get(&channel.id).cloned();
        let known = known.filter(|entry| {
            entry.base_url == channel.base_url && entry.managed_by == channel.managed_by && entry.timeouts == channel.timeouts
        });
        let known_client = |secret: Option<&Secret>| {
            let entry = known.as_ref()?;
            let place = match secret {
                Some(secret) => entry.keys.iter().position(|known| known.secret == *secret)?,
                None if entry.keys.is_empty() => 0,
                None => return None,
            };
            entry.clients.get(place).cloned()
        };
        let of_key = |secret: Option<&Secret>| match known_client(secret) {
            Some(client) => Ok(client),
            None => self.connect(channel, secret).map(Arc::new),
        };
        let clients: Vec<Arc<ChannelClient>> = if channel.keys.is_empty() {
            vec![of_key(None)?]
        } else {
            channel.keys.iter().map(|key| of_key(Some(&key.secret))).collect::<Result<_, _>>()?
        };
        let client = clients.get(key).or(clients.first()).cloned().ok_or(ChannelClientError::ApiKey)?;
        let entry = Entry {
            made_for: Arc::downgrade(channel),
            base_url: channel.base_url.clone(),
            managed_by: channel.managed_by,
            timeouts: channel.timeouts,
            keys: channel.keys.clone(),
            clients,
        };
        self.clients.rcu(|clients| {
            let mut clients = HashMap::clone(clients);
            clients.insert(channel.id, entry.clone());
            clients
        });
        Ok(client)
    }

    fn connect(&self, channel: &Channel, api_key: Option<&Secret>) -> Result<ChannelClient, ChannelClientError> {
        let base_url = channel.base_url.as_deref().unwrap_or_default();
        let api_key = api_key.map(Secret::expose);
        let connect_timeout = channel.timeouts.connect.unwrap_or(self.connect_timeout);
        let reach = if self.allow_private || channel.managed_by == ManagedBy::File { Reach::Anywhere } else { Reach::Public };
        let openai = || HttpChannel::new(base_url, api_key, (connect_timeout, reach));
        match channel.provider {
            ProviderKind::Demo => Ok(ChannelClient::Demo { pace: self.demo_pace }),
            ProviderKind::Anthropic => AnthropicChannel::new(base_url, api_key, (connect_timeout, reach))
                .map(|channel| ChannelClient::Anthropic(Box::new(channel))),
            ProviderKind::OpenRouter => {
                openai().map(|channel| ChannelClient::OpenAi(Box::new(channel.with_headers(openrouter::headers()))))
            }
            ProviderKind::OpenAi | ProviderKind::OpenAiCompatible => openai().map(|channel| ChannelClient::OpenAi(Box::new(channel))),
        }
    }
}
