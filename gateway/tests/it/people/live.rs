//! The live feed over real WebSockets, on the running router.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use gateway::control::people::Role;
use gateway::control::store::Act;
use gateway::dashboard::LiveOptions;
use gateway::providers::demo::catalog::MODELS;
use http::header::{COOKIE, ORIGIN};
use http::{HeaderValue, StatusCode};
use schemas::{NanoUsd, Timestamp};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::browser::{Browser, person};
use crate::books::{Books, WebOptions};

/// Whatever a test waits for comes sooner, or the test fails.
const DEADLINE: Duration = Duration::from_secs(20);
const COST: NanoUsd = NanoUsd::from_nanos(1_000_000);

/// Everything happens soon.
fn quick() -> LiveOptions {
    LiveOptions {
        ping_interval: Duration::from_millis(100),
        check_interval: Duration::from_millis(50),
        look_interval: Duration::from_millis(20),
        ..LiveOptions::default()
    }
}

/// One window.
struct Window(WebSocketStream<TcpStream>);

/// Why there is none.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    error: Value,
}

impl Window {
    async fn open(address: SocketAddr, browser: &Browser<'_>, query: &str) -> Self {
        Self::try_open(address, browser, query, None).await.unwrap()
    }

    async fn try_open(address: SocketAddr, browser: &Browser<'_>, query: &str, origin: Option<&str>) -> Result<Self, Refused> {
        Self::over(TcpSocket::new_v4().unwrap(), address, browser, query, origin).await
    }

    async fn over(
        socket: TcpSocket,
        address: SocketAddr,
        browser: &Browser<'_>,
        query: &str,
        origin: Option<&str>,
    ) -> Result<Self, Refused> {
        let mut request = format!("ws://{address}/api/app/live{query}").into_client_request().unwrap();
        let pairs: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.headers_mut().insert(COOKIE, HeaderValue::from_str(&pairs.join("; ")).unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        match client_async(request, socket.connect(address).await.unwrap()).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => {
                let body: Value = serde_json::from_slice(answer.body().as_deref().unwrap_or_default()).unwrap_or_default();
                Err(Refused { status: answer.status(), error: body["error"].clone() })
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The next message of a kind.
    async fn hear(&mut self, kind: &str) -> Value {
        self.hear_where(|message| message["kind"] == kind).await
    }

    async fn hear_where(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let message = self.next().await;
            if is_wanted(&message) {
                return message;
            }
        }
    }

    async fn next(&mut self) -> Value {
        loop {
            match tokio::time::timeout(DEADLINE, self.0.next()).await.expect("a message in time").unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// Everything up to the close frame, whose code and word these are.
    async fn closed(&mut self) -> (u16, String) {
        loop {
            let next = tokio::time::timeout(DEADLINE, self.0.next()).await.expect("closed in time");
            if let Message::Close(frame) = next.unwrap().unwrap() {
                let frame = frame.unwrap();
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}

/// A deployment with credit and its owner, ada, who is signed in; and how she watches.
macro_rules! watched {
    ($options:expr => $books:ident, $address:ident, $ada:ident, $query:ident) => {
        let $books = Books::open_for_web(WebOptions { live: $options, ..WebOptions::default() }).await;
        $books.top_up("10").await;
        $books.booked($books.first.account_id).await;
        person(&$books, "ada@example.com", $books.first.account_id, Role::Owner).await;
        let $address = $books.serve(&$books.dashboard).await;
        let $ada = Browser::of(&$books, "ada@example.com").await;
        let $query = format!("?account={}", $books.first.account_id);
    };
}

#[tokio::test]
async fn money_and_requests_are_told_as_the_other_routes_show_them() {
    watched!(quick() => books, address, ada, query);
    let mut ada = ada;
    let mut window = Window::open(address, &ada, &query).await;
    assert_eq!(window.next().await["kind"], "hello");
    let account_path = format!("/api/app/accounts/{}", books.first.account_id);
    let first = window.hear("balance").await;
    let shown = ada.get(&account_path).await.json["data"].clone();
    for field in ["balance", "pending", "held", "available"] {
        assert_eq!(first[field], shown[field], "{field}");
    }
    assert_eq!((&first["account_id"], &first["held"]), (&shown["id"], &json!("0")));
    let request = books.settle_request("demo/quick", COST).await;
    // Told by the log and by the gate: which comes first is chance.
    let (mut activity, mut booked) = (Value::Null, Value::Null);
    while activity.is_null() || booked.is_null() {
        let message = window.next().await;
        if message["kind"] == "activity" {
            activity = message;
        } else if message["kind"] == "balance" && message["balance"] != first["balance"] {
            booked = message;
        }
    }
    assert_eq!((&activity["row"]["id"], &activity["row"]["cost"]), (&json!(request.to_string()), &json!("0.001")));
    let amount = |message: &Value| message["balance"].as_str().unwrap().parse::<NanoUsd>().unwrap();
    assert_eq!(amount(&first).checked_sub(amount(&booked)).unwrap(), COST);
    books.projected(activity["seq"].as_u64().unwrap()).await;
    let listed = ada.get(&format!("{account_path}/generations")).await;
    assert_eq!(listed.json["data"][0], activity["row"]);
    books.close().await;
}

#[tokio::test]
async fn who_comes_back_hears_what_they_missed_at_whichever_gateway() {
    watched!(quick() => books, address, ada, query);
    let mut window = Window::open(address, &ada, &query).await;
    window.hear("balance").await;
    books.settle_request("demo/quick", COST).await;
    let seen = window.hear("activity").await["seq"].as_u64().unwrap();
    drop(window);
    let missed = [books.settle_request("demo/quick", COST).await, books.settle_request("demo/quick", COST).await];
    let other = books.serve(&books.another_gateway(quick())).await;
    for address in [address, other] {
        let mut window = Window::open(address, &ada, &format!("{query}&resume={seen}")).await;
        assert_eq!(window.next().await, json!({ "kind": "hello", "seq": seen }));
        let mut last = seen;
        for request in missed {
            let activity = window.hear("activity").await;
            assert_eq!(activity["row"]["id"], request.to_string());
            assert!(activity["seq"].as_u64().unwrap() > last);
            last = activity["seq"].as_u64().unwrap();
        }
    }
    let mut elsewhere = Window::open(other, &ada, &query).await;
    elsewhere.hear("balance").await;
    let next = books.settle_request("demo/quick", COST).await;
    assert_eq!(elsewhere.hear("activity").await["row"]["id"], next.to_string());
    books.close().await;
}

#[tokio::test]
async fn who_was_away_for_too_long_is_told_to_ask_anew() {
    watched!(LiveOptions { recent_requests_max: 2, ..quick() } => books, address, ada, query);
    let mut window = Window::open(address, &ada, &query).await;
    let seen = window.hear("hello").await["seq"].as_u64().unwrap();
    for _ in 0..3 {
        books.settle_request("demo/quick", COST).await;
    }
    let mut last = 0;
    for _ in 0..3 {
        last = window.hear("activity").await["seq"].as_u64().unwrap();
    }
    for resume in [seen, last + 1_000] {
        let mut late = Window::open(address, &ada, &format!("{query}&resume={resume}")).await;
        let hello = late.next().await;
        assert_eq!((&hello["kind"], hello["seq"].as_u64() >= Some(last)), (&json!("hello"), true), "{hello}");
        assert_eq!(late.next().await, json!({ "kind": "reset", "seq": hello["seq"] }));
    }
    books.close().await;
}

#[tokio::test]
async fn a_quiet_window_is_told_how_far_it_has_seen() {
    watched!(quick() => books, address, ada, query);
    let elsewhere = books.services.control.create_account(&Act::new("tester", Timestamp::now()), "elsewhere").await.unwrap().id;
    person(&books, "eve@example.com", elsewhere, Role::Owner).await;
    let eve = Browser::of(&books, "eve@example.com").await;
    let (mut loud, mut quiet) =
        (Window::open(address, &ada, &query).await, Window::open(address, &eve, &format!("?account={elsewhere}")).await);
    books.settle_request("demo/quick", COST).await;
    let seq = loud.hear("activity").await["seq"].as_u64().unwrap();
    // What is others' is not told, but it is not missed either.
    let heard = quiet.hear_where(|message| message["kind"] == "activity" || message["seq"].as_u64() >= Some(seq)).await;
    assert_eq!(heard["kind"], "ping");
    books.close().await;
}

#[tokio::test]
async fn only_those_of_an_account_watch_it_and_each_sees_what_their_role_does() {
    watched!(quick() => books, address, ada, query);
    let elsewhere = books.services.control.create_account(&Act::new("tester", Timestamp::now()), "elsewhere").await.unwrap().id;
    person(&books, "eve@example.com", elsewhere, Role::Owner).await;
    person(&books, "ann@example.com", books.first.account_id, Role::Analyst).await;
    let root = person(&books, "root@example.com", elsewhere, Role::Owner).await;
    let make_admin = |user: &mut gateway::control::people::User| user.is_platform_admin = true;
    let store = books.services.control.store();
    store.change_user(&Act::new("tester", Timestamp::now()), "user.changed", root.id, make_admin).await.unwrap();
    let models = json!([{ "id": "demo/quick", "upstream": MODELS[0].upstream, "price": "free" }]);
    let made = books.post("/admin/channels", books.platform(), json!({ "name": "demo", "provider": "demo", "models": models })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let (nobody, eve) = (Browser::new(&books), Browser::of(&books, "eve@example.com").await);
    let refused = |browser, query| async move { Window::try_open(address, browser, query, None).await.err().unwrap() };
    assert_eq!(refused(&nobody, &query).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused(&eve, &query).await.status, StatusCode::NOT_FOUND);
    assert_eq!(refused(&eve, "?account=acct_nobody").await.status, StatusCode::NOT_FOUND);
    let unnamed = refused(&ada, "").await;
    assert_eq!((unnamed.status, &unnamed.error["param"]), (StatusCode::BAD_REQUEST, &json!("account")));
    let (ann, root) = (Browser::of(&books, "ann@example.com").await, Browser::of(&books, "root@example.com").await);
    let mut owner = Window::open(address, &ada, &query).await;
    let mut analyst = Window::open(address, &ann, &query).await;
    let mut platform = Window::open(address, &root, &query).await;
    let health = platform.hear("channel_health").await;
    let channel = json!({ "id": made.json["data"]["id"], "name": "demo", "status": "healthy" });
    assert_eq!(health["channels"], json!([channel]));
    analyst.hear("balance").await;
    let request = books.settle_request("demo/quick", COST).await;
    assert_eq!(platform.hear("activity").await["row"]["id"], request.to_string());
    let of_analyst = analyst.hear_where(|message| matches!(message["kind"].as_str(), Some("activity" | "channel_health"))).await;
    assert_eq!((&of_analyst["kind"], &of_analyst["row"]), (&json!("activity"), &Value::Null), "sums are all an analyst sees");
    let catalog = books.services.control.catalog_full();
    catalog.channels()[0].state.set_status(gateway::routing::health::HealthStatus::Degraded);
    assert_eq!(platform.hear("channel_health").await["channels"][0]["status"], "degraded");
    let of_owner = owner.hear_where(|message| matches!(message["kind"].as_str(), Some("activity" | "channel_health"))).await;
    assert_eq!(of_owner["row"]["id"], request.to_string());
    books.close().await;
}

#[tokio::test]
async fn a_page_of_another_site_cannot_watch_with_our_cookies() {
    watched!(quick() => books, address, ada, query);
    let mut ada = ada;
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let refused = Window::try_open(address, &ada, &query, Some(origin)).await.err().unwrap();
        assert_eq!((refused.status, &refused.error["metadata"]["reason"]), (StatusCode::FORBIDDEN, &json!("csrf")), "{origin}");
    }
    for origin in [format!("http://{address}"), "http://127.0.0.1:8080".to_owned()] {
        let mut window = Window::try_open(address, &ada, &query, Some(&origin)).await.unwrap();
        window.hear("hello").await;
    }
    let plain = ada.get(&format!("/api/app/live{query}")).await;
    assert!(plain.status.is_client_error() && plain.json["error"]["message"].is_string(), "{}", plain.text);
    books.close().await;
}

#[tokio::test]
async fn a_session_that_ends_and_a_role_that_is_taken_close_their_windows() {
    watched!(quick() => books, address, ada, query);
    let mut ada = ada;
    let bob = person(&books, "bob@example.com", books.first.account_id, Role::Member).await;
    let (mut bobs, mut adas_other) = (Browser::of(&books, "bob@example.com").await, Browser::of(&books, "ada@example.com").await);
    let mut of_bob = Window::open(address, &bobs, &query).await;
    let mut of_ada = Window::open(address, &ada, &query).await;
    let mut of_other = Window::open(address, &adas_other, &query).await;
    of_bob.hear("balance").await;
    let path = format!("/api/app/accounts/{}/members/{}", books.first.account_id, bob.id);
    assert_eq!(ada.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(of_bob.closed().await, (4403, "role_taken".to_owned()));
    assert_eq!(bobs.get("/api/app/session").await.status, StatusCode::OK);
    assert_eq!(adas_other.post("/auth/sign-out", json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(of_other.closed().await, (4401, "session_ended".to_owned()));
    books.settle_request("demo/quick", COST).await;
    of_ada.hear("activity").await;
    books.close().await;
}

#[tokio::test]
async fn a_window_that_does_not_keep_up_is_closed_and_nobody_waits_for_it() {
    watched!(LiveOptions { queue_messages_max: 64, ping_interval: Duration::from_secs(60), ..quick() } => books, address, ada, query);
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2_048).unwrap();
    let mut slow = Window::over(socket, address, &ada, &query, None).await.unwrap();
    let live = &books.dashboard.live;
    // Fewer at a time than may wait: only a window that takes nothing runs into the bound, once the connection is full too.
    let flood = async {
        while live.listening() > 0 {
            for _ in 0..32 {
                books.settle_request("demo/quick", NanoUsd::from_nanos(3_000)).await;
            }
            books.booked(books.first.account_id).await;
        }
    };
    tokio::time::timeout(DEADLINE * 3, flood).await.expect("the window's queue has a bound");
    assert_eq!(slow.closed().await, (4408, "too_slow".to_owned()));
    let mut next = Window::open(address, &ada, &query).await;
    next.hear("balance").await;
    books.close().await;
}

#[tokio::test]
async fn windows_are_bounded_for_each_session_and_in_all() {
    watched!(LiveOptions { clients_max: 3, clients_per_session_max: 2, ..quick() } => books, address, ada, query);
    let other = Browser::of(&books, "ada@example.com").await;
    let (mut one, _two) = (Window::open(address, &ada, &query).await, Window::open(address, &ada, &query).await);
    let third = Window::try_open(address, &ada, &query, None).await.err().unwrap();
    assert_eq!((third.status, &third.error["metadata"]["error_type"]), (StatusCode::TOO_MANY_REQUESTS, &json!("rate_limit_exceeded")));
    let _others = Window::open(address, &other, &query).await;
    let full = Window::try_open(address, &other, &query, None).await.err().unwrap();
    assert_eq!(full.status, StatusCode::SERVICE_UNAVAILABLE);
    one.hear("hello").await;
    one.0.close(None).await.unwrap();
    let freed = async {
        while Window::try_open(address, &ada, &query, None).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, freed).await.expect("a closed window's place is free again");
    books.close().await;
}

#[tokio::test]
async fn a_window_that_talks_is_closed_and_all_are_when_the_gateway_ends() {
    watched!(quick() => books, address, ada, query);
    let mut talking = Window::open(address, &ada, &query).await;
    talking.hear("hello").await;
    talking.0.send(Message::text("{}")).await.unwrap();
    assert_eq!(talking.closed().await, (1003, "not_asked".to_owned()));
    let mut listening = Window::open(address, &ada, &query).await;
    listening.hear("balance").await;
    let ((), last) = tokio::join!(books.close(), listening.closed());
    assert_eq!(last, (1001, "shutting_down".to_owned()));
}
