//! What was asked and what became of it: counters, and a log of tagged requests.
//!
//! A test that must know which answers were wholly given puts `[tag:…]` into its message and reads the log.
//! Untagged requests only count. Start at [`Record`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use serde::Serialize;

use crate::plan::Plan;

/// Tagged requests that are remembered; later ones only count, and `log_full` says so.
const LOG_ENTRIES_MAX: usize = 200_000;

#[derive(Debug, Default)]
pub struct Stats {
    requests: AtomicU64,
    completed: AtomicU64,
    faulty: AtomicU64,
    cut: AtomicU64,
    aborted: AtomicU64,
    tokens: AtomicU64,
    log_full: AtomicU64,
    log: Mutex<Log>,
}

/// `generation` counts resets: a request that began before one writes no more.
#[derive(Debug, Default)]
struct Log {
    generation: u64,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    tag: String,
    model: String,
    stream: bool,
    status: u16,
    outcome: Outcome,
    /// Output tokens handed to the connection.
    tokens_given: u64,
    /// What a whole answer says, where these are numbers.
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
    usage_sent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Running,
    /// A good answer was wholly handed to the connection.
    Completed,
    /// An answer was wholly sent that is an error or damaged on purpose.
    Faulty,
    /// Cut short by the script.
    Cut,
    /// The client left first.
    Aborted,
}

#[derive(Debug, Serialize)]
pub struct Counters {
    requests: u64,
    running: u64,
    completed: u64,
    faulty: u64,
    cut: u64,
    aborted: u64,
    tokens: u64,
    log_full: u64,
}

impl Stats {
    /// Counts a request; its record says later what became of it. The tag is the client's.
    pub fn begin(self: &Arc<Self>, tag: Option<&str>, model: &str, stream: bool, plan: &Plan) -> Record {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let slot = tag.and_then(|tag| self.log_request(tag, model, stream, plan));
        Record { stats: Arc::clone(self), slot, sound: plan.sound, ended: false }
    }

    fn log_request(&self, tag: &str, model: &str, stream: bool, plan: &Plan) -> Option<(u64, usize)> {
        let mut log = self.log.lock();
        if log.entries.len() >= LOG_ENTRIES_MAX {
            self.log_full.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        log.entries.push(Entry {
            tag: tag.to_owned(),
            model: model.to_owned(),
            stream,
            status: plan.status,
            outcome: Outcome::Running,
            tokens_given: 0,
            prompt_tokens: plan.prompt_tokens,
            completion_tokens: plan.completion_tokens,
            usage_sent: plan.usage_sent,
        });
        Some((log.generation, log.entries.len() - 1))
    }

    pub fn counters(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (completed, faulty, cut, aborted) = (read(&self.completed), read(&self.faulty), read(&self.cut), read(&self.aborted));
        let requests = read(&self.requests);
        let running = requests.saturating_sub(completed + faulty + cut + aborted);
        Counters { requests, running, completed, faulty, cut, aborted, tokens: read(&self.tokens), log_full: read(&self.log_full) }
    }

    /// The log in the order of arrival, of one tag or of all.
    pub fn entries(&self, tag: Option<&str>) -> Vec<Entry> {
        self.log.lock().entries.iter().filter(|entry| tag.is_none_or(|tag| entry.tag == tag)).cloned().collect()
    }

    /// Empties the log and the counters.
    pub fn reset(&self) {
        let mut log = self.log.lock();
        log.generation += 1;
        log.entries.clear();
        for counter in [&self.requests, &self.completed, &self.faulty, &self.cut, &self.aborted, &self.tokens, &self.log_full] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

/// One request in the books. Dropped before its end, it was aborted by the client.
#[derive(Debug)]
pub struct Record {
    stats: Arc<Stats>,
    slot: Option<(u64, usize)>,
    sound: bool,
    ended: bool,
}

impl Record {
    pub fn gave(&self, tokens: u32) {
        if tokens > 0 {
            self.stats.tokens.fetch_add(u64::from(tokens), Ordering::Relaxed);
            self.edit(|entry| entry.tokens_given += u64::from(tokens));
        }
    }

    /// Everything was handed over.
    pub fn sent(&mut self) {
        self.end(if self.sound { Outcome::Completed } else { Outcome::Faulty });
    }

    /// The script cut the answer short.
    pub fn cut(&mut self) {
        self.end(Outcome::Cut);
    }

    fn end(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let counter = match outcome {
            Outcome::Completed => &self.stats.completed,
            Outcome::Faulty => &self.stats.faulty,
            Outcome::Cut => &self.stats.cut,
            Outcome::Aborted | Outcome::Running => &self.stats.aborted,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        self.edit(|entry| entry.outcome = outcome);
    }

    fn edit(&self, change: impl FnOnce(&mut Entry)) {
        let Some((generation, index)) = self.slot else { return };
        let mut log = self.stats.log.lock();
        if log.generation == generation
            && let Some(entry) = log.entries.get_mut(index)
        {
            change(entry);
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.end(Outcome::Aborted);
    }
}
