//! What the routes of accounts, keys, catalog and administration work with.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eventlog::Spool;
use ledger::gate::BalanceGate;
use ledger::store::LedgerStore;
use projector::{AnalyticsError, AnalyticsStore};
use schemas::Timestamp;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::announcements::announce_due;
use super::credits::{Booked, CreditDesk, CreditError, CreditOrder};
use super::endpoint_stats::{EndpointStats, EndpointStatsCache};
use super::people::User;
use super::store::Act;
use super::usage_cache::UsageCache;
use super::{Control, ControlError};
use crate::admission::FreeTier;
use crate::routing::Routing;
use crate::webhooks::WebhookOptions;

/// Between two rounds of upkeep.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(15);

/// The handles of one gateway.
pub struct Services {
    pub control: Control,
    pub ledger: LedgerStore,
    pub analytics: AnalyticsStore,
    pub gate: BalanceGate,
    pub spool: Spool,
    pub credits: CreditDesk,
    routing: OnceLock<Arc<Routing>>,
    free_tier: OnceLock<Arc<FreeTier>>,
    webhooks: OnceLock<WebhookOptions>,
    pub usage: UsageCache,
    stats: EndpointStatsCache,
}

impl Services {
    pub fn new(
        control: Control,
        ledger: LedgerStore,
        analytics: AnalyticsStore,
        gate: BalanceGate,
        spool: Spool,
        credits: CreditDesk,
    ) -> Arc<Self> {
        Arc::new(Self {
            control,
            ledger,
            analytics,
            gate,
            spool,
            credits,
            routing: OnceLock::new(),
            free_tier: OnceLock::new(),
            webhooks: OnceLock::new(),
            usage: UsageCache::default(),
            stats: EndpointStatsCache::default(),
        })
    }

    /// Orders a credit for an administrator, and records who did.
    pub async fn credit(&self, act: &Act, order: &CreditOrder) -> Result<Booked, CreditError> {
        let booked = self.credits.order(order, act.at).await?;
        // Also of an order that is repeated: the first try may have been booked after nobody waited for it any more.
        // The books have it, with who ordered it: a record that cannot be written does not undo that.
        if let Err(error) = self.control.store().record_credit(act, order).await {
            tracing::error!(error = &error as &dyn std::error::Error, account.id = %order.account_id, "a credit was booked and not recorded");
        }
        Ok(booked)
    }

    /// Makes an account with its owner, who may be known by a subject at an identity provider: all of it or nothing. Requests
    /// find the account at once.
    pub async fn sign_up(&self, act: &Act, account: &Account, owner: &User, identity: Option<(&str, &str)>) -> Result<(), ControlError> {
        self.control.store().sign_up(act, account, owner, identity).await?;
        self.control.reload().await?;
        self.announce().await;
        Ok(())
    }

    /// What routing goes by beside the catalog; where nobody shared any, nothing is configured.
    pub fn routing(&self) -> &Arc<Routing> {
        self.routing.get_or_init(Arc::default)
    }

    /// Shares what is configured; once, before anybody asks.
    pub fn share_routing(&self, routing: Routing) {
        if self.routing.set(Arc::new(routing)).is_err() {
            tracing::warn!("routing was configured twice; the first configuration stays");
        }
    }

    /// Which limits free models have; where nobody shared any, none.
    pub fn free_tier(&self) -> &Arc<FreeTier> {
        self.free_tier.get_or_init(Arc::default)
    }

    /// Shares the limits of free models; once, before anybody asks.
    pub fn share_free_tier(&self, free_tier: FreeTier) {
        if self.free_tier.set(Arc::new(free_tier)).is_err() {
            tracing::warn!("free models were limited twice; the first limits stay");
        }
    }

    /// How and where to messages are sent; where nobody shared anything, to public addresses.
    pub fn webhooks(&self) -> WebhookOptions {
        *self.webhooks.get_or_init(WebhookOptions::default)
    }

    /// Shares how messages are sent; once, before anybody asks.
    pub fn share_webhooks(&self, options: WebhookOptions) {
        if self.webhooks.set(options).is_err() {
            tracing::warn!("webhooks were configured twice; the first configuration stays");
        }
    }

    pub async fn endpoint_stats(&self, now: Timestamp) -> Result<Arc<EndpointStats>, AnalyticsError> {
        self.stats.recent(&self.analytics, now).await
    }

    /// Tells the event log what is due. What fails stays due and is told in the next round of upkeep.
    pub async fn announce(&self) {
        if let Err(error) = announce_due(self.control.store(), &self.spool).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "announcements stay due");
        }
    }

    /// Keeps the store up to date, and the catalog with it, until `stop`; then the store once more. `idempotency` is how long
    /// an idempotency key is kept.
    pub async fn run_upkeep(&self, idempotency: Duration, stop: CancellationToken) {
        let (follow, prices) = (self.control.follow(stop.clone()), self.control.keep_prices(stop.clone()));
        tokio::join!(Box::pin(follow), Box::pin(prices), self.keep_up(idempotency, stop));
    }

    async fn keep_up(&self, idempotency: Duration, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(UPKEEP_INTERVAL)).await.is_some() {
            self.upkeep(idempotency).await;
        }
        self.upkeep(idempotency).await;
    }

    async fn upkeep(&self, idempotency: Duration) {
        self.announce().await;
        let forgotten = i64::try_from(idempotency.as_micros()).unwrap_or(i64::MAX / 4);
        if let Err(error) = self.control.store().forget_idempotency(Timestamp::now().plus_micros(-forgotten)).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "old idempotency keys were not removed");
        }
        if let Err(error) = self.control.store().forget_sessions(Timestamp::now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "sessions that ended were not removed");
        }
        if let Err(error) = self.control.write_down_uses(Timestamp::now()).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last uses of keys were not written down");
        }
    }
}
