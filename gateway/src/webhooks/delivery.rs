//! Sends what is due, and again what failed, until it is delivered or given up.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use schemas::{NodeId, Timestamp};
use tokio::sync::Semaphore;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::options::WebhookOptions;
use super::sender::{Message, SendError, Sender};
use super::watch;
use crate::control::services::Services;
use crate::control::store::{AttemptOutcome, DeliveryStatus, StoreError, WebhookDelivery};
use crate::metrics::WEBHOOK_ATTEMPTS_TOTAL;

/// Between two looks at balances and at what is due.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Messages being sent at once: a slow receiver does not hold up the others.
const SENDING_MAX: usize = 16;
/// Longer than an attempt may take, so that its outcome is noted before the next one.
const NOTING: Duration = Duration::from_secs(5);
/// Messages that ended are kept so long.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Between two removals of older ones.
const FORGET_EVERY: Duration = Duration::from_secs(3_600);

/// The messages of one gateway.
pub struct Webhooks {
    services: Arc<Services>,
    node: NodeId,
    sender: Sender,
    options: WebhookOptions,
    places: Arc<Semaphore>,
    tasks: TaskTracker,
    forgotten_at: Timestamp,
}

impl Webhooks {
    pub fn new(services: Arc<Services>, node: NodeId, options: WebhookOptions) -> Result<Self, SendError> {
        let sender = Sender::new(options)?;
        let (places, tasks) = (Arc::new(Semaphore::new(SENDING_MAX)), TaskTracker::new());
        Ok(Self { services, node, sender, options, places, tasks, forgotten_at: Timestamp::default() })
    }

    /// Runs until `stop`. What is being sent then is sent again by whoever is next.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let outcome = self.look(Timestamp::now(), &stop).await;
            if let Err(error) = &outcome
                && !failing
            {
                tracing::warn!(error = error as &dyn Error, "balance alerts are not looked at; trying again");
            }
            failing = outcome.is_err();
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn look(&mut self, now: Timestamp, stop: &CancellationToken) -> Result<(), watch::WatchError> {
        let store = self.services.control.store();
        if !store.is_elected(self.node, now).await? {
            return Ok(());
        }
        watch::look(&self.services, now).await?;
        if self.forgotten_at.plus_micros(micros(FORGET_EVERY)) <= now {
            store.forget_webhook_deliveries(now.plus_micros(-micros(KEPT))).await?;
            self.forgotten_at = now;
        }
        self.send_due(now, stop).await?;
        Ok(())
    }

    /// Starts what is due, as far as there are places.
    async fn send_due(&self, now: Timestamp, stop: &CancellationToken) -> Result<(), StoreError> {
        let store = self.services.control.store();
        for delivery in store.due_webhook_deliveries(now, self.places.available_permits()).await? {
            let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Ok(()) };
            let attempts = delivery.attempts + 1;
            let next = self.options.timeout + NOTING + self.options.pause_after(attempts);
            if !store.claim_webhook_attempt(&delivery, now, now.plus_micros(micros(next))).await? {
                continue;
            }
            let attempt = Attempt { services: Arc::clone(&self.services), sender: self.sender.clone(), options: self.options };
            let stop = stop.clone();
            self.tasks.spawn(async move {
                stop.run_until_cancelled(attempt.make(&delivery, attempts)).await;
                drop(place);
            });
        }
        Ok(())
    }
}

/// What one attempt needs.
struct Attempt {
    services: Arc<Services>,
    sender: Sender,
    options: WebhookOptions,
}

impl Attempt {
    async fn make(&self, delivery: &WebhookDelivery, attempts: u32) {
        let outcome = self.outcome(delivery, attempts).await;
        metrics::counter!(WEBHOOK_ATTEMPTS_TOTAL, "outcome" => outcome.word()).increment(1);
        let now = Timestamp::now();
        let next = now.plus_micros(micros(self.options.pause_after(attempts)));
        let noted = self.services.control.store().note_webhook_outcome(&delivery.id, &outcome, now, next).await;
        if let Err(error) = noted {
            tracing::warn!(error = &error as &dyn Error, webhook.id = delivery.id, "what became of a message was not noted");
        }
    }

    async fn outcome(&self, delivery: &WebhookDelivery, attempts: u32) -> AttemptOutcome {
        let is_last = attempts >= self.options.attempts_max;
        let failed = |http_status: Option<StatusCode>, error: String, is_final: bool| AttemptOutcome {
            status: if is_final { DeliveryStatus::Failed } else { DeliveryStatus::Pending },
            http_status: http_status.map(|status| status.as_u16()),
            error: Some(error),
        };
        match self.send(delivery).await {
            Ok(status) if status.is_success() => {
                AttemptOutcome { status: DeliveryStatus::Delivered, http_status: Some(status.as_u16()), error: None }
            }
            // The receiver wants no more of it.
            Ok(StatusCode::GONE) => failed(Some(StatusCode::GONE), "the receiver is gone".to_owned(), true),
            Ok(status) => failed(Some(status), format!("the receiver answered with status {}", status.as_u16()), is_last),
            Err(error) => failed(None, error, is_last),
        }
    }

    /// To where the alert is now, with its present secret.
    async fn send(&self, delivery: &WebhookDelivery) -> Result<StatusCode, String> {
        let control = &self.services.control;
        let alert = control.store().balance_alert(delivery.account_id).await.map_err(|error| error.to_string())?;
        let alert = alert.ok_or("the alert was removed")?;
        let uri = self.options.check_url(&alert.url).map_err(|error| error.to_string())?;
        let secret = control.secret_key().open(&alert.id.to_string(), &alert.sealed_secret).map_err(|error| error.to_string())?;
        let message = Message { id: &delivery.id, body: &delivery.body, secret: &secret };
        self.sender.send(uri, message, Timestamp::now()).await.map_err(|error| chain(&error))
    }
}

impl AttemptOutcome {
    /// For metrics.
    const fn word(&self) -> &'static str {
        match self.status {
            DeliveryStatus::Delivered => "delivered",
            DeliveryStatus::Pending => "retried",
            DeliveryStatus::Failed => "given_up",
        }
    }
}

/// An error with what caused it, for whoever looks after the receiver.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}
