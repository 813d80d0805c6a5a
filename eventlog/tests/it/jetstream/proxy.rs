//! A wire that breaks at a chosen byte.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// Carries connections to a server; breaks one of them when it is told to.
pub struct Proxy {
    pub port: u16,
    /// The way and the bytes that still go it before the connection breaks.
    cut: Arc<Mutex<Option<(Way, usize)>>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub async fn before(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let cut = Arc::new(Mutex::new(None));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&cut);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self { port, cut, _tasks: tasks }
    }

    /// Breaks the connection once so many more bytes have gone that way.
    pub fn cut_after(&self, way: Way, bytes: usize) {
        *self.cut.lock() = Some((way, bytes));
    }

    pub fn has_cut(&self) -> bool {
        self.cut.lock().is_none()
    }
}

async fn carry(client: TcpStream, server: u16, cut: Arc<Mutex<Option<(Way, usize)>>>) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // Either way's end drops all four halves: both sides see a broken connection.
    tokio::select! {
        () = copy(from_client, to_server, Way::ToServer, &cut) => {}
        () = copy(from_server, to_client, Way::ToClient, &cut) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: Way, cut: &Mutex<Option<(Way, usize)>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        let allowed = spend(&mut cut.lock(), way, bytes);
        if to.write_all(&buffer[..allowed]).await.is_err() || allowed < bytes {
            return;
        }
    }
}

/// How many of the bytes that came may go on.
fn spend(cut: &mut Option<(Way, usize)>, way: Way, bytes: usize) -> usize {
    match cut {
        Some((cut_way, left)) if *cut_way == way => {
            let allowed = bytes.min(*left);
            if allowed < bytes {
                *cut = None;
            } else {
                *left -= bytes;
            }
            allowed
        }
        _ => bytes,
    }
}
