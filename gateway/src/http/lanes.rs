//! Lanes: threads that each carry their connections alone, from the first byte to the last.
//!
//! A request, its upstream call and its answer stay on one thread: nothing on its way is handed to another core and
//! nobody has to be woken there, which is most of what a proxy costs. Connections go to the lane that has the fewest. What
//! computes for long leaves the lane (`spawn_blocking`): a lane that computes serves nobody else.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::entrance::Entrance;
use super::server::{accept, serve_connection};

/// Connections that wait for a lane to look; a lane that does not is not given more.
const WAITING_CONNECTIONS_MAX: usize = 1024;

/// What a lane runs.
pub struct LaneWork {
    /// Answers the lane's connections. Every lane has one of its own, with upstream connections of its own.
    pub entrance: Entrance,
    /// Tasks that requests leave behind; the lane lives until they have ended.
    pub requests: TaskTracker,
}

/// The running lanes.
pub struct Lanes {
    lanes: Vec<Lane>,
    stop: CancellationToken,
    abandon: CancellationToken,
}

struct Lane {
    connections: mpsc::Sender<(StdTcpStream, Open)>,
    /// Connections it was given and has not closed.
    open: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// One connection among those of its lane, until it is dropped.
pub(super) struct Open(Arc<AtomicUsize>);

impl Lanes {
    /// Starts a thread for each of the works. They end after `stop`, once their connections and requests have.
    pub fn start(works: Vec<LaneWork>, stop: CancellationToken) -> io::Result<Self> {
        let abandon = CancellationToken::new();
        let lanes = works.into_iter().enumerate().map(|(number, work)| Lane::start(number, work, stop.clone(), abandon.clone()));
        Ok(Self { lanes: lanes.collect::<io::Result<_>>()?, stop, abandon })
    }

    /// Hands every connection that comes to a lane, until it is told to stop.
    pub async fn accept_from(&self, listener: TcpListener) {
        while let Some(stream) = accept(&listener, &self.stop).await {
            let Some(lane) = self.lanes.iter().min_by_key(|lane| lane.open.load(Ordering::Relaxed)) else { return };
            // Counted before it is handed over: of many that come at once, not all go to one lane.
            let handed = stream.into_std().map(|stream| lane.connections.try_send((stream, Open::one(&lane.open))));
            if !matches!(handed, Ok(Ok(()))) {
                tracing::warn!("a connection was closed: its lane takes no more");
            }
        }
    }

    /// Waits for the lanes to end. Blocks, for as long as clients keep their connections.
    pub fn join(self) {
        for lane in self.lanes {
            drop(lane.connections);
            // A panic was printed by its hook; requests of that lane ended themselves when they were dropped.
            let _ = lane.thread.join();
        }
    }

    /// Makes the lanes end at once, whatever is still open.
    pub fn abandoned(&self) -> CancellationToken {
        self.abandon.clone()
    }
}

impl Lane {
    fn start(number: usize, work: LaneWork, stop: CancellationToken, abandon: CancellationToken) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().thread_name(format!("gateway-{number}+")).build()?;
        let (connections, waiting) = mpsc::channel(WAITING_CONNECTIONS_MAX);
        let thread = std::thread::Builder::new().name(format!("gateway-{number}")).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = run(waiting, work, stop) => {}
                    () = abandon.cancelled() => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Self { connections, open: Arc::default(), thread })
    }
}

async fn run(mut waiting: mpsc::Receiver<(StdTcpStream, Open)>, work: LaneWork, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let next = tokio::select! {
            next = waiting.recv() => next,
            () = stop.cancelled() => break,
        };
        let Some((stream, open)) = next else { break };
        match TcpStream::from_std(stream) {
            Ok(stream) => {
                // Boxed: a task's own place is rounded up by more than a box costs.
                connections.spawn(Box::pin(serve_connection(stream, work.entrance.clone(), stop.clone(), open)));
            }
            Err(error) => tracing::warn!(error = %error, "a connection could not be served"),
        }
    }
    connections.close();
    connections.wait().await;
    work.requests.wait().await;
}

impl Open {
    fn one(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
