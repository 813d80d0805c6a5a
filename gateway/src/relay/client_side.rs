//! The client's end of a stream: pieces go in here, HTTP frames come out.
//!
//! Bounded: a client that does not read stops the upstream from being read, and one that reads nothing for
//! `client_stall_timeout` counts as gone. A queue of its own, because thousands are open at once and empty: a channel that is
//! made for many senders keeps room for 32 pieces and more than a kilobyte beside it. Both ends live on one lane, so its lock is free.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use parking_lot::Mutex;

/// The sending side, owned by the request's task.
pub struct ClientStream {
    queue: Arc<Mutex<Queue>>,
    pieces_max: usize,
    stall_timeout: Duration,
}

/// The receiving side: an HTTP body.
pub struct ClientBody(Arc<Mutex<Queue>>);

/// What has been sent and not been taken, and who waits for what.
#[derive(Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    /// Nothing more is sent.
    is_over: bool,
    /// Nobody takes anything any more.
    is_left: bool,
    /// Waits for a piece, or for the end.
    reader: Option<Waker>,
    /// Waits for room.
    writer: Option<Waker>,
    /// Waits for the client to leave.
    watcher: Option<Waker>,
}

impl ClientStream {
    pub fn new(pieces_max: usize, stall_timeout: Duration) -> (Self, ClientBody) {
        let queue = Arc::<Mutex<Queue>>::default();
        (Self { queue: Arc::clone(&queue), pieces_max: pieces_max.max(1), stall_timeout }, ClientBody(queue))
    }

    /// Hands a piece to the client; false once the client is gone.
    pub async fn send(&mut self, piece: Bytes) -> bool {
        match self.try_send(piece) {
            Ok(is_taken) => is_taken,
            // Boxed: few clients are ever waited for, and all would keep room for it.
            Err(piece) => Box::pin(self.send_when_read(piece)).await,
        }
    }

    /// Resolves when the client has left. Does not borrow, so that it can be awaited beside sending.
    pub fn closed(&self) -> impl Future<Output = ()> + use<> {
        let queue = Arc::clone(&self.queue);
        std::future::poll_fn(move |context| {
            let mut queue = queue.lock();
            if queue.is_left {
                return Poll::Ready(());
            }
            wait(&mut queue.watcher, context);
            Poll::Pending
        })
    }

    /// Whether the client is there to take it; the piece again where there is no room for it.
    fn try_send(&self, piece: Bytes) -> Result<bool, Bytes> {
        let mut queue = self.queue.lock();
        if queue.is_left || piece.is_empty() {
            return Ok(!queue.is_left);
        }
        if queue.pieces.len() >= self.pieces_max {
            return Err(piece);
        }
        queue.pieces.push_back(piece);
        let reader = queue.reader.take();
        drop(queue);
        wake(reader);
        Ok(true)
    }

    async fn send_when_read(&self, piece: Bytes) -> bool {
        let room = std::future::poll_fn(|context| {
            let mut queue = self.queue.lock();
            if queue.is_left || queue.pieces.len() < self.pieces_max {
                return Poll::Ready(());
            }
            wait(&mut queue.writer, context);
            Poll::Pending
        });
        if tokio::time::timeout(self.stall_timeout, room).await.is_err() {
            // Whoever does not read is gone for good: what is sent later is not taken either.
            self.queue.lock().is_left = true;
            return false;
        }
        matches!(self.try_send(piece), Ok(true))
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        let mut queue = self.queue.lock();
        queue.is_over = true;
        let reader = queue.reader.take();
        drop(queue);
        wake(reader);
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut queue = self.0.lock();
        if let Some(piece) = queue.pieces.pop_front() {
            let writer = queue.writer.take();
            drop(queue);
            wake(writer);
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if queue.is_over {
            return Poll::Ready(None);
        }
        wait(&mut queue.reader, context);
        Poll::Pending
    }
}

impl Drop for ClientBody {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.is_left = true;
        let (pieces, writer, watcher) = (std::mem::take(&mut queue.pieces), queue.writer.take(), queue.watcher.take());
        drop(queue);
        drop(pieces);
        wake(writer);
        wake(watcher);
    }
}

fn wait(place: &mut Option<Waker>, context: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(context.waker()),
        None => *place = Some(context.waker().clone()),
    }
}

fn wake(waiting: Option<Waker>) {
    if let Some(waker) = waiting {
        waker.wake();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use http_body_util::BodyExt;
    use tokio::time::Instant;

    use super::*;

    const STALL: Duration = Duration::from_secs(30);

    async fn next(body: &mut ClientBody) -> Option<Bytes> {
        body.frame().await.map(|frame| frame.unwrap().into_data().unwrap())
    }

    #[tokio::test]
    async fn pieces_come_in_order_and_then_the_end() {
        let (mut stream, mut body) = ClientStream::new(2, STALL);
        let read = async {
            let mut pieces = Vec::new();
            while let Some(piece) = next(&mut body).await {
                pieces.push(piece);
                tokio::task::yield_now().await;
            }
            pieces
        };
        let write = async move {
            for number in 0..50_u8 {
                assert!(stream.send(Bytes::from(vec![number])).await);
            }
            assert!(stream.send(Bytes::new()).await, "nothing is sent, and the client is there");
        };
        let (pieces, ()) = tokio::join!(read, write);
        assert_eq!(pieces.concat(), (0..50).collect::<Vec<u8>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_counts_as_gone() {
        let (mut stream, mut body) = ClientStream::new(1, STALL);
        assert!(stream.send(Bytes::from_static(b"a")).await);
        let begun = Instant::now();
        assert!(!stream.send(Bytes::from_static(b"b")).await);
        assert_eq!(begun.elapsed(), STALL);
        assert_eq!(next(&mut body).await.unwrap(), "a");
        assert!(!stream.send(Bytes::from_static(b"c")).await, "and it stays gone");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_again_in_time_misses_nothing() {
        let (mut stream, mut body) = ClientStream::new(1, STALL);
        assert!(stream.send(Bytes::from_static(b"a")).await);
        let read = async {
            tokio::time::sleep(STALL / 2).await;
            [next(&mut body).await, next(&mut body).await].map(Option::unwrap)
        };
        let (pieces, is_taken) = tokio::join!(read, stream.send(Bytes::from_static(b"b")));
        assert!(is_taken);
        assert_eq!(pieces, ["a", "b"]);
    }

    #[tokio::test]
    async fn whoever_waits_hears_that_the_client_left() {
        let (mut stream, body) = ClientStream::new(1, STALL);
        assert!(stream.send(Bytes::from_static(b"a")).await);
        let left = stream.closed();
        let leave = async {
            tokio::task::yield_now().await;
            drop(body);
        };
        let (is_taken, (), ()) = tokio::join!(stream.send(Bytes::from_static(b"b")), left, leave);
        assert!(!is_taken);
        stream.closed().await;
        assert!(!stream.send(Bytes::new()).await);
    }

    #[tokio::test]
    async fn a_reader_that_waits_hears_of_the_end() {
        let (stream, mut body) = ClientStream::new(1, STALL);
        let (end, ()) = tokio::join!(next(&mut body), async {
            tokio::task::yield_now().await;
            drop(stream);
        });
        assert_eq!(end, None);
    }
}
