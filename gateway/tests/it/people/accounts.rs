//! What members do with an account: keys, money, each other.

use gateway::control::people::Role;
use gateway::control::store::Act;
use http::StatusCode;
use schemas::{NanoUsd, Timestamp};
use serde_json::{Value, json};

use super::browser::{Browser, PASSWORD, person};
use crate::books::Books;
use crate::control::channel;

#[tokio::test]
async fn a_member_makes_and_changes_keys_of_their_own_and_sees_no_other() {
    let books = Books::open().await;
    let account = books.first.account_id;
    person(&books, "ada@example.com", account, Role::Owner).await;
    person(&books, "bob@example.com", account, Role::Member).await;
    let path = format!("/api/app/accounts/{account}/keys");
    let (mut ada, mut bob) = (Browser::of(&books, "ada@example.com").await, Browser::of(&books, "bob@example.com").await);
    let made = bob.post(&path, json!({ "name": "bob's", "limit": "2.5", "rpm": 60, "allowed_models": ["acme/model-1"] })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let data = &made.json["data"];
    assert_eq!((&data["limit"], &data["limit_remaining"], &data["rpm"]), (&json!("2.5"), &json!("2.5"), &json!(60)));
    assert_eq!(data["creator"]["name"], "bob");
    let (secret, hash) = (data["key"].as_str().unwrap(), data["hash"].as_str().unwrap());
    assert_eq!(books.get("/key", secret).await.status, StatusCode::OK, "it works at once");
    let names = |answer: &Value| answer["data"].as_array().unwrap().iter().map(|key| key["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&bob.get(&path).await.json), [json!("bob's")]);
    assert_eq!(names(&ada.get(&path).await.json), [json!("bob's"), json!("first key")], "platform keys are not the account's");
    let adas = ada.post(&path, json!({ "name": "ada's" })).await;
    let foreign = format!("{path}/{}", adas.json["data"]["hash"].as_str().unwrap());
    for refused in [bob.get(&foreign).await, bob.patch(&foreign, json!({ "disabled": true })).await, bob.delete(&foreign).await] {
        assert_eq!(refused.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(bob.post(&path, json!({ "name": "m", "kind": "management" })).await.status, StatusCode::FORBIDDEN);
    let own = format!("{path}/{hash}");
    let disabled = bob.patch(&own, json!({ "disabled": true, "limit": null })).await;
    assert_eq!((&disabled.json["data"]["disabled"], &disabled.json["data"]["limit"]), (&json!(true), &Value::Null));
    assert_eq!(books.get("/key", secret).await.status, StatusCode::UNAUTHORIZED, "and is refused at once");
    assert_eq!(bob.delete(&own).await.status, StatusCode::NO_CONTENT);
    for (wrong, field) in [
        (json!({ "name": "" }), "name"),
        (json!({ "name": "a", "limit": "x" }), "limit"),
        (json!({ "name": "a", "rpm": 0 }), "requests_per_minute"),
    ] {
        let refused = bob.post(&path, wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert!(refused.text.contains(field), "{}", refused.text);
    }
}

#[tokio::test]
async fn preferences_of_a_key_its_maker_and_its_account_govern_in_this_order() {
    let books = Books::open().await;
    let account = books.first.account_id;
    person(&books, "ada@example.com", account, Role::Owner).await;
    books.services.control.create_channel(&Act::new("tester", Timestamp::now()), channel("main")).await.unwrap();
    let mut ada = Browser::of(&books, "ada@example.com").await;
    let path = format!("/api/app/accounts/{account}");
    let made = ada.post(&format!("{path}/keys"), json!({ "name": "k" })).await;
    let (secret, hash) = (made.json["data"]["key"].as_str().unwrap(), made.json["data"]["hash"].as_str().unwrap());
    let effective = || {
        let catalog = books.services.control.catalog_full();
        let preferences = &catalog.authenticate(secret, Timestamp::now()).unwrap().preferences;
        let strategy = preferences.routing_strategy.map(|(strategy, level)| (strategy.as_str(), level.as_str()));
        (strategy, preferences.default_model.as_deref().map(str::to_owned), preferences.zdr.is_some())
    };
    assert_eq!(effective(), (None, None, false));
    let set = json!({ "routing_strategy": "lowest_cost", "default_model": "acme/model-1", "privacy": { "zdr": true } });
    let answer = ada.patch(&format!("{path}/preferences"), set).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    assert_eq!(effective(), (Some(("lowest_cost", "account")), Some("acme/model-1".to_owned()), true));
    ada.patch("/api/app/preferences", json!({ "routing_strategy": "lowest_latency" })).await;
    assert_eq!(effective().0, Some(("lowest_latency", "creator")));
    let own = json!({ "preferences": { "routing_strategy": "weighted_random", "zdr": false } });
    ada.patch(&format!("{path}/keys/{hash}"), own).await;
    assert_eq!(effective(), (Some(("weighted_random", "key")), Some("acme/model-1".to_owned()), true), "privacy only ever tightens");
    ada.patch(&format!("{path}/keys/{hash}"), json!({ "preferences": null })).await;
    ada.patch("/api/app/preferences", json!({ "routing_strategy": null })).await;
    assert_eq!(effective().0, Some(("lowest_cost", "account")));
}

#[tokio::test]
async fn a_statement_and_the_books_say_the_same_to_the_last_digit() {
    let books = Books::open().await;
    let account = books.first.account_id;
    person(&books, "fin@example.com", account, Role::Finance).await;
    books.top_up("10").await;
    let request = books.settle_request("acme/model-1", NanoUsd::from_nanos(1_234_567_891)).await;
    books.booked(account).await;
    books.projected(3).await;
    let mut fin = Browser::of(&books, "fin@example.com").await;
    let path = format!("/api/app/accounts/{account}");
    let wallet = fin.get(&path).await;
    assert_eq!((&wallet.json["data"]["balance"], &wallet.json["data"]["held"]), (&json!("8.765432109"), &json!("0")), "{}", wallet.text);
    let statement = fin.get(&format!("{path}/transactions")).await;
    let rows = statement.json["data"].as_array().unwrap();
    assert_eq!((&rows[0]["amount"], &rows[0]["balance_after"]), (&json!("-1.234567891"), &json!("8.765432109")));
    assert_eq!((&rows[0]["key"]["name"], &rows[0]["generation_id"]), (&json!("first key"), &json!(request.to_string())));
    assert_eq!(rows[0]["model"], "acme/model-1");
    assert_eq!(fin.get(&format!("{path}/transactions?generation_id={request}")).await.json["data"].as_array().unwrap().len(), 1);
    assert_eq!(fin.get(&format!("{path}/transactions?kind=topup")).await.json["data"].as_array().unwrap().len(), 1);
    let csv = fin.get(&format!("{path}/transactions.csv")).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 3, "{}", csv.text);
    assert!(lines[1].contains(",usage,-1.234567891,8.765432109,"), "{}", lines[1]);
    let journal = fin.get(&format!("{path}/ledger?generation_id={request}")).await;
    let entries = journal.json["data"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[0]["kind"]), (1, &json!("usage.settled")), "{}", journal.text);
    let postings = entries[0]["postings"].as_array().unwrap();
    let sum: i64 = postings.iter().map(|leg| NanoUsd::parse_usd(leg["amount"].as_str().unwrap()).unwrap().nanos()).sum();
    assert_eq!(sum, 0, "{}", journal.text);
    assert!(postings.contains(&json!({ "account": "customer", "amount": "-1.234567891" })), "{}", journal.text);
    assert_eq!(entries[0]["chain_hash"].as_str().unwrap().len(), 64);
    // What the provider charges is the platform's business.
    let accounts = |text: &str| ["payable", "provider_cost"].map(|name| text.contains(&format!("\"{name}\"")));
    assert_eq!(accounts(&journal.text), [false, false], "{}", journal.text);
    let mut root = super::administration::root(&books).await;
    let whole = root.get(&format!("{path}/ledger?generation_id={request}")).await;
    assert_eq!(accounts(&whole.text), [true, true], "{}", whole.text);
    for wrong in ["transactions?kind=gift", "transactions?cursor=x", "transactions?generation_id=x", "ledger?cursor=x"] {
        assert_eq!(fin.get(&format!("{path}/{wrong}")).await.status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn people_are_invited_join_change_roles_and_leave() {
    let books = Books::open().await;
    let account = books.first.account_id;
    let ada = person(&books, "ada@example.com", account, Role::Owner).await;
    person(&books, "adm@example.com", account, Role::Admin).await;
    let path = format!("/api/app/accounts/{account}");
    let (mut owner, mut admin) = (Browser::of(&books, "ada@example.com").await, Browser::of(&books, "adm@example.com").await);
    assert_eq!(
        admin.post(&format!("{path}/invitations"), json!({ "email": "x@example.com", "role": "owner" })).await.status,
        StatusCode::FORBIDDEN
    );
    let invited = admin.post(&format!("{path}/invitations"), json!({ "email": "Eve@example.com", "role": "finance" })).await;
    assert_eq!(invited.status, StatusCode::CREATED, "{}", invited.text);
    let token = invited.json["data"]["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let mut eve = Browser::new(&books);
    let seen = eve.get(&format!("/auth/invitations/{token}")).await;
    assert_eq!((&seen.json["data"]["email"], &seen.json["data"]["role"]), (&json!("eve@example.com"), &json!("finance")));
    let accept = format!("/auth/invitations/{token}/accept");
    let joined = eve.post(&accept, json!({ "name": "Eve", "password": PASSWORD })).await;
    assert_eq!((joined.status, &joined.json["data"]["accounts"][0]["role"]), (StatusCode::OK, &json!("finance")), "{}", joined.text);
    assert_eq!(
        Browser::new(&books).post(&accept, json!({ "name": "Two", "password": PASSWORD })).await.status,
        StatusCode::NOT_FOUND,
        "once"
    );
    let id = joined.json["data"]["user"]["id"].as_str().unwrap();
    let member = |id: &str| format!("{path}/members/{id}");
    assert_eq!(admin.patch(&member(id), json!({ "role": "member" })).await.status, StatusCode::NO_CONTENT);
    assert_eq!(eve.get("/api/app/session").await.json["data"]["accounts"][0]["role"], "member", "at once");
    assert_eq!(admin.patch(&member(&ada.id.to_string()), json!({ "role": "member" })).await.status, StatusCode::FORBIDDEN);
    assert_eq!(owner.patch(&member(&ada.id.to_string()), json!({ "role": "admin" })).await.status, StatusCode::CONFLICT, "the last owner");
    assert_eq!(admin.delete(&member(id)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(eve.get(&path).await.status, StatusCode::NOT_FOUND);
    let again = owner.post(&format!("{path}/invitations"), json!({ "email": "eve@example.com", "role": "analyst" })).await;
    let token = again.json["data"]["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    eve.csrf = joined.json["data"]["csrf_token"].as_str().unwrap().to_owned();
    let back = eve.post(&format!("/auth/invitations/{token}/accept"), json!({})).await;
    assert_eq!((back.status, &back.json["data"]["accounts"][0]["role"]), (StatusCode::OK, &json!("analyst")), "{}", back.text);
}
