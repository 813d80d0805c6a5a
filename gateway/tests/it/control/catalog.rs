//! The public catalog.

use axum::body::Body;
use gateway::control::store::Act;
use http::{Request, StatusCode};
use schemas::{NanoUsd, Timestamp};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{channel, channel_json};
use crate::books::Books;

async fn with_channel(books: &Books, change: impl FnOnce(&mut Value)) {
    let mut channel = channel_json("main");
    change(&mut channel);
    let made = books.post("/admin/channels", books.platform(), channel).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
}

fn ids(answer: &Value) -> Vec<String> {
    answer["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_model_is_shown_in_openrouters_shape() {
    let books = Books::open().await;
    with_channel(&books, |channel| {
        channel["provider_name"] = json!("Acme Cloud");
        channel["models"][0]["created"] = json!(1_700_000_000);
        channel["models"][0]["input_modalities"] = json!(["text", "image"]);
        channel["models"][0]["price"]["tiers"] = json!([{ "above_prompt_tokens": 200_000, "prompt": "0.30" }]);
        channel["models"][0]["price"]["request"] = json!("0.001");
    })
    .await;
    let answer = books.get("/models", "").await;
    assert_eq!(answer.headers["cache-control"], "public, max-age=120, stale-while-revalidate=3600, stale-if-error=3600");
    let vary: Vec<&str> = answer.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.contains(&"anthropic-version"), "a cache must not give it to Anthropic's clients: {vary:?}");
    assert_eq!((&answer.json["total_count"], &answer.json["links"]["next"]), (&json!(1), &Value::Null));
    let model = &answer.json["data"][0];
    assert_eq!(
        (&model["id"], &model["context_length"], &model["created"]),
        (&json!("acme/model-1"), &json!(128_000), &json!(1_700_000_000))
    );
    assert_eq!(model["architecture"]["modality"], "text+image->text");
    assert_eq!(model["top_provider"], json!({ "context_length": 128_000, "max_completion_tokens": 4_096, "is_moderated": false }));
    let expected = json!({
        "prompt": "0.00000015", "completion": "0.0000006", "request": "0.001", "image": "0",
        "input_cache_read": "0.000000075", "discount": 0,
        "overrides": [{ "min_prompt_tokens": 200_000, "prompt": "0.0000003" }],
    });
    assert_eq!(model["pricing"], expected);
    assert_eq!(books.get("/model/acme/model-1", "").await.json["data"], *model);
    assert_eq!(books.get("/models/count", "").await.json, json!({ "data": { "count": 1 } }));
    let providers = books.get("/providers", "").await;
    assert_eq!((&providers.json["data"][0]["name"], &providers.json["data"][0]["slug"]), (&json!("Acme Cloud"), &json!("acme-cloud")));
    assert!(!answer.text.contains("0.0000001\""), "what the provider charges us is not shown: {}", answer.text);
}

#[tokio::test]
async fn a_catalog_comes_compressed_to_who_can_read_that() {
    let books = Books::open().await;
    with_channel(&books, |_| ()).await;
    let request = Request::get("/api/v1/models").header("accept-encoding", "gzip").body(Body::empty()).unwrap();
    let answer = books.router.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert!(answer.headers().get_all("vary").iter().any(|names| names.to_str().unwrap().contains("accept-encoding")));
    assert!(!books.get("/models", "").await.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn endpoints_tell_their_speed_to_callers_with_a_key() {
    let books = Books::open().await;
    // Not over HTTP: that answer would compute the figures, and they are kept for a while.
    let act = Act::new("tester", Timestamp::now());
    books.services.control.create_channel(&act, channel("main")).await.unwrap();
    books.services.announce().await;
    books.top_up("10").await;
    books.settle_request("acme/model-1", NanoUsd::from_nanos(4_567)).await;
    books.projected(4).await;
    let path = "/models/acme/model-1/endpoints";
    let known = books.get(path, books.inference()).await;
    assert_eq!(known.status, StatusCode::OK, "{}", known.text);
    let endpoint = &known.json["data"]["endpoints"][0];
    assert_eq!((&endpoint["provider_name"], &endpoint["tag"], &endpoint["status"]), (&json!("main"), &json!("main"), &json!(0)));
    assert_eq!((&endpoint["quantization"], &endpoint["pricing"]["prompt"]), (&json!("unknown"), &json!("0.00000015")));
    assert!(endpoint["latency_last_30m"]["p50"].as_f64().unwrap() > 100.0, "{endpoint}");
    let unknown = books.get(path, "").await;
    assert_eq!(unknown.json["data"]["endpoints"][0]["latency_last_30m"], Value::Null);
    let missing = books.get("/models/acme/other/endpoints", "").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(!missing.headers.contains_key("cache-control"), "an error is not to be kept");
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let books = Books::open().await;
    with_channel(&books, |channel| {
        channel["region"] = json!("eu");
        channel["models"] = json!([
            { "id": "acme/cheap", "price": { "prompt": "0.1", "completion": "1" }, "context_length": 8_000, "created": 300,
              "tokenizer": "GPT" },
            { "id": "acme/dear", "price": { "prompt": "10", "completion": "30" }, "context_length": 200_000, "created": 200,
              "supported_parameters": ["tools", "max_tokens"] },
            { "id": "other/gift:free", "price": "free", "created": 100, "input_modalities": ["text", "image"] },
            { "id": "other/painter", "price": "free", "created": 50, "output_modalities": ["image"] },
            { "id": "other/off", "price": "free", "status": "disabled" },
        ]);
    })
    .await;
    let cases = [
        ("?foo=bar", vec!["acme/cheap", "acme/dear", "other/gift:free"]),
        ("?arch=gpt", vec!["acme/cheap"]),
        ("?arch=claude,other", vec!["acme/dear", "other/gift:free"]),
        ("?region=EU&q=acme", vec!["acme/cheap", "acme/dear"]),
        ("?region=us", vec![]),
        ("?distillable=true", vec![]),
        ("?distillable=false&q=gift", vec!["other/gift:free"]),
        ("?min_age_days=1&max_price=0", vec!["other/gift:free"]),
        ("?max_age_days=1", vec![]),
        ("", vec!["acme/cheap", "acme/dear", "other/gift:free"]),
        ("?output_modalities=all", vec!["acme/cheap", "acme/dear", "other/gift:free", "other/painter"]),
        ("?output_modalities=image", vec!["other/painter"]),
        ("?input_modalities=image", vec!["other/gift:free"]),
        ("?q=CHEAP", vec!["acme/cheap"]),
        ("?model_authors=other", vec!["other/gift:free"]),
        ("?providers=main&context=100000", vec!["acme/dear"]),
        ("?max_price=0.5&min_price=0.05", vec!["acme/cheap"]),
        ("?supported_parameters=logprobs", vec!["acme/cheap", "other/gift:free"]),
        ("?sort=pricing-low-to-high", vec!["other/gift:free", "acme/cheap", "acme/dear"]),
        ("?sort=pricing-high-to-low", vec!["acme/dear", "acme/cheap", "other/gift:free"]),
        ("?sort=context-high-to-low&limit=2", vec!["acme/dear", "acme/cheap"]),
        ("?sort=most-popular", vec!["acme/cheap", "acme/dear", "other/gift:free"]),
        // No request says yet how fast they are.
        ("?sort=throughput-high-to-low", vec!["acme/cheap", "acme/dear", "other/gift:free"]),
        ("?sort=latency-low-to-high", vec!["acme/cheap", "acme/dear", "other/gift:free"]),
        ("?sort=coding-high-to-low", vec!["acme/cheap", "acme/dear", "other/gift:free"]),
        ("?offset=2", vec!["other/gift:free"]),
        ("?offset=9", vec![]),
        ("?category=programming", vec![]),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&books.get(&format!("/models{query}"), "").await.json), expected, "{query}");
    }
    let page = books.get("/models?limit=1&output_modalities=all", "").await;
    let next = page.json["links"]["next"].as_str().unwrap();
    assert_eq!(next, "/api/v1/models?output_modalities=all&offset=1&limit=1");
    assert_eq!(ids(&books.get(next.strip_prefix("/api/v1").unwrap(), "").await.json), ["acme/dear"]);
    for query in ["sort=best", "limit=0", "limit=1001", "limit=x", "min_price=cheap", "distillable=maybe"] {
        let refused = books.get(&format!("/models?{query}"), "").await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
        assert_eq!(refused.json["error"]["metadata"]["error_type"], "invalid_request");
    }
}

#[tokio::test]
async fn endpoints_that_keep_nothing_are_listed() {
    let books = Books::open().await;
    with_channel(&books, |channel| {
        channel["models"].as_array_mut().unwrap().push(json!({ "id": "acme/model-2", "price": "free" }));
    })
    .await;
    assert_eq!(books.get("/endpoints/zdr", "").await.json["data"], json!([]));
    with_channel(&books, |channel| {
        channel["name"] = json!("discreet");
        channel["data_policy"] = json!({ "zdr": true });
    })
    .await;
    let listed = books.get("/endpoints/zdr", "").await.json["data"].as_array().unwrap().clone();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0]["model_id"], &listed[0]["provider_name"]), (&json!("acme/model-1"), &json!("discreet")));
}

#[tokio::test]
async fn a_key_with_allowed_models_sees_those() {
    let books = Books::open().await;
    with_channel(&books, |channel| {
        channel["models"].as_array_mut().unwrap().push(json!({ "id": "acme/model-2", "price": "free" }));
    })
    .await;
    let made = books.post("/keys", books.platform(), json!({ "name": "k", "allowed_models": ["acme/model-2"] })).await;
    let seen = books.get("/models/user", made.json["key"].as_str().unwrap()).await;
    assert_eq!(ids(&seen.json), ["acme/model-2"]);
    assert_eq!(seen.json["total_count"], 1);
}

#[tokio::test]
async fn anthropics_clients_page_by_ids() {
    let books = Books::open().await;
    with_channel(&books, |channel| {
        let model = channel["models"][0].clone();
        channel["models"] = (1..=5)
            .map(|number| {
                let mut model = model.clone();
                model["id"] = json!(format!("acme/model-{number}"));
                model
            })
            .collect();
    })
    .await;
    let page = async |query: &str| {
        let request = Request::get(format!("/api/v1/models{query}")).header("anthropic-version", "2023-06-01").body(Body::empty()).unwrap();
        books.ask(request).await.json
    };
    let all = ids(&page("").await);
    assert_eq!((all.len(), page("").await["has_more"].clone()), (5, json!(false)));
    let first = page("?limit=2").await;
    assert_eq!((ids(&first), &first["has_more"], &first["last_id"]), (all[..2].to_vec(), &json!(true), &json!(all[1])));
    let next = page(&format!("?limit=3&after_id={}", all[1])).await;
    assert_eq!((ids(&next), &next["has_more"]), (all[2..].to_vec(), &json!(false)));
    let before = page(&format!("?limit=2&before_id={}", all[3])).await;
    assert_eq!((ids(&before), &before["has_more"]), (all[1..3].to_vec(), &json!(true)));
    assert_eq!(page("?limit=0").await["error"]["param"], "limit");
    assert_eq!(page("?after_id=nobody").await["error"]["param"], "after_id");
    for refused in ["/models?sort=zz", "/models/count?sort=zz"] {
        assert_eq!(books.get(refused, "").await.status, StatusCode::BAD_REQUEST, "{refused}");
    }
    assert_eq!(books.get("/model/acme/model-1:nitro", "").await.status, StatusCode::OK);
    books.close().await;
}
