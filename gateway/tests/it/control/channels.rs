//! `/admin/channels`.

use gateway::control::store::Act;
use gateway::providers::AttemptError;
use gateway::routing::health::{Ending, observe};
use http::StatusCode;
use schemas::{NanoUsd, Timestamp};
use serde_json::{Value, json};

use super::{channel, channel_json};
use crate::books::Books;

#[tokio::test]
async fn a_channel_is_made_shown_changed_and_removed() {
    let books = Books::open().await;
    let made = books.post("/admin/channels", books.platform(), channel_json("main")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let data = &made.json["data"];
    assert_eq!((&data["managed_by"], &data["status"], &data["has_api_key"]), (&json!("api"), &json!("enabled"), &json!(true)));
    assert_eq!(data["models"][0]["price"], json!({ "prompt": "0.15", "completion": "0.6", "cache_read": "0.075" }));
    assert_eq!(data["models"][0]["cost"], json!({ "prompt": "0.1", "completion": "0.4" }));
    assert_eq!(data["health"]["status"], "unknown");
    assert_eq!(books.get("/models/count", "").await.json["data"]["count"], 1);

    let path = format!("/admin/channels/{}", data["id"].as_str().unwrap());
    let version = || books.services.control.catalog().model("acme/model-1").unwrap().endpoints[0].price.id.clone();
    let first_version = version();
    let changed = books.patch(&path, books.platform(), json!({ "weight": 7, "base_url": "http://127.0.0.1:10/v1" })).await;
    assert_eq!((changed.status, &changed.json["data"]["weight"]), (StatusCode::OK, &json!(7)), "{}", changed.text);
    assert_eq!(changed.json["data"]["has_api_key"], true, "a change without a key keeps the key");
    assert_eq!(version(), first_version);
    let catalog = books.services.control.catalog_full();
    assert_eq!(catalog.channels()[0].keys[0].secret.expose(), "sk-upstream-very-secret");

    let models = json!([{ "id": "acme/model-1", "price": { "prompt": 0.2, "completion": "0.60" } }]);
    let changed = books.patch(&path, books.platform(), json!({ "models": models })).await;
    assert_eq!(changed.json["data"]["models"][0]["price"]["prompt"], "0.2");
    assert_ne!(version(), first_version, "a changed price is a new version");
    assert!(books.services.control.store().due_announcements().await.unwrap().is_empty());

    let disabled = books.patch(&path, books.platform(), json!({ "status": "disabled" })).await;
    assert_eq!(disabled.json["data"]["health"]["status"], "disabled");
    assert_eq!(books.get("/models/count", "").await.json["data"]["count"], 0);
    assert_eq!(books.get("/admin/channels", books.platform()).await.json["data"].as_array().unwrap().len(), 1);

    assert_eq!(books.delete(&path, books.platform()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(books.get(&path, books.platform()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(books.get("/admin/channels", books.platform()).await.json, json!({ "data": [], "next_cursor": null }));
}

#[tokio::test]
async fn what_cannot_be_a_channel_is_refused_and_names_the_field() {
    let books = Books::open().await;
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 8] = [
        (|channel| channel["provider"] = json!("antropic"), "provider"),
        (|channel| channel["base_url"] = json!("nowhere"), "base_url"),
        (|channel| channel["models"][0]["price"] = Value::Null, "models[0].price"),
        (|channel| channel["models"][0]["price"] = json!({ "prompt": "0.1" }), "completion"),
        (|channel| channel["models"][0]["price"]["prompts"] = json!("1"), "prompts"),
        (|channel| channel["models"][0]["context"] = json!(1), "models[0].context"),
        (|channel| channel["api_key"] = json!("file:/etc/passwd"), "api_key"),
        (|channel| channel["api_key"] = json!("env:TOLLGATE_SECRET_KEY"), "api_key"),
    ];
    for (change, field) in cases {
        let mut body = channel_json("main");
        change(&mut body);
        let refused = books.post("/admin/channels", books.platform(), body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {}", refused.text);
        assert!(refused.json["error"]["message"].as_str().unwrap().contains(field), "{field}: {}", refused.text);
        assert!(!refused.text.contains("very-secret"), "{}", refused.text);
    }
    let made = books.post("/admin/channels", books.platform(), channel_json("main")).await;
    assert_eq!(books.post("/admin/channels", books.platform(), channel_json("main")).await.status, StatusCode::CONFLICT);
    let path = format!("/admin/channels/{}", made.json["data"]["id"].as_str().unwrap());
    for (change, field) in [(json!({ "colour": 1 }), "colour"), (json!({ "weight": 0 }), "weight"), (json!({ "models": null }), "models")] {
        let refused = books.patch(&path, books.platform(), change).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
        assert!(refused.json["error"]["message"].as_str().unwrap().contains(field), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_channel_of_the_file_is_read_only() {
    let books = Books::open().await;
    let act = Act::new("file", Timestamp::now());
    books.services.control.apply_file_channels(&act, &[channel("from-file")]).await.unwrap();
    let listed = books.get("/admin/channels", books.platform()).await;
    assert_eq!(listed.json["data"][0]["managed_by"], "file");
    let path = format!("/admin/channels/{}", listed.json["data"][0]["id"].as_str().unwrap());
    for answer in [books.patch(&path, books.platform(), json!({ "weight": 1 })).await, books.delete(&path, books.platform()).await] {
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(answer.json["error"]["message"].as_str().unwrap().contains("configuration file"), "{}", answer.text);
    }
}

#[tokio::test]
async fn health_counts_the_attempts_of_the_last_half_hour() {
    let books = Books::open().await;
    let made = books.post("/admin/channels", books.platform(), channel_json("main")).await;
    let path = format!("/admin/channels/{}/health", made.json["data"]["id"].as_str().unwrap());
    books.top_up("10").await;
    let endpoint = books.services.control.catalog().model("acme/model-1").unwrap().endpoints[0].clone();
    for _ in 0..3 {
        books.settle_request("acme/model-1", NanoUsd::from_nanos(1_000_000)).await;
        let now = Timestamp::now();
        observe::failed(&endpoint, 0, &AttemptError::broken("the provider could not be reached"), now);
        let ending = Ending::Succeeded { latency_ms: 900, output_tokens: 50, generation_ms: 1_000 };
        observe::succeeded(&endpoint, ending, Some(120), now);
    }
    // The opened account, the price, the credit, three charges.
    books.projected(6).await;
    let answer = books.get(&path, books.platform()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let data = &answer.json["data"];
    assert_eq!((&data["name"], &data["status"]), (&json!("main"), &json!("unhealthy")), "{}", answer.text);
    let counts = [&data["last_30m"]["success"], &data["last_30m"]["error"], &data["last_30m"]["success_rate"]];
    assert_eq!(counts, [&json!(3), &json!(3), &json!(0.5)]);
    assert_eq!((&data["last_5m"]["average_time_to_first_token_ms"], &data["last_5m"]["throughput"]), (&json!(120.0), &json!(50.0)));
    assert_eq!((&data["models"][0]["id"], &data["models"][0]["last_1d"]["success"]), (&json!("acme/model-1"), &json!(3)));
    assert!(data["models"][0]["latency_last_30m"]["p50"].is_number());
}
