//! The specification is true to itself and to `docs/openapi.json`, and both it and its page are served.

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use gateway::http::error::availability::{AvailabilityCode, DOCS_PATH};
use gateway::http::openapi;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

/// `UPDATE_DOCS=1` writes it anew; the web app's client is generated from the file.
#[test]
fn the_kept_specification_is_the_served_one() {
    let text = openapi::specification_text();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(KEPT, &text).unwrap();
    }
    let kept = std::fs::read_to_string(KEPT).unwrap_or_default();
    assert!(
        kept == text,
        "docs/openapi.json is not what the code says; run UPDATE_DOCS=1 cargo test -p tollgate-gateway --test it openapi"
    );
}

#[test]
fn operations_have_names_of_their_own_and_say_what_they_answer() {
    let specification = openapi::specification();
    let mut names = BTreeSet::new();
    for (path, methods) in specification["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(name.contains('_'), "{method} {path}: `{name}` is no verb and noun");
            assert!(names.insert(name.to_owned()), "`{name}` names two operations");
            assert!(operation["description"].is_string() || operation["summary"].is_string(), "{method} {path} is not described");
            let responses = operation["responses"].as_object().unwrap();
            assert!(responses.keys().any(|status| status.starts_with(['1', '2', '3'])), "{method} {path} has no success");
            assert!(responses.contains_key("default"), "{method} {path} has no errors");
        }
    }
    assert!(names.len() > 20, "{names:?}");
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let specification = openapi::specification();
    let mut found = BTreeSet::new();
    references(&specification, &mut found);
    for reference in found {
        assert!(specification.pointer(reference.trim_start_matches('#')).is_some(), "{reference} is missing");
    }
}

async fn get(path: &str) -> Response<Body> {
    let router: Router = openapi::routes();
    router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

/// `docs_url` leads somewhere, and the specification names what there is.
#[tokio::test]
async fn every_code_of_an_availability_error_is_explained() {
    let page = get(DOCS_PATH).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = String::from_utf8(page.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    for code in AvailabilityCode::ALL {
        let status = code.error_type().status().as_u16();
        let section =
            format!("<section id=\"{code}\">\n  <h2><code>{code}</code></h2>\n  <p class=\"soft\">{status}", code = code.as_str());
        assert!(page.contains(&section), "{}", code.as_str());
    }
    let documented = openapi::specification()["components"]["schemas"]["Availability"]["properties"]["code"]["enum"].clone();
    assert_eq!(documented, AvailabilityCode::ALL.map(AvailabilityCode::as_str).into_iter().collect::<Value>());
}

#[tokio::test]
async fn the_specification_and_its_page_are_served_without_anything_foreign() {
    let served = get("/openapi.json").await;
    assert_eq!(served.headers()[CONTENT_TYPE], "application/json");
    let body: Value = serde_json::from_slice(&served.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(body, openapi::specification());
    for (path, kind) in
        [("/docs", "text/html"), (DOCS_PATH, "text/html"), ("/docs/reference.js", "text/javascript"), ("/docs/reference.css", "text/css")]
    {
        let served = get(path).await;
        assert_eq!(served.status(), StatusCode::OK, "{path}");
        assert!(served.headers()[CONTENT_TYPE].to_str().unwrap().starts_with(kind), "{path}");
        assert!(served.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
        let text = String::from_utf8(served.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
        assert!(!text.contains("://"), "{path} names another place");
    }
}
