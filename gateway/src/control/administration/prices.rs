//! Prices for a later moment: asked for, taken back, and brought into force when their moment comes.

use std::time::Duration;

use schemas::Timestamp;
use tokio_util::sync::CancellationToken;

use super::{Control, ControlError, FOLLOW_RETRY};
use crate::control::store::{Act, ScheduledPrice, Withdrawn};

/// A clock that was set is noticed after so long, for the prices that wait for a moment.
const PRICE_LOOK_EVERY: Duration = Duration::from_secs(30);

impl Control {
    /// Gives a model on a channel another price from a later moment on; the version's id.
    pub async fn schedule_price(&self, act: &Act, scheduled: &ScheduledPrice) -> Result<String, ControlError> {
        let _act = self.0.acts.lock().await;
        self.changeable(scheduled.channel_id).await?;
        let version = self.0.store.schedule_price(act, scheduled).await?;
        self.reload_channels().await?;
        Ok(version)
    }

    /// Takes a scheduled price back, if its moment has not come.
    pub async fn withdraw_price(&self, act: &Act, version: &str) -> Result<Withdrawn, ControlError> {
        let _act = self.0.acts.lock().await;
        let withdrawn = self.0.store.withdraw_price(act, version).await?;
        self.reload_channels().await?;
        Ok(withdrawn)
    }

    /// Brings scheduled prices into force when their moment comes, until `stop`.
    pub async fn keep_prices(&self, stop: CancellationToken) {
        let mut failing = false;
        while let Some(reloaded) = stop.run_until_cancelled(self.price_came()).await {
            if let Err(error) = &reloaded
                && !failing
            {
                tracing::warn!(error = error as &dyn std::error::Error, "a price that is due cannot be read; trying again");
            }
            failing = reloaded.is_err();
            if failing && stop.run_until_cancelled(tokio::time::sleep(FOLLOW_RETRY)).await.is_none() {
                return;
            }
        }
    }

    /// Waits for the next price and reads it. Safe to drop at any time.
    async fn price_came(&self) -> Result<(), ControlError> {
        loop {
            let next = *self.0.next_price.lock();
            let wait = next.map_or(PRICE_LOOK_EVERY, |next| {
                let micros = next.micros().saturating_sub(Timestamp::now().micros());
                Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(PRICE_LOOK_EVERY)
            });
            tokio::select! {
                () = self.0.next_price_moved.notified() => continue,
                () = tokio::time::sleep(wait) => {}
            }
            if next.is_some_and(|next| next <= Timestamp::now()) {
                let _act = self.0.acts.lock().await;
                return self.reload_channels().await;
            }
        }
    }
}
