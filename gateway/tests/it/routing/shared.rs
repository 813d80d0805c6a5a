//! Health that outlives a process and is shared between gateways, on SQLite; checks that find a channel to work again.

use std::sync::Arc;

use gateway::checks::check;
use gateway::control::board::HealthBoard;
use gateway::routing::health::{BreakerState, HealthStatus};
use http::StatusCode;
use schemas::{NodeId, Timestamp};
use serde_json::json;

use super::{Gateway, MODEL, channel};
use crate::books::open_control;

#[tokio::test]
async fn what_one_gateway_finds_out_holds_for_another_and_after_a_restart() {
    let gateway = Gateway::open(vec![channel("bad", 0, "status=500"), channel("good", 1, "")]).await;
    let node = gateway.app.node();
    let board = HealthBoard::new(gateway.books.services.control.clone(), node);
    for _ in 0..3 {
        gateway.ask(json!({})).await;
    }
    board.round(Timestamp::now()).await.unwrap();
    let database = format!("sqlite://{}", gateway.books.folder.path().join("tollgate.db").display());
    for other in [node, NodeId::mint()] {
        let control = open_control(&database).await;
        HealthBoard::new(control.clone(), other).restore().await.unwrap();
        let catalog = control.catalog_full();
        let channel = |name: &str| catalog.channels().iter().find(|channel| &*channel.name == name).cloned().unwrap();
        assert_ne!(channel("bad").state.breaker.state(Timestamp::now()), BreakerState::Closed, "{other}");
        assert_eq!((channel("bad").state.status(), channel("good").state.status()), (HealthStatus::Unhealthy, HealthStatus::Healthy));
        assert_eq!(channel("good").state.last_success_at(), gateway.channel("good").state.last_success_at());
        let endpoint = catalog.model(MODEL).unwrap().endpoints.iter().find(|endpoint| &*endpoint.channel.name == "good").cloned().unwrap();
        let counts = endpoint.state.counts(gateway::routing::health::Window::Day, Timestamp::now());
        assert_eq!((counts.success, counts.error), (3, 0), "counts are summed over gateways");
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_check_is_told_of_and_takes_a_refused_key_back_into_use() {
    let gateway = Gateway::open(vec![channel("main", 0, "status=401&fail_first=1")]).await;
    assert_eq!(gateway.ask(json!({})).await.status, StatusCode::BAD_GATEWAY);
    let now = Timestamp::now();
    assert!(gateway.channel("main").keys[0].state.is_refused(now));
    // The mock counts each kind of request for itself: the first check is refused as well, and changes nothing.
    for _ in 0..3 {
        check(&gateway.app, &gateway.endpoint("main")).await;
    }
    assert!(!gateway.channel("main").keys[0].state.is_refused(now));
    assert_eq!(gateway.ask(json!({})).await.status, StatusCode::OK);
    let channels = gateway.books.get("/admin/channels", gateway.books.platform()).await;
    let path = format!("/admin/channels/{}/health", channels.json["data"][0]["id"].as_str().unwrap());
    let health = gateway.books.get(&path, gateway.books.platform()).await.json["data"].clone();
    assert!(health["last_check_at"].is_string() && health["last_success_at"].is_string(), "{health}");
    assert_eq!(
        (&health["breaker"]["state"], &health["consecutive_failures"], &health["keys"][0]["status"]),
        (&json!("closed"), &json!(0), &json!("usable"))
    );
    let count = |name: &str| health["last_5m"][name].as_u64().unwrap();
    assert!(count("success") >= 3 && count("error") >= 1 && count("success") + count("error") == 5, "{health}");
    assert_eq!(health["models"][0]["last_5m"]["success"].as_u64(), Some(count("success")));
    gateway.close().await;
}

#[tokio::test]
async fn nobody_pays_for_a_check() {
    let gateway = Gateway::open(vec![channel("main", 0, "")]).await;
    let before = gateway.books.services.gate.amounts(gateway.books.first.account_id).await.unwrap();
    check(&gateway.app, &gateway.endpoint("main")).await;
    let after = gateway.books.services.gate.amounts(gateway.books.first.account_id).await.unwrap();
    assert_eq!((before.posted, before.pending, before.held), (after.posted, after.pending, after.held));
    let _ = Arc::clone(&gateway.books.services);
    gateway.close().await;
}
