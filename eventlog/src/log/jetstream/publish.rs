//! Appending, in order whatever happens.
//!
//! Several events go as one **atomic batch**: the server takes all of them, next to each other, or none. So a
//! retry can never put the third event behind the fourth, and the disk is synced once a batch instead of once an event.
//! A single event is a plain message. Every message carries its id; a batch in which the server knows
//! an id is refused as a whole, and [`known`](super::known) finds out which events are missing. See
//! `docs/decisions/0013-atomic-batches-keep-order.md`.

use std::collections::HashSet;

use async_nats::HeaderMap;
use bytes::Bytes;
use serde::Deserialize;
use uuid::Uuid;

use super::api::{LATE, NOBODY, NOT_CONNECTED, NoAnswer, Refusal, UNSENDABLE, parse};
use super::bounds::Asking;
use super::error::JetStreamError;
use super::known::Known;
use super::options::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, HEADER_BYTES_MAX, MESSAGE_ID_BYTES_MAX};
use super::stream::NOT_FOUND;
use super::{Fault, Shared};
use crate::journal::PAYLOAD_BYTES_MAX;
use crate::log::{LogError, Message};

/// How often a batch is sent again without what the server already has.
const ROUNDS_MAX: usize = 4;

/// The server's acknowledgement.
#[derive(Deserialize)]
pub(super) struct Ack {
    pub seq: u64,
    #[serde(default)]
    pub duplicate: bool,
}

/// A batch on its way: what of it is not in the log yet.
struct Sending<'a> {
    missing: Vec<&'a Message>,
    ids: Ids,
    /// The highest of those that are.
    position: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ids {
    Sent,
    LeftOut,
}

/// How the server took one message or batch.
enum Taken {
    At(Ack),
    /// Not at all: it knows some of the ids.
    SomeKnown,
    /// Not at all: it has too many batches on its hands.
    Busy,
}

impl Shared {
    /// Answers the highest position that one of the last batch has.
    pub(super) async fn append(&self, messages: &[Message]) -> Result<u64, LogError> {
        self.check_health()?;
        if let Some(long) = messages.iter().find(|message| message.payload.len() > PAYLOAD_BYTES_MAX) {
            return Err(LogError::TooLong { bytes: long.payload.len(), bytes_max: PAYLOAD_BYTES_MAX });
        }
        let (mut rest, mut last) = (messages, self.last_seen());
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(batch_len(rest));
            last = self.append_batch(distinct(batch)).await?;
            self.saw(last);
            rest = after;
        }
        Ok(last)
    }

    /// The next batch is begun when this one is in the log as a whole, never before.
    async fn append_batch(&self, batch: Vec<&Message>) -> Result<u64, LogError> {
        let events = batch.len();
        let mut sending = Sending { missing: batch, ids: Ids::Sent, position: 0 };
        let (mut busy, mut in_process) = (Asking::for_up_to(self.options.ack_timeout), Asking::for_up_to(self.options.ack_timeout));
        for _ in 0..ROUNDS_MAX {
            let ack = loop {
                match self.publish(&sending).await? {
                    Taken::At(ack) => break Some(ack),
                    Taken::SomeKnown => break None,
                    Taken::Busy if busy.again().await => {}
                    Taken::Busy => return Err(self.unknown(events, "the server has too many batches on its hands").into()),
                }
            };
            if let Some(ack) = ack {
                self.metrics.acks.increment(events as u64);
                self.metrics.duplicates.increment(ack.duplicate.into());
                return Ok(ack.seq.max(sending.position));
            }
            self.leave_out_known(&mut sending, &mut in_process).await?;
            if sending.missing.is_empty() {
                self.metrics.acks.increment(events as u64);
                return Ok(sending.position);
            }
        }
        Err(self.unknown(events, "the server knows the events and does not know them").into())
    }

    /// Finds out which events the log has. Those that stay in process go without their ids in the end, all that are
    /// missing with them: **an event may be written twice so, but never after its successor only**.
    async fn leave_out_known(&self, sending: &mut Sending<'_>, in_process: &mut Asking) -> Result<(), LogError> {
        loop {
            let known = self.known(&sending.missing).await?;
            if known.contains(&Known::InProcess) && in_process.again().await {
                continue;
            }
            let before = sending.missing.len();
            let mut answers = known.iter();
            sending.missing.retain(|_| !matches!(answers.next(), Some(Known::At(_))));
            for known in &known {
                match known {
                    Known::At(position) => sending.position = sending.position.max(*position),
                    Known::InProcess => sending.ids = Ids::LeftOut,
                    Known::Missing => {}
                }
            }
            if sending.ids == Ids::LeftOut {
                tracing::warn!(
                    events = sending.missing.len(),
                    "the event log's server neither writes events nor gives them up; they are written anew"
                );
            }
            self.metrics.duplicates.increment((before - sending.missing.len()) as u64);
            return Ok(());
        }
    }

    async fn publish(&self, sending: &Sending<'_>) -> Result<Taken, LogError> {
        let (messages, ids) = (sending.missing.as_slice(), sending.ids);
        let end = self.last_seen();
        let answer = async {
            match messages {
                [message] => {
                    let _permit = self.singles.acquire().await;
                    self.api
                        .ask(self.subject(message), Some(headers(message, ids)), message.payload.clone(), self.options.ack_timeout)
                        .await
                }
                _ => {
                    let _permit = self.batches.acquire().await;
                    self.send_batch(messages, ids).await
                }
            }
        };
        match answer.await {
            Ok(answer) => match parse::<Ack>(&answer) {
                // **What is new lies past every end that was seen**: else this is another stream than it was.
                Some(Ok(ack)) if !ack.duplicate && ack.seq <= end => Err(self.fail(Fault::Regressed { last: ack.seq, seen: end }).into()),
                Some(Ok(ack)) => Ok(Taken::At(ack)),
                Some(Err(refusal)) => self.refused(messages, refusal).await,
                None => Err(self.unknown(messages.len(), "the acknowledgement is not understood").into()),
            },
            Err(no) if no == NOT_CONNECTED => Err(self.api.unanswered("append", no).into()),
            Err(no) => {
                if no == NOBODY && self.is_missing().await {
                    // Given the time that a cluster needs to know its streams, the log is none any more.
                    self.bounds().await?;
                }
                Err(self.unknown(messages.len(), no.0).into())
            }
        }
    }

    /// Whether the servers answer, and know of no such stream.
    async fn is_missing(&self) -> bool {
        matches!(self.api.stream_info(&self.options.stream).await, Err(JetStreamError::Refused { code: NOT_FOUND, .. }))
    }

    /// Every message but the last goes without an answer; the last one asks for the whole batch to be taken.
    async fn send_batch(&self, messages: &[&Message], ids: Ids) -> Result<Bytes, NoAnswer> {
        let Some((last, before)) = messages.split_last() else { return Err(NoAnswer("there is nothing to send")) };
        if !self.api.is_connected() {
            return Err(NOT_CONNECTED);
        }
        let id = Uuid::now_v7().simple().to_string();
        let in_batch = |message: &Message, number: usize| {
            let mut headers = headers(message, ids);
            headers.insert("Nats-Batch-Id", id.as_str());
            headers.insert("Nats-Batch-Sequence", number.to_string());
            headers
        };
        let sending = async {
            for (number, message) in (1..).zip(before) {
                let sent = self.api.client.publish_with_headers(self.subject(message), in_batch(message, number), message.payload.clone());
                sent.await.map_err(|_| UNSENDABLE)?;
            }
            let mut headers = in_batch(last, messages.len());
            headers.insert("Nats-Batch-Commit", "1");
            self.api.ask(self.subject(last), Some(headers), last.payload.clone(), self.options.ack_timeout).await
        };
        // Sending itself waits when the connection is slow.
        tokio::time::timeout(self.options.ack_timeout * 2, sending).await.unwrap_or(Err(LATE))
    }

    /// What a refusal means. After each of these errors the same batch may be appended again.
    async fn refused(&self, messages: &[&Message], refusal: Refusal) -> Result<Taken, LogError> {
        const BATCH_HAS_KNOWN_ID: u64 = 10_201;
        const TOO_MANY_BATCHES: u64 = 10_210;
        const ID_IN_PROCESS: u64 = 10_158;
        const BATCH_INCOMPLETE: u64 = 10_176;
        const STORE_FAILED: u64 = 10_077;
        const TOO_LONG: u64 = 10_054;
        /// Of account, server, stream and disk.
        const LIMITS: [u64; 4] = [10_002, 10_023, 10_047, 10_122];
        match refusal.err_code {
            BATCH_HAS_KNOWN_ID | ID_IN_PROCESS => Ok(Taken::SomeKnown),
            TOO_MANY_BATCHES => Ok(Taken::Busy),
            // Its beginning went to a server that is no longer the leader.
            BATCH_INCOMPLETE => Err(self.unknown(messages.len(), "the server changed in the middle of the batch").into()),
            STORE_FAILED if refusal.description.contains("maximum") => Err(self.full().await),
            limit if LIMITS.contains(&limit) => Err(self.full().await),
            TOO_LONG => {
                let bytes = messages.iter().map(|message| message.payload.len()).max().unwrap_or(0);
                Err(LogError::TooLong { bytes, bytes_max: PAYLOAD_BYTES_MAX })
            }
            _ => Err(refusal.into_error("append").into()),
        }
    }

    async fn full(&self) -> LogError {
        self.metrics.full.increment(1);
        let info = self.api.stream_info(&self.options.stream).await;
        let bytes = info.as_ref().map_or(0, |info| info.state.bytes);
        // The bound may be the account's or the disk's: then it is full with what it has.
        LogError::Full { bytes, bytes_max: info.ok().and_then(|info| info.bytes_max()).unwrap_or(bytes) }
    }

    pub(super) fn unknown(&self, events: usize, reason: &'static str) -> JetStreamError {
        self.metrics.unknown.increment(1);
        JetStreamError::Unknown { events, reason }
    }

    pub(super) fn subject(&self, message: &Message) -> String {
        format!("{}.{:03}", self.options.subject_prefix, message.partition)
    }
}

/// How many of the next messages make a batch: one at least.
fn batch_len(messages: &[Message]) -> usize {
    let mut bytes = 0;
    let fitting = messages.iter().take(BATCH_EVENTS_MAX).take_while(|message| {
        bytes += message.payload.len() + HEADER_BYTES_MAX;
        bytes <= BATCH_BYTES_MAX
    });
    fitting.count().max(1)
}

/// The server refuses a batch that has an id twice.
fn distinct(messages: &[Message]) -> Vec<&Message> {
    let mut ids = HashSet::with_capacity(messages.len());
    messages.iter().filter(|message| message_id(message).is_none_or(|id| ids.insert(id))).collect()
}

fn headers(message: &Message, ids: Ids) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if ids == Ids::Sent
        && let Some(id) = message_id(message)
    {
        headers.insert("Nats-Msg-Id", id);
    }
    headers
}

/// What the server may know the event by.
pub(super) fn message_id(message: &Message) -> Option<&str> {
    let id = message.id.as_str();
    let fits = !id.is_empty() && id.len() <= MESSAGE_ID_BYTES_MAX && id.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then_some(id)
}
