//! Events as gateways write them, logs and stores to put them in.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use eventlog::{Entry, EventLog, FileDisk, LogOptions, Message};
use ledger::apply::{Applied, Prepared, State, apply};
use ledger::store::BatchOutcome;
use ledger::{Access, LedgerStore};
use parking_lot::Mutex;
use schemas::event::{
    AccountOpened, Credit, GrantExpired, HoldExpired, RequestRecord, UsageReleased, UsageSettled, credit_event_id, request_event_id,
};
use schemas::ids::{BootId, NodeId};
use schemas::{AccountId, Body, Event, Header, KeyId, NanoUsd, Partition, Producer, RequestId, Timestamp, Usage};
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;
use uuid::Uuid;

use super::databases::Database;

/// 2026-11-23 00:00 UTC.
pub const START: Timestamp = Timestamp::from_micros(1_795_392_000_000_000);

pub fn account(number: u128) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(0xacc0_0000 + number))
}

pub fn key(number: u128) -> KeyId {
    KeyId::from_uuid(Uuid::from_u128(0x4e1_0000 + number))
}

pub fn request(number: u128) -> RequestId {
    RequestId::from_uuid(Uuid::from_u128(0x4e9_0000_0000 + number))
}

pub fn nanos(amount: i64) -> NanoUsd {
    NanoUsd::from_nanos(amount)
}

/// A producer of events: numbers them and keeps a clock that moves a second an event.
pub struct Author {
    producer: Producer,
    numbers: HashMap<Partition, u64>,
    pub now: Timestamp,
}

impl Author {
    pub fn new(node: u128) -> Self {
        Self::in_boot(node, 0)
    }

    /// The same node, started again so many times.
    pub fn in_boot(node: u128, number: u128) -> Self {
        let boot = BootId::from_uuid(Uuid::from_u128((node << 16) + number));
        Self { producer: Producer { node: NodeId::from_uuid(Uuid::from_u128(node)), boot }, numbers: HashMap::new(), now: START }
    }

    pub fn producer(&self) -> Producer {
        self.producer
    }

    /// Numbers an event and writes its bytes.
    pub fn write(&mut self, id: String, account: AccountId, body: Body) -> Bytes {
        self.now = self.now.plus_micros(1_000_000);
        let mut header = Header { id, account, producer: self.producer, pseq: 0, time: self.now };
        let number = self.numbers.entry(header.partition()).or_default();
        *number += 1;
        header.pseq = *number;
        Event { header, body }.encode().unwrap().into()
    }

    /// An event that is lost on its way.
    pub fn lose(&mut self, account: AccountId) {
        self.opened(account);
    }

    pub fn opened(&mut self, account: AccountId) -> Bytes {
        let body = Body::AccountOpened(AccountOpened { currency: "USD".to_owned() });
        self.write(format!("account:{}:opened", account.uuid()), account, body)
    }

    pub fn credit(&mut self, account: AccountId, key: &str, amount: NanoUsd, body: impl Fn(Credit) -> Body) -> Bytes {
        self.order(account, Self::plain_order(key, amount), body)
    }

    pub fn order(&mut self, account: AccountId, order: Credit, body: impl Fn(Credit) -> Body) -> Bytes {
        self.write(credit_event_id(account, &order.idempotency_key), account, body(order))
    }

    pub fn plain_order(key: &str, amount: NanoUsd) -> Credit {
        Credit {
            actor: "admin".to_owned(),
            amount_nanos: amount,
            expires_at: None,
            idempotency_key: key.to_owned(),
            input_sha256: format!("order of {}", amount.nanos()),
            reason: Some("a reason".to_owned()),
            reference: None,
            request_id: None,
        }
    }

    pub fn topup(&mut self, account: AccountId, key: &str, amount: i64) -> Bytes {
        self.credit(account, key, nanos(amount), Body::BalanceTopup)
    }

    pub fn adjust(&mut self, account: AccountId, key: &str, amount: i64) -> Bytes {
        self.credit(account, key, nanos(amount), Body::BalanceAdjust)
    }

    pub fn grant(&mut self, account: AccountId, key: &str, amount: i64, expires_at: Option<Timestamp>) -> Bytes {
        self.order(account, Credit { expires_at, ..Self::plain_order(key, nanos(amount)) }, Body::BalanceGrant)
    }

    pub fn refund(&mut self, account: AccountId, key: &str, amount: i64, request: RequestId) -> Bytes {
        let order = Credit { request_id: Some(request), ..Self::plain_order(key, nanos(amount)) };
        self.order(account, order, Body::BalanceRefund)
    }

    pub fn grant_expired(&mut self, account: AccountId, grant_key: &str) -> Bytes {
        let grant_id = credit_event_id(account, grant_key);
        self.write(format!("{grant_id}:expired"), account, Body::BalanceGrantExpired(GrantExpired { grant_id }))
    }

    pub fn settled(&mut self, account: AccountId, request: RequestId, charge: i64) -> Bytes {
        let record = self.record(request, Some(nanos(charge / 2)));
        self.settled_as(account, record, charge)
    }

    pub fn settled_as(&mut self, account: AccountId, record: RequestRecord, charge: i64) -> Bytes {
        let id = request_event_id(record.request_id, "settled");
        let charge_nanos = nanos(charge);
        let settled = UsageSettled { charge_nanos, lines: Vec::new(), provisional: false, request: record, rounding_picos: 0 };
        self.write(id, account, Body::UsageSettled(Box::new(settled)))
    }

    pub fn released(&mut self, account: AccountId, request: RequestId, recovered: bool, cost: Option<i64>) -> Bytes {
        let record = self.record(request, cost.map(nanos));
        let released = UsageReleased { reason: "upstream_error".to_owned(), recovered, request: record };
        self.write(request_event_id(request, "released"), account, Body::UsageReleased(Box::new(released)))
    }

    pub fn expired(&mut self, account: AccountId, request: RequestId) -> Bytes {
        let body = Body::HoldExpired(HoldExpired { api_key_id: Some(key(1)), epoch: 1, hold_nanos: nanos(10), request_id: request });
        self.write(request_event_id(request, "expired"), account, body)
    }

    pub fn record(&self, request_id: RequestId, provider_cost_nanos: Option<NanoUsd>) -> RequestRecord {
        RequestRecord {
            admitted_at: self.now,
            api_key_id: Some(key(1)),
            api_type: "completions".to_owned(),
            app_title: None,
            app_url: None,
            attempts: Vec::new(),
            cancelled: false,
            channel: "demo".to_owned(),
            duration_ms: 1_200,
            epoch: 1,
            error_type: None,
            external_user: None,
            finish_reason: Some("stop".to_owned()),
            hold_nanos: nanos(1_000_000),
            http_status: 200,
            model: "demo/model".to_owned(),
            model_requested: "demo/model".to_owned(),
            native_finish_reason: None,
            price_version: Some("pv_1".to_owned()),
            provider: "Demo".to_owned(),
            provider_cost_nanos,
            request_id,
            session_id: None,
            streamed: true,
            ttft_ms: Some(300),
            upstream_id: None,
            usage: Usage::default(),
            user_agent: None,
            user_id: None,
        }
    }
}

/// Payloads as log entries, from position 1.
pub fn entries(payloads: &[Bytes]) -> Vec<Entry> {
    entries_after(0, payloads)
}

pub fn entries_after(position: u64, payloads: &[Bytes]) -> Vec<Entry> {
    payloads.iter().zip(position + 1..).map(|(payload, position)| Entry { position, payload: payload.clone() }).collect()
}

/// Applies payloads in memory.
pub fn fold(payloads: &[Bytes]) -> (State, Vec<Applied>) {
    let mut state = State::default();
    let applied = entries(payloads).iter().map(|entry| apply(&mut state, &Prepared::read(entry)).unwrap()).collect();
    (state, applied)
}

/// Where a house keeps its ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A folder with ledgers, and a log if wanted.
pub struct House {
    pub dir: TempDir,
    pub engine: Engine,
    databases: Mutex<HashMap<String, Database>>,
}

impl House {
    pub fn on(engine: Engine) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), engine, databases: Mutex::default() }
    }

    /// Of a ledger that was opened.
    pub fn url(&self, name: &str) -> String {
        match self.engine {
            Engine::Sqlite => format!("sqlite://{}", self.dir.path().join(name).display()),
            Engine::Postgres => self.databases.lock()[name].url(),
        }
    }

    pub async fn ledger(&self) -> LedgerStore {
        self.ledger_named("ledger.db").await
    }

    pub async fn ledger_named(&self, name: &str) -> LedgerStore {
        if self.engine == Engine::Postgres && !self.databases.lock().contains_key(name) {
            let database = Database::migrated().await;
            self.databases.lock().insert(name.to_owned(), database);
        }
        let store = LedgerStore::open(&self.url(name), Access::ReadWrite).await.unwrap();
        store.migrate().await.unwrap();
        store
    }

    pub fn log(&self) -> EventLog {
        log_in(&self.dir.path().join("log"))
    }

    /// Runs a statement as an administrator would; answers how many rows it concerned.
    pub async fn execute(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let url = self.url("ledger.db");
        match self.engine {
            Engine::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&url).await?;
                let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
                connection.close().await?;
                Ok(done.rows_affected())
            }
            Engine::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&url).await?;
                let done = sqlx::query(AssertSqlSafe(in_postgres(sql))).execute(&mut connection).await?;
                connection.close().await?;
                Ok(done.rows_affected())
            }
        }
    }

    /// The one column of a query's rows.
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let url = self.url("ledger.db");
        match self.engine {
            Engine::Sqlite => {
                let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
            }
            Engine::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
                sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap()
            }
        }
    }

    /// Runs SQL as a vandal would, with nothing in the way.
    pub async fn vandalise(&self, sql: &str) {
        for table in ["ledger_entries", "ledger_postings", "ledger_orders", "ledger_quarantine"] {
            match self.engine {
                Engine::Sqlite => {
                    self.execute(&format!("DROP TRIGGER IF EXISTS {table}_keep")).await.unwrap();
                    self.execute(&format!("DROP TRIGGER IF EXISTS {table}_stay")).await.unwrap();
                }
                Engine::Postgres => {
                    self.execute(&format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await.unwrap();
                }
            }
        }
        assert!(self.execute(sql).await.unwrap() > 0, "nothing was tampered with: {sql}");
    }
}

/// What SQLite calls otherwise.
fn in_postgres(sql: &str) -> String {
    sql.replace("zeroblob(32)", "decode(repeat('00', 32), 'hex')")
        .replace("zeroblob(16)", "'00000000-0000-0000-0000-000000000000'::UUID")
        .replace("x'00'", "decode('00', 'hex')")
}

pub fn log_in(dir: &Path) -> EventLog {
    EventLog::open_segmented(Arc::new(FileDisk), dir, LogOptions { ack_unsynced: true, ..LogOptions::default() }).unwrap()
}

pub async fn append(log: &EventLog, payloads: &[Bytes]) -> u64 {
    let messages = payloads.iter().enumerate();
    let messages = messages.map(|(index, payload)| Message { id: index.to_string(), partition: 0, payload: payload.clone() }).collect();
    log.append(messages).await.unwrap()
}

/// Applies payloads to a store in one batch after its position.
pub async fn book(store: &LedgerStore, payloads: &[Bytes]) -> BatchOutcome {
    let position = store.position().await.unwrap();
    store.apply_batch(&entries_after(position, payloads)).await.unwrap()
}
