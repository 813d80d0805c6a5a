//! An upstream body that is translated while it is read.

use bytes::{Bytes, BytesMut};
use hyper::body::Incoming;

use super::response;
use super::stream::EventTranslator;
use crate::providers::answer::next_data;

/// A longer answer in one piece is not read on.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The bytes of an HTTP answer, in the internal form.
pub struct TranslatedBody {
    upstream: Incoming,
    translator: Translator,
    has_ended: bool,
}

/// What is done with the bytes: events one by one, a document when it is whole.
pub enum Translator {
    Events(Box<EventTranslator>),
    Document { bytes: BytesMut, is_native: bool },
}

impl Translator {
    /// `is_native`: what Anthropic sent goes along with its translation.
    pub fn new(is_stream: bool, is_native: bool) -> Self {
        if is_stream {
            Self::Events(Box::new(EventTranslator::new(is_native)))
        } else {
            Self::Document { bytes: BytesMut::new(), is_native }
        }
    }

    /// Takes in bytes and gives what they are in the internal form: often nothing.
    pub fn push(&mut self, chunk: Bytes) -> Bytes {
        match self {
            Self::Events(events) => events.push(chunk),
            Self::Document { bytes, .. } => {
                if bytes.len() + chunk.len() <= DOCUMENT_BYTES_MAX {
                    bytes.extend_from_slice(&chunk);
                } else {
                    // What is cut cannot be read, and is reported as such.
                    bytes.truncate(1);
                }
                Bytes::new()
            }
        }
    }

    /// What the end of the body adds.
    pub fn finish(&mut self) -> Option<Bytes> {
        match self {
            Self::Events(_) => None,
            Self::Document { bytes, is_native } => Some(response::chat_answer(&bytes.split().freeze(), *is_native)),
        }
    }
}

impl TranslatedBody {
    pub const fn new(upstream: Incoming, translator: Translator) -> Self {
        Self { upstream, translator, has_ended: false }
    }

    /// The next piece, `None` at the end. **An empty piece is a sign of life**: upstream bytes came that mean nothing
    /// to a client. Cancelling loses nothing: translation happens at once, after the only wait.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        if self.has_ended {
            return Ok(None);
        }
        match next_data(&mut self.upstream).await? {
            Some(chunk) => Ok(Some(self.translator.push(chunk))),
            None => {
                self.has_ended = true;
                Ok(self.translator.finish())
            }
        }
    }
}
