//! Waking whoever waits for the next event.
//!
//! One task a log asks an ephemeral consumer for headers, as many as lead past the end that is known, and only while
//! somebody waits. **A wake is a hint**: what is there is read from the stream, and a consumer that is gone is made
//! again, so acknowledgements and consumers carry no correctness.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message as Received, Subscriber};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Shared;
use super::api::{BROKEN, LATE, NoAnswer, UNSENDABLE};

/// One question to the consumer lasts so long.
const PULL_EXPIRES: Duration = Duration::from_secs(30);
/// The server shows that it is alive so often while there is nothing; missing two, the consumer is made again.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// A consumer further behind than this is not led through what was read already, but made again.
const BEHIND_MAX: u64 = 256;
/// The server forgets a consumer that nobody asks.
const INACTIVE_AFTER: Duration = Duration::from_secs(60);
const RETRY_FIRST: Duration = Duration::from_millis(5);
const RETRY_MAX: Duration = Duration::from_millis(500);

/// The server's consumer and where it will go on.
struct Tail {
    name: String,
    next: u64,
    /// Of the connection it was made on.
    breaks: u64,
}

impl Shared {
    /// Returns as well when the log turned out to be damaged: the next read says how.
    pub(super) async fn wait_past(&self, position: u64) {
        let mut seen = self.seen.subscribe();
        let end = position.saturating_add(1);
        self.wanted.send_if_modified(|wanted| {
            let is_news = end > *wanted;
            *wanted = end.max(*wanted);
            is_news
        });
        // The sender lives as long as we are borrowed.
        let _ = seen.wait_for(|seen| seen.last > position || seen.faulty).await;
    }
}

/// Runs until stopped.
pub(super) async fn watch(shared: Arc<Shared>, stop: CancellationToken) {
    let watching = async {
        let mut wanted = shared.wanted.subscribe();
        let (mut tail, mut retry) = (None, RETRY_FIRST);
        loop {
            if shared.last_seen() >= *wanted.borrow_and_update() {
                // The log is dropped when the sender is: then this task is stopped.
                let _ = wanted.changed().await;
                continue;
            }
            match look(&shared, tail.take()).await {
                Ok(kept) => (tail, retry) = (Some(kept), RETRY_FIRST),
                Err(NoAnswer(reason)) => {
                    tracing::debug!(reason, "waiting for events was interrupted");
                    sleep(retry).await;
                    retry = (retry * 2).min(RETRY_MAX);
                    // Whether the log is still the one it was; if not, who waits is woken, and the next read says so.
                    let _ = shared.bounds().await;
                    if shared.check_health().is_err() {
                        return;
                    }
                }
            }
        }
    };
    tokio::select! {
        () = watching => {}
        () = stop.cancelled() => {}
    }
}

/// Waits for one event past the end that is known, or until the question expires.
async fn look(shared: &Shared, tail: Option<Tail>) -> Result<Tail, NoAnswer> {
    let end = shared.last_seen();
    let usable = tail.filter(|tail| tail.next + BEHIND_MAX > end && tail.breaks == shared.api.link.borrow().breaks);
    let mut tail = match usable {
        Some(tail) => tail,
        None => {
            let tail = follow(shared, end + 1).await?;
            // A stream that was made again takes a consumer as the one before did.
            shared.bounds().await.map_err(|_| NoAnswer("the log could not be looked at"))?;
            tail
        }
    };
    let wanted = (end + 1).saturating_sub(tail.next) + 1;
    let question = json!({ "batch": wanted, "expires": nanos(PULL_EXPIRES), "idle_heartbeat": nanos(HEARTBEAT) });
    let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", shared.options.stream, tail.name);
    let mut answers = shared.api.open(subject, &question).await?;
    let mut come = 0;
    while come < wanted {
        let message = next(shared, &mut answers, tail.breaks).await?;
        match message.status.map(|status| status.as_u16()) {
            None => {
                let position = position_of(&message).ok_or(NoAnswer("an event came without its position"))?;
                tail.next = position + 1;
                come += 1;
                shared.saw(position);
            }
            Some(100) => {}
            // Expired.
            Some(408) => return Ok(tail),
            Some(_) => return Err(NoAnswer("the consumer is gone")),
        }
    }
    Ok(tail)
}

async fn next(shared: &Shared, answers: &mut Subscriber, breaks: u64) -> Result<Received, NoAnswer> {
    let mut link = shared.api.link.clone();
    tokio::select! {
        message = timeout(HEARTBEAT * 2, answers.next()) => message.map_err(|_| LATE)?.ok_or(UNSENDABLE),
        _ = link.wait_for(|now| now.breaks != breaks) => Err(BROKEN),
    }
}

/// Makes a consumer that begins at a position.
async fn follow(shared: &Shared, position: u64) -> Result<Tail, NoAnswer> {
    let stream = &shared.options.stream;
    let breaks = shared.api.link.borrow().breaks;
    let name = format!("tollgate-{}", Uuid::now_v7().simple());
    let wanted = json!({
        "stream_name": stream,
        "config": {
            "name": name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": position,
            "ack_policy": "none",
            "replay_policy": "instant",
            "headers_only": true,
            "mem_storage": true,
            "num_replicas": 1,
            "inactive_threshold": nanos(INACTIVE_AFTER),
        },
    });
    let made = shared.api.call::<serde_json::Value>("make a consumer", format!("$JS.API.CONSUMER.CREATE.{stream}.{name}"), &wanted).await;
    made.map_err(|_| NoAnswer("no consumer could be made"))?;
    Ok(Tail { name, next: position, breaks })
}

/// The stream's sequence in the subject that an acknowledgement would go to.
fn position_of(message: &Received) -> Option<u64> {
    let parts: Vec<&str> = message.reply.as_ref()?.split('.').collect();
    // `$JS.ACK.<stream>.<consumer>.<delivered>.<sequence>…`, with domain and account in front of the stream or without.
    let place = if parts.len() < 11 { 5 } else { 7 };
    parts.get(place)?.parse().ok()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
