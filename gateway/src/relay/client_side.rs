//! The client's end of a stream: pieces go in here, HTTP frames come out.
//!
//! Bounded: a client that does not read stops the upstream from being read, and one that reads nothing
//! for `client_stall_timeout` counts as gone.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::sync::mpsc;

/// The sending side, owned by the request's task.
pub struct ClientStream {
    pieces: mpsc::Sender<Bytes>,
    stall_timeout: Duration,
    gone: bool,
}

/// The receiving side: an HTTP body.
pub struct ClientBody(mpsc::Receiver<Bytes>);

impl ClientStream {
    pub fn new(pieces_max: usize, stall_timeout: Duration) -> (Self, ClientBody) {
        let (sender, receiver) = mpsc::channel(pieces_max.max(1));
        (Self { pieces: sender, stall_timeout, gone: false }, ClientBody(receiver))
    }

    /// Hands a piece to the client; false once the client is gone.
    pub async fn send(&mut self, piece: Bytes) -> bool {
        if self.gone || piece.is_empty() {
            return !self.gone;
        }
        let rejected = match self.pieces.try_send(piece) {
            Ok(()) => return true,
            Err(mpsc::error::TrySendError::Closed(_)) => None,
            Err(mpsc::error::TrySendError::Full(piece)) => Some(piece),
        };
        self.gone = match rejected {
            None => true,
            Some(piece) => self.pieces.send_timeout(piece, self.stall_timeout).await.is_err(),
        };
        !self.gone
    }

    /// Resolves when the client has left. Does not borrow, so that it can be awaited beside sending; it does
    /// keep the stream open, and must be dropped with it.
    pub fn closed(&self) -> impl Future<Output = ()> + use<> {
        let pieces = self.pieces.clone();
        async move { pieces.closed().await }
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
