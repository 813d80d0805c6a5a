//! What requests, keys and operators set, and what an empty result says of it.

use gateway::options::Options;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Gateway, MODEL, channel, rules, with};

fn priced(name: &str, prompt: &str, more: Value) -> Value {
    let mut channel = channel(name, 0, "");
    channel["models"][0]["price"] = json!({ "prompt": prompt, "completion": prompt });
    with(channel, more)
}

#[tokio::test]
async fn each_constraint_of_the_provider_object_is_kept() {
    let mut quantized = channel("quantized", 0, "");
    quantized["models"][0]["quantization"] = json!("fp8");
    quantized["models"][0]["supported_parameters"] = json!(["max_tokens", "temperature"]);
    let private = with(channel("private", 0, ""), json!({ "data_policy": { "data_collection": "deny", "zdr": true } }));
    let gateway = Gateway::open(vec![quantized, private, priced("cheap", "0.1", json!({}))]).await;
    for (provider, more, expected) in [
        (json!({ "only": ["private"] }), json!({}), "private"),
        (json!({ "ignore": ["private", "quantized"] }), json!({}), "cheap"),
        (json!({ "order": ["quantized"] }), json!({}), "quantized"),
        (json!({ "zdr": true }), json!({}), "private"),
        (json!({ "data_collection": "deny" }), json!({}), "private"),
        (json!({ "quantizations": ["fp8"] }), json!({}), "quantized"),
        (json!({ "max_price": { "prompt": 0.5 } }), json!({}), "cheap"),
        (json!({ "sort": "price" }), json!({}), "cheap"),
        (json!({ "require_parameters": true, "ignore": ["cheap"] }), json!({ "seed": 1 }), "private"),
    ] {
        let mut body = more.clone();
        body["provider"] = provider.clone();
        for _ in 0..3 {
            assert_eq!(gateway.ask(body.clone()).await.served_by(), expected, "{provider}");
        }
    }
    gateway.close().await;
}

#[tokio::test]
async fn an_empty_result_names_the_setting_that_removed_each_endpoint() {
    let gateway = Gateway::open(vec![channel("one", 0, ""), channel("two", 0, "")]).await;
    let answer = gateway.ask(json!({ "provider": { "ignore": ["two"], "zdr": true } })).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text);
    let metadata = &answer.error()["metadata"];
    assert_eq!(metadata["failed_routing_step"], "data_policy:zdr");
    let removed: Vec<_> =
        metadata["removed_endpoints"].as_array().unwrap().iter().map(|told| (&told["channel"], &told["setting"], &told["level"])).collect();
    assert_eq!(
        removed,
        [(&json!("one"), &json!("provider.zdr = true"), &json!("request")), (&json!("two"), &json!("provider.ignore"), &json!("request")),]
    );
    let left: Vec<u64> =
        metadata["routing_funnel"].as_array().unwrap().iter().map(|step| step["endpoint_count"].as_u64().unwrap()).collect();
    assert!(left.is_sorted_by(|one, two| one >= two) && left.contains(&1) && left.ends_with(&[0]), "{left:?}");
    assert!(answer.error()["message"].as_str().unwrap().contains("provider.zdr = true (request)"));
    gateway.close().await;
}

#[tokio::test]
async fn models_go_by_aliases_variants_and_the_automatic_choice() {
    let mut aliased = channel("main", 0, "");
    aliased["models"][0]["aliases"] = json!(["acme/model-latest"]);
    let options = Options { routing: rules(&["acme/none", MODEL], &[("acme/best", MODEL)]), ..Options::default() };
    let gateway = Gateway::open_with(options, vec![aliased, priced("dear", "9", json!({}))]).await;
    for name in ["acme/model-latest", "acme/best", "openrouter/auto", "acme/model-1:nitro"] {
        let answer = gateway.ask(json!({ "model": name })).await;
        assert_eq!((answer.status, &answer.json["model"]), (StatusCode::OK, &json!(MODEL)), "{name}: {}", answer.text);
    }
    for _ in 0..4 {
        assert_eq!(gateway.ask(json!({ "model": "acme/model-1:floor" })).await.served_by(), "main");
    }
    assert_eq!(gateway.ask(json!({ "model": "acme/model-1:free" })).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(gateway.ask(json!({ "model": "acme/none", "models": ["acme/none", MODEL] })).await.status, StatusCode::OK);
    gateway.close().await;
}

#[tokio::test]
async fn a_channel_that_is_changed_is_seen_by_the_next_request() {
    let gateway = Gateway::open(vec![channel("one", 0, ""), channel("two", 1, "")]).await;
    assert_eq!(gateway.ask(json!({})).await.served_by(), "one");
    gateway.offer(vec![with(channel("one", 0, ""), json!({ "status": "disabled" })), channel("two", 1, "")]).await;
    assert_eq!(gateway.ask(json!({})).await.served_by(), "two");
    let answer = gateway.ask(json!({ "provider": { "only": ["one"] } })).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.text.contains("status = disabled"), "{}", answer.text);
    gateway.offer(vec![channel("three", 0, "")]).await;
    assert_eq!(gateway.ask(json!({})).await.served_by(), "three");
    gateway.close().await;
}

#[tokio::test]
async fn a_conversation_stays_where_its_prompt_is_cached() {
    let cached = |name: &str| {
        let mut channel = channel(name, 0, "cached_tokens=5&prompt_tokens=20");
        channel["models"][0]["price"] = json!({ "prompt": "1", "completion": "2", "cache_read": "0.1" });
        channel
    };
    let gateway = Gateway::open((0..6).map(|number| cached(&format!("channel-{number}"))).collect()).await;
    let first = gateway.ask(json!({ "session_id": "s1" })).await.served_by();
    for _ in 0..8 {
        let answer = gateway.ask(json!({ "session_id": "s1" })).await;
        assert_eq!((answer.served_by(), &answer.json["openrouter_metadata"]["sticky"]), (first.clone(), &json!(true)));
    }
    // An order of the request's own goes before.
    let other = (0..6).map(|number| format!("channel-{number}")).find(|name| *name != first).unwrap();
    assert_eq!(gateway.ask(json!({ "session_id": "s1", "provider": { "order": [&other] } })).await.served_by(), other);
    gateway.close().await;
}

/// Where the least cost is wanted, a cached prompt counts by its own price: it makes an endpoint first that would not be, and one that
/// is dear all the same stays behind.
#[tokio::test]
async fn the_least_cost_counts_a_cached_prompt_by_its_price() {
    let priced = |name: &str, prompt: &str, cache_read: &str| {
        let mut channel = channel(name, 0, "cached_tokens=5&prompt_tokens=20");
        channel["models"][0]["price"] = json!({ "prompt": prompt, "completion": "2", "cache_read": cache_read });
        channel
    };
    let cheapest = |name: &str| json!({ "session_id": name, "provider": { "routing_strategy": "lowest_cost" } });
    let gateway =
        Gateway::open(vec![priced("cheap", "2", "1.9"), priced("cached", "3", "0.1"), priced("dear", "9", "8"), channel("spare", 9, "")])
            .await;
    assert_eq!(gateway.ask(cheapest("new")).await.served_by(), "cheap");
    for (name, then) in [("cached", "cached"), ("dear", "cheap")] {
        let first = gateway.ask(json!({ "session_id": name, "provider": { "only": [name, "spare"] } })).await;
        assert_eq!(first.served_by(), name);
        let answer = gateway.ask(cheapest(name)).await;
        assert_eq!((answer.served_by().as_str(), &answer.route()["sticky"]), (then, &json!(then == name)), "{name}");
    }
    gateway.close().await;
}
