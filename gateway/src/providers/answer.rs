//! An upstream's answer, head arrived, body still to be read.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::anthropic::body::TranslatedBody;

/// What an upstream sent: a success status, and bytes to come.
pub struct UpstreamAnswer {
    /// `text/event-stream`: deltas; otherwise one JSON document.
    pub is_stream: bool,
    pub body: UpstreamBody,
}

/// Where the bytes come from.
pub enum UpstreamBody {
    Http(Incoming),
    /// Another dialect's, translated while it is read.
    Translated(Box<TranslatedBody>),
    InProcess(Pin<Box<dyn Stream<Item = Bytes> + Send>>),
}

/// The connection broke before the answer's end.
#[derive(Debug, thiserror::Error)]
#[error("upstream connection broke")]
pub struct BodyError(#[from] hyper::Error);

impl UpstreamBody {
    /// The next piece, `None` at the end. Dropping the body aborts the upstream call.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self {
            Self::Http(body) => Ok(next_data(body).await?),
            Self::Translated(body) => Ok(body.chunk().await?),
            Self::InProcess(stream) => Ok(stream.next().await),
        }
    }
}

/// The next bytes of a body. Cancelling loses nothing.
pub(super) async fn next_data(body: &mut Incoming) -> Result<Option<Bytes>, hyper::Error> {
    while let Some(frame) = body.frame().await {
        // Trailers mean nothing to anyone here.
        if let Ok(chunk) = frame?.into_data() {
            return Ok(Some(chunk));
        }
    }
    Ok(None)
}
