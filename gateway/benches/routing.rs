//! What a routing decision costs over a thousand endpoints, eight a model and all of one model, by strategy; and how many attempts requests need
//! where channels fail half of the time.
//!
//! `cargo bench -p tollgate-gateway --bench routing`. Prints microseconds, the median of many decisions: filters, classes,
//! figures and order, from a parsed request to a plan. The aim is 20 µs. Attempts are simulated in virtual time, beside their
//! closed form.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark stops where it fails")]

use std::hint::black_box;
use std::time::Instant;

use gateway::admission::prompt_size;
use gateway::control::Control;
use gateway::control::bootstrap::{BootstrapOptions, bootstrap};
use gateway::control::catalog::{Catalog, Key};
use gateway::control::channel::ChannelSpec;
use gateway::control::secrets::{Secret, SecretKey};
use gateway::control::store::{Act, ControlStore};
use gateway::http::chat::ChatRequest;
use gateway::providers::AttemptError;
use gateway::routing::health::{Ending, observe};
use gateway::routing::{Routing, plan};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use schemas::Timestamp;
use serde_json::json;

const ENDPOINTS: usize = 1_000;
const RUNS: usize = 5_000;
/// Requests of one simulation.
const REQUESTS: usize = 40_000;
/// Who failed a moment ago is asked after the others for so long.
const UNSTABLE_SECONDS: f64 = 30.0;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = ControlStore::open(&format!("sqlite://{}", folder.path().join("control.db").display())).await.unwrap();
        let secret_key = SecretKey::from_secret(&Secret::new("the secret key of a benchmark")).unwrap();
        let control = Control::open(store, secret_key, Timestamp::now()).await.unwrap();
        let first = bootstrap(&control, &BootstrapOptions::default(), Timestamp::now()).await.unwrap().unwrap();
        let offer = async |specs: Vec<ChannelSpec>| {
            control.apply_file_channels(&Act::new("bench", Timestamp::now()), &specs).await.unwrap();
        };
        for per_model in [8, ENDPOINTS] {
            offer((0..ENDPOINTS).map(|number| spec(number, number / per_model)).collect()).await;
            let catalog = control.catalog_full();
            let key = catalog.authenticate(first.inference_key.expose(), Timestamp::now()).unwrap().clone();
            decisions(&catalog, &key, per_model);
        }
        for (channels, failing, every_seconds) in [(2, 1, 10.0), (2, 1, 0.1), (4, 4, 10.0)] {
            offer(Vec::new()).await;
            // One price for all, so that each is drawn as often as the others.
            offer((0..channels).map(|number| ChannelSpec { name: format!("channel-{number}"), ..spec(0, 0) }).collect()).await;
            let catalog = control.catalog_full();
            let key = catalog.authenticate(first.inference_key.expose(), Timestamp::now()).unwrap().clone();
            attempts(&catalog, &key, (channels, failing, every_seconds));
        }
        control.store().close().await;
    });
}

/// What a decision takes by what the request asks for; the models are asked for in turn.
fn decisions(catalog: &Catalog, key: &Key, per_model: usize) {
    let routing = Routing::default();
    for provider in [
        json!({ "routing_strategy": "weighted_random" }),
        json!({ "routing_strategy": "lowest_latency" }),
        json!({ "routing_strategy": "lowest_cost" }),
        json!({ "sort": "price", "max_price": { "prompt": 5 }, "quantizations": ["fp8"] }),
        json!({ "order": ["channel-7", "channel-999"], "ignore": ["channel-1"], "data_collection": "deny" }),
    ] {
        let bodies: Vec<String> = (0..ENDPOINTS / per_model)
            .map(|model| {
                let messages = json!([{ "role": "user", "content": "Say hello" }]);
                json!({ "model": model_id(model), "max_tokens": 100, "provider": &provider, "messages": messages }).to_string()
            })
            .collect();
        let mut times: Vec<u128> = (0..RUNS)
            .map(|run| {
                let request = ChatRequest::parse(bodies[run % bodies.len()].as_bytes(), 32).unwrap();
                let prompt = prompt_size(&request);
                let (start, now) = (Instant::now(), Timestamp::now());
                black_box(plan(&routing, catalog, key, &request, prompt, now).unwrap());
                start.elapsed().as_nanos()
            })
            .collect();
        times.sort_unstable();
        let micros = |place: usize| times[place] as f64 / 1_000.0;
        println!(
            "route, {ENDPOINTS} endpoints, {per_model} a model: {:6.1} µs (p99 {:6.1})  {provider}",
            micros(RUNS / 2),
            micros(RUNS * 99 / 100)
        );
    }
}

fn model_id(number: usize) -> String {
    format!("acme/model-{number}")
}

/// Requests at a steady rate, of which some channels fail half.
fn attempts(catalog: &Catalog, key: &Key, (channels, failing, every_seconds): (usize, usize, f64)) {
    let body = json!({ "model": model_id(0), "max_tokens": 100, "messages": [{ "role": "user", "content": "Say hello" }] }).to_string();
    let request = ChatRequest::parse(body.as_bytes(), 32).unwrap();
    let (prompt, routing, mut random) = (prompt_size(&request), Routing::default(), StdRng::seed_from_u64(7));
    let start = Timestamp::from_micros(1_800_000_000_000_000);
    let (mut made, mut served) = (0_usize, 0_usize);
    for number in 0..REQUESTS {
        let now = start.plus_micros((number as f64 * every_seconds * 1e6) as i64);
        catalog.model(&model_id(0)).unwrap().endpoints.iter().for_each(|endpoint| endpoint.state.judge(now));
        let Ok(plan) = plan(&routing, catalog, key, &request, prompt, now) else { continue };
        for endpoint in plan.endpoints() {
            let channel = &endpoint.channel;
            let Ok(_pass) = channel.state.enter(&channel.keys, &channel.limits, 1, now) else { continue };
            made += 1;
            let place: usize = channel.name.rsplit('-').next().unwrap().parse().unwrap();
            if place < failing && random.random_bool(0.5) {
                observe::failed(endpoint, 0, &AttemptError::broken("one of two"), now);
                continue;
            }
            observe::began(endpoint, 0, None, now);
            observe::succeeded(endpoint, Ending::Succeeded { latency_ms: 500, output_tokens: 100, generation_ms: 500 }, None, now);
            served += 1;
            break;
        }
    }
    let (expected, expected_served) = if failing == channels {
        // Each attempt fails by chance, up to the last channel.
        let none = 0.5_f64.powi(channels as i32);
        (2.0 * (1.0 - none), 1.0 - none)
    } else {
        // It is drawn for one request of two until it fails: four requests on average; then it stands behind for those within a while.
        let behind = (UNSTABLE_SECONDS / every_seconds).ceil() - 1.0;
        (1.0 + 1.0 / (4.0 + behind), 1.0)
    };
    println!(
        "attempts, {failing} of {channels} channels failing half, a request every {every_seconds} s: {:.3} a request (closed form {expected:.3}), served {:.4} (closed form {expected_served:.4})",
        made as f64 / REQUESTS as f64,
        served as f64 / REQUESTS as f64,
    );
}

fn spec(number: usize, model: usize) -> ChannelSpec {
    let price = json!({ "prompt": format!("0.{:03}", number + 1), "completion": "0.60" });
    let value = json!({
        "name": format!("channel-{number}"), "provider": "openai-compatible", "base_url": "http://127.0.0.1:9/v1", "api_key": "sk-1",
        "data_policy": { "data_collection": "deny" },
        "models": [{ "id": model_id(model), "price": price, "quantization": "fp8", "context_length": 128_000 }],
    });
    serde_json::from_value(value).unwrap()
}
