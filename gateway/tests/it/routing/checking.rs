//! The loops that watch channels, as `serve` runs them: checks, and the board that judges and shares health.

use std::net::SocketAddr;
use std::time::Duration;

use gateway::checks::Checks;
use gateway::control::board::HealthBoard;
use gateway::control::store::GatewayLease;
use gateway::routing::health::{BreakerState, HealthStatus};
use schemas::ids::{BootId, NodeId};
use schemas::{AccountId, Producer, Timestamp};
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Gateway, PATIENCE, channel, with};

/// The loops of one gateway.
struct Loops {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Loops {
    fn start(gateway: &Gateway) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let board = HealthBoard::new(gateway.books.services.control.clone(), gateway.app.node());
        tasks.spawn(Checks::new(gateway.app.clone()).run(stop.clone()));
        let stop_board = stop.clone();
        tasks.spawn(async move { board.run(stop_board).await });
        Self { stop, tasks }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// A channel that is checked as often as it may be.
fn checked(name: &str, more: Value) -> Value {
    let check = json!({ "health_check": { "interval": "1s", "timeout": "1s", "failure_threshold": 2 } });
    with(with(channel(name, 0, ""), check), more)
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not in time: {what}");
}

#[tokio::test]
async fn a_channel_whose_upstream_dies_is_found_out_by_checks_alone_and_comes_back_by_itself() {
    let upstream = mock_provider::start(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let address = upstream.address;
    let gateway = Gateway::open(vec![checked("main", json!({ "base_url": format!("http://{address}/v1") }))]).await;
    let loops = Loops::start(&gateway);
    let main = gateway.channel("main");
    until("the first check", || main.state.last_success_at().is_some()).await;
    assert_eq!((main.state.status(), main.state.breaker.state(Timestamp::now())), (HealthStatus::Healthy, BreakerState::Closed));

    upstream.stop().await;
    until("the breaker opens", || main.state.breaker.state(Timestamp::now()) != BreakerState::Closed).await;
    until("the channel is known to be down", || main.state.status() == HealthStatus::Unhealthy).await;
    assert!(main.state.breaker.consecutive_failures() >= 2 && main.state.last_failure_at().is_some());

    let upstream = mock_provider::start(address).await.unwrap();
    until("the breaker closes", || main.state.breaker.state(Timestamp::now()) == BreakerState::Closed).await;
    assert_eq!(gateway.ask(json!({})).await.served_by(), "main");
    loops.stop().await;
    upstream.stop().await;
    gateway.close().await;
}

#[tokio::test]
async fn of_several_gateways_the_one_that_runs_longest_checks() {
    let gateway = Gateway::open(vec![checked("main", json!({}))]).await;
    let store = gateway.books.services.control.store().clone();
    let lease = |node: NodeId, started: i64| GatewayLease {
        gateway: Producer { node, boot: BootId::mint() },
        started_at: Timestamp::now().plus_micros(started),
        ends_at: Timestamp::now().plus_micros(600_000_000),
    };
    let (own, older) = (lease(gateway.app.node(), -1_000_000), lease(NodeId::mint(), -2_000_000));
    for lease in [&own, &older] {
        store.register_gateway(lease).await.unwrap();
    }
    let loops = Loops::start(&gateway);
    let main = gateway.channel("main");
    // Three intervals of another gateway's reign: had this one been elected, it would have checked.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(main.state.last_check_at(), None, "another gateway checks");
    store.retire_gateway(older.gateway).await.unwrap();
    until("the next one takes over", || main.state.last_check_at().is_some()).await;
    loops.stop().await;
    gateway.close().await;
}

#[tokio::test]
async fn a_checks_cost_is_the_system_accounts_and_the_books_are_right() {
    let mut priced = checked("main", json!({}));
    priced["models"][0]["cost"] = json!({ "prompt": "3", "completion": "7" });
    let gateway = Gateway::open(vec![priced]).await;
    let customer = gateway.books.first.account_id;
    let before = gateway.books.services.gate.amounts(customer).await.unwrap();
    let loops = Loops::start(&gateway);
    let main = gateway.channel("main");
    until("a check", || main.state.last_success_at().is_some()).await;
    loops.stop().await;
    gateway.app.tasks.close();
    gateway.app.tasks.wait().await;

    let database = format!("sqlite://{}", gateway.books.folder.path().join("tollgate.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&database).await.unwrap();
    let sql = "SELECT account_id, event_type, amount_nanos, provider_cost_nanos FROM ledger_entries WHERE provider_cost_nanos IS NOT NULL";
    let waiting = async {
        loop {
            let rows: Vec<(Vec<u8>, String, i64, i64)> = sqlx::query_as(sql).fetch_all(&mut connection).await.unwrap();
            if !rows.is_empty() {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let booked = tokio::time::timeout(PATIENCE, waiting).await.expect("the check's cost was not booked");
    for row in booked {
        // Ten tokens of prompt and eight of answer, at what the provider bills; charged to nobody.
        let expected = 10 * 3_000 + 8 * 7_000;
        assert_eq!(row, (AccountId::SYSTEM.uuid().as_bytes().to_vec(), "usage.released".to_owned(), 0, expected));
    }
    let after = gateway.books.services.gate.amounts(customer).await.unwrap();
    assert_eq!((before.posted, before.pending, before.held), (after.posted, after.pending, after.held), "no customer pays");
    gateway.close().await;
}
