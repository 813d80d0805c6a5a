//! How fast events become rows, and rows become rollups: `cargo bench -p tollgate-projector`.
//!
//! `EVENTS` (default 200,000) events over three hours, five models, seven accounts, a tenth of them duplicates,
//! late settlements or other kinds; batches as the worker takes them; a database on the disk of the temporary folder, and one at
//! `TOLLGATE_TEST_CLICKHOUSE_URL` when that is set.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints and stops at the first surprise")]

use std::time::Instant;

use eventlog::Entry;
use projector::{Access, ActivityQuery, AnalyticsStore, GenerationQuery, worker};
use schemas::Timestamp;

#[path = "../tests/it/sample.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod sample;

/// Events whose order is random.
const SLICE: usize = 500;
const TICKS_PER_SECOND: f64 = 100.0;
const START: Timestamp = Timestamp::from_micros(1_795_392_000_000_000);

#[tokio::main]
async fn main() {
    let count: usize = std::env::var("EVENTS").map_or(200_000, |text| text.parse().expect("EVENTS is a number"));
    let mut traffic = sample::Traffic::new(1);
    // In the order of time but for some seconds, as requests end.
    let slice_micros = 3 * 3_600_000_000 * SLICE as i64 / count as i64;
    let slices = (0..count.div_ceil(SLICE) as i64).map(|slice| START.plus_micros(slice * slice_micros));
    let events: Vec<Vec<u8>> = slices.flat_map(|start| traffic.log_within(SLICE, start, slice_micros)).take(count).collect();
    let bytes: usize = events.iter().map(Vec::len).sum();
    println!("{count} events, {} bytes each on average", bytes / count);
    let entries = sample::entries(&events);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("analytics.db");
    println!("\nSQLite");
    measure(&format!("sqlite://{}", path.display()), &entries, &traffic).await;
    println!("database: {} bytes an event", std::fs::metadata(&path).unwrap().len() / count as u64);

    let Ok(server) = std::env::var("TOLLGATE_TEST_CLICKHOUSE_URL") else { return };
    println!("\nClickHouse; CPU without the server's");
    let server = server.trim_end_matches('/');
    let database = format!("bench_{}", std::process::id());
    let client = clickhouse::Client::default().with_url(server).with_compression(clickhouse::Compression::None);
    client.query(&format!("CREATE DATABASE {database}")).execute().await.unwrap();
    measure(&format!("{server}/{database}"), &entries, &traffic).await;
    let sql = "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = ?";
    let bytes: u64 = client.query(sql).bind(&database).fetch_one().await.unwrap();
    println!("database: {} bytes an event", bytes / count as u64);
    client.query(&format!("DROP DATABASE {database}")).execute().await.unwrap();
}

async fn measure(url: &str, entries: &[Entry], traffic: &sample::Traffic) {
    let store = AnalyticsStore::open(url, Access::ReadWrite).await.unwrap();
    store.migrate().await.unwrap();
    let clock = Clock::start();
    for batch in entries.chunks(worker::Pace::of(&store).batch.entries) {
        store.project(batch).await.unwrap();
    }
    clock.report("project", entries.len());
    let clock = Clock::start();
    store.refresh().await.unwrap();
    clock.report("refresh of 3 hours, 1 day, rankings", entries.len());
    let clock = Clock::start();
    store.digests().await.unwrap();
    clock.report("digests", entries.len());
    queries(&store, traffic).await;
}

/// What a dashboard and the router ask for.
async fn queries(store: &AnalyticsStore, traffic: &sample::Traffic) {
    let account = Some(traffic.account(0));
    let clock = Clock::start();
    store.generations(GenerationQuery { account, limit: 100, ..GenerationQuery::default() }).await.unwrap();
    clock.report("an account's newest 100 requests", 1);
    let clock = Clock::start();
    store.activity(ActivityQuery { account, key: None, from: START.day(), to: START.day() }).await.unwrap();
    clock.report("an account's activity of a day", 1);
    for (what, minutes) in [("half an hour", 30), ("three hours", 180)] {
        let until = START.plus_micros(minutes * 60_000_000);
        let clock = Clock::start();
        store.endpoint_attempts(START, until).await.unwrap();
        clock.report(&format!("uptime of all endpoints over {what}"), 1);
        let clock = Clock::start();
        store.endpoint_speed(START, until).await.unwrap();
        clock.report(&format!("speed of all endpoints over {what}"), 1);
    }
    let clock = Clock::start();
    store.charge_totals().await.unwrap();
    clock.report("charge totals of everything", 1);
}

struct Clock {
    started: Instant,
    cpu_ticks: u64,
}

impl Clock {
    fn start() -> Self {
        Self { started: Instant::now(), cpu_ticks: cpu_ticks() }
    }

    fn report(self, what: &str, count: usize) {
        let seconds = self.started.elapsed().as_secs_f64();
        let cpu_seconds = (cpu_ticks() - self.cpu_ticks) as f64 / TICKS_PER_SECOND;
        if count == 1 {
            println!("{what}: {:.1} ms", seconds * 1e3);
            return;
        }
        println!("{what}: {:.0} events/s, {seconds:.2} s, {:.1} µs CPU an event", count as f64 / seconds, cpu_seconds * 1e6 / count as f64);
    }
}

/// User and system time of all threads.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}
