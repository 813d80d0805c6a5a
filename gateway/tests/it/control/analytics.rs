//! `/analytics` and `/datasets`: what is told of them, and that every mistake is answered with the name of its field. What
//! they add up to is compared with other computations in `projector/tests/it/usage.rs` and `tests/statistics`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::books::Books;

fn question(more: Value) -> Value {
    let mut body = json!({ "metrics": ["total_usage", "request_count"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn everything_that_meta_names_can_be_asked_for() {
    let books = Books::open().await;
    let meta = books.get("/analytics/meta", books.platform()).await.json["data"].clone();
    let names = |list: &str| -> Vec<String> {
        meta[list].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    for metric in names("metrics") {
        for granularity in names("granularities") {
            let body = json!({ "metrics": [metric], "granularity": granularity, "order_by": { "field": metric } });
            let answer = books.post("/analytics/query", books.platform(), body).await;
            assert_eq!((answer.status, &answer.json["data"]["data"]), (StatusCode::OK, &json!([])), "{}", answer.text);
        }
    }
    for dimension in names("dimensions") {
        for operator in meta["operators"].as_array().unwrap() {
            let value = if operator["value_type"] == "array" { json!(["a", "b"]) } else { json!("a") };
            let filter = json!({ "field": dimension, "operator": operator["name"], "value": value });
            let body = question(json!({ "dimensions": [dimension], "filters": [filter] }));
            let answer = books.post("/analytics/query", books.platform(), body).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
            assert_eq!(answer.json["data"]["metadata"]["row_count"], 0);
        }
    }
}

#[tokio::test]
async fn channels_and_accounts_are_not_told_apart_for_an_account() {
    let books = Books::open().await;
    let account = books.post("/admin/accounts", books.platform(), json!({ "name": "other" })).await.json["data"]["id"].clone();
    let body = json!({ "name": "theirs", "kind": "management", "account_id": account });
    let key = books.post("/keys", books.platform(), body).await.json["key"].as_str().unwrap().to_owned();
    let meta = books.get("/analytics/meta", &key).await;
    assert!(!meta.text.contains("channel") && !meta.text.contains("account_id") && meta.text.contains("model"), "{}", meta.text);
    for dimension in ["channel", "account_id"] {
        let answer = books.post("/analytics/query", &key, question(json!({ "dimensions": [dimension] }))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text);
    }
}

#[tokio::test]
async fn bad_questions_name_their_field_and_are_never_asked() {
    let books = Books::open().await;
    let filter = |filter: Value| json!({ "filters": [filter] });
    let many: Vec<Value> = (0..21).map(|_| json!({ "field": "model", "operator": "eq", "value": "a" })).collect();
    let values: Vec<String> = (0..101).map(|number| number.to_string()).collect();
    let range = |start: &str, end: &str| json!({ "time_range": { "start": start, "end": end } });
    for (body, field) in [
        (json!({}), "metrics"),
        (json!({ "metrics": [] }), "metrics"),
        (json!({ "metrics": ["fame"] }), "metrics[0]"),
        (json!({ "metrics": ["total_usage", "total_usage"] }), "metrics[1]"),
        (question(json!({ "dimensions": ["user"] })), "dimensions[0]"),
        (question(json!({ "dimensions": ["model", "app", "author"] })), "dimensions"),
        (question(json!({ "granularity": "minute" })), "granularity"),
        (question(range("2026-11-02T00:00:00Z", "2026-11-01T00:00:00Z")), "time_range.end"),
        (question(range("2020-01-01T00:00:00Z", "2026-11-01T00:00:00Z")), "time_range"),
        (question(range("yesterday", "2026-11-01T00:00:00Z")), "time_range.start"),
        (
            question(json!({ "granularity": "hour", "time_range": { "start": "2026-01-01T00:00:00Z", "end": "2026-03-01T00:00:00Z" } })),
            "time_range",
        ),
        (question(json!({ "filters": many })), "filters"),
        (question(filter(json!({ "field": "mood", "operator": "eq", "value": "a" }))), "filters[0].field"),
        (question(filter(json!({ "field": "model", "operator": "gt", "value": "a" }))), "filters[0].operator"),
        (question(filter(json!({ "field": "model", "operator": "in", "value": "a" }))), "filters[0].value"),
        (question(filter(json!({ "field": "model", "operator": "eq", "value": ["a"] }))), "filters[0].value"),
        (question(filter(json!({ "field": "model", "operator": "in", "value": values }))), "filters[0].value"),
        (question(filter(json!({ "field": "model", "operator": "in", "value": [] }))), "filters[0].value"),
        (question(filter(json!({ "field": "model", "operator": "eq", "value": "a\u{0}" }))), "filters[0].value"),
        (question(filter(json!({ "field": "app", "operator": "eq", "value": "a", "include_unset": true }))), "filters[0].include_unset"),
        (question(json!({ "order_by": { "field": "date" } })), "order_by.field"),
        (question(json!({ "limit": 0 })), "limit"),
        (question(json!({ "limit": 10_001 })), "limit"),
        (question(json!({ "group_limit": 0 })), "group_limit"),
        (question(json!({ "classifier_dimensions": {} })), "classifier_dimensions"),
    ] {
        let answer = books.post("/analytics/query", books.platform(), body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.text);
        assert!(answer.json["error"]["message"].as_str().unwrap().contains(field), "{body}: {}", answer.text);
    }
    for (path, field) in [
        ("/datasets/rankings-daily?start_date=2026-11-02&end_date=2026-11-01", "start_date"),
        ("/datasets/rankings-daily?start_date=2020-01-01&end_date=2026-11-01", "start_date"),
        ("/datasets/rankings-daily?end_date=soon", "end_date"),
        ("/datasets/rankings-daily?period=year", "period"),
        ("/datasets/rankings-daily?modality=smell", "modality"),
        ("/datasets/rankings-daily?category=legal", "category"),
        ("/datasets/app-rankings?sort=fame", "sort"),
        ("/datasets/app-rankings?limit=0", "limit"),
        ("/datasets/app-rankings?limit=101", "limit"),
        ("/datasets/app-rankings?offset=101", "offset"),
        ("/datasets/app-rankings?subcategory=cli-agent", "subcategory"),
        ("/activity?group_by=workspace", "group_by"),
        ("/activity?user_id=u", "user_id"),
    ] {
        let answer = books.get(path, books.platform()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.text);
        assert!(answer.text.contains(field), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn an_unknown_key_in_a_filter_is_a_warning_and_matches_nothing() {
    let books = Books::open().await;
    let filter = json!({ "field": "api_key_id", "operator": "eq", "value": "ab".repeat(32) });
    let answer = books.post("/analytics/query", books.platform(), question(json!({ "filters": [filter] }))).await;
    assert_eq!((answer.status, &answer.json["data"]["data"]), (StatusCode::OK, &json!([])), "{}", answer.text);
    assert!(answer.json["data"]["warnings"][0].as_str().unwrap().contains("filters[0].value"), "{}", answer.text);
}
