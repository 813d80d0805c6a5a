//! Accounts, statements, `/credits` and `/activity`.

use http::StatusCode;
use schemas::NanoUsd;
use serde_json::{Value, json};

use crate::books::Books;

#[tokio::test]
async fn a_new_account_has_nothing_and_can_be_found() {
    let books = Books::open().await;
    let made = books.post("/admin/accounts", books.platform(), json!({ "name": "Acme" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let data = &made.json["data"];
    let id = data["id"].as_str().unwrap();
    assert!(id.starts_with("acct_"));
    for field in ["balance", "pending", "held", "available"] {
        assert_eq!(data[field], 0, "{field}");
    }
    assert_eq!((&data["name"], &data["currency"], &data["status"]), (&json!("Acme"), &json!("USD"), &json!("active")));
    assert_eq!(books.get(&format!("/admin/accounts/{id}"), books.platform()).await.json, made.json);
    let listed = books.get("/admin/accounts?limit=1", books.platform()).await;
    assert_eq!(listed.json["data"][0]["id"], id);
    let cursor = listed.json["next_cursor"].as_str().unwrap();
    let rest = books.get(&format!("/admin/accounts?cursor={cursor}"), books.platform()).await;
    assert_eq!((&rest.json["data"][0]["name"], &rest.json["next_cursor"]), (&json!("default"), &Value::Null));
    let missing = books.get("/admin/accounts/acct_00000000000000000000000000000001", books.platform()).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(books.get("/admin/accounts/nonsense", books.platform()).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_account_is_announced_to_the_event_log() {
    let books = Books::open().await;
    books.post("/admin/accounts", books.platform(), json!({ "name": "Acme" })).await;
    assert!(books.services.control.store().due_announcements().await.unwrap().is_empty());
    let spooled = books.services.spool.usage();
    assert!(spooled.bytes > 0, "{spooled:?}");
}

#[tokio::test]
async fn a_suspended_account_is_refused_and_served_again_later() {
    let books = Books::open().await;
    let made = books.post("/admin/accounts", books.platform(), json!({ "name": "Acme" })).await;
    let id = made.json["data"]["id"].as_str().unwrap();
    let key = books.post("/keys", books.platform(), json!({ "name": "k", "account_id": id })).await;
    let key = key.json["key"].as_str().unwrap();
    let path = format!("/admin/accounts/{id}");
    let suspended = books.patch(&path, books.platform(), json!({ "status": "suspended" })).await;
    assert_eq!(suspended.json["data"]["status"], "suspended");
    let refused = books.get("/key", key).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.json["error"]["message"].as_str().unwrap().contains("suspended"));
    books.patch(&path, books.platform(), json!({ "status": "active" })).await;
    assert_eq!(books.get("/key", key).await.status, StatusCode::OK);
    let own = format!("/admin/accounts/{}", books.first.account_id);
    assert_eq!(books.patch(&own, books.platform(), json!({ "status": "closed" })).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn the_limits_of_an_account_are_set_shown_and_lifted() {
    let books = Books::open().await;
    let path = format!("/admin/accounts/{}", books.first.account_id);
    let limits = |answer: &crate::books::Answer| {
        ["requests_per_minute", "tokens_per_minute", "concurrency"].map(|field| answer.json["data"][field].clone())
    };
    assert_eq!(limits(&books.get(&path, books.platform()).await), [Value::Null, Value::Null, Value::Null]);
    let set = books.patch(&path, books.platform(), json!({ "requests_per_minute": 60, "concurrency": 4 })).await;
    assert_eq!((set.status, limits(&set)), (StatusCode::OK, [json!(60), Value::Null, json!(4)]), "{}", set.text);
    let lifted = books.patch(&path, books.platform(), json!({ "requests_per_minute": null, "status": "active" })).await;
    assert_eq!(limits(&lifted), [Value::Null, Value::Null, json!(4)]);
    assert_eq!(books.get(&path, books.platform()).await.json, lifted.json);
    for (field, wrong) in [("requests_per_minute", json!(0)), ("tokens_per_minute", json!(-1)), ("concurrency", json!("many"))] {
        let refused = books.patch(&path, books.platform(), json!({ field: wrong })).await;
        assert_eq!((refused.status, &refused.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!(field)), "{}", refused.text);
    }
    let of_the_account = books.post("/keys", books.platform(), json!({ "name": "m", "kind": "management" })).await;
    let refused = books.patch(&path, of_the_account.json["key"].as_str().unwrap(), json!({ "concurrency": null })).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "who is limited does not lift the limit: {}", refused.text);
}

#[tokio::test]
async fn a_charge_counts_at_once_and_is_the_same_before_and_after_it_is_booked() {
    let books = Books::open().await;
    books.top_up("10").await;
    let cost = NanoUsd::from_nanos(1_234_567_891);
    let request = books.settle_request("acme/model-1", cost).await;
    let expected = r#"{"data":{"total_credits":10,"total_usage":1.234567891}}"#;
    assert_eq!(books.get("/credits", books.inference()).await.text, expected);
    books.booked(books.first.account_id).await;
    assert_eq!(books.get("/credits", books.platform()).await.text, expected);

    let account = books.get(&format!("/admin/accounts/{}", books.first.account_id), books.platform()).await;
    for field in [r#""balance":8.765432109"#, r#""pending":0"#, r#""held":0"#, r#""available":8.765432109"#] {
        assert!(account.text.contains(field), "{field} in {}", account.text);
    }
    let path = format!("/admin/accounts/{}/transactions", books.first.account_id);
    let statement = books.get(&path, books.platform()).await;
    let transactions = statement.json["data"].as_array().unwrap();
    let kinds: Vec<&Value> = transactions.iter().map(|transaction| &transaction["kind"]).collect();
    assert_eq!(kinds, [&json!("usage"), &json!("topup")]);
    assert_eq!(transactions[0]["generation_id"], request.to_string());
    assert!(statement.text.contains(r#""amount":-1.234567891,"balance_after":8.765432109"#), "{}", statement.text);
    assert_eq!(statement.json["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_statement_is_paged_and_filtered() {
    let books = Books::open().await;
    for amount in ["1", "2", "3"] {
        books.top_up(amount).await;
    }
    let path = format!("/admin/accounts/{}/transactions", books.first.account_id);
    let amounts = |answer: &Value| answer["data"].as_array().unwrap().iter().map(|item| item["amount"].to_string()).collect::<Vec<_>>();
    let first = books.get(&format!("{path}?limit=2"), books.platform()).await;
    let cursor = first.json["next_cursor"].as_str().unwrap();
    let rest = books.get(&format!("{path}?limit=2&cursor={cursor}"), books.platform()).await;
    assert_eq!(amounts(&first.json), ["3", "2"]);
    assert_eq!(amounts(&rest.json), ["1"]);
    assert!(amounts(&books.get(&format!("{path}?kind=usage,refund"), books.platform()).await.json).is_empty());
    for query in ["cursor=nonsense", "kind=gift", "limit=many"] {
        let refused = books.get(&format!("{path}?{query}"), books.platform()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}: {}", refused.text);
    }
}

#[tokio::test]
async fn activity_is_told_by_day_model_and_provider() {
    let books = Books::open().await;
    books.top_up("10").await;
    for _ in 0..2 {
        books.settle_request("acme/model-1", NanoUsd::from_nanos(1_000_001)).await;
    }
    // The opened account, the credit, two charges.
    books.projected(4).await;
    let today = schemas::Timestamp::now().day();
    let answer = books.get(&format!("/activity?date={today}"), books.platform()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let rows = answer.json["data"].as_array().unwrap();
    assert_eq!(rows.len(), 1, "{}", answer.text);
    assert_eq!((&rows[0]["model"], &rows[0]["provider_name"]), (&json!("acme/model-1"), &json!("OpenAI")));
    assert_eq!((&rows[0]["requests"], &rows[0]["prompt_tokens"], &rows[0]["completion_tokens"]), (&json!(2), &json!(40), &json!(20)));
    assert!(answer.text.contains(r#""usage":0.002000002"#), "{}", answer.text);
    assert_eq!(books.get("/activity", books.platform()).await.json["data"], json!([]), "only completed days without a date");
    let other_key = books.post("/keys", books.platform(), json!({ "name": "unused" })).await;
    let hash = other_key.json["data"]["hash"].as_str().unwrap();
    let filtered = books.get(&format!("/activity?date={today}&api_key_hash={hash}"), books.platform()).await;
    assert_eq!(filtered.json["data"], json!([]));
    for query in ["date=2020-01-01", "date=soon", "api_key_hash=xyz"] {
        assert_eq!(books.get(&format!("/activity?{query}"), books.platform()).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
}
