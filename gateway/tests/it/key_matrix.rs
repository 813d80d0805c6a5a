//! Every route below `/api/v1` with every kind of key: none, one of inference, management keys of the account, of another account and of
//! the platform.
//!
//! What each may do is read from the second table in docs/security.md, so that the page says what the program does.

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use gateway::http::openapi;
use http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::routing::{Gateway, channel};

const PAGE: &str = include_str!("../../../docs/security.md");
const PREFIX: &str = "/api/v1";

/// One row of the page.
struct Row {
    method: Method,
    path: String,
    open_to: String,
}

fn rows() -> Vec<Row> {
    let lines = PAGE.lines().skip_while(|line| !line.starts_with("| by a key")).skip(2).take_while(|line| line.starts_with('|'));
    let cells = lines.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect());
    cells.map(|cells: Vec<String>| Row { method: cells[0].parse().unwrap(), path: cells[1].clone(), open_to: cells[2].clone() }).collect()
}

#[test]
fn the_page_has_every_route_and_no_other() {
    let page: BTreeSet<(String, String)> = rows().into_iter().map(|row| (row.method.to_string(), row.path)).collect();
    let specification = openapi::specification();
    let paths = specification["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with(PREFIX));
    let methods =
        |item: &Value| ["get", "post", "patch", "put", "delete"].into_iter().filter(|method| item[*method].is_object()).collect::<Vec<_>>();
    let program: BTreeSet<(String, String)> =
        paths.flat_map(|(path, item)| methods(item).into_iter().map(|method| (method.to_uppercase(), path.clone()))).collect();
    assert_eq!(page, program, "docs/security.md and the specification list the same routes");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Inference,
    Account,
    OtherAccount,
    Platform,
}

/// What the door says.
#[derive(Debug, PartialEq, Eq)]
enum Door {
    Open,
    KeyFirst,
    NotYours,
}

fn expected(row: &Row, who: Who) -> Door {
    // Of a route that names nothing, an account's key sees what is its own.
    let names_something = row.path.contains('{');
    match (row.open_to.as_str(), who) {
        ("everyone", _) => Door::Open,
        (_, Who::Nobody) => Door::KeyFirst,
        ("every key", _) | ("inference keys", Who::Inference) => Door::Open,
        // Somebody signed in has no key: `people::app_codes` asks.
        ("inference keys", _) => Door::NotYours,
        (_, Who::Platform) => Door::Open,
        ("management keys; signed in: owner, admin, member", Who::Account | Who::OtherAccount) => Door::Open,
        ("management keys", Who::Account) => Door::Open,
        ("management keys", Who::OtherAccount) if !names_something => Door::Open,
        ("management keys" | "management keys; signed in: owner, admin, member" | "the platform", _) => Door::NotYours,
        (other, _) => panic!("{other:?} is nobody"),
    }
}

#[tokio::test]
async fn no_key_does_what_is_not_its_own() {
    let gateway = Gateway::open(vec![channel("of-the-file", 0, "")]).await;
    let books = &gateway.books;
    let made = async |body: Value| books.post("/keys", books.platform(), body).await.json;
    let other = books.post("/admin/accounts", books.platform(), json!({ "name": "other" })).await.json["data"]["id"].clone();
    let of_account = made(json!({ "name": "ours", "kind": "management", "account_id": books.first.account_id })).await;
    let of_other = made(json!({ "name": "theirs", "kind": "management", "account_id": other })).await;
    let key_of = |json: &Value| json["key"].as_str().unwrap().to_owned();
    let keys = [
        (Who::Nobody, String::new()),
        (Who::Inference, books.inference().to_owned()),
        (Who::Account, key_of(&of_account)),
        (Who::OtherAccount, key_of(&of_other)),
        (Who::Platform, books.platform().to_owned()),
    ];
    let mut wrong = Vec::new();
    for row in rows() {
        for (who, key) in &keys {
            // Made anew for each who asks: some of the routes end it.
            let victim = made(json!({ "name": "victim" })).await;
            let path = concrete(&row.path, &books.first.account_id.to_string(), victim["data"]["hash"].as_str().unwrap());
            let mut request = Request::builder().method(row.method.clone()).uri(&path).header("content-type", "application/json");
            if !key.is_empty() {
                request = request.header("authorization", format!("Bearer {key}"));
            }
            let body = if matches!(row.method, Method::POST | Method::PATCH) { Body::from("{}") } else { Body::empty() };
            let answer = gateway.router().oneshot(request.body(body).unwrap()).await.unwrap();
            let status = answer.status().as_u16();
            let text = String::from_utf8(to_bytes(answer.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
            let expected = expected(&row, *who);
            let is_as_expected = match (&expected, status) {
                (_, 500..) | (Door::Open, 401 | 403) => false,
                // Of what is not theirs people are told that there is none; where something is made anew, that they may not.
                (Door::NotYours, status) => matches!(status, 403 | 404),
                (Door::KeyFirst, status) => status == 401,
                (Door::Open, _) => true,
            };
            if !is_as_expected {
                wrong.push(format!("{} {path} by {who:?}: expected {expected:?}, found {status}: {text}", row.method));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    gateway.close().await;
}

/// A path with the account, its key, and else with things that are not there.
fn concrete(path: &str, account: &str, key_hash: &str) -> String {
    let is_of_account = path.starts_with("/api/v1/admin/accounts/");
    let segments = path.split('/').map(|segment| match segment {
        "{id}" if is_of_account => account.to_owned(),
        "{hash}" => key_hash.to_owned(),
        "{author}" => "acme".to_owned(),
        "{slug}" => "model-1".to_owned(),
        "{model}" => "acme%2Fmodel-1".to_owned(),
        variable if variable.starts_with('{') => "00000000-0000-7000-8000-000000000001".to_owned(),
        fixed => fixed.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}
