//! Whatever reaches an upstream passed admission: every address that stands in the sources is asked, in every way.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use super::{Gateway, MODEL, channel, with};

const EMBEDDER: &str = "acme/embed-1";

/// Every string literal of the sources that looks like a path.
fn paths_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            paths_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let literals = text.split('"').skip(1).step_by(2);
            let is_path = |text: &&str| {
                text.starts_with('/') && text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric() || "/_-{}*.:".contains(c))
            };
            found.extend(literals.filter(is_path).map(str::to_owned));
        }
    }
}

#[tokio::test]
async fn every_route_that_reaches_an_upstream_passed_admission() {
    let mut paths = BTreeSet::new();
    let sources = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    paths_in(&sources.join("http"), &mut paths);
    paths_in(&sources.join("dashboard"), &mut paths);
    assert!(
        ["/chat/completions", "/completions", "/messages", "/responses", "/embeddings"].iter().all(|path| paths.contains(*path))
            && paths.len() > 15,
        "{paths:?}"
    );
    let embedder = json!({ "models": [{
        "id": EMBEDDER, "upstream": "mock", "output_modalities": ["embeddings"], "price": { "prompt": "1", "completion": "0" },
    }] });
    let gateway = Gateway::open(vec![channel("main", 0, ""), with(channel("embeds", 0, ""), embedder)]).await;
    // The one is refused where the other is understood.
    let bodies = [
        json!({ "model": MODEL, "max_tokens": 16, "prompt": "hi", "input": "hi", "messages": [{ "role": "user", "content": "hi" }] }),
        json!({ "model": MODEL, "max_output_tokens": 16, "input": "hi" }),
        json!({ "model": MODEL, "max_tokens": 16, "prompt": "hi" }),
        json!({ "model": EMBEDDER, "input": "hi" }),
    ];
    let (mut accepted, mut answered) = (0, 0);
    for path in &paths {
        let path = path.replace(['{', '}', '*'], "x");
        for prefix in ["", "/v1", "/api/v1"] {
            let methods = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
            for (method, body) in methods.iter().flat_map(|method| bodies.iter().map(move |body| (method, body))) {
                let request = Request::builder().method(method).uri(format!("{prefix}{path}"));
                let request = request.header("authorization", format!("Bearer {}", gateway.books.inference()));
                let request = request.header("content-type", "application/json").header("anthropic-version", "2023-06-01");
                let request = request.body(Body::from(body.to_string())).unwrap();
                let answer = gateway.router.clone().oneshot(request).await.unwrap();
                accepted += u64::from(answer.headers().contains_key("x-generation-id"));
                answered += u64::from(answer.status() == StatusCode::OK);
            }
        }
    }
    // Chat, Completions, Messages, Responses and Embeddings, each at two prefixes: each was accepted, held for and settled.
    assert_eq!(accepted, gateway.upstream_count("requests").await);
    assert!(accepted >= 10 && answered >= 10, "{accepted} {answered}");
    gateway.close().await;
}
