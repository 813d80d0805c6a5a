//! Which events of a refused batch the log already has.
//!
//! A question is the message's id without its event, under a condition that cannot hold: the server answers
//! `duplicate` and the position if it knows the id, else that the condition does not hold, and writes nothing.
//! **The condition is chosen by the number of copies**: a server alone looks at the subject's last sequence before the
//! id, a cluster looks at it after; for a cluster the other condition would keep the id as being in process.

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::Shared;
use super::api::parse;
use super::error::JetStreamError;
use super::options::IN_FLIGHT_MAX;
use super::publish::{Ack, message_id};
use crate::log::{LogError, Message};

/// What the server says of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is in the log.
    At(u64),
    Missing,
    /// It was proposed to the cluster and is neither written nor given up. A leader that lost its followers and then
    /// leads again says so until the duplicate window has passed.
    InProcess,
}

const ID_IN_PROCESS: u64 = 10_158;

/// A condition that cannot hold, and how the server says that it does not.
#[derive(Clone, Copy)]
struct Condition {
    header: &'static str,
    value: &'static str,
    not_met: u64,
}

const ALONE: Condition = Condition { header: "Nats-Expected-Last-Msg-Id", value: "tollgate:no-such-id", not_met: 10_070 };
/// No stream gets so far.
const CLUSTERED: Condition = Condition { header: "Nats-Expected-Last-Subject-Sequence", value: "9223372036854775807", not_met: 10_071 };

impl Shared {
    /// What the server knows of each message.
    pub(super) async fn known(&self, messages: &[&Message]) -> Result<Vec<Known>, LogError> {
        let info = self.api.stream_info(&self.options.stream).await?;
        let condition = if info.replicas() == 1 { ALONE } else { CLUSTERED };
        // Begun one by one as places come free; gathered first, because the compiler cannot see that a lazy one is `Send`.
        let questions: Vec<_> = messages.iter().map(|message| self.known_one(message, condition)).collect();
        Ok(stream::iter(questions).buffered(IN_FLIGHT_MAX).try_collect().await?)
    }

    async fn known_one(&self, message: &Message, condition: Condition) -> Result<Known, JetStreamError> {
        let Some(id) = message_id(message) else { return Ok(Known::Missing) };
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        headers.insert(condition.header, condition.value);
        let answer = self.api.ask(self.subject(message), Some(headers), Bytes::new(), self.options.ack_timeout).await;
        let answer = answer.map_err(|no| self.unknown(1, no.0))?;
        match parse::<Ack>(&answer) {
            Some(Ok(ack)) if ack.duplicate => Ok(Known::At(ack.seq)),
            Some(Err(refusal)) if refusal.err_code == condition.not_met => Ok(Known::Missing),
            Some(Err(refusal)) if refusal.err_code == ID_IN_PROCESS => Ok(Known::InProcess),
            _ => Err(self.unknown(1, "the server cannot say whether it has the events")),
        }
    }
}
