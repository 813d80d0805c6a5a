//! Routing on a whole deployment: real channels over HTTP, whose upstreams behave as their model's name says.

mod account_limits;
mod admission_walk;
mod asking;
mod availability;
mod balance;
mod blaming;
mod checking;
mod embedding;
mod faults;
mod filters;
mod free_tier;
mod hedging;
mod idempotency;
mod invoices;
mod preferring;
mod races;
mod remembering;
mod reports;
mod shared;
mod simulation;
mod telling;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use gateway::admission::FreeTier;
use gateway::app::{App, AppState, Places, Readiness};
use gateway::control::catalog::{Channel, Endpoint};
use gateway::control::channel::ChannelSpec;
use gateway::control::store::Act;
use gateway::options::Options;
use gateway::providers::{ChannelClients, demo};
use gateway::routing::{Routing, RoutingRules};
use gateway::settlement::Settlement;
use http::{HeaderMap, Request, StatusCode};
use schemas::Timestamp;
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::books::Books;

/// The public id that all channels of these tests offer.
pub const MODEL: &str = "acme/model-1";
/// Whatever a test waits for comes sooner, or the test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A deployment with credit, its doors, and a scriptable upstream.
pub struct Gateway {
    pub books: Books,
    pub app: AppState,
    router: axum::Router,
    mock: mock_provider::Running,
}

/// What a request was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    /// The frames of a stream that are JSON.
    pub fn frames(&self) -> Vec<Value> {
        let frames = self.text.lines().filter_map(|line| line.strip_prefix("data: "));
        frames.filter_map(|frame| serde_json::from_str(frame).ok()).collect()
    }

    /// How it was routed, in whatever form it came.
    pub fn route(&self) -> Value {
        let last = |frames: Vec<Value>| frames.into_iter().rev().find(|frame| frame["openrouter_metadata"].is_object());
        let told = if self.json.is_object() { Some(self.json.clone()) } else { last(self.frames()) };
        told.map(|told| told["openrouter_metadata"].clone()).unwrap_or_default()
    }

    /// The channels that were tried, in order, with how it went.
    pub fn attempts(&self) -> Vec<(String, String)> {
        let route = self.route();
        let attempts = route["attempts"].as_array().unwrap();
        attempts.iter().map(|attempt| (text(&attempt["provider"]), text(&attempt["outcome"]))).collect()
    }

    pub fn served_by(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.attempts().last().unwrap().0.clone()
    }

    pub fn error(&self) -> &Value {
        &self.json["error"]
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Gateway {
    pub async fn open(channels: Vec<Value>) -> Self {
        Self::open_with(Options::default(), channels).await
    }

    pub async fn open_with(options: Options, channels: Vec<Value>) -> Self {
        let books = Books::open().await;
        books.top_up("10").await;
        let mock = mock_provider::start(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let services = &books.services;
        services.share_free_tier(FreeTier::new(options.free_tier));
        let app = AppState(Arc::new(App {
            free_tier: Arc::clone(services.free_tier()),
            clients: ChannelClients::new(options.connect_timeout, demo::Pace::default()),
            routing: Arc::new(Routing::new(options.routing.clone(), options.allow_private_upstreams)),
            control: services.control.clone(),
            ledger: services.ledger.clone(),
            settlement: Arc::new(Settlement::new(services.spool.clone(), books.log.clone(), services.gate.clone())),
            readiness: Arc::new(Readiness::default()),
            places: Places::new(options.requests_max),
            tasks: TaskTracker::new(),
            options,
        }));
        let router = gateway::http::router(app.clone(), Arc::clone(&books.dashboard), Arc::new(String::new));
        let gateway = Self { books, app, router, mock };
        gateway.offer(channels).await;
        gateway
    }

    /// Makes these the channels of the configuration file; those without an address are the mock's.
    pub async fn offer(&self, channels: Vec<Value>) {
        let base_url = format!("http://{}/v1", self.mock.address);
        let specs = channels.into_iter().map(|mut channel| {
            let members = channel.as_object_mut().unwrap();
            members.entry("base_url").or_insert_with(|| json!(base_url));
            members.entry("provider").or_insert_with(|| json!("openai-compatible"));
            serde_json::from_value::<ChannelSpec>(channel).unwrap()
        });
        let specs: Vec<ChannelSpec> = specs.collect();
        self.books.services.control.apply_file_channels(&Act::new("test", Timestamp::now()), &specs).await.unwrap();
    }

    /// Sends a chat request of the usual model, with more members.
    pub async fn ask(&self, more: Value) -> Answer {
        self.ask_with(self.books.inference(), more).await
    }

    /// The same with another key. A member that is null is as if it were not there.
    pub async fn ask_with(&self, key: &str, more: Value) -> Answer {
        let mut body = json!({ "model": MODEL, "max_tokens": 16, "messages": [{ "role": "user", "content": "Say hello" }] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.send("/v1/chat/completions", key, &[("x-openrouter-metadata", "enabled")], &body).await
    }

    pub async fn send(&self, path: &str, key: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let mut request = Request::post(path).header("authorization", format!("Bearer {key}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_string())).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: head.status, headers: head.headers, text, json }
    }

    /// All its doors, for clients on sockets.
    pub fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// What the upstream counted.
    pub async fn upstream_count(&self, name: &str) -> u64 {
        let mut stream = tokio::net::TcpStream::connect(self.mock.address).await.unwrap();
        stream.write_all(b"GET /stats HTTP/1.1\r\nhost: mock\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let stats: Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        stats[name].as_u64().unwrap()
    }

    /// How the ledger booked the first account's requests: the event, the amount, what providers bill.
    pub async fn booked_requests(&self) -> Vec<(String, i64, Option<i64>)> {
        let account = self.books.first.account_id;
        let database = format!("sqlite://{}", self.books.folder.path().join("tollgate.db").display());
        let mut connection = sqlx::SqliteConnection::connect(&database).await.unwrap();
        let sql = "SELECT event_type, amount_nanos, provider_cost_nanos FROM ledger_entries \
            WHERE account_id = $1 AND event_type LIKE 'usage.%' ORDER BY position";
        let settled = async {
            loop {
                self.books.booked(account).await;
                let rows = sqlx::query_as(sql).bind(account.uuid().as_bytes().to_vec()).fetch_all(&mut connection).await.unwrap();
                if !rows.is_empty() {
                    return rows;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.expect("the request was not booked")
    }

    pub fn channel(&self, name: &str) -> Arc<Channel> {
        self.books.services.control.catalog().channels().iter().find(|channel| &*channel.name == name).cloned().unwrap()
    }

    pub fn endpoint(&self, name: &str) -> Arc<Endpoint> {
        let catalog = self.books.services.control.catalog_full();
        let endpoints = &catalog.model(MODEL).unwrap().endpoints;
        endpoints.iter().find(|endpoint| &*endpoint.channel.name == name).cloned().unwrap()
    }

    pub async fn close(self) {
        self.app.tasks.close();
        self.app.tasks.wait().await;
        self.mock.stop().await;
        self.books.close().await;
    }
}

/// A channel whose upstream does what a script says, at a priority.
pub fn channel(name: &str, priority: i32, script: &str) -> Value {
    let upstream = if script.is_empty() { "mock".to_owned() } else { format!("mock?{script}") };
    json!({
        "name": name, "priority": priority, "api_key": format!("sk-{name}"), "health_check": { "enabled": false },
        "models": [{ "id": MODEL, "upstream": upstream, "price": { "prompt": "1", "completion": "2" } }],
    })
}

/// The same, with more members.
pub fn with(mut channel: Value, more: Value) -> Value {
    channel.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    channel
}

pub fn rules(auto: &[&str], aliases: &[(&str, &str)]) -> RoutingRules {
    RoutingRules {
        auto_models: auto.iter().map(|name| (*name).to_owned()).collect(),
        aliases: aliases.iter().map(|(alias, model)| ((*alias).to_owned(), (*model).to_owned())).collect(),
        ..RoutingRules::default()
    }
}
