//! A run: every connection sends one request after the other until the number or the time is used up.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::Arguments;
use crate::connection::{Connection, SendError};
use crate::histogram::Histogram;
use crate::process::{ProcessError, own, snapshot};
use crate::report::RunReport;
use crate::target::Target;

/// Pause after an error, so that a server that is gone is not hammered.
const ERROR_PAUSE: Duration = Duration::from_millis(20);

/// What one connection saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub requests: u64,
    pub bytes: u64,
    pub truncated: u64,
    pub connects: u64,
    pub latency: Histogram,
    pub headers: Histogram,
    pub first_byte: Histogram,
    pub gap: Histogram,
    pub statuses: BTreeMap<u16, u64>,
    pub errors: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.bytes += other.bytes;
        self.truncated += other.truncated;
        self.connects += other.connects;
        self.latency.merge(&other.latency);
        self.headers.merge(&other.headers);
        self.first_byte.merge(&other.first_byte);
        self.gap.merge(&other.gap);
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (error, count) in &other.errors {
            *self.errors.entry(error).or_default() += count;
        }
    }
}

/// What the connections share: how much is left to do, and the gate between warming up and being measured.
struct Phase {
    warmup: AtomicU64,
    left: AtomicU64,
    over: AtomicBool,
    gate: Barrier,
    pace: Option<Pace>,
}

/// When each measured request begins, where the load is not as fast as answers come.
struct Pace {
    between: Duration,
    begun: OnceLock<Instant>,
    taken: AtomicU32,
}

impl Pace {
    fn of(requests_per_second: u32) -> Self {
        Self { between: Duration::from_secs(1) / requests_per_second, begun: OnceLock::new(), taken: AtomicU32::new(0) }
    }

    /// Waits for the next place. Who is late goes at once, so that a slow answer costs no request.
    async fn wait(&self) {
        let place = self.taken.fetch_add(1, Ordering::Relaxed);
        let begun = *self.begun.get_or_init(Instant::now);
        tokio::time::sleep_until((begun + self.between * place).into()).await;
    }
}

/// Takes one of what is left; false when nothing is.
fn take(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

pub async fn run(arguments: &Arguments, target: Arc<Target>) -> Result<RunReport, ProcessError> {
    let phase = Arc::new(Phase {
        warmup: AtomicU64::new(arguments.warmup),
        left: AtomicU64::new(arguments.requests),
        over: AtomicBool::new(false),
        gate: Barrier::new(arguments.connections as usize + 1),
        pace: arguments.rate.map(Pace::of),
    });
    let mut workers = JoinSet::new();
    for _ in 0..arguments.connections {
        workers.spawn(work(Arc::clone(&target), Arc::clone(&phase)));
    }
    phase.gate.wait().await;
    let (before, own_before) = (snapshot(&arguments.processes)?, own());
    let begin = Instant::now();
    phase.gate.wait().await;
    let mut seen = Seen::default();
    let mut deadline = pin!(tokio::time::sleep(Duration::from_secs(arguments.seconds)));
    loop {
        tokio::select! {
            joined = workers.join_next() => match joined {
                Some(Ok(one)) => seen.merge(&one),
                Some(Err(_)) => {}
                None => break,
            },
            () = &mut deadline, if !phase.over.load(Ordering::Relaxed) => phase.over.store(true, Ordering::Relaxed),
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    let after = snapshot(&arguments.processes)?;
    Ok(RunReport::new(arguments, &seen, seconds, (&before, &after), (&own_before, &own())))
}

/// One connection's life.
async fn work(target: Arc<Target>, phase: Arc<Phase>) -> Seen {
    let tasks = TaskTracker::new();
    let mut connection = Connection::new(&target, tasks.clone());
    let mut unmeasured = Seen::default();
    while take(&phase.warmup) {
        one(&mut connection, &mut unmeasured).await;
    }
    phase.gate.wait().await;
    phase.gate.wait().await;
    let mut seen = Seen::default();
    while !phase.over.load(Ordering::Relaxed) && take(&phase.left) {
        if let Some(pace) = &phase.pace {
            pace.wait().await;
        }
        one(&mut connection, &mut seen).await;
    }
    seen.connects = connection.connects;
    drop(connection);
    tasks.close();
    tasks.wait().await;
    seen
}

async fn one(connection: &mut Connection<'_>, seen: &mut Seen) {
    let gap = &mut seen.gap;
    match connection.ask(|pause| gap.add(pause)).await {
        Ok(answer) => {
            seen.requests += 1;
            seen.bytes += answer.bytes;
            *seen.statuses.entry(answer.status).or_default() += 1;
            seen.truncated += u64::from(!answer.whole);
            seen.latency.add(answer.total);
            seen.headers.add(answer.headers);
            if let Some(first_byte) = answer.first_byte {
                seen.first_byte.add(first_byte);
            }
        }
        Err(error) => {
            let name = match error {
                SendError::Connect => "connect",
                SendError::Send => "send",
                SendError::Timeout => "timeout",
            };
            *seen.errors.entry(name).or_default() += 1;
            tokio::time::sleep(ERROR_PAUSE).await;
        }
    }
}
