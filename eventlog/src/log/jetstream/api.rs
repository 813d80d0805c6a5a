//! Questions to the server and their answers.
//!
//! Owns deadlines, the connection that breaks while an answer is awaited, and the form of the server's errors.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Request, Subscriber};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::timeout;

use super::error::JetStreamError;

/// What became of the connection so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Link {
    /// How often it broke.
    pub breaks: u64,
    /// How often it was made.
    pub connects: u64,
}

/// The client, and what every question needs.
#[derive(Clone)]
pub(super) struct Api {
    pub client: Client,
    pub link: watch::Receiver<Link>,
    pub servers: String,
    pub request_timeout: Duration,
}

/// The server's own words.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub code: u16,
    #[serde(default)]
    pub err_code: u64,
    #[serde(default)]
    pub description: String,
}

#[derive(Deserialize)]
struct Refused {
    error: Refusal,
}

/// The state of a stream, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(super) struct StreamInfo {
    pub created: String,
    pub config: serde_json::Value,
    pub state: StreamState,
}

#[derive(Debug, Deserialize)]
pub(super) struct StreamState {
    pub bytes: u64,
    pub first_seq: u64,
    pub last_seq: u64,
    #[serde(default)]
    pub num_deleted: u64,
}

impl StreamInfo {
    pub(super) fn replicas(&self) -> u64 {
        self.config["num_replicas"].as_u64().unwrap_or(1)
    }

    /// `None`: as much as the server has room for.
    pub(super) fn bytes_max(&self) -> Option<u64> {
        self.config["max_bytes"].as_u64().filter(|bytes| *bytes > 0)
    }
}

/// How a question ended without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoAnswer(pub &'static str);

pub(super) const NOT_CONNECTED: NoAnswer = NoAnswer("there is no connection");
pub(super) const BROKEN: NoAnswer = NoAnswer("the connection broke");
pub(super) const LATE: NoAnswer = NoAnswer("no answer in time");
pub(super) const NOBODY: NoAnswer = NoAnswer("nobody serves this stream now");
pub(super) const UNSENDABLE: NoAnswer = NoAnswer("the client could not send it");

impl Api {
    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Sends one message and returns its answer. Without a connection nothing is sent: what would pile up in
    /// the client would reach the server long after its sender has given up on it.
    pub(super) async fn ask(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        payload: Bytes,
        within: Duration,
    ) -> Result<Bytes, NoAnswer> {
        let mut link = self.link.clone();
        let before = *link.borrow();
        if !self.is_connected() {
            return Err(NOT_CONNECTED);
        }
        let mut request = Request::new().payload(payload).timeout(Some(within));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        tokio::select! {
            answer = self.client.send_request(subject, request) => answer.map(|message| message.payload).map_err(|error| match error.kind() {
                RequestErrorKind::TimedOut => LATE,
                RequestErrorKind::NoResponders => NOBODY,
                _ => UNSENDABLE,
            }),
            _ = link.wait_for(|now| now.breaks != before.breaks) => Err(BROKEN),
        }
    }

    /// Sends a question whose answers come one after the other. Sending itself waits when the connection is slow.
    pub(super) async fn open(&self, subject: String, question: &serde_json::Value) -> Result<Subscriber, NoAnswer> {
        if !self.is_connected() {
            return Err(NOT_CONNECTED);
        }
        let inbox = self.client.new_inbox();
        let sending = async {
            let answers = self.client.subscribe(inbox.clone()).await.map_err(|_| UNSENDABLE)?;
            self.client.publish_with_reply(subject, inbox, Bytes::from(question.to_string())).await.map_err(|_| UNSENDABLE)?;
            Ok(answers)
        };
        timeout(self.request_timeout, sending).await.unwrap_or(Err(LATE))
    }

    /// Asks the JetStream API.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        action: &'static str,
        subject: String,
        body: &serde_json::Value,
    ) -> Result<T, JetStreamError> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let answer = self.ask(subject, None, body, self.request_timeout).await.map_err(|no| self.unanswered(action, no))?;
        match parse(&answer) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) if refusal.is_transient() => Err(self.unanswered(action, NOBODY)),
            Some(Err(refusal)) => Err(refusal.into_error(action)),
            None => Err(JetStreamError::Garbled { action }),
        }
    }

    pub(super) async fn stream_info(&self, stream: &str) -> Result<StreamInfo, JetStreamError> {
        self.call("tell the state of the stream", format!("$JS.API.STREAM.INFO.{stream}"), &serde_json::Value::Null).await
    }

    pub(super) fn unanswered(&self, action: &'static str, no: NoAnswer) -> JetStreamError {
        JetStreamError::Unanswered { servers: self.servers.clone(), action, reason: no.0 }
    }
}

impl Refusal {
    /// The cluster has no leader for this just now.
    fn is_transient(&self) -> bool {
        const UNAVAILABLE: u64 = 10_008;
        const NO_LEADER: u64 = 10_009;
        matches!(self.err_code, UNAVAILABLE | NO_LEADER) || (self.code == 503 && self.err_code == 0)
    }

    pub(super) fn into_error(self, action: &'static str) -> JetStreamError {
        JetStreamError::Refused { action, code: self.err_code, description: self.description }
    }
}

/// An answer is an error, or what was asked for; anything else is `None`.
pub(super) fn parse<T: DeserializeOwned>(answer: &[u8]) -> Option<Result<T, Refusal>> {
    if let Ok(refused) = serde_json::from_slice::<Refused>(answer) {
        return Some(Err(refused.error));
    }
    serde_json::from_slice(answer).ok().map(Ok)
}
