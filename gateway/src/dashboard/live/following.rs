//! Keeps the feed: follows the log, the balances of watched accounts and the health of channels, while somebody watches.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use eventlog::{Entry, LogError, ReadLimit};
use futures_util::{StreamExt, stream};
use ledger::gate::GateError;
use schemas::{AccountId, Timestamp};
use serde::Deserialize;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::feed::{Inner, LiveFeed};
use super::message::{ChannelStatus, CloseReason};
use super::recent::{Ended, Recent};

/// Entries of the log read at once: far fewer than may wait for a client, so that a burst closes nobody who keeps up.
const BATCH: ReadLimit = ReadLimit { entries: 100, bytes: 1024 * 1024 };
/// A log that says nothing is asked so often whether it is still there.
const LOOK_ANYWAY: Duration = Duration::from_secs(5);
/// What cannot be read for so long is away: clients are told, and ask elsewhere.
const AWAY_AFTER: Duration = Duration::from_secs(10);
/// Before the next try to read it.
const RETRY: Duration = Duration::from_secs(1);
/// A gate that does not answer within this does not answer.
const GATE_TIMEOUT: Duration = Duration::from_secs(2);
/// Accounts asked for at once.
const GATE_CALLS_MAX: usize = 16;
/// With nobody there, the feed is kept for those who come back soon.
const LINGER: Duration = Duration::from_secs(60);

/// Why the feed cannot be kept.
#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error("event log could not be read")]
    Log(#[from] LogError),
    #[error("balance gate did not answer")]
    Gate(#[source] Option<GateError>),
}

impl LiveFeed {
    /// Runs until the gateway ends; then every client is closed.
    pub async fn run(self) {
        let feed = self.0;
        while feed.stop.run_until_cancelled(feed.somebody()).await.is_some() {
            let outcome = feed.stop.run_until_cancelled(feed.follow()).await;
            let Some(outcome) = outcome else { break };
            if let Err(error) = outcome {
                tracing::warn!(error = &error as &dyn std::error::Error, "the live feed stands still; its clients ask instead");
                feed.forget(Some(CloseReason::Unavailable));
                if feed.stop.run_until_cancelled(sleep(RETRY)).await.is_none() {
                    break;
                }
            }
        }
        feed.forget(Some(CloseReason::ShuttingDown));
    }
}

impl Inner {
    async fn somebody(&self) {
        while self.state.lock().clients == 0 {
            self.arrived.notified().await;
        }
    }

    /// Ends with an error, or when nobody has watched for a while.
    async fn follow(&self) -> Result<(), FeedError> {
        tokio::select! {
            outcome = self.follow_log() => outcome,
            outcome = self.follow_balances() => outcome,
            () = self.follow_channels() => Ok(()),
            () = self.deserted() => Ok(()),
        }
    }

    /// Tells what ends. The end of the log comes first, for clients that come back from another gateway.
    async fn follow_log(&self) -> Result<(), FeedError> {
        let bounds = self.log.bounds().await?;
        let recent_max = u64::try_from(self.options.recent_requests_max).unwrap_or(u64::MAX);
        let mut position = bounds.last.saturating_sub(recent_max).max(bounds.first.saturating_sub(1));
        self.state.lock().recent = Recent::after(position);
        let mut away_since = None;
        loop {
            let entries = match self.log.read(position, BATCH).await {
                Ok(entries) => entries,
                Err(error) if error.is_transient() && away_since.get_or_insert_with(Instant::now).elapsed() < AWAY_AFTER => {
                    sleep(RETRY).await;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            away_since = None;
            position = entries.last().map_or(position, |last| last.position);
            self.take_in(entries, position, position >= bounds.last);
            // Cancelled after a while: a log that is away does not wake us.
            let _ = timeout(LOOK_ANYWAY, self.log.wait_past(position)).await;
        }
    }

    fn take_in(&self, entries: Vec<Entry>, position: u64, is_caught_up: bool) {
        let ended: Vec<Arc<Ended>> = entries.into_iter().filter_map(ended).map(Arc::new).collect();
        let mut state = self.state.lock();
        for ended in ended {
            state.tell(ended, self.options.recent_requests_max);
        }
        if is_caught_up {
            self.position.send_replace(Some(position));
        }
    }

    async fn follow_balances(&self) -> Result<(), FeedError> {
        let mut away_since = None;
        loop {
            let accounts: Vec<AccountId> = self.state.lock().accounts.keys().copied().collect();
            let calls =
                accounts.into_iter().map(|account| async move { (account, timeout(GATE_TIMEOUT, self.gate.amounts(account)).await) });
            let mut calls = stream::iter(calls).buffer_unordered(GATE_CALLS_MAX);
            let (mut answered, mut failure) = (false, None);
            while let Some((account, answer)) = calls.next().await {
                match answer {
                    Ok(Ok(amounts)) => {
                        answered = true;
                        self.know(account, amounts);
                    }
                    Ok(Err(error)) => failure = Some(FeedError::Gate(Some(error))),
                    Err(_) => failure = Some(FeedError::Gate(None)),
                }
            }
            match failure {
                Some(error) if away_since.get_or_insert_with(Instant::now).elapsed() >= AWAY_AFTER => return Err(error),
                Some(_) => {}
                None if answered => away_since = None,
                None => {}
            }
            // Early for somebody who just came: before, nothing of theirs is known.
            let _ = timeout(self.options.look_interval, self.amounts_wanted.notified()).await;
        }
    }

    fn know(&self, account: AccountId, amounts: ledger::gate::Amounts) {
        let state = self.state.lock();
        let Some(watched) = state.accounts.get(&account) else { return };
        watched.amounts.send_if_modified(|known| {
            let is_news = known.is_none_or(|(before, _)| before != amounts);
            if is_news {
                *known = Some((amounts, Timestamp::now()));
            }
            is_news
        });
    }

    /// What every gateway sees of every channel is in the catalog already.
    async fn follow_channels(&self) {
        let mut looks = interval(self.options.look_interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            looks.tick().await;
            let catalog = self.control.catalog_full();
            let channels = catalog.channels().iter().map(|channel| ChannelStatus {
                id: channel.id.to_string(),
                name: channel.name.to_string(),
                status: channel.state.status(),
            });
            let now: Arc<[ChannelStatus]> = channels.collect();
            self.channels.send_if_modified(|known| {
                let is_news = **known != *now;
                *known = now;
                is_news
            });
        }
    }

    async fn deserted(&self) {
        let mut was_deserted = false;
        loop {
            sleep(LINGER).await;
            let is_deserted = self.state.lock().clients == 0;
            if was_deserted && is_deserted && self.forget(None) {
                return;
            }
            was_deserted = is_deserted;
        }
    }

    /// Nothing of the log is known any more. Without a reason only if nobody watches.
    fn forget(&self, reason: Option<CloseReason>) -> bool {
        let mut state = self.state.lock();
        match reason {
            Some(reason) => state.close_all(reason),
            None if state.clients > 0 => return false,
            None => {}
        }
        state.recent = Recent::default();
        self.position.send_replace(None);
        true
    }
}

/// As much of an event as tells whether anybody may want it: most are nobody's who watches.
#[derive(Deserialize)]
struct Head<'a> {
    subject: AccountId,
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
}

/// The end of a request, where an entry is one. What cannot be read the ledger puts aside and tells of.
fn ended(entry: Entry) -> Option<Ended> {
    let head: Head<'_> = serde_json::from_slice(&entry.payload).ok()?;
    let is_terminal = matches!(&*head.kind, "usage.settled" | "usage.released" | "hold.expired");
    let account = Some(head.subject).filter(|account| is_terminal && *account != AccountId::SYSTEM)?;
    Some(Ended { position: entry.position, account, event: entry.payload })
}
