//! The specification of everything this gateway answers, and a page that shows it.
//!
//! The handlers say themselves what they take and give (`#[utoipa::path]`); the bodies of models, which are passed on
//! rather than read into types, stand in `bodies.json`. `docs/openapi.json` is the same text, kept by a test. Start at
//! [`specification`].

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use tower_http::compression::CompressionLayer;
use utoipa::openapi::OpenApi;

use super::error::availability::DOCS_PATH;
use super::routes::{documented_code_routes, documented_control_routes, documented_inference_routes};
use crate::dashboard;
use crate::dashboard::permissions::{Access, access};

const BODIES: &str = include_str!("bodies.json");
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// The page has one script and one style sheet, both its own.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// `/openapi.json` and `/docs`, with a page of the errors that lead there.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let text = axum::body::Bytes::from(specification_text());
    Router::new()
        .route("/openapi.json", get(async move || file("application/json", text)))
        .route("/docs", get(async || file("text/html; charset=utf-8", include_str!("reference.html"))))
        .route(DOCS_PATH, get(async || file("text/html; charset=utf-8", include_str!("errors.html"))))
        .route("/docs/reference.js", get(async || file("text/javascript; charset=utf-8", include_str!("reference.js"))))
        .route("/docs/reference.css", get(async || file("text/css; charset=utf-8", include_str!("reference.css"))))
        .layer(CompressionLayer::new())
}

fn file(content_type: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, ASK_AGAIN),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let mut response = body.into_response();
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    response
}

/// [`specification`] as it is served and kept in `docs/openapi.json`.
pub fn specification_text() -> String {
    format!("{:#}\n", specification())
}

/// OpenAPI 3.1: what the handlers say, with the bodies of models and with the errors that every operation may answer.
pub fn specification() -> Value {
    let documented = OpenApi::default()
        .nest("/api/v1", documented_inference_routes().into_openapi())
        .nest("/api/v1", documented_control_routes().into_openapi())
        .nest("/api/v1", documented_code_routes().into_openapi())
        .merge_from(dashboard::documented_routes().into_openapi());
    let Ok(Value::Object(mut document)) = serde_json::to_value(documented) else { return Value::Null };
    document.insert("info".to_owned(), about());
    let bodies: Map<String, Value> = serde_json::from_str(BODIES).unwrap_or_default();
    if let Some(components) = object(&mut document, "components") {
        components.insert("securitySchemes".to_owned(), security_schemes());
        object(components, "schemas").into_iter().for_each(|schemas| schemas.extend(bodies.clone()));
    }
    for (path, methods) in object(&mut document, "paths").into_iter().flatten() {
        let operations = methods.as_object_mut().into_iter().flatten().filter(|(method, _)| METHODS.contains(&method.as_str()));
        for (method, operation) in operations {
            describe_door(method, path, operation);
            describe_errors(operation);
        }
    }
    Value::Object(document)
}

fn about() -> Value {
    json!({
        "title": "Tollgate",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "An LLM gateway with exact billing. `/api/v1` is OpenRouter's API with additions (and answers under `/v1` as well, \
                        for SDKs of OpenAI and Anthropic); `/api/app` and `/auth` serve the web app.",
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    })
}

fn security_schemes() -> Value {
    json!({
        "key": { "type": "http", "scheme": "bearer", "description": "An API key: `sk-tg-v1-…`. Keys of administration cannot infer, and others cannot administer." },
        "session": { "type": "apiKey", "in": "cookie", "name": "tollgate_session", "description": "A signed-in browser; unsafe methods send `X-CSRF-Token` as well." },
    })
}

/// Routes of the web app need a session where the table of permissions says so.
fn describe_door(method: &str, path: &str, operation: &mut Value) {
    let Ok(method) = Method::from_bytes(method.to_ascii_uppercase().as_bytes()) else { return };
    match access(&method, path) {
        None | Some(Access::Anyone) => {}
        // With or without one: it depends on the deployment.
        Some(Access::Statistics) => operation["security"] = json!([{}, { "session": [] }]),
        Some(_) => operation["security"] = json!([{ "session": [] }]),
    }
}

/// What a member holds; the specification always has the members that are asked for.
fn object<'a>(parent: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    parent.entry(name).or_insert_with(|| json!({})).as_object_mut()
}

/// Every error has one shape, whatever its status.
fn describe_errors(operation: &mut Value) {
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
    responses
        .entry("default")
        .or_insert_with(|| json!({ "description": "An error: its type, its message and, where one is to blame, its field." }));
    for (status, response) in responses.iter_mut().filter(|(status, _)| !status.starts_with(['1', '2', '3'])) {
        let Some(response) = response.as_object_mut() else { continue };
        response.entry("content").or_insert_with(|| content.clone());
        if response.get("description").is_none_or(|text| text == "") {
            let meaning = status.parse().ok().and_then(|code| StatusCode::from_u16(code).ok()).and_then(|code| code.canonical_reason());
            response.insert("description".to_owned(), Value::from(meaning.unwrap_or("An error.")));
        }
    }
}
