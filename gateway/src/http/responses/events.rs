//! The relay's stream on its way to a client, frame by frame, as this dialect's events.

use bytes::Bytes;

use super::answer::Answer;
use super::chunk::Chunk;
use crate::http::error::ApiError;
use crate::http::translated;
use crate::wire::{Frame, KEEP_ALIVE, SseFramer};

/// The state of one stream.
pub(super) struct Events {
    framer: SseFramer,
    answer: Answer,
}

impl Events {
    pub(super) fn new(answer: Answer) -> Self {
        Self { framer: SseFramer::default(), answer }
    }
}

impl translated::Events for Events {
    fn push(&mut self, data: Bytes) -> Bytes {
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
