//! The web app, embedded in the executable: everything that is no API.
//!
//! Files under `assets/` have their content's hash in their names and may be kept for ever; all others are asked for
//! again each time. A page's address that is no file is the app's own to resolve: it gets `index.html`, but **never
//! where an API lives, and not for who wants something else than a page** (JSON). Without a built app there is a page that says how
//! to build it. A debug build reads the files from disk when they are asked for.

use axum::Router;
use axum::response::{Html, IntoResponse, Response};
use http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use rust_embed::{EmbeddedFile, RustEmbed};
use tower_http::compression::CompressionLayer;

use super::error::ApiError;

#[derive(RustEmbed)]
#[folder = "../web/dist"]
#[allow_missing = true]
struct WebApp;

const INDEX: &str = "index.html";
/// First segments of paths that are no pages, whatever a browser asks for.
const NOT_PAGES: &[&str] = &["api", "v1", "auth", "healthz", "readyz", "metrics", "openapi.json", "docs", "assets"];

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// Styles are inline because the component library computes them; scripts are not.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'",
);

/// Answers everything that no route took, compressed where the browser can read that.
pub fn web_app() -> Router {
    Router::new().fallback(get_asset).layer(CompressionLayer::new())
}

async fn get_asset(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    let reads = method == Method::GET || method == Method::HEAD;
    if let Some(file) = file(path).filter(|_| reads && path != INDEX) {
        let caching = if first == "assets" { FOR_EVER } else { ASK_AGAIN };
        return send(&file, caching, &headers);
    }
    // `/auth` itself is the page that asks whether another program may have a key.
    let no_page = NOT_PAGES.contains(&first) && path != "auth";
    if !reads || no_page || !asks_for_page(&headers) {
        return ApiError::not_found(format!("no such route: {method} {}", uri.path())).into_response();
    }
    match file(INDEX) {
        Some(index) => send(&index, ASK_AGAIN, &headers),
        None => not_built(),
    }
}

/// Hidden files are not part of the app.
fn file(path: &str) -> Option<EmbeddedFile> {
    if path.is_empty() || path.split('/').any(|part| part.starts_with('.')) { None } else { WebApp::get(path) }
}

/// Who says nothing of what it wants takes a page, as a shell's `curl` does.
fn asks_for_page(headers: &HeaderMap) -> bool {
    let takes =
        |accept: &HeaderValue| accept.to_str().is_ok_and(|accept| ["text/html", "text/*", "*/*"].iter().any(|kind| accept.contains(kind)));
    !headers.contains_key(ACCEPT) || headers.get_all(ACCEPT).iter().any(takes)
}

fn send(file: &EmbeddedFile, caching: HeaderValue, headers: &HeaderMap) -> Response {
    // Weak, because a layer may compress what is sent.
    let tag = format!("W/\"{}\"", hex::encode(&file.metadata.sha256_hash()[..16]));
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|tags| tags.to_str().is_ok_and(|tags| tags.contains(&tag)));
    let common = [
        (ETAG, HeaderValue::from_str(&tag).unwrap_or(ASK_AGAIN)),
        (CACHE_CONTROL, caching),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let content_type = content_type(file.metadata.mimetype());
    (common, [(CONTENT_TYPE, content_type)], file.data.clone()).into_response()
}

/// Text is UTF-8.
fn content_type(mime: &str) -> HeaderValue {
    let text = mime.starts_with("text/") || mime == "application/json" || mime.ends_with("javascript");
    let value = if text { format!("{mime}; charset=utf-8") } else { mime.to_owned() };
    HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("application/octet-stream"))
}

fn not_built() -> Response {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
                <title>Tollgate</title><body style=\"font: 16px/1.6 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem\">\
                <h1>Tollgate is running</h1><p>The API answers under <code>/api/v1</code>. The web app is not part of this build; \
                <code>make web</code> builds it, then build the program again.</p>";
    ([(CACHE_CONTROL, ASK_AGAIN), (CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    async fn get(path: &str, accept: &str) -> Response {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(accept).unwrap())]);
        get_asset(Method::GET, path.parse().unwrap(), headers).await
    }

    const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

    #[tokio::test]
    async fn a_pages_address_gets_the_app_whether_it_is_built_or_not() {
        for path in ["/", "/models", "/models/openai/gpt-4o-mini", "/keys?tab=new", "/index.html", "/auth?callback_url=x"] {
            let response = get(path, BROWSER).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert!(response.headers()[CONTENT_TYPE].to_str().unwrap().starts_with("text/html"), "{path}");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-cache", "{path}");
        }
    }

    #[tokio::test]
    async fn a_browser_at_an_api_address_gets_an_error_and_not_the_app() {
        for path in ["/api/v1/nothing", "/v1/nothing", "/auth/nothing", "/healthz/x", "/assets/gone-1234.js", "/docs/x", "/api"] {
            assert_eq!(get(path, BROWSER).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[tokio::test]
    async fn who_wants_no_page_gets_an_error_and_who_takes_anything_the_page() {
        assert_eq!(get("/models", "application/json").await.status(), StatusCode::NOT_FOUND);
        for path in ["/", "/models"] {
            assert_eq!(get(path, "*/*").await.status(), StatusCode::OK);
            assert_eq!(get_asset(Method::GET, path.parse().unwrap(), HeaderMap::new()).await.status(), StatusCode::OK);
        }
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("text/html"))]);
        assert_eq!(get_asset(Method::POST, "/models".parse().unwrap(), headers).await.status(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn nothing_outside_the_app_and_nothing_hidden_is_sent() {
        for path in ["/.gitkeep", "/../package.json", "/assets/../../package.json", "/%2e%2e/package.json"] {
            assert_eq!(get(path, "application/json").await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn a_file_is_sent_once_and_then_confirmed() {
        let data = rust_embed::EmbeddedFile {
            data: b"console.log(1)".as_slice().into(),
            metadata: rust_embed::Metadata::__rust_embed_new([7; 32], None, None, "text/javascript"),
        };
        let first = send(&data, FOR_EVER, &HeaderMap::new());
        assert_eq!(
            (first.status(), &first.headers()[CONTENT_TYPE]),
            (StatusCode::OK, &HeaderValue::from_static("text/javascript; charset=utf-8"))
        );
        let known = HeaderMap::from_iter([(IF_NONE_MATCH, first.headers()[ETAG].clone())]);
        let second = send(&data, FOR_EVER, &known);
        assert_eq!((second.status(), second.headers()[CACHE_CONTROL].clone()), (StatusCode::NOT_MODIFIED, FOR_EVER));
    }
}
