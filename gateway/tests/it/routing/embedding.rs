//! Embeddings take chat's way: what is held, what is billed, what another endpoint mends, what is refused and by whom.

use std::time::Duration;

use gateway::control::catalog::Endpoint;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, Gateway, MODEL, PATIENCE, channel, with};

const EMBEDDER: &str = "acme/embed-1";
/// Of what the mock says an answer used.
const PROMPT_TOKENS: u64 = 1_237;
/// 1,237 × $0.123457 a million, rounded half to even.
const ANSWER_NANOS: i64 = 152_716;

/// A channel with a model that embeds, whose upstream does what a script says.
fn embedder(name: &str, priority: i32, script: &str) -> Value {
    let upstream = format!("mock?prompt_tokens={PROMPT_TOKENS}&{script}");
    with(
        channel(name, priority, ""),
        json!({ "models": [{
            "id": EMBEDDER, "upstream": upstream, "context_length": 8192, "output_modalities": ["embeddings"],
            "price": { "prompt": "0.123457", "completion": "0" }, "cost": { "prompt": "0.1", "completion": "0" },
        }] }),
    )
}

async fn embed(gateway: &Gateway, more: Value) -> Answer {
    let mut body = json!({ "model": EMBEDDER, "input": "The ledger is a fold of the log." });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    gateway.send("/v1/embeddings", gateway.books.inference(), &[("x-openrouter-metadata", "enabled")], &body).await
}

async fn account(gateway: &Gateway) -> Value {
    let path = format!("/admin/accounts/{}", gateway.books.first.account_id);
    gateway.books.get(&path, gateway.books.platform()).await.json["data"].clone()
}

#[tokio::test]
async fn an_answer_is_relayed_and_billed_to_the_nano_dollar() {
    let gateway = Gateway::open(vec![embedder("main", 0, "")]).await;
    let answer = embed(&gateway, json!({ "input": ["one", "two", "three"], "dimensions": 3, "user": "u" })).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let told = &answer.json;
    let data = r#""data":[{"object":"embedding","index":0,"embedding":[0,-0.3125,-0.125]},{"object":"embedding","index":1,"embedding":[1,"#;
    assert!(answer.text.starts_with(&format!(r#"{{"object":"list",{data}"#)), "{}", answer.text);
    assert_eq!((told["data"].as_array().unwrap().len(), &told["model"], &told["provider"]), (3, &json!(EMBEDDER), &json!("main")));
    assert_eq!(told["id"], answer.headers["x-generation-id"].to_str().unwrap());
    let usage = json!({
        "prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS, "cost": 0.000152716, "is_byok": false,
        "cost_details": {
            "upstream_inference_cost": 0.000152716, "upstream_inference_prompt_cost": 0.000152716, "upstream_inference_completions_cost": 0,
        },
    });
    assert_eq!(told["usage"], usage, "{}", answer.text);
    assert_eq!(answer.served_by(), "main");
    let generation = gateway.books.get(&format!("/generation?id={}", told["id"].as_str().unwrap()), gateway.books.inference()).await;
    let record = &generation.json["data"];
    assert_eq!((&record["api_type"], &record["streamed"], &record["model"]), (&json!("embeddings"), &json!(false), &json!(EMBEDDER)));
    assert_eq!((&record["native_tokens_prompt"], &record["native_tokens_completion"]), (&json!(PROMPT_TOKENS), &json!(0)));
    assert_eq!((&record["total_cost"], &record["usage_source"]), (&json!(0.000152716), &json!("provider")));
    assert_eq!(gateway.booked_requests().await, [("usage.settled".to_owned(), -ANSWER_NANOS, Some(123_700))]);
    let account = account(&gateway).await;
    assert_eq!((&account["balance"], &account["held"]), (&json!(9.999847284), &json!(0)));
    gateway.close().await;
}

#[tokio::test]
async fn vectors_come_in_the_form_that_was_asked_for() {
    let gateway = Gateway::open(vec![embedder("asked", 0, ""), embedder("floats", 1, "encoding=float")]).await;
    let of = async |channel: &str, format: &str| {
        let more = json!({ "encoding_format": format, "dimensions": 2, "provider": { "only": [channel] } });
        embed(&gateway, more).await.json["data"][0]["embedding"].clone()
    };
    // 0 and -0.3125.
    let (base64, floats) = (json!("AAAAAAAAoL4="), json!([0, -0.3125]));
    for channel in ["asked", "floats"] {
        assert_eq!((of(channel, "base64").await, of(channel, "float").await), (base64.clone(), floats.clone()), "{channel}");
    }
    gateway.close().await;
}

#[tokio::test]
async fn what_nobody_reports_is_counted_here_and_tokens_exactly() {
    let gateway = Gateway::open(vec![embedder("main", 0, "usage=absent")]).await;
    let tokens = embed(&gateway, json!({ "input": [[1, 2, 3], [4, 5]] })).await;
    assert_eq!((&tokens.json["usage"]["prompt_tokens"], tokens.json["data"].as_array().unwrap().len()), (&json!(5), 2), "{}", tokens.text);
    let text = embed(&gateway, json!({ "input": "Hello world" })).await;
    assert_eq!(text.json["usage"]["prompt_tokens"], 2, "{}", text.text);
    let id = text.json["id"].as_str().unwrap();
    let record = gateway.books.get(&format!("/generation?id={id}"), gateway.books.inference()).await;
    assert_eq!((&record.json["data"]["usage_source"], &record.json["data"]["total_cost"]), (&json!("estimate"), &json!(0.000000247)));
    gateway.offer(vec![embedder("main", 0, "prompt_tokens=0")]).await;
    assert_eq!(embed(&gateway, json!({ "input": [7, 8, 9] })).await.json["usage"]["prompt_tokens"], 3, "a zero is no report");
    gateway.close().await;
}

#[tokio::test]
async fn what_fails_is_mended_by_the_next_endpoint_and_told_apart_from_a_bad_request() {
    for (script, outcome) in [
        ("status=503", "provider_overloaded"),
        ("status=429", "rate_limit_exceeded"),
        ("status=500", "provider_unavailable"),
        ("vectors=1", "provider_unavailable"),
        ("vectors=0", "provider_unavailable"),
        ("fault=bad_json", "provider_unavailable"),
        ("fault=html", "provider_unavailable"),
        ("cut=close&cut_bytes=20", "provider_unavailable"),
    ] {
        let gateway = Gateway::open(vec![embedder("first", 0, script), embedder("second", 1, "")]).await;
        let answer = embed(&gateway, json!({ "input": ["a", "b"] })).await;
        assert_eq!(answer.served_by(), "second", "{script}");
        assert_eq!(answer.attempts()[0], ("first".to_owned(), outcome.to_owned()), "{script}");
        assert_eq!(gateway.booked_requests().await, [("usage.settled".to_owned(), -ANSWER_NANOS, Some(123_700))], "{script}");
        gateway.close().await;
    }
    let gateway = Gateway::open(vec![embedder("first", 0, "status=400&message=too+long"), embedder("second", 1, "")]).await;
    let refused = embed(&gateway, json!({})).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    assert!(refused.error()["message"].as_str().unwrap().contains("too long"), "{}", refused.text);
    assert_eq!(gateway.booked_requests().await, [("usage.released".to_owned(), 0, None)]);
    gateway.close().await;
}

#[tokio::test]
async fn what_can_not_be_read_is_refused_before_anything_is_held() {
    let gateway = Gateway::open(vec![embedder("main", 0, "")]).await;
    for (more, param, words) in [
        (json!({ "input": "" }), "input", "empty"),
        (json!({ "input": [] }), "input", "empty"),
        (json!({ "input": null }), "input", "required"),
        (json!({ "input": ["a", ""] }), "input", "input[1]"),
        (json!({ "input": [["a"]] }), "input", "input[0][0]"),
        (json!({ "input": 7 }), "input", "must be a string"),
        (json!({ "encoding_format": "int8" }), "encoding_format", "base64"),
        (json!({ "dimensions": -1 }), "dimensions", "positive"),
        (json!({ "model": 7 }), "model", "string"),
        (json!({ "model": "acme/none" }), "model", "not a valid model"),
        (json!({ "provider": [] }), "provider", "object"),
    ] {
        let refused = embed(&gateway, more.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{more}: {}", refused.text);
        assert_eq!(refused.error()["param"], param, "{more}: {}", refused.text);
        assert!(refused.error()["message"].as_str().unwrap().contains(words), "{more}: {}", refused.text);
        assert!(!refused.headers.contains_key("x-generation-id"), "{more}");
    }
    assert_eq!((gateway.upstream_count("requests").await, account(&gateway).await["held"].clone()), (0, json!(0)));
    gateway.close().await;
}

#[tokio::test]
async fn a_model_is_asked_for_what_it_makes() {
    let chat = with(channel("chat", 0, ""), json!({ "models": [{ "id": MODEL, "price": { "prompt": "1", "completion": "2" } }] }));
    let gateway = Gateway::open(vec![chat, embedder("main", 0, "")]).await;
    let refused = embed(&gateway, json!({ "model": MODEL })).await;
    assert_eq!((refused.status, &refused.error()["param"]), (StatusCode::BAD_REQUEST, &json!("model")), "{}", refused.text);
    assert!(refused.error()["message"].as_str().unwrap().contains("/embeddings/models"), "{}", refused.text);
    let hello = json!([{ "role": "user", "content": "hi" }]);
    for (path, body) in [
        ("/v1/chat/completions", json!({ "model": EMBEDDER, "messages": hello })),
        ("/v1/messages", json!({ "model": EMBEDDER, "max_tokens": 9, "messages": hello })),
        ("/v1/responses", json!({ "model": EMBEDDER, "input": "hi" })),
    ] {
        let refused = gateway.send(path, gateway.books.inference(), &[], &body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path}: {}", refused.text);
        assert!(refused.error()["message"].as_str().unwrap().contains("/api/v1/embeddings"), "{path}: {}", refused.text);
    }
    assert_eq!(gateway.upstream_count("requests").await, 0);
    // Of several models those are asked that can.
    let answered = embed(&gateway, json!({ "models": [MODEL, EMBEDDER], "model": MODEL })).await;
    assert_eq!((answered.status, &answered.json["model"]), (StatusCode::OK, &json!(EMBEDDER)), "{}", answered.text);
    let explained = json!({ "request": { "model": MODEL, "models": [EMBEDDER], "input": "hi" } });
    let route = gateway.books.post("/admin/route/explain", gateway.books.platform(), explained).await;
    let told = route.json["data"]["endpoints"].as_array().unwrap();
    assert_eq!((&told[0]["step"], &told[0]["setting"]), (&json!("modality"), &json!("its output_modalities")), "{}", route.text);
    assert_eq!(route.json["data"]["order"][0]["model"], EMBEDDER, "{}", route.text);
    let by_name = json!({ "request": { "model": EMBEDDER } });
    let route = gateway.books.post("/admin/route/explain", gateway.books.platform(), by_name).await;
    assert_eq!(route.json["data"]["order"][0]["channel"], "main", "{}", route.text);
    gateway.close().await;
}

#[tokio::test]
async fn lists_have_models_by_what_they_make() {
    let gateway = Gateway::open(vec![channel("chat", 0, ""), embedder("main", 0, "")]).await;
    let listed = async |path: &str| {
        let answer = gateway.books.get(path, "").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        let ids = answer.json["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned());
        let mut ids: Vec<String> = ids.collect();
        ids.sort();
        ids
    };
    assert_eq!(listed("/models").await, [MODEL]);
    assert_eq!(listed("/models?output_modalities=embeddings").await, [EMBEDDER]);
    assert_eq!(listed("/models?output_modalities=all").await, [EMBEDDER, MODEL]);
    assert_eq!(listed("/embeddings/models").await, [EMBEDDER]);
    let model = gateway.books.get("/embeddings/models", "").await.json["data"][0].clone();
    assert_eq!(model["architecture"]["modality"], "text->embeddings");
    assert_eq!((&model["pricing"]["prompt"], &model["pricing"]["completion"]), (&json!("0.000000123457"), &json!("0")));
    assert_eq!((&model["supported_parameters"], &model["context_length"]), (&json!([]), &json!(8192)));
    gateway.close().await;
}

#[tokio::test]
async fn a_hold_covers_the_prompt_and_a_balance_that_does_not_is_told() {
    let gateway = Gateway::open(vec![embedder("main", 0, "")]).await;
    let key = gateway.books.post("/keys", gateway.books.platform(), json!({ "name": "small", "limit": 0.000001 })).await;
    let key = key.json["key"].as_str().unwrap().to_owned();
    // Nine tokens are 1,112 nano-dollars at most: more than the key's 1,000. Eight are 988.
    let ask = async |tokens: usize| {
        let body = json!({ "model": EMBEDDER, "input": vec![7; tokens] });
        gateway.send("/v1/embeddings", &key, &[], &body).await.status
    };
    assert_eq!(ask(9).await, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(gateway.upstream_count("requests").await, 0);
    assert_eq!(ask(8).await, StatusCode::OK);
    gateway.close().await;
}

#[tokio::test]
async fn each_of_many_texts_has_the_whole_context() {
    let gateway = Gateway::open(vec![embedder("main", 0, "prompt_tokens=14000")]).await;
    let many = embed(&gateway, json!({ "input": [vec![1; 7_000], vec![2; 7_000]] })).await;
    assert_eq!((many.status, &many.json["usage"]["prompt_tokens"]), (StatusCode::OK, &json!(14_000)), "{}", many.text);
    let long = embed(&gateway, json!({ "input": [vec![1; 8_193]] })).await;
    assert_eq!((long.status, &long.error()["metadata"]["error_type"]), (StatusCode::BAD_REQUEST, &json!("context_length_exceeded")));
    gateway.offer(vec![embedder("main", 0, "prompt_tokens=900000000")]).await;
    let absurd = embed(&gateway, json!({ "input": "hi" })).await;
    assert_eq!(absurd.json["usage"]["prompt_tokens"], 8_192, "no more than the context of one text");
    gateway.close().await;
}

#[tokio::test]
async fn a_word_stands_for_one_request() {
    let gateway = Gateway::open(vec![embedder("main", 0, "")]).await;
    let body = json!({ "model": EMBEDDER, "input": "once" });
    let ask = async || gateway.send("/api/v1/embeddings", gateway.books.inference(), &[("idempotency-key", "one")], &body).await;
    let (first, again) = (ask().await, ask().await);
    assert_eq!((first.status, again.status), (StatusCode::OK, StatusCode::CONFLICT), "{}", again.text);
    assert_eq!(again.error()["metadata"]["generation_id"], first.json["id"], "{}", again.text);
    assert_eq!(gateway.booked_requests().await.len(), 1);
    gateway.close().await;
}

#[tokio::test]
async fn what_openrouter_says_it_cost_is_what_it_cost_us() {
    let usage = "usage_json=%7B%22prompt_tokens%22%3A9%2C%22total_tokens%22%3A9%2C%22cost%22%3A0.0000071%7D";
    let gateway = Gateway::open(vec![with(embedder("main", 0, usage), json!({ "provider": "openrouter" }))]).await;
    let answer = embed(&gateway, json!({})).await;
    assert_eq!(answer.json["usage"]["cost"], json!(0.000001111), "{}", answer.text);
    assert_eq!(gateway.booked_requests().await, [("usage.settled".to_owned(), -1_111, Some(7_100))]);
    gateway.close().await;
}

#[tokio::test]
async fn who_leaves_pays_for_what_was_made() {
    let gateway = Gateway::open(vec![embedder("main", 0, "first_byte_ms=300")]).await;
    assert!(tokio::time::timeout(Duration::from_millis(100), embed(&gateway, json!({}))).await.is_err());
    let booked = tokio::time::timeout(PATIENCE, gateway.booked_requests()).await.unwrap();
    assert_eq!(booked, [("usage.settled".to_owned(), -ANSWER_NANOS, Some(123_700))]);
    gateway.close().await;
}

#[tokio::test]
async fn a_channel_that_only_embeds_is_tested_and_checked_by_an_embedding() {
    let gateway = Gateway::open(vec![embedder("main", 0, "")]).await;
    let channels = gateway.books.get("/admin/channels", gateway.books.platform()).await;
    let id = channels.json["data"][0]["id"].as_str().unwrap().to_owned();
    let tested = gateway.books.send(Method::POST, &format!("/admin/channels/{id}/test"), gateway.books.platform(), None).await;
    let probe = &tested.json["data"];
    assert_eq!((&probe["ok"], &probe["answer"]), (&json!(true), &json!("an embedding of 4 dimensions")), "{}", tested.text);
    assert_eq!((&probe["charge"], &probe["cost"]), (&json!(0.000152716), &json!(0.0001237)), "{}", tested.text);
    let endpoint = gateway.books.services.control.catalog_full().model(EMBEDDER).unwrap().endpoints[0].clone();
    gateway::checks::check(&gateway.app, &endpoint).await;
    assert!(checked_well(&endpoint));
    assert_eq!(gateway.upstream_count("requests").await, 2);
    gateway.close().await;
}

fn checked_well(endpoint: &Endpoint) -> bool {
    endpoint.channel.state.last_check_at().is_some() && endpoint.state.breaker.lets_through(schemas::Timestamp::now())
}
