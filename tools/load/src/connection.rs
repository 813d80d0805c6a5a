//! One kept connection: sends the prepared request, reads the answer, and says how it went and when.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::target::Target;

/// An answer that takes longer counts as an error.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const DONE: &[u8] = b"data: [DONE]";

pub struct Connection<'a> {
    target: &'a Target,
    tasks: TaskTracker,
    sender: Option<SendRequest<Full<Bytes>>>,
    pub connects: u64,
}

/// How one request went. Times count from the moment it was sent.
pub struct Answer {
    pub status: u16,
    pub headers: Duration,
    pub first_byte: Option<Duration>,
    pub total: Duration,
    pub bytes: u64,
    /// Whether the answer came to its proper end; a stream's is `[DONE]`.
    pub whole: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    Connect,
    Send,
    Timeout,
}

impl<'a> Connection<'a> {
    pub fn new(target: &'a Target, tasks: TaskTracker) -> Self {
        Self { target, tasks, sender: None, connects: 0 }
    }

    /// Sends the request and reads the whole answer; `gap` is told the pause before every further piece of it.
    pub async fn ask(&mut self, gap: impl FnMut(Duration)) -> Result<Answer, SendError> {
        match tokio::time::timeout(ANSWER_TIMEOUT, self.ask_without_limit(gap)).await {
            Ok(answer) => answer,
            Err(_) => {
                self.sender = None;
                Err(SendError::Timeout)
            }
        }
    }

    async fn ask_without_limit(&mut self, mut gap: impl FnMut(Duration)) -> Result<Answer, SendError> {
        let begin = Instant::now();
        let response = self.open().await?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            headers: begin.elapsed(),
            first_byte: None,
            total: Duration::ZERO,
            bytes: 0,
            whole: !self.target.stream || response.status().as_u16() != 200,
        };
        let mut body = response.into_body();
        let mut tail = Tail::default();
        let mut last = begin;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                self.sender = None;
                answer.whole = false;
                answer.total = begin.elapsed();
                return Ok(answer);
            };
            let Some(data) = frame.data_ref() else { continue };
            let now = Instant::now();
            match answer.first_byte {
                None => answer.first_byte = Some(now - begin),
                Some(_) => gap(now - last),
            }
            last = now;
            answer.bytes += data.len() as u64;
            tail.see(data);
        }
        answer.whole |= tail.has_done();
        answer.total = begin.elapsed();
        Ok(answer)
    }

    /// Sends the request and returns with the answer's headers.
    pub async fn open(&mut self) -> Result<hyper::Response<Incoming>, SendError> {
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        let ready = sender.ready().await;
        if ready.is_err() {
            sender = self.connect().await?;
        }
        let response = sender.send_request(self.target.request()).await.map_err(|_| SendError::Send)?;
        self.sender = Some(sender);
        Ok(response)
    }

    async fn connect(&mut self) -> Result<SendRequest<Full<Bytes>>, SendError> {
        self.connects += 1;
        let stream = TcpStream::connect(self.target.address).await.map_err(|_| SendError::Connect)?;
        stream.set_nodelay(true).map_err(|_| SendError::Connect)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| SendError::Connect)?;
        self.tasks.spawn(async move { drop(connection.await) });
        Ok(sender)
    }
}

/// The last bytes of a body, enough to find the end of a stream.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    const BYTES: usize = 64;

    fn see(&mut self, data: &[u8]) {
        let keep = data.get(data.len().saturating_sub(Self::BYTES)..).unwrap_or(data);
        let over = (self.bytes.len() + keep.len()).saturating_sub(Self::BYTES);
        self.bytes.drain(..over.min(self.bytes.len()));
        self.bytes.extend_from_slice(keep);
    }

    fn has_done(&self) -> bool {
        self.bytes.windows(DONE.len()).any(|window| window == DONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_stream_is_found_however_it_is_cut() {
        for size in 1..20 {
            let mut tail = Tail::default();
            for piece in b"data: {\"a\":\"something long enough to be dropped from the tail\"}\n\ndata: [DONE]\n\n".chunks(size) {
                tail.see(piece);
            }
            assert!(tail.has_done(), "pieces of {size}");
            assert!(tail.bytes.len() <= Tail::BYTES);
        }
    }
}
