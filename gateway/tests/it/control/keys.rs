//! `/keys` and `/key`.

use gateway::control::people::Role;
use http::StatusCode;
use schemas::{NanoUsd, UserId};
use serde_json::json;

use crate::books::Books;
use crate::people::browser::person;

#[tokio::test]
async fn a_key_is_shown_once_and_works_at_once() {
    let books = Books::open().await;
    let made = books.post("/keys", books.platform(), json!({ "name": "mine", "limit": "12.5", "limit_reset": "monthly" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let key = made.json["key"].as_str().unwrap();
    assert!(key.starts_with("sk-tg-v1-") && key.len() == 73);
    let data = &made.json["data"];
    assert_eq!(data["label"], format!("{}...{}", &key[..12], &key[70..]));
    assert_eq!((&data["limit"], &data["limit_remaining"], &data["limit_reset"]), (&json!(12.5), &json!(12.5), &json!("monthly")));
    assert_eq!((&data["kind"], &data["usage"], &data["updated_at"]), (&json!("inference"), &json!(0), &json!(null)));

    let own = books.get("/key", key).await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.text);
    assert_eq!(own.headers["cache-control"], "private, no-store");
    assert_eq!((&own.json["data"]["limit"], &own.json["data"]["is_management_key"]), (&json!(12.5), &json!(false)));
    assert_eq!(own.json["data"]["rate_limit"]["requests"], -1);
    assert_eq!(books.get("/auth/key", key).await.text, own.text);

    let hash = data["hash"].as_str().unwrap();
    let again = books.get(&format!("/keys/{hash}"), books.platform()).await;
    assert!(!again.text.contains(key), "the key is never shown again");
    let listed = books.get("/keys", books.platform()).await;
    assert!(!listed.text.contains(key));
    assert_eq!(listed.json["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_key_is_changed_disabled_and_deleted() {
    let books = Books::open().await;
    let made = books.post("/keys", books.platform(), json!({ "name": "mine", "limit": 5 })).await;
    let (key, hash) = (made.json["key"].as_str().unwrap(), made.json["data"]["hash"].as_str().unwrap());
    let path = format!("/keys/{hash}");

    let changed = books.patch(&path, books.platform(), json!({ "name": "yours", "limit": null, "limit_reset": "daily" })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let data = &changed.json["data"];
    assert_eq!((&data["name"], &data["limit"], &data["limit_reset"]), (&json!("yours"), &json!(null), &json!("daily")));
    assert!(data["updated_at"].is_string());

    books.patch(&path, books.platform(), json!({ "disabled": true })).await;
    let refused = books.get("/key", key).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.json["error"]["metadata"]["error_type"], "authentication");
    let names = async |query: &str| books.get(&format!("/keys{query}"), books.platform()).await.json["data"].as_array().unwrap().len();
    assert_eq!((names("").await, names("?include_disabled=true").await, names("?offset=2").await), (2, 3, 0));

    let deleted = books.delete(&path, books.platform()).await;
    assert_eq!((deleted.status, deleted.text.as_str()), (StatusCode::OK, r#"{"deleted":true}"#));
    assert_eq!(books.delete(&path, books.platform()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(books.get("/key", key).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_a_key_spent_is_told_digit_by_digit() {
    let books = Books::open().await;
    books.top_up("100").await;
    let hash = books.services.control.catalog().authenticate(books.inference(), schemas::Timestamp::now()).unwrap().record.hash;
    books.patch(&format!("/keys/{hash}"), books.platform(), json!({ "limit": 20 })).await;
    books.settle_request("acme/model-1", NanoUsd::from_nanos(1_234_567_891)).await;
    let own = books.get("/key", books.inference()).await;
    for field in [r#""usage":1.234567891"#, r#""usage_daily":1.234567891"#, r#""limit_remaining":18.765432109"#] {
        assert!(own.text.contains(field), "{field} in {}", own.text);
    }
    let listed = books.get(&format!("/keys/{hash}"), books.platform()).await;
    assert!(listed.text.contains(r#""usage_monthly":1.234567891"#), "{}", listed.text);
    assert!(listed.json["data"]["last_used_at"].is_string());
    books.settle_request("acme/model-1", NanoUsd::from_usd(18)).await;
    books.patch(&format!("/keys/{hash}"), books.platform(), json!({ "limit": 1 })).await;
    assert_eq!(books.get("/key", books.inference()).await.json["data"]["limit_remaining"], 0, "never below zero");
}

#[tokio::test]
async fn what_cannot_be_a_key_is_refused_and_names_the_field() {
    let books = Books::open().await;
    let cases = [
        (json!({}), "name"),
        (json!({ "name": " " }), "name"),
        (json!({ "name": "a", "limit": -1 }), "limit"),
        (json!({ "name": "a", "limit": "1.0000000001" }), "limit"),
        (json!({ "name": "a", "limit": "lots" }), "limit"),
        (json!({ "name": "a", "limit_reset": "hourly" }), "limit_reset"),
        (json!({ "name": "a", "expires_at": "2020-01-01T00:00:00Z" }), "expires_at"),
        (json!({ "name": "a", "expires_at": "tomorrow" }), "expires_at"),
        (json!({ "name": "a", "scope": "platform" }), "scope"),
        (json!({ "name": "a", "requests_per_minute": 0 }), "requests_per_minute"),
        (json!({ "name": "a", "allowed_models": [] }), "allowed_models"),
        (json!({ "name": "a", "limt": 1 }), "limt"),
    ];
    for (body, field) in cases {
        let refused = books.post("/keys", books.platform(), body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {}", refused.text);
        let error = &refused.json["error"];
        assert_eq!(error["metadata"]["error_type"], "invalid_request");
        assert!(error["message"].as_str().unwrap().contains(field), "{body}: {}", refused.text);
    }
    assert_eq!(books.get("/keys", books.platform()).await.json["data"].as_array().unwrap().len(), 2, "nothing was made");
}

#[tokio::test]
async fn a_keys_creator_is_a_member_of_its_account_and_of_others_nothing_is_told() {
    let books = Books::open().await;
    let other = books.post("/admin/accounts", books.platform(), json!({ "name": "other" })).await.json["data"]["id"].clone();
    let ada = person(&books, "ada@example.com", books.first.account_id, Role::Member).await;
    let eve = person(&books, "eve@example.com", other.as_str().unwrap().parse().unwrap(), Role::Owner).await;
    let make =
        async |creator: UserId| books.post("/keys", books.platform(), json!({ "name": "a", "creator_user_id": creator.to_string() })).await;
    let made = make(ada.id).await;
    assert_eq!((made.status, &made.json["data"]["creator_user_id"]), (StatusCode::CREATED, &json!(ada.id.to_string())), "{}", made.text);
    let (elsewhere, nobody) = (make(eve.id).await, make(UserId::mint()).await);
    assert_eq!((elsewhere.status, nobody.status), (StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST), "{}", elsewhere.text);
    assert_eq!(elsewhere.json["error"]["param"], "creator_user_id");
    assert_eq!(elsewhere.json["error"]["message"], nobody.json["error"]["message"]);
}

#[tokio::test]
async fn a_key_cannot_lock_itself_out() {
    let books = Books::open().await;
    let hash = books.services.control.catalog().authenticate(books.platform(), schemas::Timestamp::now()).unwrap().record.hash;
    let path = format!("/keys/{hash}");
    assert_eq!(books.delete(&path, books.platform()).await.status, StatusCode::CONFLICT);
    assert_eq!(books.patch(&path, books.platform(), json!({ "disabled": true })).await.status, StatusCode::CONFLICT);
    assert_eq!(books.patch(&path, books.platform(), json!({ "name": "renamed" })).await.status, StatusCode::OK);
}
