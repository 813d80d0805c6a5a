//! What the configuration says to each role, in the role's own words.

use eventlog::{Durability as SpoolDurability, SpoolOptions};
use gateway::control::secrets::{Secret, SecretError};
use gateway::dashboard::LiveOptions;
use gateway::http::peer::TrustedProxies;
use gateway::options::{Options as GatewayOptions, UsageChunkChoices as Choices};
use gateway::routing::{HedgingRules, Percentile as HedgePercentile, RoutingRules};
use gateway::signin::{GOOGLE_ISSUER, ProviderOptions, SignInOptions};
use gateway::webhooks::WebhookOptions;
use ledger::gate::GateOptions;

use super::settings::{Config, Durability, Percentile, UsageChunkChoices};

impl Config {
    pub fn gateway_options(&self) -> GatewayOptions {
        let (limits, timeouts, stream) = (&self.limits, &self.timeouts, &self.stream);
        GatewayOptions {
            public_url: self.public_url(),
            body_bytes_max: limits.body_bytes_max.bytes(),
            body_timeout: timeouts.body.0,
            body_depth_max: limits.body_depth_max,
            hold_output_tokens_max: limits.hold_output_tokens_max,
            overdraft_max: limits.overdraft_max.0,
            idempotency: timeouts.idempotency.0,
            hold_ttl: std::time::Duration::from_millis(self.gate_options().rules.hold_ttl_ms.into()),
            requests_max: limits.requests_max,
            attempts_max: limits.attempts_max,
            retries_max: limits.retries_max,
            retry_backoff: timeouts.retry_backoff.0,
            retry_wait_max: timeouts.retry_wait.0,
            routing: self.routing_rules(),
            free_tier: self.free_tier.enabled.then(|| self.free_tier.rules()),
            allow_private_upstreams: self.upstreams.allow_private,
            connect_timeout: timeouts.connect.0,
            first_byte_timeout: timeouts.first_byte.0,
            whole_answer_timeout: timeouts.whole_answer.0,
            idle_timeout: timeouts.idle.0,
            total_timeout: timeouts.total.0,
            answer_bytes_max: limits.answer_bytes_max.bytes(),
            drain_timeout: timeouts.drain.0,
            drain_bytes_max: limits.drain_bytes_max.bytes(),
            keep_alive_interval: stream.keep_alive_interval.0,
            client_queue_pieces_max: limits.client_queue_pieces_max,
            client_stall_timeout: timeouts.client_stall.0,
            checkpoint_interval: stream.checkpoint_interval.0,
            renewal_interval: stream.renewal_interval.0,
            usage_chunk_choices: match stream.usage_chunk_choices {
                UsageChunkChoices::Repeat => Choices::Repeat,
                UsageChunkChoices::Empty => Choices::Empty,
            },
            shutdown_grace: timeouts.shutdown_grace.0,
        }
    }

    fn routing_rules(&self) -> RoutingRules {
        let hedging = &self.routing.hedging;
        RoutingRules {
            auto_models: self.routing.auto_models.clone(),
            aliases: self.routing.aliases.clone(),
            hedging: HedgingRules {
                enabled: hedging.enabled,
                percentile: match hedging.percentile {
                    Percentile::P50 => HedgePercentile::P50,
                    Percentile::P75 => HedgePercentile::P75,
                    Percentile::P90 => HedgePercentile::P90,
                    Percentile::P99 => HedgePercentile::P99,
                },
                delay_min: hedging.delay_min.0,
                share_percent: hedging.share_percent,
            },
        }
    }

    pub fn webhook_options(&self) -> WebhookOptions {
        WebhookOptions {
            timeout: self.webhooks.timeout.0,
            attempts_max: self.webhooks.attempts_max,
            retry_first: self.webhooks.retry_first.0,
            retry_max: self.webhooks.retry_max.0,
            allow_private: self.webhooks.allow_private,
        }
    }

    /// Follows the references to the clients of identity providers.
    pub fn sign_in_options(&self) -> Result<SignInOptions, SecretError> {
        let provider = |id: String, name: String, issuer: &str, client_id: &Secret, client_secret: &Secret| {
            let client_id = Secret::resolve(client_id)?.expose().to_owned();
            Ok(ProviderOptions { id, name, issuer: issuer.to_owned(), client_id, client_secret: Secret::resolve(client_secret)? })
        };
        let google = self
            .auth
            .google
            .iter()
            .map(|client| provider("google".to_owned(), "Google".to_owned(), GOOGLE_ISSUER, &client.client_id, &client.client_secret));
        let others = self.auth.oidc.iter().map(|(id, client)| {
            let name = client.name.clone().unwrap_or_else(|| id.clone());
            provider(format!("oidc:{id}"), name, &client.issuer, &client.client_id, &client.client_secret)
        });
        Ok(SignInOptions {
            public_url: self.public_url(),
            sign_up: self.auth.sign_up,
            session: self.auth.session.0,
            providers: google.chain(others).collect::<Result<_, SecretError>>()?,
        })
    }

    pub fn live_options(&self) -> LiveOptions {
        let live = &self.live;
        LiveOptions {
            clients_max: live.clients_max,
            clients_per_session_max: live.clients_per_session_max,
            queue_messages_max: live.queue_messages_max,
            recent_requests_max: live.recent_requests_max,
            ping_interval: live.ping_interval.0,
            check_interval: live.check_interval.0,
            look_interval: live.look_interval.0,
        }
    }

    /// Whose word counts about where a request comes from.
    pub fn trusted_proxies(&self) -> TrustedProxies {
        TrustedProxies(self.auth.trusted_proxies.iter().map(|proxy| proxy.0).collect())
    }

    pub fn gate_options(&self) -> GateOptions {
        let mut defaults = GateOptions::default();
        defaults.rules.hold_ttl_ms = u32::try_from(self.stream.hold_ttl.0.as_millis()).unwrap_or(u32::MAX);
        GateOptions {
            accounts_max: self.limits.gate_accounts_max,
            generations_max: self.limits.generation_records_max,
            generation_bytes_max: self.limits.generation_bytes_max.bytes(),
            ..defaults
        }
    }

    pub fn spool_options(&self) -> SpoolOptions {
        let durability = match self.durability {
            Durability::Disk => SpoolDurability::Disk,
            Durability::Process => SpoolDurability::Process,
            Durability::Log => SpoolDurability::Log { ack_timeout: self.log_ack_timeout.0 },
        };
        SpoolOptions { durability, bytes_max: self.limits.spool_bytes_max.0, ..SpoolOptions::default() }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;
    use crate::config::{Environment, References, load};

    #[test]
    fn a_roles_own_defaults_are_those_of_the_configuration() {
        let config = load(None, &Environment::default(), References::Leave).unwrap().config;
        assert_eq!(format!("{:?}", config.gateway_options()), format!("{:?}", GatewayOptions::default()));
        assert_eq!(config.gate_options(), GateOptions::default());
        assert_eq!(format!("{:?}", config.live_options()), format!("{:?}", LiveOptions::default()));
        assert_eq!(config.webhook_options(), WebhookOptions::default());
        assert_eq!(format!("{:?}", config.spool_options()), format!("{:?}", SpoolOptions::default()));
    }
}
