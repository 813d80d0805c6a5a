//! What a routing decision costs over a thousand endpoints of one model, by strategy.
//!
//! `cargo bench -p tollgate-gateway --bench routing`. Prints microseconds, the median of many decisions: filters, classes,
//! figures and order, from a parsed request to a plan. The aim is 20 µs.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

use std::hint::black_box;
use std::time::Instant;

use gateway::admission::prompt_size;
use gateway::control::Control;
use gateway::control::bootstrap::{BootstrapOptions, bootstrap};
use gateway::control::channel::ChannelSpec;
use gateway::control::secrets::{Secret, SecretKey};
use gateway::control::store::{Act, ControlStore};
use gateway::http::chat::ChatRequest;
use gateway::routing::{Routing, plan};
use schemas::Timestamp;
use serde_json::json;

const ENDPOINTS: usize = 1_000;
const RUNS: usize = 5_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = ControlStore::open(&format!("sqlite://{}", folder.path().join("control.db").display())).await.unwrap();
        let secret_key = SecretKey::from_secret(&Secret::new("the secret key of a benchmark")).unwrap();
        let control = Control::open(store, secret_key, Timestamp::now()).await.unwrap();
        let first = bootstrap(&control, &BootstrapOptions::default(), Timestamp::now()).await.unwrap().unwrap();
        let specs: Vec<ChannelSpec> = (0..ENDPOINTS).map(spec).collect();
        control.apply_file_channels(&Act::new("bench", Timestamp::now()), &specs).await.unwrap();
        let catalog = control.catalog_full();
        let key = catalog.authenticate(first.inference_key.expose(), Timestamp::now()).unwrap().clone();
        let routing = Routing::default();
        for provider in [
            json!({ "routing_strategy": "weighted_random" }),
            json!({ "routing_strategy": "lowest_latency" }),
            json!({ "routing_strategy": "lowest_cost" }),
            json!({ "sort": "price", "max_price": { "prompt": 5 }, "quantizations": ["fp8"] }),
            json!({ "order": ["channel-7", "channel-999"], "ignore": ["channel-1"], "data_collection": "deny" }),
        ] {
            let body = json!({
                "model": "acme/model", "max_tokens": 100, "provider": provider,
                "messages": [{ "role": "user", "content": "Say hello" }],
            });
            let body = body.to_string();
            let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
            let prompt = prompt_size(&request);
            let mut times: Vec<u128> = (0..RUNS)
                .map(|_| {
                    let (start, now) = (Instant::now(), Timestamp::now());
                    black_box(plan(&routing, &catalog, &key, &request, prompt, now).unwrap());
                    start.elapsed().as_nanos()
                })
                .collect();
            times.sort_unstable();
            let micros = |place: usize| times[place] as f64 / 1_000.0;
            println!("route {ENDPOINTS} endpoints: {:6.1} µs (p99 {:6.1})  {provider}", micros(RUNS / 2), micros(RUNS * 99 / 100));
        }
        control.store().close().await;
    });
}

fn spec(number: usize) -> ChannelSpec {
    let price = json!({ "prompt": format!("0.{:03}", number + 1), "completion": "0.60" });
    let value = json!({
        "name": format!("channel-{number}"), "provider": "openai-compatible", "base_url": "http://127.0.0.1:9/v1", "api_key": "sk-1",
        "data_policy": { "data_collection": "deny" },
        "models": [{ "id": "acme/model", "price": price, "quantization": "fp8", "context_length": 128_000 }],
    });
    serde_json::from_value(value).unwrap()
}
