//! The short way of what asks a model is the router's in everything but what it costs.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use gateway::http::entrance::Entrance;
use gateway::providers::demo::catalog::{EMBEDDING, MODELS};
use http::header::CONTENT_LENGTH;
use http::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::books::Books;
use crate::chat::app;

const PATHS: [&str; 10] = [
    "/api/v1/completions",
    "/v1/completions",
    "/api/v1/chat/completions",
    "/v1/chat/completions",
    "/api/v1/messages",
    "/v1/messages",
    "/api/v1/responses",
    "/v1/responses",
    "/api/v1/embeddings",
    "/v1/embeddings",
];
/// What binds pages; an answer of a model is none.
const OF_PAGES: [&str; 3] = ["referrer-policy", "cross-origin-opener-policy", "permissions-policy"];
/// Longer than what is read of a body nobody wants.
const LONG_BODY_BYTES: usize = 1536 * 1024;

/// One request, as often as it is wanted.
struct Asked<'a> {
    method: Method,
    path: &'a str,
    key: &'a str,
    body: String,
}

impl Asked<'_> {
    fn request(&self) -> Request<Body> {
        let request = Request::builder().method(&self.method).uri(self.path).header("authorization", format!("Bearer {}", self.key));
        let request = request.header("origin", "https://app.example").header("access-control-request-method", "POST");
        request.body(Body::from(self.body.clone())).unwrap()
    }
}

/// What both ways have to agree on: all but what is another one's every time.
async fn what_is_told(answer: Response<Body>) -> (StatusCode, BTreeMap<String, Vec<String>>, bool) {
    let (head, body) = answer.into_parts();
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // The connection writes the length of what has one.
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != CONTENT_LENGTH) {
        let is_own = matches!(name.as_str(), "x-generation-id" | "x-request-id" | "request-id");
        let value = if is_own { "own".to_owned() } else { value.to_str().unwrap().to_owned() };
        headers.entry(name.to_string()).or_default().push(value);
    }
    let text = to_bytes(body, usize::MAX).await.unwrap();
    (head.status, headers, text.is_empty())
}

async fn compare(router: &Router, entrance: &Entrance, asked: Asked<'_>) -> StatusCode {
    let mut at_router = what_is_told(router.clone().oneshot(asked.request()).await.unwrap()).await;
    let at_entrance = what_is_told(entrance.clone().answer(asked.request(), None).await).await;
    if asked.method == Method::POST && PATHS.contains(&asked.path) {
        at_router.1.retain(|name, _| !OF_PAGES.contains(&name.as_str()));
    }
    assert_eq!(at_entrance, at_router, "{} {} {:.80}", asked.method, asked.path, asked.body);
    at_router.0
}

#[tokio::test]
async fn both_ways_tell_the_same() {
    let books = Books::open().await;
    books.top_up("1").await;
    let price = json!({ "prompt": "3", "completion": "15" });
    let models = json!([
        { "id": "demo/model", "upstream": MODELS[0].upstream, "price": price },
        { "id": EMBEDDING.id, "upstream": EMBEDDING.upstream, "price": price, "output_modalities": ["embeddings"] },
    ]);
    let made = books.post("/admin/channels", books.platform(), json!({ "name": "demo", "provider": "demo", "models": models })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let app = app(&books);
    let router = gateway::http::router(app.clone(), Arc::clone(&books.dashboard), Arc::new(String::new));
    let entrance = Entrance::new(app, router.clone());
    let chat = json!({ "model": "demo/model", "max_tokens": 8, "messages": [{ "role": "user", "content": "Hi" }] });
    let completion = json!({ "model": "demo/model", "max_tokens": 8, "prompt": "Hi" });
    let response = json!({ "model": "demo/model", "max_output_tokens": 8, "input": "Hi" });
    let embeddings = json!({ "model": EMBEDDING.id, "input": ["Hi", "there"], "dimensions": 4 });
    for path in PATHS {
        let good = match path.rsplit('/').next() {
            Some("responses") => &response,
            Some("embeddings") => &embeddings,
            Some("completions") if !path.contains("/chat/") => &completion,
            _ => &chat,
        };
        let with = |name: &str, value: Value| {
            let mut body = good.clone();
            body[name] = value;
            body
        };
        let (stream, unknown) = (with("stream", json!(true)), with("model", json!("demo/none")));
        let ask =
            |method: Method, key, body: &dyn ToString| compare(&router, &entrance, Asked { method, path, key, body: body.to_string() });
        assert_eq!(ask(Method::POST, books.inference(), good).await, StatusCode::OK);
        assert_eq!(ask(Method::POST, books.inference(), &stream).await, StatusCode::OK);
        assert_eq!(ask(Method::POST, books.inference(), &unknown).await, StatusCode::BAD_REQUEST);
        assert_eq!(ask(Method::POST, books.inference(), &"{").await, StatusCode::BAD_REQUEST);
        assert_eq!(ask(Method::POST, "sk-tg-v1-none", good).await, StatusCode::UNAUTHORIZED);
        // The connection ends after this one, and both say so.
        assert_eq!(ask(Method::POST, "sk-tg-v1-none", &"x".repeat(LONG_BODY_BYTES)).await, StatusCode::UNAUTHORIZED);
        assert_eq!(ask(Method::OPTIONS, books.inference(), &"").await, StatusCode::NO_CONTENT);
        assert_eq!(ask(Method::GET, books.inference(), &"").await, StatusCode::METHOD_NOT_ALLOWED);
    }
    for path in ["/v1/chat/completions/", "/v1/chat", "/v2/messages", "/v1/responses/resp_1", "/healthz", "/api/v1/models"] {
        for method in [Method::POST, Method::GET] {
            compare(&router, &entrance, Asked { method, path, key: books.inference(), body: chat.to_string() }).await;
        }
    }
    books.close().await;
}
