//! Every answer tells browsers what they must not do with it, whichever part of the gateway made it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use gateway::app::{App, AppState};
use gateway::options::Options;
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt;

use crate::books::Books;
use crate::chat::app;

fn router(books: &Books, public_url: &str) -> Router {
    let AppState(app) = app(books);
    let app = Arc::into_inner(app).unwrap();
    let options = Options { public_url: public_url.to_owned(), ..app.options.clone() };
    gateway::http::router(AppState(Arc::new(App { options, ..app })), Arc::clone(&books.dashboard), Arc::new(String::new))
}

async fn headers(router: &Router, path: &str) -> (StatusCode, HeaderMap) {
    let request = Request::get(path).header("accept", "text/html").body(Body::empty()).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    (answer.status(), answer.headers().clone())
}

/// A page, data, an error, an asset that is not there, a document of the reference, an operators' route.
const PATHS: [&str; 8] = ["/", "/models", "/api/v1/models", "/api/v1/nothing", "/api/app/session", "/assets/none.js", "/docs", "/healthz"];

#[tokio::test]
async fn every_answer_has_the_headers_that_bind_browsers() {
    let books = Books::open().await;
    let router = router(&books, "http://127.0.0.1:8080");
    for path in PATHS {
        let (_, headers) = headers(&router, path).await;
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["referrer-policy"], "same-origin", "{path}");
        assert_eq!(headers["cross-origin-opener-policy"], "same-origin", "{path}");
        assert!(headers["permissions-policy"].to_str().unwrap().contains("camera=()"), "{path}");
        let policies: Vec<_> = headers.get_all("content-security-policy").iter().collect();
        assert_eq!(policies.len(), 1, "{path}");
        assert!(policies[0].to_str().unwrap().contains("frame-ancestors 'none'"), "{path}");
        assert!(!headers.contains_key("strict-transport-security"), "{path}: there is no https to come by");
    }
    books.close().await;
}

#[tokio::test]
async fn a_page_may_load_what_is_its_own_and_data_nothing() {
    let books = Books::open().await;
    let router = router(&books, "http://127.0.0.1:8080");
    let (status, page) = headers(&router, "/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page["content-security-policy"].to_str().unwrap().starts_with("default-src 'self'"));
    let (_, data) = headers(&router, "/api/v1/models").await;
    assert!(data["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    books.close().await;
}

#[tokio::test]
async fn browsers_that_came_by_https_come_by_nothing_else_again() {
    let books = Books::open().await;
    let router = router(&books, "https://llm.example.com");
    for path in PATHS {
        let (_, headers) = headers(&router, path).await;
        assert_eq!(headers["strict-transport-security"], "max-age=31536000", "{path}");
    }
    books.close().await;
}
