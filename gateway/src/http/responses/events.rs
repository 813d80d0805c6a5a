//! The relay's stream on its way to a client, frame by frame, as this dialect's events.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AxumBody;
use bytes::Bytes;
use http_body::{Body, Frame as BodyFrame};

use super::answer::{Answer, now};
use super::chunk::Chunk;
use super::echo::Echo;
use crate::http::error::ApiError;
use crate::wire::{Frame, KEEP_ALIVE, SseFramer};

/// A client's body: the relay's, translated.
pub(super) struct EventBody {
    inner: AxumBody,
    events: Events,
}

impl EventBody {
    pub(super) fn new(inner: AxumBody, echo: Echo) -> Self {
        Self { inner, events: Events::new(Answer::new(echo, now)) }
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<BodyFrame<Bytes>, axum::Error>>> {
        loop {
            let frame = match Pin::new(&mut self.inner).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => frame,
                other => return other,
            };
            let Ok(data) = frame.into_data() else { continue };
            let out = self.events.push(data);
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(BodyFrame::data(out))));
            }
        }
    }
}

/// The state of one stream.
pub(super) struct Events {
    framer: SseFramer,
    answer: Answer,
}

impl Events {
    pub(super) fn new(answer: Answer) -> Self {
        Self { framer: SseFramer::default(), answer }
    }

    pub(super) fn push(&mut self, data: Bytes) -> Bytes {
        self.framer.push(data);
        // What the relay writes is within the framer's bound.
        while let Ok(Some(frame)) = self.framer.next_frame() {
            match frame {
                Frame::Comment => self.answer.events.comment(KEEP_ALIVE),
                // OpenAI ends the stream with its last event: there is no such frame in this dialect.
                Frame::Event { data, .. } if &*data == b"[DONE]" => self.answer.end(),
                Frame::Event { data, .. } => match serde_json::from_slice::<Chunk<'_>>(&data) {
                    Ok(chunk) => self.answer.take(&chunk),
                    Err(error) => self.answer.fail(&ApiError::internal(error)),
                },
            }
        }
        Bytes::from(self.answer.events.take())
    }
}
