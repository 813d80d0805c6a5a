//! Requests of one key at once: its limit, and its end while they run.

use futures_util::future::join_all;
use http::StatusCode;
use schemas::NanoUsd;
use serde_json::{Value, json};

use super::{Gateway, channel};

/// The hash of the key that requests are sent with.
fn hash(gateway: &Gateway) -> String {
    gateway::control::key::KeyHash::of(gateway.books.inference()).to_string()
}

async fn change_key(gateway: &Gateway, change: Value) {
    let answer = gateway.books.patch(&format!("/keys/{}", hash(gateway)), gateway.books.platform(), change).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

#[tokio::test]
async fn parallel_requests_never_spend_more_than_their_key_may() {
    // 20 requests; each holds about $0.00005 and costs less; the limit pays for a few holds at a time.
    let gateway = Gateway::open(vec![channel("main", 0, "first_byte_ms=50")]).await;
    let limit = NanoUsd::parse_usd("0.0003").unwrap();
    change_key(&gateway, json!({ "limit": "0.0003" })).await;
    let mut served = 0;
    for _ in 0..3 {
        let answers = join_all((0..20).map(|_| gateway.ask(json!({})))).await;
        served += answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
        for refused in answers.iter().filter(|answer| answer.status != StatusCode::OK) {
            assert_eq!(refused.status, StatusCode::PAYMENT_REQUIRED, "{}", refused.text);
            assert_eq!(refused.error()["metadata"]["limit_source"], "openrouter_key_limit");
        }
        gateway.books.booked(gateway.books.first.account_id).await;
    }
    assert!((1..60).contains(&served), "{served} of 60");
    let key = gateway.books.services.control.catalog_full();
    let key = key.authenticate(gateway.books.inference(), schemas::Timestamp::now()).unwrap();
    let spend = gateway.books.services.gate.key_spend(schemas::Timestamp::now(), key.record.id).await.unwrap();
    assert!(!spend.total.is_zero() && spend.total <= limit, "{}", spend.total);
    gateway.close().await;
}

#[tokio::test]
async fn a_key_that_is_disabled_while_its_requests_run_starts_none_and_those_end_and_are_paid() {
    let gateway = Gateway::open(vec![channel("main", 0, "first_byte_ms=400")]).await;
    let running = join_all((0..5).map(|_| gateway.ask(json!({}))));
    let disabling = async {
        let account = gateway.books.first.account_id;
        while gateway.books.services.gate.amounts(account).await.unwrap().held.is_zero() {
            tokio::task::yield_now().await;
        }
        change_key(&gateway, json!({ "disabled": true })).await;
        gateway.ask(json!({})).await
    };
    let (running, refused) = tokio::join!(running, disabling);
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{}", refused.text);
    assert!(running.iter().any(|answer| answer.status == StatusCode::OK));
    for answer in &running {
        assert!(matches!(answer.status, StatusCode::OK | StatusCode::UNAUTHORIZED), "{}", answer.text);
    }
    gateway.books.booked(gateway.books.first.account_id).await;
    let amounts = gateway.books.services.gate.amounts(gateway.books.first.account_id).await.unwrap();
    assert!(amounts.held.is_zero() && amounts.posted < NanoUsd::from_usd(10), "what was served is paid");
    gateway.close().await;
}
