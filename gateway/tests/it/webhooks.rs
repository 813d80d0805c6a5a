//! Low balances told to a real receiver: once a crossing, signed, again where it failed, whatever restarts.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gateway::webhooks::{WebhookOptions, Webhooks};
use http::{HeaderMap, StatusCode};
use schemas::{AccountId, NanoUsd, NodeId};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::books::Books;

/// Whatever is waited for comes sooner, or the test fails.
const DEADLINE: Duration = Duration::from_secs(20);

/// How a receiver answers.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Status(u16),
    /// Never.
    Silence,
}

/// What a receiver was sent.
#[derive(Debug, Clone)]
struct Received {
    headers: HeaderMap,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> String {
        self.headers[name].to_str().unwrap().to_owned()
    }

    /// As a receiver checks it, by the specification.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        let signature = self.header("webhook-signature");
        aws_lc_rs::hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap()).is_ok()
    }
}

#[derive(Clone)]
struct Script {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    received: mpsc::Sender<Received>,
}

/// A server of somebody else's: it answers as it is told, then always 204.
struct Receiver {
    address: SocketAddr,
    received: mpsc::Receiver<Received>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

async fn take(State(script): State<Script>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body = String::from_utf8(body.to_vec()).unwrap();
    script.received.send(Received { headers, body }).await.unwrap();
    let answer = script.answers.lock().unwrap().pop_front().unwrap_or(Answer::Status(204));
    match answer {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap(),
        Answer::Silence => std::future::pending().await,
    }
}

impl Receiver {
    async fn start(answers: &[Answer]) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), answers).await
    }

    async fn start_at(address: SocketAddr, answers: &[Answer]) -> Self {
        let (sender, received) = mpsc::channel(64);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Script { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), received: sender };
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let router = Router::new().route("/hook", post(take)).with_state(script);
        let stopped = stop.clone();
        tasks.spawn(async move { stopped.run_until_cancelled(axum::serve(listener, router).into_future()).await });
        Self { address, received, stop, tasks }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    async fn next(&mut self) -> Received {
        tokio::time::timeout(DEADLINE, self.received.recv()).await.expect("a message comes in time").unwrap()
    }

    async fn close(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn options() -> WebhookOptions {
    WebhookOptions {
        timeout: Duration::from_millis(500),
        attempts_max: 4,
        retry_first: Duration::from_millis(1),
        retry_max: Duration::from_millis(5),
        allow_private: true,
    }
}

/// Gateways that deliver, until they are stopped.
struct Gateways {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Gateways {
    fn start(books: &Books, count: usize) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        for _ in 0..count {
            let webhooks = Webhooks::new(Arc::clone(&books.services), NodeId::mint(), books.services.webhooks()).unwrap();
            tasks.spawn(webhooks.run(stop.clone()));
        }
        Self { stop, tasks }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn books() -> Books {
    let books = Books::open().await;
    books.services.share_webhooks(options());
    books.top_up("10").await;
    books
}

fn path(account: AccountId) -> String {
    format!("/admin/accounts/{account}/balance-alert")
}

/// Sets the first account's alert; its secret.
async fn set_alert(books: &Books, threshold: &str, url: &str) -> String {
    let answer = books.patch(&path(books.first.account_id), books.platform(), json!({ "threshold": threshold, "url": url })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    answer.json["data"]["secret"].as_str().unwrap().to_owned()
}

async fn spend(books: &Books, dollars: &str) {
    books.settle_request("acme/model-1", NanoUsd::parse_usd(dollars).unwrap()).await;
    books.booked(books.first.account_id).await;
}

async fn deliveries(books: &Books) -> Vec<Value> {
    let answer = books.get(&format!("{}/deliveries", path(books.first.account_id)), books.platform()).await;
    answer.json["data"].as_array().unwrap().clone()
}

/// Waits until the newest message has a status.
async fn newest_is(books: &Books, status: &str) -> Value {
    let waiting = async {
        loop {
            if let Some(newest) = deliveries(books).await.into_iter().next().filter(|newest| newest["status"] == status) {
                return newest;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the message gets there in time")
}

/// Waits until the alert is as told.
async fn alert_is_low(books: &Books, is_low: bool) {
    let waiting = async {
        while books.get(&path(books.first.account_id), books.platform()).await.json["data"]["is_low"] != is_low {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.expect("the alert changes in time");
}

#[tokio::test]
async fn a_crossing_is_told_once_and_signed_and_the_next_one_after_the_balance_was_well_above() {
    let books = books().await;
    let mut receiver = Receiver::start(&[]).await;
    let secret = set_alert(&books, "5", &receiver.url()).await;
    let gateways = Gateways::start(&books, 1);
    spend(&books, "5.5").await;
    let first = receiver.next().await;
    assert!(first.is_signed_with(&secret) && !first.is_signed_with("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
    let body: Value = serde_json::from_str(&first.body).unwrap();
    assert_eq!(body["type"], "balance.low");
    let account = books.first.account_id.to_string();
    assert_eq!((&body["data"]["account_id"], &body["data"]["balance"]), (&json!(account), &json!("4.5")));
    assert_eq!((&body["data"]["threshold"], &body["data"]["currency"]), (&json!("5"), &json!("USD")));
    assert_eq!(newest_is(&books, "delivered").await["attempts"], 1);
    // About the threshold nothing is told; well above it the alert is armed again.
    books.top_up("0.9").await;
    spend(&books, "1").await;
    alert_is_low(&books, true).await;
    books.top_up("2").await;
    alert_is_low(&books, false).await;
    spend(&books, "3").await;
    let second = receiver.next().await;
    assert_ne!(second.header("webhook-id"), first.header("webhook-id"));
    newest_is(&books, "delivered").await;
    assert_eq!(deliveries(&books).await.len(), 2);
    gateways.stop().await;
    receiver.close().await;
    books.close().await;
}

#[tokio::test]
async fn a_receiver_that_fails_gets_the_same_message_again() {
    let books = books().await;
    let mut receiver = Receiver::start(&[Answer::Status(500), Answer::Status(302), Answer::Status(200)]).await;
    set_alert(&books, "20", &receiver.url()).await;
    let gateways = Gateways::start(&books, 1);
    let attempts = [receiver.next().await, receiver.next().await, receiver.next().await];
    for attempt in &attempts[1..] {
        assert_eq!(attempt.header("webhook-id"), attempts[0].header("webhook-id"));
        assert_eq!(attempt.body, attempts[0].body);
    }
    let delivered = newest_is(&books, "delivered").await;
    assert_eq!((&delivered["attempts"], &delivered["last_status"]), (&json!(3), &json!(200)));
    gateways.stop().await;
    receiver.close().await;
    books.close().await;
}

#[tokio::test]
async fn a_receiver_that_never_takes_it_is_given_up() {
    let books = books().await;
    let receiver = Receiver::start(&[Answer::Status(503); 10]).await;
    set_alert(&books, "20", &receiver.url()).await;
    let gateways = Gateways::start(&books, 1);
    let failed = newest_is(&books, "failed").await;
    assert_eq!((&failed["attempts"], &failed["last_status"]), (&json!(4), &json!(503)));
    assert_eq!(failed["next_attempt_at"], Value::Null);
    gateways.stop().await;
    receiver.close().await;
    books.close().await;
}

#[tokio::test]
async fn a_slow_receiver_is_waited_for_no_longer_than_the_deadline_and_holds_up_nobody() {
    let books = books().await;
    let mut slow = Receiver::start(&[Answer::Silence]).await;
    let mut quick = Receiver::start(&[]).await;
    set_alert(&books, "20", &slow.url()).await;
    let other = books.post("/admin/accounts", books.platform(), json!({ "name": "other" })).await;
    let other: AccountId = other.json["data"]["id"].as_str().unwrap().parse().unwrap();
    let answer = books.patch(&path(other), books.platform(), json!({ "threshold": 1, "url": quick.url() })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let gateways = Gateways::start(&books, 1);
    slow.next().await;
    quick.next().await;
    slow.next().await;
    let delivered = newest_is(&books, "delivered").await;
    assert_eq!(delivered["attempts"], 2, "the first one was given up at the deadline");
    gateways.stop().await;
    slow.close().await;
    quick.close().await;
    books.close().await;
}

#[tokio::test]
async fn what_was_noted_before_a_restart_is_delivered_after_it() {
    let books = books().await;
    let receiver = Receiver::start(&[]).await;
    let (address, url) = (receiver.address, receiver.url());
    receiver.close().await;
    set_alert(&books, "20", &url).await;
    let gateways = Gateways::start(&books, 1);
    let pending = newest_is(&books, "pending").await;
    gateways.stop().await;
    let mut receiver = Receiver::start_at(address, &[]).await;
    let gateways = Gateways::start(&books, 1);
    assert_eq!(receiver.next().await.header("webhook-id"), pending["id"].as_str().unwrap());
    newest_is(&books, "delivered").await;
    assert_eq!(deliveries(&books).await.len(), 1, "the crossing is not decided again");
    gateways.stop().await;
    receiver.close().await;
    books.close().await;
}

#[tokio::test]
async fn gateways_that_all_think_they_are_elected_tell_a_crossing_once() {
    let books = books().await;
    let mut receiver = Receiver::start(&[]).await;
    set_alert(&books, "5", &receiver.url()).await;
    let gateways = Gateways::start(&books, 6);
    spend(&books, "6").await;
    let first = receiver.next().await;
    newest_is(&books, "delivered").await;
    books.top_up("6").await;
    alert_is_low(&books, false).await;
    spend(&books, "6").await;
    let second = receiver.next().await;
    assert_ne!(first.header("webhook-id"), second.header("webhook-id"), "no attempt was made twice");
    newest_is(&books, "delivered").await;
    gateways.stop().await;
    assert_eq!(deliveries(&books).await.len(), 2);
    receiver.close().await;
    books.close().await;
}

#[tokio::test]
async fn an_alert_shows_its_secret_once_and_says_what_is_wrong_with_it() {
    let books = Books::open().await;
    let (path, key) = (path(books.first.account_id), books.platform());
    assert_eq!(books.get(&path, key).await.status, StatusCode::NOT_FOUND);
    for (wrong, field) in [
        (json!({ "threshold": "5" }), "url"),
        (json!({ "url": "https://hooks.example.com/" }), "threshold"),
        (json!({ "threshold": "0", "url": "https://hooks.example.com/" }), "threshold"),
        (json!({ "threshold": "five", "url": "https://hooks.example.com/" }), "threshold"),
        (json!({ "threshold": "5", "url": "https://127.0.0.1/" }), "url"),
        (json!({ "threshold": "5", "url": "https://169.254.169.254/latest" }), "url"),
        (json!({ "threshold": "5", "url": "http://hooks.example.com/" }), "url"),
    ] {
        let refused = books.patch(&path, key, wrong).await;
        assert_eq!((refused.status, &refused.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!(field)), "{}", refused.text);
    }
    let made = books.patch(&path, key, json!({ "threshold": "5", "url": "https://hooks.example.com/a" })).await;
    let first = made.json["data"]["secret"].as_str().unwrap().to_owned();
    let changed = books.patch(&path, key, json!({ "threshold": 2.5 })).await;
    assert_eq!((&changed.json["data"]["threshold"], &changed.json["data"]["url"]), (&json!(2.5), &json!("https://hooks.example.com/a")));
    assert_eq!(changed.json["data"].get("secret"), None);
    assert_eq!(books.get(&path, key).await.json["data"].get("secret"), None);
    let rotated = books.post(&format!("{path}/secret"), key, json!({})).await;
    assert_ne!(rotated.json["data"]["secret"], json!(first));
    let rotation = books.post("/admin/secrets/rotate", key, json!({})).await;
    assert_eq!(rotation.status, StatusCode::OK, "{}", rotation.text);
    assert_eq!(books.delete(&path, key).await.status, StatusCode::NO_CONTENT);
    assert_eq!(books.delete(&path, key).await.status, StatusCode::NOT_FOUND);
    books.close().await;
}
