//! What watched processes use, read from `/proc` before and after.
//!
//! CPU is the scheduler's own count of nanoseconds, thread by thread; a thread that ends within a run is lost. How it
//! divides into user and system time is known in ticks of 10 ms only, so that needs runs of seconds.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde::Serialize;

const TICK_MICROS: u64 = 10_000;

/// A name and the processes that are counted together under it, e.g. a server's master and workers.
#[derive(Debug, Clone)]
pub struct Watched {
    name: String,
    pids: Vec<u32>,
}

#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("`{0}` is not NAME=PID or NAME=PID,PID")]
    Syntax(String),
    #[error("process {pid} of {name} cannot be read: is it running?")]
    Gone { name: String, pid: u32 },
}

impl FromStr for Watched {
    type Err = ProcessError;
    fn from_str(text: &str) -> Result<Self, ProcessError> {
        let syntax = || ProcessError::Syntax(text.into());
        let (name, list) = text.split_once('=').ok_or_else(syntax)?;
        let pids = list.split(',').map(str::parse).collect::<Result<Vec<u32>, _>>().map_err(|_| syntax())?;
        Ok(Self { name: name.to_owned(), pids })
    }
}

#[derive(Debug, Clone, Default)]
pub struct Used {
    user_micros: u64,
    system_micros: u64,
    /// Nanoseconds of the threads that live, by id, each with the beginning of its name.
    threads: BTreeMap<u32, (String, u64)>,
    pub rss_bytes: u64,
    rss_peak_bytes: u64,
}

/// CPU in microseconds per request of the run, memory in bytes at its end.
#[derive(Debug, Serialize)]
pub struct Cost {
    user_us_per_request: f64,
    system_us_per_request: f64,
    cpu_us_per_request: f64,
    cpu_percent: f64,
    /// Of `cpu_us_per_request`, by thread name.
    threads: BTreeMap<String, f64>,
    rss_bytes: u64,
    rss_peak_bytes: u64,
}

pub type Snapshot = BTreeMap<String, Used>;

/// What each of them has used since it started.
pub fn snapshot(watched: &[Watched]) -> Result<Snapshot, ProcessError> {
    watched.iter().map(|one| Ok((one.name.clone(), one.used()?))).collect()
}

/// What the calling process has used.
pub fn own() -> Used {
    read(std::process::id()).unwrap_or_default()
}

impl Watched {
    fn used(&self) -> Result<Used, ProcessError> {
        let mut sum = Used::default();
        for pid in &self.pids {
            let one = read(*pid).ok_or_else(|| ProcessError::Gone { name: self.name.clone(), pid: *pid })?;
            sum.user_micros += one.user_micros;
            sum.system_micros += one.system_micros;
            sum.threads.extend(one.threads);
            sum.rss_bytes += one.rss_bytes;
            sum.rss_peak_bytes += one.rss_peak_bytes;
        }
        Ok(sum)
    }
}

impl Used {
    pub fn cost_since(&self, before: &Self, requests: u64, seconds: f64) -> Cost {
        let per = |micros: f64| (micros / requests.max(1) as f64 * 10.0).round() / 10.0;
        let ticks = |now: u64, was: u64| per(now.saturating_sub(was) as f64);
        let (mut threads, mut total) = (BTreeMap::<String, f64>::new(), 0.0);
        for (id, (name, nanos)) in &self.threads {
            let was = before.threads.get(id).map_or(0, |(_, nanos)| *nanos);
            let micros = nanos.saturating_sub(was) as f64 / 1e3;
            total += micros;
            *threads.entry(name.clone()).or_default() += micros;
        }
        Cost {
            user_us_per_request: ticks(self.user_micros, before.user_micros),
            system_us_per_request: ticks(self.system_micros, before.system_micros),
            cpu_us_per_request: per(total),
            cpu_percent: (total / 1e4 / seconds.max(1e-9) * 10.0).round() / 10.0,
            threads: threads.into_iter().map(|(name, micros)| (name, per(micros))).filter(|(_, micros)| *micros > 0.0).collect(),
            rss_bytes: self.rss_bytes,
            rss_peak_bytes: self.rss_peak_bytes,
        }
    }
}

fn read(pid: u32) -> Option<Used> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let (user, system) = ticks(&stat)?;
    Some(Used {
        user_micros: user * TICK_MICROS,
        system_micros: system * TICK_MICROS,
        threads: threads(pid),
        rss_bytes: kilobytes(&status, "VmRSS:").unwrap_or(0) * 1024,
        rss_peak_bytes: kilobytes(&status, "VmHWM:").unwrap_or(0) * 1024,
    })
}

/// CPU of each thread so far; names end where their numbers begin.
fn threads(pid: u32) -> BTreeMap<u32, (String, u64)> {
    let mut threads = BTreeMap::new();
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return threads };
    for task in tasks.flatten() {
        let Some(id) = task.file_name().to_str().and_then(|id| id.parse().ok()) else { continue };
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
        let Some(nanos) = read("schedstat").split(' ').next().and_then(|nanos| nanos.parse().ok()) else { continue };
        let name = read("comm").trim().trim_end_matches(|last: char| last.is_ascii_digit() || last == '-').to_owned();
        threads.insert(id, (name, nanos));
    }
    threads
}

/// Fields 14 and 15; the second field may contain anything in parentheses.
fn ticks(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat.get(stat.rfind(')')? + 2..)?.split(' ').skip(11);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix(name))?.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 100 0 0 0 321 45 0 0 20 0 4 0 1 1 1";
        assert_eq!(ticks(stat), Some((321, 45)));
        assert_eq!(kilobytes("Name:\tx\nVmRSS:\t  2048 kB\n", "VmRSS:"), Some(2048));
    }

    #[test]
    fn this_process_can_be_read_and_a_missing_one_is_named() {
        let before = own();
        assert!(before.rss_bytes > 0);
        let begin = std::time::Instant::now();
        while begin.elapsed() < std::time::Duration::from_millis(30) {}
        assert!(own().cost_since(&before, 1, 1.0).cpu_us_per_request > 1_000.0);
        assert!("gateway=".parse::<Watched>().is_err());
        let missing: Watched = Watched { name: "gone".into(), pids: vec![u32::MAX] };
        assert!(missing.used().is_err());
    }
}
