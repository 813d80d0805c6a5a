//! How many events a second the ledger applies and replays.
//!
//! Plain program: `cargo bench -p tollgate-ledger`. Events are what gateways write: itemised charges with
//! attempts over many accounts and keys, a top-up now and then. `TOLLGATE_BENCH_EVENTS` sets how many,
//! `TOLLGATE_BENCH_BATCHES` (`100,1000`) which batch sizes. CPU time of this process is printed beside the
//! rate, because it is what a busy machine cannot blur. With `TOLLGATE_TEST_POSTGRES_URL` (whose user may
//! create databases) the same is done in PostgreSQL, whose own CPU time is not counted.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventlog::{Entry, EventLog, FileDisk, LogOptions, Message};
use ledger::worker::{self, WorkerProgress};
use ledger::{Access, LedgerStore, ReplayOptions, audit, replay};
use schemas::event::{Attempt, Credit, RequestRecord, UsageSettled, credit_event_id, request_event_id};
use schemas::ids::{BootId, NodeId};
use schemas::{AccountId, Body, Event, Header, KeyId, NanoUsd, PriceTable, Producer, RequestId, Timestamp, Usage, charge};
use sqlx::{Connection as _, Executor as _};
use tokio_util::sync::CancellationToken;

/// As in the executable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EVENTS: usize = 200_000;
/// One event a transaction is slow by nature; fewer are enough.
const SINGLE_EVENTS: usize = 20_000;
const ACCOUNTS: usize = 2_000;
const KEYS_PER_ACCOUNT: usize = 2;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let wanted = std::env::var("TOLLGATE_BENCH_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(EVENTS);
    let payloads = generate(wanted)?;
    let bytes: usize = payloads.iter().map(Bytes::len).sum();
    let mut out = std::io::stdout();
    writeln!(out, "{} events of {} bytes on average, {ACCOUNTS} accounts", payloads.len(), bytes / payloads.len())?;
    measure(&mut out, &Place::Files(tempfile::tempdir()?), &payloads).await?;
    if let Ok(url) = std::env::var("TOLLGATE_TEST_POSTGRES_URL") {
        measure(&mut out, &Place::Postgres(url), &payloads).await?;
    }
    Ok(())
}

/// Where ledgers are made.
enum Place {
    Files(tempfile::TempDir),
    Postgres(String),
}

impl Place {
    const fn name(&self) -> &'static str {
        match self {
            Self::Files(_) => "SQLite",
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    async fn open(&self) -> Result<LedgerStore, Failure> {
        let name = format!("bench_{}", uuid::Uuid::now_v7().simple());
        let url = match self {
            Self::Files(dir) => format!("sqlite://{}", dir.path().join(name).display()),
            Self::Postgres(url) => {
                let mut connection = sqlx::PgConnection::connect(url).await?;
                connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await?;
                let (server, _) = url.rsplit_once('/').ok_or("the URL ends with a database")?;
                format!("{server}/{name}")
            }
        };
        let store = LedgerStore::open(&url, Access::ReadWrite).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Removes what [`Self::open`] made; files go with their folder.
    async fn clear(&self) -> Result<(), Failure> {
        let Self::Postgres(url) = self else { return Ok(()) };
        let mut connection = sqlx::PgConnection::connect(url).await?;
        let sql = "SELECT datname::TEXT FROM pg_database WHERE datname LIKE 'bench\\_%'";
        let names: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await?;
        for name in names {
            connection.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await?;
        }
        Ok(())
    }
}

async fn measure(out: &mut std::io::Stdout, place: &Place, payloads: &[Bytes]) -> Result<(), Failure> {
    writeln!(out, "{}:", place.name())?;
    let dir = tempfile::tempdir()?;
    let batches = std::env::var("TOLLGATE_BENCH_BATCHES").unwrap_or_else(|_| "1,100,1000".to_owned());
    for batch in batches.split(',').map(str::parse) {
        let batch: usize = batch?;
        let count = if batch == 1 { SINGLE_EVENTS.min(payloads.len()) } else { payloads.len() };
        let store = place.open().await?;
        let spent = Spent::start();
        apply(&store, &payloads[..count], batch).await?;
        spent.report(out, &format!("apply, {batch} a transaction"), count)?;
    }
    let log =
        EventLog::open_segmented(Arc::new(FileDisk), &dir.path().join("log"), LogOptions { ack_unsynced: true, ..LogOptions::default() })?;
    for chunk in payloads.chunks(5_000) {
        let messages = chunk.iter().map(|payload| Message { id: String::new(), partition: 0, payload: payload.clone() });
        log.append(messages.collect()).await?;
    }
    let store = place.open().await?;
    let spent = Spent::start();
    catch_up(store, log.clone(), payloads.len() as u64).await?;
    spent.report(out, "the worker catching up", payloads.len())?;
    let store = place.open().await?;
    let spent = Spent::start();
    replay(&log, &store, ReplayOptions::default(), &mut |_| {}).await?;
    spent.report(out, "replay from the log, digests included", payloads.len())?;
    let spent = Spent::start();
    store.digests().await?;
    spent.report(out, "digests", payloads.len())?;
    let spent = Spent::start();
    let audited = audit(&store, &log, None, &mut |_| {}).await?;
    spent.report(out, "audit", payloads.len())?;
    store.close().await;
    place.clear().await?;
    if audited.ok { Ok(()) } else { Err(format!("the audit found {} differences", audited.differences.len()).into()) }
}

/// Wall and CPU time since a moment.
struct Spent {
    started: Instant,
    cpu: Duration,
}

impl Spent {
    fn start() -> Self {
        Self { started: Instant::now(), cpu: cpu_time() }
    }

    fn report(self, out: &mut std::io::Stdout, what: &str, events: usize) -> std::io::Result<()> {
        let (took, cpu) = (self.started.elapsed(), cpu_time() - self.cpu);
        let rate = events as f64 / took.as_secs_f64();
        let cpu_micros = cpu.as_secs_f64() * 1e6 / events as f64;
        writeln!(out, "{what:40} {rate:>9.0} events/s  {cpu_micros:>6.1} µs CPU each  ({events} in {:.2} s)", took.as_secs_f64())
    }
}

/// User and system time of this process; zero where the system does not tell.
fn cpu_time() -> Duration {
    const TICKS_A_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Duration::from_secs_f64(ticks / TICKS_A_SECOND)
}

/// Runs the worker until it has booked the whole log.
async fn catch_up(store: LedgerStore, log: EventLog, last: u64) -> Result<(), Failure> {
    let (sender, mut progress) = tokio::sync::watch::channel(WorkerProgress::default());
    let cancel = CancellationToken::new();
    let nobody = Producer { node: NodeId::mint(), boot: BootId::mint() };
    let booked = async {
        let reached = progress.wait_for(|progress| progress.position >= last).await.map(|_| ());
        cancel.cancel();
        reached
    };
    let (done, reached) = tokio::join!(worker::run(store, log, None, nobody, sender, cancel.clone()), booked);
    done?;
    Ok(reached?)
}

async fn apply(store: &LedgerStore, payloads: &[Bytes], batch: usize) -> Result<(), Failure> {
    let entries: Vec<Entry> = payloads.iter().zip(1..).map(|(payload, position)| Entry { position, payload: payload.clone() }).collect();
    for chunk in entries.chunks(batch) {
        store.apply_batch(chunk).await?;
    }
    Ok(())
}

fn generate(count: usize) -> Result<Vec<Bytes>, Failure> {
    let producer = Producer { node: NodeId::mint(), boot: BootId::mint() };
    let accounts: Vec<AccountId> = (0..ACCOUNTS).map(|_| AccountId::mint()).collect();
    let keys: Vec<KeyId> = (0..ACCOUNTS * KEYS_PER_ACCOUNT).map(|_| KeyId::mint()).collect();
    let table: PriceTable =
        serde_json::from_value(serde_json::json!({ "prompt": "150000", "completion": "600000", "cache_read": "75000" }))?;
    let mut numbers = [0_u64; schemas::PARTITION_COUNT as usize];
    let mut time = Timestamp::from_micros(1_795_392_000_000_000);
    let mut payloads = Vec::with_capacity(count);
    for index in 0..count {
        // A multiplicative step visits accounts in no order that helps a cache.
        let owner = index.wrapping_mul(2_654_435_761) % ACCOUNTS;
        time = time.plus_micros(40_000);
        let (id, body) = if index < ACCOUNTS || index % 500 == 0 {
            topup(accounts[owner], index)
        } else {
            settled(keys[owner * KEYS_PER_ACCOUNT + index % KEYS_PER_ACCOUNT], time, &table, index)?
        };
        let header = Header { id, account: accounts[owner], producer, pseq: 0, time };
        let number = &mut numbers[usize::from(header.partition())];
        *number += 1;
        payloads.push(Event { header: Header { pseq: *number, ..header }, body }.encode()?.into());
    }
    Ok(payloads)
}

fn topup(account: AccountId, index: usize) -> (String, Body) {
    let credit = Credit {
        actor: "bench".to_owned(),
        amount_nanos: NanoUsd::from_usd(10),
        expires_at: None,
        idempotency_key: index.to_string(),
        input_sha256: hex::encode([7; 32]),
        reason: None,
        reference: Some(format!("payment {index}")),
        request_id: None,
    };
    (credit_event_id(account, &credit.idempotency_key), Body::BalanceTopup(credit))
}

fn settled(key: KeyId, now: Timestamp, table: &PriceTable, index: usize) -> Result<(String, Body), Failure> {
    let request_id = RequestId::mint();
    let usage =
        Usage { uncached_input: 800 + index as u64 % 900, cache_read: 4_096, text_output: 300 + index as u64 % 77, ..Usage::default() };
    let cost = charge(table, &usage)?;
    let attempt = Attempt {
        channel: "openai-main".to_owned(),
        outcome: "ok".to_owned(),
        duration_ms: 2_210,
        model: "openai/gpt-4o-mini".to_owned(),
        provider_cost_nanos: Some(cost.total),
        status: Some(200),
    };
    let request = RequestRecord {
        admitted_at: now,
        api_key_id: Some(key),
        api_type: "completions".to_owned(),
        app_title: None,
        app_url: Some("https://example.com".to_owned()),
        attempts: vec![attempt],
        cancelled: false,
        channel: "openai-main".to_owned(),
        duration_ms: 2_210,
        epoch: 1,
        error_type: None,
        external_user: None,
        finish_reason: Some("stop".to_owned()),
        hold_nanos: NanoUsd::from_nanos(5_200_000),
        http_status: 200,
        model: "openai/gpt-4o-mini".to_owned(),
        model_requested: "openai/gpt-4o-mini".to_owned(),
        native_finish_reason: Some("stop".to_owned()),
        price_version: Some("pv_0198f3c2".to_owned()),
        provider: "OpenAI".to_owned(),
        provider_cost_nanos: Some(cost.total),
        request_id,
        session_id: None,
        streamed: true,
        ttft_ms: Some(312),
        upstream_id: Some("chatcmpl-abcdefghijklmnopqrstuvwxyz".to_owned()),
        usage,
        user_agent: None,
        user_id: None,
    };
    let body =
        UsageSettled { charge_nanos: cost.total, lines: cost.lines, provisional: false, request, rounding_picos: cost.rounding_picos };
    Ok((request_event_id(request_id, "settled"), Body::UsageSettled(Box::new(body))))
}
