//! How long a word stands for a request that nobody knows the end of.

use std::time::Duration;

use gateway::control::store::IdempotencyClaim;
use http::StatusCode;
use schemas::{KeyId, RequestId, Timestamp};
use serde_json::json;

use super::{Answer, Gateway, MODEL, channel};

/// Longer than any request may take.
const LONG_AGO: Duration = Duration::from_secs(2 * 60 * 60);

/// A claim of another gateway's, of which nothing was heard since.
async fn claim(gateway: &Gateway, key_id: KeyId, word: &str) -> IdempotencyClaim {
    let at = Timestamp::now().plus_micros(-i64::try_from(LONG_AGO.as_micros()).unwrap());
    let request_id = RequestId::mint();
    let claim =
        IdempotencyClaim { key_id, idempotency_key: word.to_owned(), request_id, input_sha256: "0".repeat(64), at, is_accepted: false };
    gateway.app.control.store().claim_idempotency(&claim, Timestamp::from_micros(0)).await.unwrap();
    claim
}

async fn ask(gateway: &Gateway, word: &str) -> Answer {
    let body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "Say hello" }] });
    gateway.send("/v1/chat/completions", gateway.books.inference(), &[("idempotency-key", word)], &body).await
}

#[tokio::test]
async fn a_word_is_not_free_while_its_request_may_still_be_booked() {
    let gateway = Gateway::open(vec![channel("main", 0, "")]).await;
    let key_id = gateway.app.control.catalog().authenticate(gateway.books.inference(), Timestamp::now()).unwrap().record.id;
    claim(&gateway, key_id, "never-accepted").await;
    let answer = ask(&gateway, "never-accepted").await;
    assert_eq!(answer.status, StatusCode::OK, "its gateway died before anything was owed: {}", answer.text);
    let accepted = claim(&gateway, key_id, "accepted").await;
    gateway.app.control.store().accept_idempotency(&accepted).await.unwrap();
    let answer = ask(&gateway, "accepted").await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "its charge may be in the spool of a gateway that is down: {}", answer.text);
    assert_eq!(answer.error()["metadata"]["generation_id"], accepted.request_id.to_string());
    // What this gateway accepts itself is noted, too.
    assert_eq!(ask(&gateway, "own").await.status, StatusCode::OK);
    let again = IdempotencyClaim { idempotency_key: "own".to_owned(), ..accepted };
    let taken = gateway.app.control.store().claim_idempotency(&again, Timestamp::from_micros(0)).await.unwrap();
    assert!(matches!(taken, gateway::control::store::Claimed::Taken(claim) if claim.is_accepted));
    gateway.close().await;
}
