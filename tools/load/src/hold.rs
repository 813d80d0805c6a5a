//! Opens many streams, keeps them open until memory is steady, and says what each of them takes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::Arguments;
use crate::connection::Connection;
use crate::process::{ProcessError, Snapshot, snapshot};
use crate::target::Target;

/// Streams that are being opened at one time.
const OPENING_MAX: usize = 64;
/// A stream that has not given its first byte by then has failed.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(500);
/// Memory counts as steady when two samples differ by less than this share.
const STEADY_SHARE: f64 = 0.002;

#[derive(Debug, Serialize)]
pub struct HoldReport {
    streams_wanted: u32,
    streams_open: u64,
    streams_refused: BTreeMap<u16, u64>,
    streams_failed: u64,
    /// Of those open, how many were still open when memory was measured.
    streams_alive: u64,
    opening_seconds: f64,
    processes: BTreeMap<String, Held>,
}

#[derive(Debug, Serialize)]
struct Held {
    rss_before_bytes: u64,
    rss_open_bytes: u64,
    rss_per_stream_bytes: i64,
}

/// One open stream: dropping it closes its connection.
struct Stream {
    body: Incoming,
}

enum Opened {
    Stream(Box<Stream>),
    Refused(u16),
    Failed,
}

pub async fn hold(arguments: &Arguments, target: Arc<Target>, wanted: u32) -> Result<HoldReport, ProcessError> {
    let before = snapshot(&arguments.processes)?;
    let (tasks, begin) = (TaskTracker::new(), Instant::now());
    let mut opening = JoinSet::new();
    let permits = Arc::new(Semaphore::new(OPENING_MAX));
    for _ in 0..wanted {
        opening.spawn(open(Arc::clone(&target), Arc::clone(&permits), tasks.clone()));
    }
    let (mut streams, mut refused, mut failed) = (Vec::new(), BTreeMap::new(), 0);
    while let Some(opened) = opening.join_next().await {
        match opened {
            Ok(Opened::Stream(stream)) => streams.push(stream),
            Ok(Opened::Refused(status)) => *refused.entry(status).or_default() += 1,
            Ok(Opened::Failed) | Err(_) => failed += 1,
        }
    }
    let opening_seconds = (begin.elapsed().as_secs_f64() * 1e3).round() / 1e3;
    let open = steady(arguments).await?;
    let streams_open = streams.len() as u64;
    let streams_alive = streams.iter().filter(|stream| !hyper::body::Body::is_end_stream(&stream.body)).count() as u64;
    drop(streams);
    tasks.close();
    tasks.wait().await;
    Ok(HoldReport {
        streams_wanted: wanted,
        streams_open,
        streams_refused: refused,
        streams_failed: failed,
        streams_alive,
        opening_seconds,
        processes: per_stream(&before, &open, streams_open),
    })
}

/// Opens one stream and reads until its first byte.
async fn open(target: Arc<Target>, permits: Arc<Semaphore>, tasks: TaskTracker) -> Opened {
    let Ok(_permit) = permits.acquire_owned().await else { return Opened::Failed };
    let mut connection = Connection::new(&target, tasks);
    let opened = tokio::time::timeout(OPEN_TIMEOUT, async {
        let Ok(response) = connection.open().await else { return Opened::Failed };
        let status = response.status().as_u16();
        if status != 200 {
            return Opened::Refused(status);
        }
        let mut body = response.into_body();
        match body.frame().await {
            Some(Ok(_)) => Opened::Stream(Box::new(Stream { body })),
            _ => Opened::Failed,
        }
    });
    opened.await.unwrap_or(Opened::Failed)
}

/// Samples until memory no longer changes, for as long as the run may take.
async fn steady(arguments: &Arguments) -> Result<Snapshot, ProcessError> {
    let end = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut last = snapshot(&arguments.processes)?;
    loop {
        tokio::time::sleep(SAMPLE_INTERVAL).await;
        let now = snapshot(&arguments.processes)?;
        let change = |name: &String, rss: u64| {
            let was = last.get(name).map_or(0, |used| used.rss_bytes);
            rss.abs_diff(was) as f64 / was.max(1) as f64
        };
        let is_steady = now.iter().all(|(name, used)| change(name, used.rss_bytes) < STEADY_SHARE);
        if is_steady || Instant::now() >= end {
            return Ok(now);
        }
        last = now;
    }
}

fn per_stream(before: &Snapshot, open: &Snapshot, streams: u64) -> BTreeMap<String, Held> {
    let held = open.iter().filter_map(|(name, used)| {
        let was = before.get(name)?.rss_bytes;
        let grown = i64::try_from(used.rss_bytes).ok()? - i64::try_from(was).ok()?;
        let rss_per_stream_bytes = grown / i64::try_from(streams.max(1)).ok()?;
        Some((name.clone(), Held { rss_before_bytes: was, rss_open_bytes: used.rss_bytes, rss_per_stream_bytes }))
    });
    held.collect()
}
