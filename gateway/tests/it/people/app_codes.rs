//! Codes for apps that programs make (`/auth/keys/code`): who may, what becomes of them, and what they carry into the key.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gateway::control::people::{Invitation, Role, User};
use gateway::control::store::{Act, AuditQuery};
use http::{Method, Request, StatusCode};
use schemas::{AccountId, Timestamp};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::browser::{Browser, person};
use crate::books::{Answer, Books};

const PATH: &str = "/auth/keys/code";
const CALLBACK: &str = "https://app.example:3000/back?x=1";
const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-0123";

/// A management key: its text and its hash.
async fn management_key(books: &Books, account: &str) -> (String, String) {
    let made = books.post("/keys", books.platform(), json!({ "name": "a program", "kind": "management", "account_id": account })).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made.json["key"]), text(&made.json["data"]["hash"]))
}

async fn other_account(books: &Books) -> String {
    let made = books.post("/admin/accounts", books.platform(), json!({ "name": "other" })).await;
    made.json["data"]["id"].as_str().unwrap().to_owned()
}

/// Makes somebody a member of another account, too.
async fn join(books: &Books, account: AccountId, user: &User) {
    let (store, now) = (books.services.control.store(), Timestamp::now());
    let invitation = Invitation {
        id: Uuid::now_v7(),
        account_id: account,
        email: user.email.clone(),
        role: Role::Member,
        token_sha256: "0".repeat(64),
        invited_by: user.id,
        created_at: now,
        expires_at: now.plus_micros(1_000_000_000),
        accepted_at: None,
        revoked_at: None,
    };
    let act = Act::new("tester", now);
    store.insert_invitation(&act, &invitation).await.unwrap();
    store.accept_invitation(&act, &invitation, user.id, None).await.unwrap();
}

async fn trade(books: &Books, made: &Answer) -> Answer {
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let code = &made.json["data"]["id"];
    books.post("/auth/keys", "", json!({ "code": code, "code_verifier": VERIFIER, "code_challenge_method": "S256" })).await
}

fn challenged(more: Value) -> Value {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER.as_bytes()));
    let mut body = json!({ "callback_url": CALLBACK, "code_challenge": challenge, "code_challenge_method": "S256" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_management_keys_code_becomes_a_key_of_its_account_with_the_limits_that_were_given() {
    let books = Books::open().await;
    let account = other_account(&books).await;
    let (key, _) = management_key(&books, &account).await;
    let wanted = json!({ "limit": 2.5, "usage_limit_type": "weekly", "expires_at": "2099-01-01T00:00:00Z", "key_label": "Notes" });
    let made = books.post(PATH, &key, challenged(wanted)).await;
    let traded = trade(&books, &made).await;
    assert_eq!((traded.status, &traded.json["user_id"]), (StatusCode::OK, &Value::Null), "{}", traded.text);
    let own = books.get("/key", traded.json["key"].as_str().unwrap()).await.json["data"].clone();
    let shown = ["name", "limit", "limit_reset", "expires_at", "workspace_id", "is_management_key"].map(|field| own[field].clone());
    let expected = [json!("Notes"), json!(2.5), json!("weekly"), json!("2099-01-01T00:00:00.000000Z"), json!(account), json!(false)];
    assert_eq!(shown, expected);
    assert_eq!(trade(&books, &made).await.status, StatusCode::FORBIDDEN, "a code is used up");
    // The platform's key names the account; the app is the same one, whatever its page, and gives the key its name.
    let named = challenged(json!({ "workspace_id": account, "callback_url": "https://APP.example:3000/other" }));
    let again = books.post(PATH, books.platform(), named).await;
    assert_eq!(again.json["data"]["app_id"], made.json["data"]["app_id"]);
    assert!(made.json["data"]["app_id"].as_u64().unwrap() > 0 && made.json["data"]["created_at"].is_string(), "{}", made.text);
    let own = books.get("/key", trade(&books, &again).await.json["key"].as_str().unwrap()).await.json["data"].clone();
    assert_eq!((&own["workspace_id"], &own["name"], &own["limit"]), (&json!(account), &json!("APP.example"), &Value::Null));
}

#[tokio::test]
async fn what_was_done_with_a_management_keys_code_is_on_record_under_the_key() {
    let books = Books::open().await;
    let (key, hash) = management_key(&books, &books.first.account_id.to_string()).await;
    let made = books.post(PATH, &key, challenged(json!({ "limit": 1 }))).await;
    assert_eq!(trade(&books, &made).await.status, StatusCode::OK);
    let id = books.services.control.catalog().key(&hash.parse().unwrap()).unwrap().record.id.to_string();
    let query = AuditQuery { actor: Some(&id), limit: 10, ..AuditQuery::default() };
    let records = books.services.control.store().audit_page(query).await.unwrap();
    let actions: Vec<&str> = records.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(actions, ["key.created", "authorization_code.created"]);
}

#[tokio::test]
async fn only_who_makes_keys_gives_codes() {
    let books = Books::open().await;
    let account = books.first.account_id.to_string();
    let (key, _) = management_key(&books, &account).await;
    let body = challenged(json!({}));
    assert_eq!(books.post(PATH, books.inference(), body.clone()).await.status, StatusCode::FORBIDDEN);
    assert_eq!(books.post(PATH, "", body.clone()).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(books.post(PATH, "sk-tg-v1-unknown", body).await.status, StatusCode::UNAUTHORIZED);
    let other = other_account(&books).await;
    let reached = books.post(PATH, &key, challenged(json!({ "workspace_id": other }))).await;
    assert_eq!(reached.status, StatusCode::FORBIDDEN, "{}", reached.text);
    for (role, status) in Role::ALL.map(|role| match role {
        Role::Owner | Role::Admin | Role::Member => (role, StatusCode::OK),
        Role::Finance | Role::Analyst => (role, StatusCode::FORBIDDEN),
    }) {
        let email = format!("{}@example.com", role.as_str());
        let user = person(&books, &email, books.first.account_id, role).await;
        let mut browser = Browser::of(&books, &email).await;
        for more in [json!({}), json!({ "workspace_id": account })] {
            let made = browser.post(&format!("/api/v1{PATH}"), challenged(more)).await;
            assert_eq!(made.status, status, "{role:?}: {}", made.text);
            if status == StatusCode::OK {
                assert_eq!(trade(&books, &made).await.json["user_id"], json!(user.id.to_string()));
            }
        }
        let elsewhere = browser.post(&format!("/api/v1{PATH}"), challenged(json!({ "workspace_id": other }))).await;
        assert_eq!(elsewhere.status, StatusCode::NOT_FOUND, "{}", elsewhere.text);
    }
}

#[tokio::test]
async fn a_session_has_to_prove_that_the_request_is_its_own_and_say_which_of_several_accounts_it_means() {
    let books = Books::open().await;
    let user = person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let mut browser = Browser::of(&books, "ada@example.com").await;
    let path = format!("/api/v1{PATH}");
    let csrf = std::mem::take(&mut browser.csrf);
    assert_eq!(browser.post(&path, challenged(json!({}))).await.status, StatusCode::FORBIDDEN, "without its token");
    let cookies = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    let from = async |origin: &str| {
        let request = Request::builder().method(Method::POST).uri(&path).header("cookie", &cookies).header("x-csrf-token", &csrf);
        let request = request.header("host", "127.0.0.1:8080").header("origin", origin);
        books.ask(request.body(Body::from(challenged(json!({})).to_string())).unwrap()).await.status
    };
    assert_eq!(from("https://evil.example").await, StatusCode::FORBIDDEN);
    assert_eq!(from("http://127.0.0.1:8080").await, StatusCode::OK);
    let second = other_account(&books).await;
    join(&books, second.parse().unwrap(), &user).await;
    browser.csrf = csrf;
    let unclear = browser.post(&path, challenged(json!({}))).await;
    assert_eq!((unclear.status, &unclear.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("workspace_id")), "{}", unclear.text);
    let made = browser.post(&path, challenged(json!({ "workspace_id": second }))).await;
    let own = books.get("/key", trade(&books, &made).await.json["key"].as_str().unwrap()).await;
    assert_eq!(own.json["data"]["workspace_id"], json!(second));
}

#[tokio::test]
async fn a_code_is_worth_nothing_once_the_management_key_that_gave_it_is_ended() {
    let books = Books::open().await;
    let account = books.first.account_id.to_string();
    for (end, status) in [("nothing", StatusCode::OK), ("disable", StatusCode::FORBIDDEN), ("delete", StatusCode::FORBIDDEN)] {
        let (key, hash) = management_key(&books, &account).await;
        let made = books.post(PATH, &key, challenged(json!({}))).await;
        let path = format!("/keys/{hash}");
        match end {
            "disable" => assert!(books.patch(&path, books.platform(), json!({ "disabled": true })).await.status.is_success()),
            "delete" => assert!(books.delete(&path, books.platform()).await.status.is_success()),
            _ => {}
        }
        let traded = trade(&books, &made).await;
        assert_eq!(traded.status, status, "{end}: {}", traded.text);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_code_that_is_asked_for_is_told_by_its_field() {
    let books = Books::open().await;
    let wrong = [
        ("callback_url", json!({ "callback_url": "http://app.example/" })),
        ("callback_url", json!({ "callback_url": "javascript:alert(1)" })),
        ("code_challenge", json!({ "code_challenge": "short" })),
        ("code_challenge_method", json!({ "code_challenge_method": "md5" })),
        ("limit", json!({ "limit": -1 })),
        ("limit", json!({ "limit": "ten" })),
        ("usage_limit_type", json!({ "usage_limit_type": "yearly" })),
        ("expires_at", json!({ "expires_at": "2020-01-01T00:00:00Z" })),
        ("key_label", json!({ "key_label": "x".repeat(101) })),
        ("key_label", json!({ "key_label": " " })),
        ("workspace_id", json!({ "workspace_id": "acct_nonsense" })),
        ("state", json!({ "state": "x" })),
    ];
    for (field, more) in wrong {
        let refused = books.post(PATH, books.platform(), challenged(more.clone())).await;
        let told = (refused.status, &refused.json["error"]["param"]);
        assert_eq!(told, (StatusCode::BAD_REQUEST, &json!(field)), "{more}: {}", refused.text);
    }
    let missing = books.post(PATH, books.platform(), json!({})).await;
    assert_eq!((missing.status, &missing.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("callback_url")));
    let longest = books.post(PATH, books.platform(), challenged(json!({ "key_label": "é".repeat(100) }))).await;
    assert_eq!(longest.status, StatusCode::OK, "{}", longest.text);
}
