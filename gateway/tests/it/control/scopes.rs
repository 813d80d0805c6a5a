//! Who may do what: no key, an inference key, a management key of one account, one of the platform.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::channel_json;
use crate::books::Books;

/// An account of its own with a management key for it: `(account id, key)`.
async fn other_account(books: &Books) -> (String, String) {
    let account = books.post("/admin/accounts", books.platform(), json!({ "name": "other" })).await;
    let account = account.json["data"]["id"].as_str().unwrap().to_owned();
    let body = json!({ "name": "theirs", "kind": "management", "account_id": account });
    let key = books.post("/keys", books.platform(), body).await.json["key"].as_str().unwrap().to_owned();
    (account, key)
}

/// The bootstrap's keys of the platform belong to the first account as well.
#[tokio::test]
async fn an_accounts_administrator_is_told_nothing_of_the_platforms_keys() {
    let books = Books::open().await;
    let body = json!({ "name": "theirs", "kind": "management", "account_id": books.first.account_id });
    let theirs = books.post("/keys", books.platform(), body).await.json["key"].as_str().unwrap().to_owned();
    let listed = books.get("/keys", &theirs).await;
    let scopes: Vec<&Value> = listed.json["data"].as_array().unwrap().iter().map(|key| &key["scope"]).collect();
    assert!(scopes.len() >= 2 && scopes.iter().all(|scope| **scope == json!("account")), "{}", listed.text);
    let all = books.get("/keys", books.platform()).await;
    assert!(all.json["data"].as_array().unwrap().iter().any(|key| key["scope"] == "platform"), "{}", all.text);
}

#[tokio::test]
async fn every_route_asks_for_the_right_kind_of_key() {
    let books = Books::open().await;
    let (other, other_management) = other_account(&books).await;
    let channel = books.post("/admin/channels", books.platform(), channel_json("main")).await;
    let channel = format!("/admin/channels/{}", channel.json["data"]["id"].as_str().unwrap());
    let own = format!("/admin/accounts/{other}");
    let first = format!("/admin/accounts/{}", books.first.account_id);
    let first_credits = format!("{first}/credits");
    let own_credits = format!("{own}/credits");
    let own_transactions = format!("{own}/transactions");
    let health = format!("{channel}/health");
    let inference_hash = books.services.control.catalog().authenticate(books.inference(), schemas::Timestamp::now()).unwrap().record.hash;
    let foreign_key = format!("/keys/{inference_hash}");

    let credit = json!({ "amount": 1 });
    // Route, body, then the answers without a key, with an inference key, with another account's management key.
    let matrix: Vec<(Method, &str, Option<Value>, [u16; 3])> = vec![
        (Method::GET, "/models", None, [200, 200, 200]),
        (Method::GET, "/models/count", None, [200, 200, 200]),
        (Method::GET, "/models/acme/model-1/endpoints", None, [200, 200, 200]),
        (Method::GET, "/model/acme/model-1", None, [200, 200, 200]),
        (Method::GET, "/models/acme/model-1", None, [200, 200, 200]),
        (Method::GET, "/models/acme%2Fmodel-1", None, [200, 200, 200]),
        (Method::GET, "/endpoints/zdr", None, [200, 200, 200]),
        (Method::GET, "/providers", None, [200, 200, 200]),
        (Method::GET, "/models/user", None, [401, 200, 200]),
        (Method::GET, "/key", None, [401, 200, 200]),
        (Method::GET, "/credits", None, [401, 200, 200]),
        (Method::GET, "/generation?id=gen-1", None, [401, 404, 404]),
        (Method::GET, "/activity", None, [401, 403, 200]),
        (Method::GET, "/analytics/meta", None, [401, 403, 200]),
        (Method::POST, "/analytics/query", Some(json!({ "metrics": ["total_usage"] })), [401, 403, 200]),
        (Method::GET, "/datasets/rankings-daily", None, [401, 200, 200]),
        (Method::GET, "/datasets/app-rankings", None, [401, 200, 200]),
        (Method::GET, "/keys", None, [401, 403, 200]),
        (Method::POST, "/keys", Some(json!({ "name": "a" })), [401, 403, 201]),
        (Method::GET, &foreign_key, None, [401, 403, 404]),
        (Method::PATCH, &foreign_key, Some(json!({ "name": "a" })), [401, 403, 404]),
        (Method::DELETE, &foreign_key, None, [401, 403, 404]),
        (Method::GET, "/admin/accounts", None, [401, 403, 200]),
        (Method::POST, "/admin/accounts", Some(json!({ "name": "a" })), [401, 403, 403]),
        (Method::GET, &own, None, [401, 403, 200]),
        (Method::GET, &first, None, [401, 403, 403]),
        (Method::PATCH, &own, Some(json!({ "status": "active" })), [401, 403, 403]),
        (Method::POST, &own_credits, Some(credit.clone()), [401, 403, 403]),
        (Method::POST, &first_credits, Some(credit), [401, 403, 403]),
        (Method::GET, &own_transactions, None, [401, 403, 200]),
        (Method::GET, "/admin/channels", None, [401, 403, 403]),
        (Method::POST, "/admin/channels", Some(channel_json("x")), [401, 403, 403]),
        (Method::GET, &channel, None, [401, 403, 403]),
        (Method::GET, &health, None, [401, 403, 403]),
        (Method::PATCH, &channel, Some(json!({ "weight": 1 })), [401, 403, 403]),
        (Method::DELETE, &channel, None, [401, 403, 403]),
    ];
    for (method, path, body, expected) in matrix {
        for (key, expected) in ["", books.inference(), &other_management].into_iter().zip(expected) {
            let answer = books.send(method.clone(), path, key, body.as_ref().map(Value::to_string)).await;
            let who = if key.is_empty() { "nobody" } else { &key[..16] };
            assert_eq!(answer.status.as_u16(), expected, "{method} {path} by {who}: {}", answer.text);
            if !answer.status.is_success() {
                assert_eq!(answer.json["error"]["code"], expected);
                assert!(answer.json["error"]["metadata"]["error_type"].is_string());
            }
        }
    }
}

#[tokio::test]
async fn the_administrator_of_an_account_sees_and_makes_only_what_is_its_own() {
    let books = Books::open().await;
    let (account, key) = other_account(&books).await;
    let made = books.post("/keys", &key, json!({ "name": "mine" })).await;
    assert_eq!(made.json["data"]["account_id"], account.as_str());
    let names: Vec<Value> = books.get("/keys", &key).await.json["data"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect();
    assert_eq!(names, [json!("mine"), json!("theirs")]);
    let accounts = books.get("/admin/accounts", &key).await;
    assert_eq!(accounts.json["data"].as_array().unwrap().len(), 1);

    let for_another = books.post("/keys", &key, json!({ "name": "a", "account_id": books.first.account_id })).await;
    assert_eq!(for_another.status, StatusCode::FORBIDDEN);
    let of_the_platform = books.post("/keys", &key, json!({ "name": "a", "kind": "management", "scope": "platform" })).await;
    assert_eq!(of_the_platform.status, StatusCode::FORBIDDEN);
    assert!(of_the_platform.json["error"]["message"].as_str().unwrap().contains("platform"));
}

#[tokio::test]
async fn an_account_administrator_cannot_touch_a_platform_key_of_its_account() {
    let books = Books::open().await;
    let made = books.post("/keys", books.platform(), json!({ "name": "account admin", "kind": "management" })).await;
    let hash = books.services.control.catalog().authenticate(books.platform(), schemas::Timestamp::now()).unwrap().record.hash;
    let refused = books.delete(&format!("/keys/{hash}"), made.json["key"].as_str().unwrap()).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_bad_key_is_told_what_is_wrong_with_it_and_a_public_route_ignores_it() {
    let books = Books::open().await;
    let refused = books.get("/key", "sk-tg-v1-nobody").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(refused.json["error"]["message"].as_str().unwrap().contains("not known here"), "{}", refused.text);
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    assert_eq!(books.get("/models", "sk-tg-v1-nobody").await.status, StatusCode::OK);
}
