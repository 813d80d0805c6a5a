//! A whole embedded deployment in a temporary folder: log, spool, ledger, gate, analytics, control, routes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use eventlog::{Durability, EventLog, FileDisk, LogOptions, Shipper, ShipperOptions, Spool, SpoolOptions};
use gateway::control::bootstrap::{BootstrapOptions, Bootstrapped, bootstrap};
use gateway::control::credits::CreditDesk;
use gateway::control::secrets::{Secret, SecretKey};
use gateway::control::store::ControlStore;
use gateway::control::{Control, Services};
use gateway::dashboard::{Dashboard, LiveFeed, LiveOptions, Operations};
use gateway::http::lanes::{LaneWork, Lanes};
use gateway::http::peer::TrustedProxies;
use gateway::http::routes::{code_routes, control_routes};
use gateway::routing::{Routing, RoutingRules};
use gateway::signin::{ProviderOptions, SignIn, SignInOptions};
use http::{HeaderMap, Method, Request, StatusCode};
use ledger::gate::{BalanceGate, GateOptions, GateState, RateLimits, ReserveCommand, Reserved, SettleCommand};
use ledger::store::{Access, LedgerStore};
use ledger::worker::WorkerProgress;
use projector::AnalyticsStore;
use schemas::event::{Attempt, RequestRecord, UsageSettled, request_event_id};
use schemas::partition::partition_of;
use schemas::{
    AccountId, Body as EventBody, CostLine, Event, Header, NanoUsd, PicoUsd, RequestId, Timestamp, TokenKind, Usage, UsageSource,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Whatever a test waits for comes sooner, or the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// The deployment, and the keys of its first start.
pub struct Books {
    pub folder: tempfile::TempDir,
    pub services: Arc<Services>,
    pub dashboard: Arc<Dashboard>,
    pub first: Bootstrapped,
    analytics_position: watch::Receiver<u64>,
    ledger_progress: watch::Receiver<WorkerProgress>,
    pub router: Router,
    pub log: EventLog,
    requests: TaskTracker,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// What a route answered.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

/// Whether the ledger books what is in the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    Running,
    /// Nothing is booked: a verdict never comes.
    Halted,
}

/// What the web app's routes are told at start.
pub struct WebOptions {
    pub live: LiveOptions,
    pub public_statistics: bool,
}

impl Default for WebOptions {
    fn default() -> Self {
        Self { live: LiveOptions::default(), public_statistics: true }
    }
}

impl Books {
    pub async fn open() -> Self {
        Self::open_with(Ledger::Running).await
    }

    pub async fn open_with(ledger_role: Ledger) -> Self {
        Self::open_as(ledger_role, Vec::new(), WebOptions::default()).await
    }

    pub async fn open_for_web(web: WebOptions) -> Self {
        Self::open_as(Ledger::Running, Vec::new(), web).await
    }

    /// Where people sign in at identity providers, too.
    pub async fn open_with_providers(providers: Vec<ProviderOptions>) -> Self {
        Self::open_as(Ledger::Running, providers, WebOptions::default()).await
    }

    async fn open_as(ledger_role: Ledger, providers: Vec<ProviderOptions>, web: WebOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (stop, tasks, requests) = (CancellationToken::new(), TaskTracker::new(), TaskTracker::new());
        let disk = Arc::new(FileDisk);
        let log_options = LogOptions { ack_unsynced: true, ..LogOptions::default() };
        let log = EventLog::open_segmented(disk.clone(), &folder.path().join("log"), log_options).unwrap();
        let spool_options = SpoolOptions { durability: Durability::Process, ..SpoolOptions::default() };
        let (spool, _) = Spool::open(disk, &folder.path().join("spool"), spool_options).unwrap();
        let database = format!("sqlite://{}", folder.path().join("tollgate.db").display());
        let ledger = LedgerStore::open(&database, Access::ReadWrite).await.unwrap();
        ledger.migrate().await.unwrap();
        let gate = BalanceGate::memory(GateOptions::default());
        gate.rebuild(Timestamp::now(), GateState::default()).await.unwrap();
        let analytics_url = format!("sqlite://{}", folder.path().join("analytics.db").display());
        let analytics = AnalyticsStore::open(&analytics_url, projector::Access::ReadWrite).await.unwrap();
        analytics.migrate().await.unwrap();

        let (progress, booked) = watch::channel(WorkerProgress::default());
        let (projected, analytics_position) = watch::channel(0);
        let applied = booked.clone();
        let applied = Arc::new(move || {
            let WorkerProgress { position, watermarks } = applied.borrow().clone();
            let booked = eventlog::Booked { position, applied: watermarks.to_vec() };
            Box::pin(async move { booked }) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
        });
        let shipper = Shipper::new(spool.clone(), log.clone(), applied, ShipperOptions::default());
        tasks.spawn(shipper.run(stop.clone()));
        tasks.spawn(projector::worker::run(analytics.clone(), log.clone(), projected, stop.clone()));
        let worker = ledger::worker::run(ledger.clone(), log.clone(), Some(gate.clone()), spool.oldest_producer(), progress, stop.clone());
        if ledger_role == Ledger::Running {
            tasks.spawn(worker);
        }

        let control = open_control(&database).await;
        let first = bootstrap(&control, &BootstrapOptions::default(), Timestamp::now()).await.unwrap().unwrap();
        let credits = CreditDesk::new(spool.clone(), ledger.clone(), booked.clone());
        let credits = if ledger_role == Ledger::Halted { credits.with_verdict_timeout(Duration::from_millis(50)) } else { credits };
        let services = Services::new(control, ledger, analytics, gate, spool, credits);
        // The channels of tests are on this machine.
        services.share_routing(Routing::new(RoutingRules::default(), true));
        services.announce().await;
        let sign_in = SignIn::new(&services.control, SignInOptions { sign_up: true, providers, ..SignInOptions::default() }).unwrap();
        let proxies = TrustedProxies::default();
        let live = LiveFeed::new(web.live, services.control.clone(), services.gate.clone(), log.clone(), requests.clone(), stop.clone());
        let public_statistics = web.public_statistics;
        tasks.spawn(live.clone().run());
        let dashboard = Arc::new(Dashboard {
            services: Arc::clone(&services),
            sign_in,
            trusted_proxies: proxies,
            operations: Operations::none(),
            live,
            public_statistics,
        });
        // As in the whole router: what is no route of the API is not asked of the web app's door.
        let api = control_routes(Arc::clone(&services)).merge(code_routes(Arc::clone(&dashboard)));
        let api = api.fallback(async || StatusCode::NOT_FOUND);
        let router = Router::new().nest("/api/v1", api);
        let router = router.merge(gateway::dashboard::router(Arc::clone(&dashboard)));
        Self { folder, services, dashboard, first, analytics_position, ledger_progress: booked, router, log, requests, stop, tasks }
    }

    /// Another gateway of the same deployment, as far as the web app's routes go.
    pub fn another_gateway(&self, live_options: LiveOptions) -> Arc<Dashboard> {
        let (services, sign_in) = (&self.services, SignIn::new(&self.services.control, SignInOptions::default()).unwrap());
        let (log, requests) = (self.log.clone(), self.requests.clone());
        let live = LiveFeed::new(live_options, services.control.clone(), services.gate.clone(), log, requests, self.stop.clone());
        self.tasks.spawn(live.clone().run());
        let (services, trusted_proxies) = (Arc::clone(services), TrustedProxies::default());
        Arc::new(Dashboard { services, sign_in, trusted_proxies, operations: Operations::none(), live, public_statistics: true })
    }

    /// The web app's routes of a gateway on a port of their own, until the books are closed.
    pub async fn serve(&self, dashboard: &Arc<Dashboard>) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let work = LaneWork { entrance: gateway::dashboard::router(Arc::clone(dashboard)).into(), requests: self.requests.clone() };
        let lanes = Lanes::start(vec![work], self.stop.clone()).unwrap();
        self.tasks.spawn(async move {
            lanes.accept_from(listener).await;
            tokio::task::spawn_blocking(move || lanes.join()).await.unwrap();
        });
        address
    }

    pub fn platform(&self) -> &str {
        self.first.management_key.as_ref().unwrap().expose()
    }

    pub fn inference(&self) -> &str {
        self.first.inference_key.expose()
    }

    pub async fn get(&self, path: &str, key: &str) -> Answer {
        self.send(Method::GET, path, key, None).await
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(Method::POST, path, key, Some(body.to_string())).await
    }

    pub async fn patch(&self, path: &str, key: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, key, Some(body.to_string())).await
    }

    pub async fn delete(&self, path: &str, key: &str) -> Answer {
        self.send(Method::DELETE, path, key, None).await
    }

    /// Without a key when `key` is empty.
    pub async fn send(&self, method: Method, path: &str, key: &str, body: Option<String>) -> Answer {
        let request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        let request = if key.is_empty() { request } else { request.header("authorization", format!("Bearer {key}")) };
        self.ask(request.body(body.map_or_else(Body::empty, Body::from)).unwrap()).await
    }

    /// Any request, as it is.
    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, text, json }
    }

    /// Tops up the first account.
    pub async fn top_up(&self, amount: &str) {
        let path = format!("/admin/accounts/{}/credits", self.first.account_id);
        let answer = self.post(&path, self.platform(), serde_json::json!({ "amount": amount })).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    }

    /// A request of the first key as the pipeline leaves it: reserved, its event durable, settled.
    pub async fn settle_request(&self, model: &str, cost: NanoUsd) -> RequestId {
        let (now, request_id, account) = (Timestamp::now(), RequestId::mint(), self.first.account_id);
        let catalog = self.services.control.catalog_full();
        let key = catalog.authenticate(self.inference(), now).unwrap();
        let reserve = ReserveCommand {
            request_id,
            account_id: account,
            key: Some(key.policy),
            account_rates: RateLimits::default(),
            free: None,
            hold: cost,
            minimum: cost,
            worst_case: cost,
            overdraft_max: NanoUsd::ZERO,
            tokens: 30,
            admitted_at: now,
            owner: self.services.spool.producer().node,
        };
        let reserved = self.services.gate.reserve(now, reserve).await.unwrap();
        assert!(matches!(reserved, Reserved::Held { .. }), "{reserved:?}");
        let settled = settled(request_id, model, cost, key.record.id, now);
        let (record, durable) = self
            .services
            .spool
            .terminal(None, partition_of(account), |producer, pseq| {
                let id = request_event_id(request_id, "settled");
                Event { header: Header { id, account, producer, pseq, time: now }, body: EventBody::UsageSettled(Box::new(settled)) }
                    .encode()
            })
            .unwrap();
        durable.await.unwrap();
        let settle = SettleCommand { request_id, account_id: account, actual: cost, tokens: 30, record };
        self.services.gate.settle(now, settle).await.unwrap();
        request_id
    }

    /// Returns once the account has nothing pending: everything settled is booked.
    pub async fn booked(&self, account: AccountId) {
        let mut progress = self.ledger_progress.clone();
        let nothing_pending = async {
            while !self.services.gate.amounts(account).await.unwrap().pending.is_zero() {
                progress.changed().await.unwrap();
            }
        };
        tokio::time::timeout(DEADLINE, nothing_pending).await.expect("what was settled is booked in time");
    }

    /// Returns once analytics stand at a log position.
    pub async fn projected(&self, position: u64) {
        let mut projected = self.analytics_position.clone();
        let waiting = projected.wait_for(|reached| *reached >= position);
        let reached = tokio::time::timeout(DEADLINE, waiting).await.expect("what is in the log is projected in time");
        assert!(reached.is_ok());
    }

    pub async fn close(self) {
        self.stop.cancel();
        self.requests.close();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// The administration over a database, with the secret key of every test.
pub async fn open_control(database: &str) -> Control {
    let secret_key = SecretKey::from_secret(&Secret::new("the secret key of the tests")).unwrap();
    Control::open(ControlStore::open(database).await.unwrap(), secret_key, Timestamp::now()).await.unwrap()
}

/// What a settled request says of itself.
pub fn settled(request_id: RequestId, model: &str, cost: NanoUsd, key: schemas::KeyId, now: Timestamp) -> UsageSettled {
    let usage = Usage { uncached_input: 10, cache_read: 10, text_output: 10, source: UsageSource::Provider, ..Usage::default() };
    let price = |picos| PicoUsd::from_picos(picos).unwrap();
    let line = |kind, quantity, price_picos, amount_nanos| CostLine { amount_nanos, kind, price_picos, quantity };
    // The ledger checks that the lines explain the charge; a fee makes it what the test wants.
    let fee = cost.checked_sub(NanoUsd::from_nanos(2_250)).unwrap();
    let lines = vec![
        line(TokenKind::UncachedInput, 10, price(150_000), NanoUsd::from_nanos(1_500)),
        line(TokenKind::CacheRead, 10, price(75_000), NanoUsd::from_nanos(750)),
        line(TokenKind::Request, 1, price(fee.nanos() * 1_000), fee),
    ];
    let attempt = |outcome: &str, status| Attempt {
        channel: "main".to_owned(),
        outcome: outcome.to_owned(),
        duration_ms: 120,
        model: model.to_owned(),
        provider_cost_nanos: None,
        status: Some(status),
    };
    let request = RequestRecord {
        admitted_at: now,
        api_key_id: Some(key),
        api_type: "completions".to_owned(),
        app_title: None,
        app_url: Some("https://app.example".to_owned()),
        attempts: vec![attempt("provider_unavailable", 503), attempt("ok", 200)],
        cancelled: false,
        channel: "main".to_owned(),
        duration_ms: 420,
        epoch: 1,
        error_type: None,
        external_user: Some("user-7".to_owned()),
        finish_reason: Some("stop".to_owned()),
        hold_nanos: cost,
        http_status: 200,
        model: model.to_owned(),
        model_requested: model.to_owned(),
        native_finish_reason: Some("stop".to_owned()),
        price_version: Some("pv_1".to_owned()),
        provider: "OpenAI".to_owned(),
        provider_cost_nanos: Some(cost),
        request_id,
        session_id: Some("conversation 1".to_owned()),
        streamed: true,
        ttft_ms: Some(120),
        upstream_id: Some("chatcmpl-1".to_owned()),
        usage,
        user_agent: Some("a program/1.0".to_owned()),
        user_id: None,
    };
    UsageSettled { charge_nanos: cost, lines, provisional: false, request, rounding_picos: 0 }
}
