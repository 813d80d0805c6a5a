//! What `error.availability` tells programs: the cause where one is known, what it is known by, and nothing anywhere else.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Gateway, MODEL, channel, rules, with};

/// The error's status and its availability, which must agree with the header and lead to a page that is there.
fn told(answer: &Answer) -> (u16, Value) {
    let availability = &answer.error()["availability"];
    assert!(availability.is_object(), "{}", answer.text);
    let code = availability["code"].as_str().unwrap();
    assert_eq!(availability["docs_url"], format!("/docs/errors#{code}"));
    let header = answer.headers.get("retry-after").map(|seconds| seconds.to_str().unwrap().parse::<u64>().unwrap());
    assert_eq!(availability.get("retry_after").and_then(Value::as_u64), header, "{}", answer.text);
    assert_eq!(availability["retryable"], json!(matches!(answer.status.as_u16(), 429 | 503)), "{}", answer.text);
    (answer.status.as_u16(), availability.clone())
}

/// The same without what every one of them has.
fn told_apart(answer: &Answer) -> (u16, Value) {
    let (status, mut availability) = told(answer);
    let members = availability.as_object_mut().unwrap();
    ["docs_url", "retryable", "retry_after"].iter().for_each(|member| drop(members.remove(*member)));
    (status, availability)
}

#[tokio::test]
async fn the_filter_that_removed_the_last_endpoint_is_named_with_what_it_found() {
    let mut quantized = channel("one", 0, "");
    quantized["models"][0]["quantization"] = json!("fp8");
    quantized["models"][0]["supported_parameters"] = json!(["max_tokens"]);
    let private = with(channel("two", 0, ""), json!({ "data_policy": { "data_collection": "deny", "zdr": false } }));
    let gateway = Gateway::open(vec![quantized, private]).await;
    for (more, code, excluded_by, field, detail) in [
        (
            json!({ "provider": { "only": ["three"] } }),
            "constraint_filtered",
            json!(["allowed_providers"]),
            "provider.only",
            "provider.only",
        ),
        (
            json!({ "provider": { "ignore": ["one", "two"] } }),
            "constraint_filtered",
            json!(["allowed_providers"]),
            "provider.ignore",
            "one: provider.ignore",
        ),
        (
            json!({ "provider": { "order": ["three"], "allow_fallbacks": false } }),
            "constraint_filtered",
            json!(["allowed_providers"]),
            "provider.order",
            "two: provider.order",
        ),
        // The one that lets itself be trained on is removed before.
        (
            json!({ "provider": { "data_collection": "deny", "zdr": true } }),
            "privacy_restricted",
            json!(["data_policy:training", "data_policy:zdr"]),
            "provider.zdr",
            "two: provider.zdr",
        ),
        (
            json!({ "provider": { "data_collection": "deny", "ignore": ["two"] } }),
            "privacy_restricted",
            json!(["allowed_providers", "data_policy:training"]),
            "provider.data_collection",
            "one: provider.data_collection",
        ),
        (
            json!({ "provider": { "quantizations": ["int4"] } }),
            "constraint_filtered",
            json!(["quantization"]),
            "provider.quantizations",
            "one: fp8; two: unknown",
        ),
        (
            json!({ "provider": { "max_price": { "completion": 1.5 } } }),
            "constraint_filtered",
            json!(["max_price"]),
            "provider.max_price.completion",
            "one: prompt 1, completion 2 USD per million",
        ),
        (
            json!({ "provider": { "require_parameters": true, "ignore": ["two"] }, "seed": 1 }),
            "constraint_filtered",
            json!(["allowed_providers", "require_parameters"]),
            "provider.require_parameters",
            "one: does not support seed",
        ),
    ] {
        let answer = gateway.ask(more.clone()).await;
        let (status, availability) = told_apart(&answer);
        assert_eq!((status, &availability["code"]), (404, &json!(code)), "{more}");
        assert_eq!((&availability["excluded_by"], &availability["constraint"]["field"]), (&excluded_by, &json!(field)), "{more}");
        assert!(availability["constraint"]["detail"].as_str().unwrap().contains(detail), "{more}: {availability}");
        assert_eq!(availability["requested_models"], json!([MODEL]), "{more}");
        assert!(availability.get("affected_providers").is_none() && availability.get("fallback_models").is_none(), "{availability}");
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_name_no_model_has_comes_with_those_like_it_and_a_wrong_address_is_told_apart() {
    let embedder = json!([{ "id": "acme/embed-1", "upstream": "mock", "output_modalities": ["embeddings"], "price": { "prompt": "1", "completion": "0" } }]);
    let options = gateway::options::Options { routing: rules(&["acme/none"], &[]), ..Default::default() };
    let mut blind = channel("main", 0, "");
    blind["models"][0]["input_modalities"] = json!(["text"]);
    let gateway = Gateway::open_with(options, vec![blind, with(channel("vectors", 0, ""), json!({ "models": embedder }))]).await;
    let unknown = gateway.ask(json!({ "model": "other/model-1:free", "models": ["nobody/nothing"] })).await;
    let expected =
        json!({ "code": "model_not_found", "requested_models": ["other/model-1:free", "nobody/nothing"], "fallback_models": [MODEL] });
    assert_eq!(told_apart(&unknown), (400, expected));
    let alone = gateway.ask(json!({ "model": "nobody/nothing" })).await;
    assert_eq!(told_apart(&alone), (400, json!({ "code": "model_not_found", "requested_models": ["nobody/nothing"] })));
    let similar = async |name: &str| gateway.ask(json!({ "model": name })).await.error()["availability"]["fallback_models"].clone();
    for name in ["ACME/Model-1", "model-1", "acme/model-2", "acme/model-1:online", "acme/modl-1"] {
        assert_eq!(similar(name).await, if name == "acme/modl-1" { Value::Null } else { json!([MODEL]) }, "{name}");
    }
    assert_eq!(similar("acme/embed").await, Value::Null, "it answers nothing that is asked here");
    let automatic = gateway.ask(json!({ "model": "openrouter/auto" })).await;
    assert_eq!(told_apart(&automatic), (404, json!({ "code": "no_endpoints", "requested_models": ["openrouter/auto"] })));
    let vectors = gateway.ask(json!({ "model": "acme/embed-1" })).await;
    assert_eq!(told_apart(&vectors), (400, json!({ "code": "wrong_endpoint", "requested_models": ["acme/embed-1"] })));
    let words = gateway.send("/v1/embeddings", gateway.books.inference(), &[], &json!({ "model": MODEL, "input": "x" })).await;
    assert_eq!(told_apart(&words), (400, json!({ "code": "wrong_endpoint", "requested_models": [MODEL] })));
    let picture =
        json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } }] }]);
    let (status, blind) = told_apart(&gateway.ask(json!({ "messages": picture })).await);
    assert_eq!((status, &blind["code"], &blind["constraint"]["field"]), (404, &json!("no_endpoints"), &json!("messages")), "{blind}");
    gateway.close().await;
}

#[tokio::test]
async fn capacity_that_is_used_up_says_when_it_comes_back_and_at_whom() {
    let gateway = Gateway::open(vec![channel("one", 0, "status=429&retry_after=30"), channel("two", 1, "status=429&retry_after=20")]).await;
    // Told by the providers, then by what is known of them; the sooner of both.
    for stream in [false, true] {
        let (status, availability) = told(&gateway.ask(json!({ "stream": stream })).await);
        assert_eq!((status, &availability["code"]), (429, &json!("capacity_exhausted")));
        assert_eq!(availability["affected_providers"], json!(["one", "two"]));
        assert!((15..=20).contains(&availability["retry_after"].as_u64().unwrap()), "{availability}");
    }
    // What does not say how long is left alone for a few seconds.
    gateway.offer(vec![channel("silent", 0, "status=429")]).await;
    let (status, availability) = told(&gateway.ask(json!({})).await);
    assert_eq!((status, &availability["code"]), (429, &json!("capacity_exhausted")));
    assert!((1..=3).contains(&availability["retry_after"].as_u64().unwrap()), "{availability}");
    // A limit of the channel's own: six a minute, one at once.
    gateway.offer(vec![with(channel("limited", 0, ""), json!({ "limits": { "requests_per_minute": 6 } }))]).await;
    assert_eq!(gateway.ask(json!({})).await.status, StatusCode::OK);
    let (status, availability) = told(&gateway.ask(json!({})).await);
    assert_eq!((status, &availability["affected_providers"]), (429, &json!(["limited"])));
    assert!((5..=10).contains(&availability["retry_after"].as_u64().unwrap()), "{availability}");
    gateway.close().await;
}

#[tokio::test]
async fn a_model_that_is_down_and_one_that_is_gone_are_told_apart() {
    let gateway = Gateway::open(vec![channel("down", 0, "status=503&retry_after=30"), channel("strange", 1, "")]).await;
    for _ in 0..2 {
        let (status, availability) = told(&gateway.ask(json!({ "provider": { "ignore": ["strange"] } })).await);
        assert_eq!((status, &availability["code"]), (503, &json!("temporarily_unavailable")));
        assert_eq!(availability["affected_providers"], json!(["down"]));
        assert!((20..=30).contains(&availability["retry_after"].as_u64().unwrap()), "{availability}");
    }
    gateway.offer(vec![channel("gone", 0, "status=404"), channel("gone too", 1, "status=404")]).await;
    // Told by the providers, and by what is remembered of them.
    for _ in 0..4 {
        let answer = gateway.ask(json!({})).await;
        let expected =
            json!({ "code": "model_unavailable_upstream", "requested_models": [MODEL], "affected_providers": ["gone", "gone too"] });
        assert_eq!(told_apart(&answer), (404, expected), "{}", answer.text);
        assert_eq!(answer.error()["metadata"]["error_type"], "not_found");
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_free_variant_whose_endpoint_was_taken_away_names_the_model_that_is_paid_for() {
    let mut free = channel("free", 0, "");
    free["models"][0]["price"] = json!("free");
    let gateway = Gateway::open(vec![free.clone(), channel("paid", 1, "")]).await;
    let variant = format!("{MODEL}:free");
    assert_eq!(gateway.ask(json!({ "model": &variant })).await.served_by(), "free");
    gateway.offer(vec![with(free, json!({ "status": "disabled" })), channel("paid", 1, "")]).await;
    let ended = gateway.ask(json!({ "model": &variant })).await;
    let expected = json!({ "code": "free_variant_ended", "requested_models": [variant], "fallback_models": [MODEL] });
    assert_eq!(told_apart(&ended), (404, expected), "{}", ended.text);
    // Where there never was one, it is only a wrong name.
    gateway.offer(vec![channel("paid", 1, "")]).await;
    assert_eq!(told_apart(&gateway.ask(json!({ "model": &variant })).await).1["code"], "model_not_found");
    gateway.close().await;
}

#[tokio::test]
async fn other_failures_have_none_and_neither_has_anthropics_dialect() {
    for script in ["status=500", "status=400&message=bad", "status=403", "status=401", "fault=bad_json"] {
        let gateway = Gateway::open(vec![channel("bad", 0, script)]).await;
        let failed = gateway.ask(json!({})).await;
        assert!(failed.status.as_u16() >= 400 && failed.error().get("availability").is_none(), "{script}: {}", failed.text);
        gateway.close().await;
    }
    let mut short = channel("short", 0, "");
    short["models"][0]["context_length"] = json!(64);
    let gateway = Gateway::open(vec![short, channel("breaks", 1, "error_after=3")]).await;
    let long = json!({ "messages": [{ "role": "user", "content": "word ".repeat(2_000) }], "provider": { "only": ["short"] } });
    let long = gateway.ask(long).await;
    assert_eq!((long.status, long.error().get("availability")), (StatusCode::BAD_REQUEST, None), "{}", long.text);
    let broken = gateway.ask(json!({ "stream": true, "provider": { "only": ["breaks"] } })).await;
    assert!(broken.text.contains(r#""finish_reason":"error""#) && !broken.text.contains("availability"), "{}", broken.text);
    let question =
        json!({ "model": MODEL, "max_tokens": 16, "messages": [{ "role": "user", "content": "x" }], "provider": { "only": ["nobody"] } });
    let refused = gateway.send("/v1/messages", gateway.books.inference(), &[], &question).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.text);
    assert!(!refused.text.contains("\"availability\""), "{}", refused.text);
    // The other dialects of OpenAI have it.
    for (path, content) in [("/v1/responses", "input"), ("/v1/completions", "prompt")] {
        let mut question = json!({ "model": MODEL, "provider": { "only": ["nobody"] } });
        question[content] = json!("x");
        let refused = gateway.send(path, gateway.books.inference(), &[], &question).await;
        assert_eq!(told(&refused).1["code"], "constraint_filtered", "{path}");
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_model_that_is_switched_off_is_no_wrong_name() {
    let gateway = Gateway::open(vec![with(channel("off", 0, ""), json!({ "status": "disabled" }))]).await;
    let answer = gateway.ask(json!({})).await;
    assert_eq!(told_apart(&answer), (404, json!({ "code": "no_endpoints", "requested_models": [MODEL] })));
    assert_eq!(answer.error()["metadata"]["error_type"], "not_found", "{}", answer.text);
    gateway.close().await;
}
