//! How long rankings and activity take over many events, beside the naive query over raw events:
//! `cargo bench -p tollgate-projector --bench query`.
//!
//! `EVENTS` (default 200,000; the figures of docs/performance.md are of 10,000,000) over thirty days, in SQLite on the disk
//! of the temporary folder, and at `TOLLGATE_TEST_CLICKHOUSE_URL` when that is set. Every answer is compared with the naive
//! one: a difference ends the benchmark.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints and stops at the first surprise")]

use std::time::{Duration, Instant};

use projector::{Access, ActivityQuery, AnalyticsStore, Dimension, Interval, RankingKind, RankingPeriod, UsageQuery, worker};
use schemas::{AccountId, Day, Timestamp};
use sqlx::Row as _;
use sqlx::sqlite::SqlitePool;

#[path = "../tests/it/sample.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod sample;

const DAYS: i64 = 30;
const DAY_MICROS: i64 = 86_400_000_000;
/// The first of a month that has thirty days.
const START: Timestamp = Timestamp::from_micros(1_793_491_200_000_000);
/// Events whose order is random.
const SLICE: usize = 2_000;
const RUNS: usize = 60;
/// The naive query takes seconds.
const NAIVE_RUNS: usize = 3;

/// What naive queries leave out, as ours do.
const CUSTOMERS: &str = "model <> '' AND account_id <> '00000000-0000-0000-0000-000000000000'";

#[tokio::main]
async fn main() {
    let count: usize = std::env::var("EVENTS").map_or(200_000, |text| text.parse().expect("EVENTS is a number"));
    println!("{count} events over {DAYS} days");
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", dir.path().join("analytics.db").display());
    println!("\nSQLite");
    let traffic = fill(&url, count).await;
    measure(&url, &Raw::Sqlite(SqlitePool::connect(&url).await.unwrap()), &traffic).await;

    let Ok(server) = std::env::var("TOLLGATE_TEST_CLICKHOUSE_URL") else { return };
    println!("\nClickHouse");
    let server = server.trim_end_matches('/');
    let database = format!("bench_{}", std::process::id());
    let client = clickhouse::Client::default().with_url(server).with_compression(clickhouse::Compression::None);
    client.query(&format!("CREATE DATABASE {database}")).execute().await.unwrap();
    let url = format!("{server}/{database}");
    let traffic = fill(&url, count).await;
    measure(&url, &Raw::ClickHouse(Box::new(client.clone().with_database(&database))), &traffic).await;
    client.query(&format!("DROP DATABASE {database}")).execute().await.unwrap();
}

/// Projects and refreshes everything, a slice in memory at a time.
async fn fill(url: &str, count: usize) -> sample::Traffic {
    let store = AnalyticsStore::open(url, Access::ReadWrite).await.unwrap();
    store.migrate().await.unwrap();
    let mut traffic = sample::Traffic::new(1);
    let batch = worker::Pace::of(&store).batch.entries;
    let span = DAYS * DAY_MICROS / count.div_ceil(SLICE) as i64;
    let (mut position, mut waiting, started) = (0, Vec::new(), Instant::now());
    for slice in 0..count.div_ceil(SLICE) as i64 {
        waiting.extend(traffic.log_within(SLICE, START.plus_micros(slice * span), span));
        let is_last = (slice as usize + 1) * SLICE >= count;
        while waiting.len() >= batch || (is_last && !waiting.is_empty()) {
            let events: Vec<Vec<u8>> = waiting.drain(..batch.min(waiting.len())).collect();
            position = store.project(&sample::entries_after(position, &events)).await.unwrap().position;
        }
    }
    let projected = started.elapsed();
    while store.dirty_count().await.unwrap() > 0 {
        store.refresh().await.unwrap();
    }
    println!("projected in {:.0} s, refreshed in {:.0} s", projected.as_secs_f64(), (started.elapsed() - projected).as_secs_f64());
    traffic
}

async fn measure(url: &str, raw: &Raw, traffic: &sample::Traffic) {
    let store = AnalyticsStore::open(url, Access::ReadOnly).await.unwrap();
    let (first, last) = (START.day(), START.day().plus(DAYS as i32 - 1));
    let week = RankingPeriod::Week(first.plus(14));
    for (what, period, kind, subject) in [
        ("ranking of models, a week", week, RankingKind::Model, "model"),
        ("ranking of authors, a month", RankingPeriod::Month(first), RankingKind::Author, "author"),
        ("ranking of apps, a day", RankingPeriod::Day(first.plus(9)), RankingKind::App, "app"),
    ] {
        let days = within(raw, period.start(), period.end().plus(-1));
        let naive = format!(
            "SELECT {subject} AS k, {} AS n FROM usage_events WHERE {CUSTOMERS} AND {subject} <> ''{days} GROUP BY k",
            raw.sum(TOKENS)
        );
        compare(what, raw, &naive, async || {
            store.rankings(period, kind, 100).await.unwrap().into_iter().map(|row| (row.subject, row.tokens)).collect()
        })
        .await;
    }
    let account = traffic.account(0);
    let days = within(raw, first, last);
    for (what, account) in [("an account's activity, 30 days", Some(account)), ("everybody's activity, 30 days", None)] {
        let owner = account.map_or_else(String::new, owned_by);
        let key = raw.joined(&["day", "model", "channel"]);
        let naive = format!("SELECT {key} AS k, {} AS n FROM usage_events WHERE {CUSTOMERS}{owner}{days} GROUP BY k", raw.sum(TOKENS));
        compare(what, raw, &naive, async || {
            let rows = store.activity(ActivityQuery { account, key: None, from: first, to: last }).await.unwrap();
            let key = |row: &projector::ActivityRow| format!("{}|{}|{}", row.date, row.model, row.channel);
            rows.into_iter().map(|row| (key(&row), row.prompt_tokens + row.completion_tokens)).collect()
        })
        .await;
    }
    let by = vec![Dimension::Model, Dimension::Key];
    let usage = UsageQuery { account: Some(account), ..UsageQuery::new(Interval::Day, START, START.plus_micros(DAYS * DAY_MICROS), by) };
    let key = raw.joined(&["model", raw.key_or_nothing()]);
    let naive = format!(
        "SELECT {key} AS k, {} AS n FROM usage_events WHERE {CUSTOMERS}{}{days} GROUP BY k",
        raw.sum("charge_nanos"),
        owned_by(account)
    );
    compare("an account's spend by model and key, 30 days", raw, &naive, async || {
        let groups = store.usage(&usage).await.unwrap();
        groups.into_iter().map(|group| (group.values.join("|"), group.totals.charged.nanos().unsigned_abs())).collect()
    })
    .await;
}

const TOKENS: &str = "prompt_tokens + completion_tokens";

fn owned_by(account: AccountId) -> String {
    format!(" AND account_id = '{}'", account.uuid())
}

fn within(raw: &Raw, from: Day, to: Day) -> String {
    match raw {
        // By time, so that its index serves.
        Raw::Sqlite(_) => format!(" AND admitted_at >= '{from}' AND admitted_at < '{}'", to.plus(1)),
        Raw::ClickHouse(_) => format!(
            " AND admitted_at >= toDateTime64('{from} 00:00:00', 6, 'UTC') AND admitted_at < toDateTime64('{} 00:00:00', 6, 'UTC')",
            to.plus(1)
        ),
    }
}

/// Prints what both take, and stops where their answers differ.
async fn compare(what: &str, raw: &Raw, naive: &str, ours: impl AsyncFn() -> Vec<(String, u64)>) {
    let (mut times, mut answer) = (Vec::with_capacity(RUNS), Vec::new());
    for _ in 0..RUNS {
        let started = Instant::now();
        answer = ours().await;
        times.push(started.elapsed());
    }
    let (mut naive_times, mut expected) = (Vec::new(), Vec::new());
    for _ in 0..NAIVE_RUNS {
        let started = Instant::now();
        expected = raw.rows(naive).await;
        naive_times.push(started.elapsed());
    }
    answer.sort_unstable();
    expected.sort_unstable();
    assert_eq!(answer, expected, "{what}");
    times.sort_unstable();
    naive_times.sort_unstable();
    let (p50, p95, slow) = (times[RUNS / 2], times[RUNS * 95 / 100], naive_times[NAIVE_RUNS / 2]);
    println!(
        "{what}: p50 {:.1} ms, p95 {:.1} ms; naive {:.0} ms, {:.0} ×; {} rows",
        ms(p50),
        ms(p95),
        ms(slow),
        ms(slow) / ms(p50),
        answer.len()
    );
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Where raw events are asked directly.
enum Raw {
    Sqlite(SqlitePool),
    ClickHouse(Box<clickhouse::Client>),
}

impl Raw {
    fn sum(&self, expression: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("sum({expression})"),
            Self::ClickHouse(_) => format!("toUInt64(sum({expression}))"),
        }
    }

    fn joined(&self, columns: &[&str]) -> String {
        match self {
            Self::Sqlite(_) => columns.join(" || '|' || "),
            Self::ClickHouse(_) => {
                let texts: Vec<String> = columns.iter().map(|column| format!("toString({column})")).collect();
                format!("concat({})", texts.join(", '|', "))
            }
        }
    }

    const fn key_or_nothing(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "coalesce(key_id, '')",
            Self::ClickHouse(_) => "ifNull(toString(key_id), '')",
        }
    }

    async fn rows(&self, sql: &str) -> Vec<(String, u64)> {
        match self {
            Self::Sqlite(pool) => {
                let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
                rows.iter().map(|row| (row.get("k"), row.get::<i64, _>("n") as u64)).collect()
            }
            Self::ClickHouse(client) => client.query(sql).fetch_all().await.unwrap(),
        }
    }
}
