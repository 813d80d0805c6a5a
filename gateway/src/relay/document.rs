//! A non-streaming answer: read whole, metered, settled, then sent.
//!
//! Until it is sent the client has seen nothing, so every failure on the way, even half a body, is
//! answered by the next endpoint.

use std::sync::Arc;

use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use schemas::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::attempts::{Attempts, created, note_first_token};
use super::calling::{Answered, Caller};
use super::ending::{Outcome, end, end_unanswered, spool_failed};
use super::metered::measure;
use super::run::Reply;
use super::stream::stopped_error;
use crate::http::chat::ChatRequest;
use crate::http::error::ApiError;
use crate::metering::StreamMeter;
use crate::providers::AttemptError;
use crate::providers::openai::error::UpstreamError;
use crate::routing::health::observe;
use crate::settlement::OpenRequest;
use crate::wire::chat_body::rewrite_body;
use crate::wire::{AnswerIdentity, ChatAnswer, Scanned};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Finds an endpoint, reads its answer and replies.
pub async fn relay(mut attempts: Attempts<'_>, mut open: OpenRequest, reply: &mut Reply) -> Result<(), ApiError> {
    let abort = open.abort.clone();
    let found = tokio::select! {
        biased;
        found = find_answer::<ChatAnswer>(&mut attempts, &mut open) => found,
        () = abort.cancelled() => Err(stopped_error()),
    };
    let (answered, answer) = match found {
        Ok(found) => found,
        Err(error) => return Err(end_unanswered(open, &mut attempts, error).await),
    };
    note_first_token(&mut open, attempts.caller.received);
    let mut meter = StreamMeter::for_body();
    meter.observe(&answer);
    meter.done();
    let metered = measure(meter, attempts.caller.request).await;
    let (id, created) = (open.id(), created(&open));
    // The accepted record precedes the terminal in the spool: when the one is durable, so is the other.
    let ended = end(open, &mut attempts, answered.asked(), Outcome::Completed, metered).await.map_err(spool_failed)?;
    let endpoint = &answered.endpoint;
    let identity = AnswerIdentity { id, created, model: &endpoint.model, provider: &endpoint.channel.provider_name };
    reply.provider = Some(Arc::clone(&endpoint.channel.provider_name));
    reply.send(json_response(rewrite_body(&identity, &answer, attempts.caller.request.hides_reasoning, &ended.usage_json())));
    Ok(())
}

/// An answer that comes in one piece.
pub(super) trait WholeAnswer: Sized {
    /// Makes it of a body; anything that is not an answer to the request is a failed attempt.
    fn understand(body: Bytes, request: &ChatRequest<'_>) -> impl Future<Output = Result<Self, AttemptError>> + Send;
}

/// Asks one endpoint after the other until one gives an answer.
pub(super) async fn find_answer<T: WholeAnswer>(attempts: &mut Attempts<'_>, open: &mut OpenRequest) -> Result<(Answered, T), ApiError> {
    loop {
        let begun = attempts.next(open).await?;
        let mut answered = match attempts.caller.call(begun).await {
            Ok(answered) => answered,
            Err(failed) => {
                attempts.fail(*failed)?;
                continue;
            }
        };
        let read = match read_whole(attempts.caller, &mut answered).await {
            Ok(body) => T::understand(body, attempts.caller.request).await,
            Err(error) => Err(error),
        };
        match read {
            Ok(answer) => {
                observe::began(&answered.endpoint, answered.pass.key, None, Timestamp::now());
                return Ok((answered, answer));
            }
            Err(error) => attempts.fail(*answered.failed(error))?,
        }
    }
}

/// What is said with success and is no answer.
pub(super) fn unreadable() -> AttemptError {
    AttemptError::broken("the provider's answer could not be read").after_status(StatusCode::OK)
}

impl WholeAnswer for ChatAnswer {
    async fn understand(body: Bytes, _: &ChatRequest<'_>) -> Result<Self, AttemptError> {
        let mut answer = Self::default();
        // Some hosts write one. What a stream begins with its framer skips.
        let body = if body.starts_with(BYTE_ORDER_MARK) { body.slice(BYTE_ORDER_MARK.len()..) } else { body };
        match answer.scan(body) {
            Ok(Scanned::Object) => {}
            Ok(Scanned::Done) | Err(_) => return Err(unreadable()),
        }
        if let Some(error) = answer.error() {
            return Err(UpstreamError::from_answer(error).into());
        }
        // Without a choice it is no answer, whatever it says it used.
        if answer.choices().is_empty() { Err(unreadable()) } else { Ok(answer) }
    }
}

async fn read_whole(caller: Caller<'_>, answered: &mut Answered) -> Result<Bytes, AttemptError> {
    let options = &caller.app.options;
    let idle_timeout = caller.idle_timeout(&answered.endpoint);
    let deadline = caller.attempt_deadline(&answered.endpoint, answered.started);
    let broken = |message| AttemptError::broken(message).after_status(StatusCode::OK);
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    loop {
        let idle_deadline = (Instant::now() + idle_timeout).min(deadline);
        let chunk = match timeout_at(idle_deadline, answered.answer.body.chunk()).await {
            Ok(Ok(Some(chunk))) => chunk,
            Ok(Ok(None)) => break,
            Ok(Err(_)) => return Err(broken("the provider's answer broke off")),
            Err(_) => return Err(AttemptError::timeout("the provider's answer did not arrive in time").after_status(StatusCode::OK)),
        };
        if whole.len() + chunk.len() > options.answer_bytes_max {
            return Err(broken("the provider's answer is too large"));
        }
        match first.take() {
            None if whole.is_empty() => first = Some(chunk),
            None => whole.extend_from_slice(&chunk),
            Some(earlier) => {
                whole.extend_from_slice(&earlier);
                whole.extend_from_slice(&chunk);
            }
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

pub(super) fn json_response(body: Bytes) -> Response {
    let mut response = Response::new(axum::body::Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_byte_order_mark_before_an_answer_is_skipped() {
        let request = ChatRequest::parse(br#"{"messages":[{"role":"user","content":"x"}]}"#, 8).unwrap();
        let body = "\u{feff}{\"choices\":[{\"index\":0,\"message\":{\"content\":\"hi\"}}]}";
        let answer = ChatAnswer::understand(Bytes::from(body), &request).await.unwrap();
        assert_eq!(answer.choices().len(), 1);
    }
}
