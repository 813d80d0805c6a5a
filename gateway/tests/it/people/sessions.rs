//! Signing in and out, and what a session is good for.

use std::time::Duration;

use futures_util::future::join_all;
use gateway::control::people::{Role, SessionRecord, UserStatus};
use gateway::control::store::Act;
use http::StatusCode;
use schemas::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::browser::{Browser, PASSWORD, person};
use crate::books::Books;

#[tokio::test]
async fn somebody_signs_in_and_is_known_until_they_sign_out() {
    let books = Books::open().await;
    let ada = person(&books, "Ada@Example.com", books.first.account_id, Role::Owner).await;
    let mut browser = Browser::new(&books);
    let nobody = browser.get("/api/app/session").await;
    assert_eq!((nobody.status, &nobody.json["error"]["metadata"]["reason"]), (StatusCode::UNAUTHORIZED, &json!("unauthenticated")));
    let signed_in = browser.sign_in("ADA@example.com", PASSWORD).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.text);
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["tollgate_refresh", "tollgate_session"]);
    let session = browser.get("/api/app/session").await;
    assert_eq!(session.headers["cache-control"], "private, no-store");
    let data = &session.json["data"];
    assert_eq!((&data["user"]["id"], &data["user"]["email"]), (&json!(ada.id.to_string()), &json!("ada@example.com")));
    let account = json!({ "id": books.first.account_id.to_string(), "name": "default", "role": "owner", "status": "active" });
    assert_eq!(data["accounts"], json!([account]));
    assert_eq!((&data["preferences"]["language"], &data["user"]["has_password"]), (&json!("zh-CN"), &json!(true)));
    let before = browser.cookies.clone();
    assert_eq!(browser.post("/auth/sign-out", json!({})).await.status, StatusCode::NO_CONTENT);
    assert!(browser.cookies.is_empty());
    // What was copied before is no use either.
    browser.cookies = before;
    assert_eq!(browser.get("/api/app/session").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_told_alike() {
    let books = Books::open().await;
    let ada = person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let mut browser = Browser::new(&books);
    let wrong = browser.sign_in("ada@example.com", "not the password").await;
    let unknown = browser.sign_in("eve@example.com", "not the password").await;
    assert_eq!((wrong.status, &wrong.text), (StatusCode::UNAUTHORIZED, &unknown.text));
    let disable = |user: &mut gateway::control::people::User| user.status = UserStatus::Disabled;
    person(&books, "root@example.com", books.first.account_id, Role::Owner).await;
    books.services.control.store().change_user(&Act::new("tester", Timestamp::now()), "user.changed", ada.id, disable).await.unwrap();
    assert_eq!(browser.sign_in("ada@example.com", PASSWORD).await.text, wrong.text);
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn guessing_runs_into_a_bound_and_the_right_password_does_not_help_then() {
    let books = Books::open().await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let mut browser = Browser::new(&books);
    let mut last = browser.sign_in("ada@example.com", "guess").await;
    for _ in 0..10 {
        last = browser.sign_in("ada@example.com", "guess").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.headers.contains_key("retry-after"));
    assert_eq!(browser.sign_in("ada@example.com", PASSWORD).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_session_is_renewed_along_the_way_by_its_refresh_token_only() {
    let books = Books::open().await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let mut browser = Browser::of(&books, "ada@example.com").await;
    let first = browser.cookies.remove("tollgate_session").unwrap();
    let renewed = browser.get("/api/app/session").await;
    assert_eq!(renewed.status, StatusCode::OK);
    assert!(browser.cookies.contains_key("tollgate_session"), "a new one came with the answer");
    // The short token alone works for its time, and brings no other.
    let refresh = browser.cookies.remove("tollgate_refresh").unwrap();
    browser.cookies.insert("tollgate_session".to_owned(), first);
    let short = browser.get("/api/app/session").await;
    assert_eq!((short.status, short.headers.contains_key("set-cookie")), (StatusCode::OK, false));
    browser.cookies.clear();
    browser.cookies.insert("tollgate_refresh".to_owned(), format!("{}0", &refresh[1..]));
    assert_eq!(browser.get("/api/app/session").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn an_unsafe_request_needs_the_sessions_own_token_and_origin() {
    let books = Books::open().await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    person(&books, "bob@example.com", books.first.account_id, Role::Member).await;
    let mut ada = Browser::of(&books, "ada@example.com").await;
    let bob = Browser::of(&books, "bob@example.com").await;
    let own = std::mem::take(&mut ada.csrf);
    for wrong in [String::new(), "00".repeat(32), bob.csrf.clone()] {
        ada.csrf = wrong;
        let refused = ada.patch("/api/app/profile", json!({ "name": "Mallory" })).await;
        assert_eq!((refused.status, &refused.json["error"]["metadata"]["reason"]), (StatusCode::FORBIDDEN, &json!("csrf")));
    }
    ada.csrf = own;
    let renamed = ada.patch("/api/app/profile", json!({ "name": "Ada L." })).await;
    assert_eq!((renamed.status, &renamed.json["data"]["name"]), (StatusCode::OK, &json!("Ada L.")), "{}", renamed.text);
}

#[tokio::test]
async fn sessions_are_listed_and_ended_one_by_one_or_all_together() {
    let books = Books::open().await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let (mut one, mut two) = (Browser::of(&books, "ada@example.com").await, Browser::of(&books, "ada@example.com").await);
    let listed = one.get("/api/app/sessions").await;
    let rows = listed.json["data"].as_array().unwrap();
    assert_eq!(rows.iter().map(|row| &row["current"]).collect::<Vec<_>>(), [&json!(false), &json!(true)]);
    assert_eq!(rows[0]["user_agent"], "a browser of the tests");
    let other = rows[0]["id"].as_str().unwrap();
    assert_eq!(one.delete(&format!("/api/app/sessions/{other}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(one.delete(&format!("/api/app/sessions/{other}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(two.get("/api/app/session").await.status, StatusCode::UNAUTHORIZED);
    let mut three = Browser::of(&books, "ada@example.com").await;
    assert_eq!(one.delete("/api/app/sessions").await.status, StatusCode::NO_CONTENT);
    assert_eq!(three.get("/api/app/session").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let books = Books::open().await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let (mut here, mut there) = (Browser::of(&books, "ada@example.com").await, Browser::of(&books, "ada@example.com").await);
    let path = "/api/app/profile/password";
    let wrong = here.post(path, json!({ "current_password": "nope", "new_password": "a better password" })).await;
    assert_eq!((wrong.status, &wrong.json["error"]["param"]), (StatusCode::FORBIDDEN, &json!("current_password")));
    let short = here.post(path, json!({ "current_password": PASSWORD, "new_password": "short" })).await;
    assert_eq!((short.status, &short.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("new_password")));
    let changed = here.post(path, json!({ "current_password": PASSWORD, "new_password": "a better password" })).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT, "{}", changed.text);
    assert_eq!(here.get("/api/app/session").await.status, StatusCode::OK);
    assert_eq!(there.get("/api/app/session").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(there.sign_in("ada@example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(there.sign_in("ada@example.com", "a better password").await.status, StatusCode::OK);
}

#[tokio::test]
async fn preferences_are_kept_and_show_their_defaults() {
    let books = Books::open().await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let mut ada = Browser::of(&books, "ada@example.com").await;
    let defaults = json!({ "theme": "system", "language": "zh-CN", "default_model": null, "routing_strategy": "weighted_random",
        "privacy": { "data_collection": "allow", "zdr": false } });
    assert_eq!(ada.get("/api/app/preferences").await.json["data"], defaults);
    let change = json!({ "theme": "dark", "language": "en", "routing_strategy": "lowest_cost", "privacy": { "zdr": true } });
    let changed = ada.patch("/api/app/preferences", change).await;
    assert_eq!((changed.status, &changed.json["data"]["privacy"]["zdr"]), (StatusCode::OK, &json!(true)), "{}", changed.text);
    let back = ada.patch("/api/app/preferences", json!({ "theme": null })).await;
    assert_eq!((&back.json["data"]["theme"], &back.json["data"]["language"]), (&json!("system"), &json!("en")));
    for (wrong, field) in [
        (json!({ "theme": "blue" }), "theme"),
        (json!({ "default_model": "nobody/nothing" }), "default_model"),
        (json!({ "privacy": { "zdr": "yes" } }), "zdr"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let refused = ada.patch("/api/app/preferences", wrong.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(refused.json["error"]["message"].as_str().unwrap().contains(field), "{wrong}: {}", refused.text);
    }
}

#[tokio::test]
async fn somebody_signs_up_with_an_account_of_their_own() {
    let books = Books::open().await;
    let mut browser = Browser::new(&books);
    let body = json!({ "email": "eve@example.com", "password": PASSWORD, "name": "Eve", "account_name": "Eve's" });
    let made = browser.post("/auth/sign-up", body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!((&made.json["data"]["accounts"][0]["name"], &made.json["data"]["accounts"][0]["role"]), (&json!("Eve's"), &json!("owner")));
    assert_eq!(made.json["data"]["user"]["is_platform_admin"], false);
    assert_eq!(browser.get("/api/app/session").await.status, StatusCode::OK);
    assert_eq!(Browser::new(&books).post("/auth/sign-up", body).await.status, StatusCode::CONFLICT);
    let ways = browser.get("/auth/providers").await;
    assert_eq!(ways.json, json!({ "data": { "password": true, "sign_up": true, "providers": Value::Array(vec![]) } }));
}

#[tokio::test]
async fn of_several_who_sign_up_with_one_address_at_once_one_does_and_one_account_is_made() {
    let books = Books::open().await;
    let body = json!({ "email": "eve@example.com", "password": PASSWORD, "name": "Eve", "account_name": "Eve's" });
    let mut browsers: Vec<Browser<'_>> = (0..4).map(|_| Browser::new(&books)).collect();
    let answers = join_all(browsers.iter_mut().map(|browser| browser.post("/auth/sign-up", body.clone()))).await;
    let mut statuses: Vec<StatusCode> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [StatusCode::CREATED, StatusCode::CONFLICT, StatusCode::CONFLICT, StatusCode::CONFLICT]);
    assert_eq!(books.services.control.store().accounts().await.unwrap().len(), 2, "the first account, and hers");
    let nameless = json!({ "email": "bob@example.com", "password": PASSWORD, "name": "Bob", "account_name": " " });
    let refused = Browser::new(&books).post("/auth/sign-up", nameless).await;
    assert_eq!((refused.status, &refused.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("account_name")));
}

#[tokio::test]
async fn upkeep_removes_the_sessions_that_are_over() {
    let books = Books::open().await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let mut ada = Browser::of(&books, "ada@example.com").await;
    let control = &books.services.control;
    let id = ada.get("/api/app/sessions").await.json["data"][0]["id"].as_str().unwrap().parse().unwrap();
    let good = control.store().session(id).await.unwrap().unwrap();
    let now = Timestamp::now();
    let over = SessionRecord { id: Uuid::now_v7(), refresh_sha256: "00".repeat(32), expires_at: now.plus_micros(-1), ..good };
    control.store().insert_session(&over).await.unwrap();
    let stop = CancellationToken::new();
    stop.cancel();
    books.services.run_upkeep(Duration::from_secs(60), stop).await;
    assert_eq!(control.store().session(over.id).await.unwrap(), None);
    assert_eq!(ada.get("/api/app/session").await.status, StatusCode::OK);
    books.close().await;
}

#[tokio::test]
async fn a_reset_password_is_shown_once_on_the_machine_itself_and_ends_all_sessions() {
    let books = Books::open().await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let mut browser = Browser::of(&books, "ada@example.com").await;
    let local = gateway::http::routes::local_routes(std::sync::Arc::clone(&books.services));
    let ask = async |email: &str| {
        let request = http::Request::post("/api/v1/admin/users/reset-password").header("content-type", "application/json");
        let request = request.body(axum::body::Body::from(json!({ "email": email }).to_string())).unwrap();
        let answer = tower::ServiceExt::oneshot(local.clone(), request).await.unwrap();
        let (status, body) = (answer.status(), axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap());
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    assert_eq!(ask("eve@example.com").await.0, StatusCode::NOT_FOUND);
    let (status, reset) = ask("Ada@example.com").await;
    assert_eq!((status, &reset["data"]["sessions_ended"]), (StatusCode::OK, &json!(1)), "{reset}");
    assert_eq!(browser.get("/api/app/session").await.status, StatusCode::UNAUTHORIZED);
    let mut anew = Browser::new(&books);
    assert_eq!(anew.sign_in("ada@example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(anew.sign_in("ada@example.com", reset["data"]["password"].as_str().unwrap()).await.status, StatusCode::OK);
    let over_the_network = books.post("/admin/users/reset-password", books.platform(), json!({ "email": "ada@example.com" })).await;
    assert_eq!(over_the_network.status, StatusCode::NOT_FOUND, "a key resets nothing");
    let records = books.services.control.store().audit_records(None, 2).await.unwrap();
    assert!(records.iter().any(|record| record.action == "user.password_reset" && record.actor == "local"));
}
