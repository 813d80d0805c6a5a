//! Credits: one order, one booking, however often it is repeated.

use gateway::control::credits::{CreditKind, CreditOrder};
use http::StatusCode;
use schemas::{NanoUsd, Timestamp};
use serde_json::{Value, json};

use crate::books::{Books, Ledger};

fn path(books: &Books) -> String {
    format!("/admin/accounts/{}/credits", books.first.account_id)
}

async fn balance(books: &Books) -> Value {
    books.get(&format!("/admin/accounts/{}", books.first.account_id), books.platform()).await.json["data"]["balance"].clone()
}

#[tokio::test]
async fn a_credit_is_booked_once_and_can_be_spent_when_it_is_answered() {
    let books = Books::open().await;
    let order = json!({ "amount": "12.345678901", "reason": "invoice 7", "reference": "inv-7", "idempotency_key": "k1" });
    let first = books.post(&path(&books), books.platform(), order.clone()).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);
    assert!(first.text.contains(r#""amount":12.345678901,"balance_after":12.345678901"#), "{}", first.text);
    let data = &first.json["data"];
    assert_eq!((&data["kind"], &data["reason"], &data["reference"]), (&json!("topup"), &json!("invoice 7"), &json!("inv-7")));
    assert_eq!(balance(&books).await, json!(12.345678901));

    let again = books.post(&path(&books), books.platform(), order).await;
    assert_eq!((again.status, &again.json), (StatusCode::OK, &first.json));
    for other in [
        json!({ "amount": 13, "reason": "invoice 7", "reference": "inv-7", "idempotency_key": "k1" }),
        json!({ "amount": "12.345678901", "reason": "invoice 8", "reference": "inv-7", "idempotency_key": "k1" }),
        json!({ "amount": "12.345678901", "reason": "invoice 7", "reference": "inv-7", "idempotency_key": "k1", "kind": "grant" }),
    ] {
        let conflict = books.post(&path(&books), books.platform(), other).await;
        assert_eq!(conflict.status, StatusCode::CONFLICT);
        assert_eq!(conflict.json["error"]["metadata"]["error_type"], "conflict");
    }
    assert_eq!(balance(&books).await, json!(12.345678901));
}

#[tokio::test]
async fn who_ordered_a_credit_is_on_record_once() {
    let books = Books::open().await;
    let order = json!({ "amount": 3, "kind": "grant", "reason": "for the pilot", "idempotency_key": "pilot" });
    for _ in 0..2 {
        books.post(&path(&books), books.platform(), order.clone()).await;
    }
    let id = books.first.account_id.uuid().to_string();
    let records = books.services.control.store().audit_records(Some(&id), 100).await.unwrap();
    let records: Vec<_> = records.iter().filter(|record| record.action == "credit.booked").collect();
    assert_eq!(records.len(), 1, "{records:?}");
    assert!(records[0].actor.starts_with("key_"), "{}", records[0].actor);
    let after: Value = serde_json::from_str(records[0].after.as_ref().unwrap().get()).unwrap();
    assert_eq!((&after["kind"], &after["reason"], &after["idempotency_key"]), (&json!("grant"), &json!("for the pilot"), &json!("pilot")));
}

#[tokio::test]
async fn an_order_whose_first_answer_was_lost_is_on_record_when_it_is_repeated() {
    let books = Books::open().await;
    let order = CreditOrder {
        account_id: books.first.account_id,
        kind: CreditKind::Topup,
        amount: NanoUsd::from_usd(3),
        idempotency_key: "lost".to_owned(),
        reason: Some("invoice 9".to_owned()),
        reference: None,
        expires_at: None,
        request_id: None,
        actor: "local".to_owned(),
    };
    // Booked, and the gateway was gone before it could record anything.
    books.services.credits.order(&order, Timestamp::now()).await.unwrap();
    let again = json!({ "amount": 3, "reason": "invoice 9", "idempotency_key": "lost" });
    for _ in 0..2 {
        assert_eq!(books.post(&path(&books), books.platform(), again.clone()).await.status, StatusCode::OK);
    }
    let id = books.first.account_id.uuid().to_string();
    let records = books.services.control.store().audit_records(Some(&id), 100).await.unwrap();
    assert_eq!(records.iter().filter(|record| record.action == "credit.booked").count(), 1, "{records:?}");
}

#[tokio::test]
async fn an_array_is_no_order_and_an_empty_reason_is_none() {
    let books = Books::open().await;
    let array = books.post(&path(&books), books.platform(), json!(["topup", "1", "k", "r", null, null, null])).await;
    assert_eq!(array.status, StatusCode::BAD_REQUEST, "{}", array.text);
    let empty = books.post(&path(&books), books.platform(), json!({ "amount": 1, "reason": " " })).await;
    assert_eq!((empty.status, &empty.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("reason")), "{}", empty.text);
    let missing = books.post(&path(&books), books.platform(), json!({ "reason": "no amount" })).await;
    assert_eq!((missing.status, &missing.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("amount")), "{}", missing.text);
    assert_eq!(balance(&books).await, json!(0));
}

#[tokio::test]
async fn the_same_order_sent_many_times_at_once_is_booked_once() {
    let books = Books::open().await;
    let order = json!({ "amount": 1, "idempotency_key": "k1" });
    let path = path(&books);
    let answers = futures_util::future::join_all((0..8).map(|_| books.post(&path, books.platform(), order.clone()))).await;
    let created = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(created, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.json["data"] == answers[0].json["data"]));
    assert_eq!(balance(&books).await, json!(1));
}

#[tokio::test]
async fn orders_without_a_key_are_all_booked() {
    let books = Books::open().await;
    for _ in 0..2 {
        let answer = books.post(&path(&books), books.platform(), json!({ "amount": 1 })).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
    assert_eq!(balance(&books).await, json!(2));
}

#[tokio::test]
async fn every_kind_moves_the_balance_as_it_says() {
    let books = Books::open().await;
    for (order, expected) in [
        (json!({ "kind": "topup", "amount": 10 }), json!(10)),
        (json!({ "kind": "grant", "amount": "5", "expires_at": "2999-01-01T00:00:00Z" }), json!(15)),
        (json!({ "kind": "refund", "amount": 1, "reason": "goodwill" }), json!(16)),
        (json!({ "kind": "adjustment", "amount": "-6.5" }), json!(9.5)),
    ] {
        let answer = books.post(&path(&books), books.platform(), order.clone()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{order}: {}", answer.text);
        assert_eq!(answer.json["data"]["kind"], order["kind"]);
        assert_eq!(balance(&books).await, expected);
    }
}

#[tokio::test]
async fn a_refund_of_a_request_never_exceeds_its_charge() {
    let books = Books::open().await;
    books.top_up("10").await;
    let request = books.settle_request("acme/model-1", schemas::NanoUsd::from_usd(2)).await;
    books.booked(books.first.account_id).await;
    let refund = |amount: &str| json!({ "kind": "refund", "amount": amount, "generation_id": request.to_string() });
    assert_eq!(books.post(&path(&books), books.platform(), refund("1.5")).await.status, StatusCode::CREATED);
    let refused = books.post(&path(&books), books.platform(), refund("0.6")).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.text);
    assert!(refused.json["error"]["metadata"]["reason"].is_string(), "{}", refused.text);
    assert_eq!(balance(&books).await, json!(9.5));
}

#[tokio::test]
async fn what_cannot_be_a_credit_is_refused_before_anything_is_written() {
    let books = Books::open().await;
    let before = books.services.spool.usage();
    let cases = [
        (json!({}), "amount"),
        (json!({ "amount": 0 }), "amount"),
        (json!({ "amount": -1 }), "amount"),
        (json!({ "amount": "1.0000000001" }), "amount"),
        (json!({ "amount": "1e30" }), "amount"),
        (json!({ "amount": 100_000_001 }), "amount"),
        (json!({ "amount": true }), "amount"),
        (json!({ "amount": 1, "kind": "gift" }), "kind"),
        (json!({ "amount": 1, "expires_at": "2999-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "amount": 1, "kind": "grant", "expires_at": "2020-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "amount": 1, "generation_id": "gen-1" }), "generation_id"),
        (json!({ "amount": 1, "idempotency_key": "" }), "idempotency_key"),
        (json!({ "amount": 1, "idempotency_key": "a b" }), "idempotency_key"),
        (json!({ "amount": 1, "reason": "x".repeat(501) }), "reason"),
        (json!({ "amount": 1, "balance": 5 }), "balance"),
    ];
    for (body, field) in cases {
        let refused = books.post(&path(&books), books.platform(), body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {}", refused.text);
        assert!(refused.json["error"]["message"].as_str().unwrap().contains(field), "{body}: {}", refused.text);
    }
    let missing =
        books.post("/admin/accounts/acct_00000000000000000000000000000001/credits", books.platform(), json!({ "amount": 1 })).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(books.services.spool.usage().bytes, before.bytes);
}

#[tokio::test]
async fn an_order_the_ledger_does_not_answer_is_503_and_says_that_repeating_is_safe() {
    let books = Books::open_with(Ledger::Halted).await;
    let answer = books.post(&path(&books), books.platform(), json!({ "amount": 1, "idempotency_key": "k1" })).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text);
    assert!(answer.json["error"]["message"].as_str().unwrap().contains("same idempotency_key is safe"));
    assert_eq!(answer.json["error"]["metadata"]["idempotency_key"], "k1");
    assert!(answer.headers.contains_key("retry-after"));
}
