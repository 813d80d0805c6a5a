//! Connections in, answers out.
//!
//! `axum::serve` leaves Nagle's algorithm on and has no header timeout; both matter to a gateway, so
//! connections are served through hyper directly. [`super::lanes`] spreads them over threads.

use std::ops::DerefMut;
use std::pin::{Pin, pin};
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::entrance::{ConnectionEntrance, Entrance};
use super::lanes::Open;
use super::peer::PeerAddress;

/// A client has this long to send its request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);
/// No method of HTTP/1 begins like an HTTP/2 client without TLS does.
const HTTP2_BEGINNING: [u8; 3] = *b"PRI";
/// After a failed accept (out of file descriptors) the loop rests for this long.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// The next connection; `None` once it is told to stop.
pub(super) async fn accept(listener: &TcpListener, stop: &CancellationToken) -> Option<TcpStream> {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return None,
        };
        match accepted {
            Ok((stream, _peer)) => match stream.set_nodelay(true) {
                Ok(()) => return Some(stream),
                Err(error) => tracing::debug!(error = %error, "connection closed before it was served"),
            },
            Err(error) => {
                tracing::warn!(error = %error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

/// Serves one connection to its end; after `stop` it finishes the requests it carries and closes.
///
/// The connection is pinned where it is made: a future that takes it as an argument would keep room for it twice.
pub(super) async fn serve_connection(stream: TcpStream, entrance: Entrance, stop: CancellationToken, _open: Open) {
    let peer = stream.peer_addr().ok().map(PeerAddress);
    let service = entrance.of(peer);
    match first_bytes(&stream, &stop).await {
        Some(first) if first == HTTP2_BEGINNING => {
            let connection = Box::pin(http2(TokioIo::new(stream), service));
            Box::pin(drive(connection, http2::Connection::graceful_shutdown, stop)).await;
        }
        Some(_) => {
            let connection = pin!(http1(TokioIo::new(stream), service));
            drive(connection, http1::UpgradeableConnection::graceful_shutdown, stop).await;
        }
        None => {}
    }
}

/// What a client says first, left where it is: hyper's own look at it costs every connection a second read buffer.
/// `None` when the client says nothing.
async fn first_bytes(stream: &TcpStream, stop: &CancellationToken) -> Option<[u8; HTTP2_BEGINNING.len()]> {
    let mut first = [0; HTTP2_BEGINNING.len()];
    tokio::select! {
        peeked = tokio::time::timeout(HEADER_TIMEOUT, stream.peek(&mut first)) => match peeked {
            Ok(Ok(bytes)) if bytes > 0 => Some(first),
            _ => None,
        },
        () = stop.cancelled() => None,
    }
}

fn http2(
    stream: TokioIo<TcpStream>,
    service: ConnectionEntrance,
) -> http2::Connection<TokioIo<TcpStream>, ConnectionEntrance, TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new());
    builder.serve_connection(stream, service)
}

fn http1(stream: TokioIo<TcpStream>, service: ConnectionEntrance) -> http1::UpgradeableConnection<TokioIo<TcpStream>, ConnectionEntrance> {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
    builder.serve_connection(stream, service).with_upgrades()
}

async fn drive<P, C>(mut connection: Pin<P>, shut_down: fn(Pin<&mut C>), stop: CancellationToken)
where
    P: DerefMut<Target = C>,
    C: Future<Output = hyper::Result<()>>,
{
    let mut stopping = false;
    loop {
        tokio::select! {
            served = connection.as_mut() => {
                if let Err(error) = served {
                    tracing::debug!(error = %error, "connection ended early");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                shut_down(connection.as_mut());
            }
        }
    }
}
