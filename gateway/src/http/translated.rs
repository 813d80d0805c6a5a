//! The relay's answer on its way to a client of another dialect: its frames one by one, or the whole of it.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http_body::{Body, Frame};
use http_body_util::BodyExt;

use super::error::ApiError;

/// The events of one stream, in the client's dialect.
pub trait Events: Send + Unpin + 'static {
    /// What the client gets of these bytes of the relay's; nothing while a frame is incomplete.
    fn push(&mut self, data: Bytes) -> Bytes;
}

/// Turns a good answer of the relay's into the client's, by what is known of its request: a stream by `events`, an answer in one
/// piece by `whole`, which gives `None` for bytes that are no answer of ours.
pub async fn translated<R, E: Events>(
    response: Response,
    request: R,
    events: impl FnOnce(R) -> E,
    whole: impl FnOnce(&[u8], R) -> Option<Bytes>,
) -> Result<Response, ApiError> {
    let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let (mut head, body) = response.into_parts();
    if is_stream {
        return Ok(Response::from_parts(head, AxumBody::new(EventBody { inner: body, events: events(request) })));
    }
    let answer = body.collect().await.map_err(ApiError::internal)?.to_bytes();
    let answer = whole(&answer, request).ok_or_else(|| ApiError::internal("an answer of ours could not be read"))?;
    head.headers.remove(CONTENT_LENGTH);
    head.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(Response::from_parts(head, AxumBody::from(answer)))
}

/// A client's body: the relay's, translated.
struct EventBody<E> {
    inner: AxumBody,
    events: E,
}

impl<E: Events> Body for EventBody<E> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            let frame = match Pin::new(&mut self.inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => frame,
                other => return other,
            };
            let Ok(data) = frame.into_data() else { continue };
            let out = self.events.push(data);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out))));
            }
        }
    }
}
