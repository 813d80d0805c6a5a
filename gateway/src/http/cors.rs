//! Browsers of other origins may call the API: keys are in headers, never in cookies, so nothing is ambient.

use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AUTHORIZATION, CONTENT_TYPE, HeaderName,
};
use http::{HeaderValue, Method, StatusCode};
use tower_http::cors::CorsLayer;

const ANYWHERE: HeaderValue = HeaderValue::from_static("*");
const EXPOSED: HeaderValue = HeaderValue::from_static("x-generation-id,x-provider-name,x-request-id,request-id,retry-after");

/// What OpenRouter's API allows and exposes.
pub fn layer() -> CorsLayer {
    let names = [
        "x-api-key",
        "http-referer",
        "x-title",
        "x-openrouter-title",
        "x-openrouter-categories",
        "x-openrouter-metadata",
        "x-openrouter-experimental-metadata",
        "x-session-id",
        "idempotency-key",
        "anthropic-version",
        "anthropic-beta",
        "anthropic-dangerous-direct-browser-access",
        "x-openrouter-app-visibility",
        "x-stainless-arch",
        "x-stainless-async",
        "x-stainless-helper",
        "x-stainless-helper-method",
        "x-stainless-lang",
        "x-stainless-os",
        "x-stainless-package-version",
        "x-stainless-poll-helper",
        "x-stainless-retry-count",
        "x-stainless-runtime",
        "x-stainless-runtime-version",
        "x-stainless-timeout",
        "b3",
        "traceparent",
        "tracestate",
    ];
    let allowed: Vec<HeaderName> = [AUTHORIZATION, CONTENT_TYPE].into_iter().chain(names.map(HeaderName::from_static)).collect();
    let exposed = ["x-generation-id", "x-provider-name", "x-request-id", "request-id", "retry-after"].map(HeaderName::from_static);
    CorsLayer::new()
        .allow_origin(ANYWHERE)
        // None of the answers depends on who asks.
        .vary([])
        .allow_methods([Method::GET, Method::OPTIONS, Method::PATCH, Method::DELETE, Method::POST, Method::PUT])
        .allow_headers(allowed)
        .expose_headers(exposed)
}

/// What the layer adds to an answer that nobody asked for beforehand.
pub fn add_to(mut response: Response) -> Response {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANYWHERE);
    response.headers_mut().insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    response
}

/// The answer to a browser that asks beforehand has no content, and says so by its status.
pub fn without_content(mut response: Response) -> Response {
    if response.status() == StatusCode::OK && response.headers().contains_key(ACCESS_CONTROL_ALLOW_METHODS) {
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    response
}
