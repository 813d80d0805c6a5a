//! What administrators of the platform do, and codes and apps that depend on it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use gateway::control::people::{Role, User, UserStatus};
use gateway::control::store::Act;
use http::StatusCode;
use schemas::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::browser::{Browser, person};
use crate::books::Books;
use crate::control::channel_json;

/// A browser of the platform's administrator.
pub async fn root(books: &Books) -> Browser<'_> {
    root_who_is(books, Role::Owner).await
}

/// The same, with a role in the first account.
async fn root_who_is(books: &Books, role: Role) -> Browser<'_> {
    let user = person(books, "root@example.com", books.first.account_id, role).await;
    let act = Act::new("tester", Timestamp::now());
    books
        .services
        .control
        .store()
        .change_user(&act, "user.changed", user.id, |user: &mut User| user.is_platform_admin = true)
        .await
        .unwrap();
    Browser::of(books, "root@example.com").await
}

#[tokio::test]
async fn who_administers_the_platform_may_do_no_less_where_they_are_a_plain_member() {
    let books = Books::open().await;
    let mut root = root_who_is(&books, Role::Member).await;
    let path = format!("/api/app/accounts/{}", books.first.account_id);
    let invited = root.post(&format!("{path}/invitations"), json!({ "email": "x@example.com", "role": "owner" })).await;
    assert_eq!(invited.status, StatusCode::CREATED, "{}", invited.text);
    let keys = root.get(&format!("{path}/keys")).await;
    let keys = keys.json["data"].as_array().unwrap().clone();
    assert!(!keys.is_empty(), "the keys that others made as well");
    let key = format!("{path}/keys/{}", keys[0]["hash"].as_str().unwrap());
    assert_eq!(root.get(&key).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_platform_limits_an_account_and_its_members_see_the_limits() {
    let books = Books::open().await;
    let mut root = root(&books).await;
    person(&books, "ada@example.com", books.first.account_id, Role::Owner).await;
    let mut ada = Browser::of(&books, "ada@example.com").await;
    let (of_platform, own) =
        (format!("/api/app/admin/accounts/{}", books.first.account_id), format!("/api/app/accounts/{}", books.first.account_id));
    let limits = |answer: &crate::books::Answer| ["rpm", "tpm", "concurrency"].map(|field| answer.json["data"][field].clone());
    let set = root.patch(&of_platform, json!({ "rpm": 60, "tpm": 100_000, "name": "Ours" })).await;
    assert_eq!((set.status, &set.json["data"]["name"]), (StatusCode::OK, &json!("Ours")), "{}", set.text);
    let seen = ada.get(&own).await;
    assert_eq!((limits(&seen), limits(&set)), ([json!(60), json!(100_000), Value::Null], limits(&seen)));
    assert_eq!(ada.patch(&own, json!({ "name": "x", "rpm": null })).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(ada.patch(&of_platform, json!({ "rpm": null })).await.status, StatusCode::FORBIDDEN);
    let refused = root.patch(&of_platform, json!({ "rpm": 0, "name": "Theirs" })).await;
    assert_eq!((refused.status, &refused.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("rpm")), "{}", refused.text);
    assert_eq!(ada.get(&own).await.json["data"]["name"], "Ours", "all of a change or nothing");
    let lifted = root.patch(&of_platform, json!({ "rpm": null, "concurrency": 4 })).await;
    assert_eq!(limits(&lifted), [Value::Null, json!(100_000), json!(4)]);
    let recorded = root.get(&format!("/api/app/admin/audit-records?subject={}&limit=1", books.first.account_id)).await;
    assert_eq!(
        (&recorded.json["data"][0]["before"]["concurrency"], &recorded.json["data"][0]["after"]["concurrency"]),
        (&Value::Null, &json!(4))
    );
}

#[tokio::test]
async fn lists_go_on_after_their_last_row_whatever_came_or_went_meanwhile() {
    let books = Books::open().await;
    let mut root = root(&books).await;
    let keys = format!("/api/app/accounts/{}/keys", books.first.account_id);
    for path in [keys.as_str(), "/api/app/admin/codes"] {
        let body = |name: &str| if path == keys { json!({ "name": name }) } else { json!({ "amount": "1", "count": 1, "note": name }) };
        let named = |row: &Value| row.get("name").or(row.get("note")).cloned().unwrap();
        for name in ["one", "two", "three"] {
            root.post(path, body(name)).await;
        }
        let first = root.get(&format!("{path}?limit=1")).await;
        assert_eq!(named(&first.json["data"][0]), "three", "{}", first.text);
        root.post(path, body("four")).await;
        let cursor = first.json["next_cursor"].as_str().unwrap();
        let second = root.get(&format!("{path}?limit=1&cursor={cursor}")).await;
        assert_eq!(named(&second.json["data"][0]), "two", "{}", second.text);
        for wrong in ["1", "nonsense", ""] {
            let refused = root.get(&format!("{path}?cursor={wrong}")).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{path} {wrong}: {}", refused.text);
        }
    }
    let deliveries = format!("/api/app/accounts/{}/balance-alert/deliveries?cursor=50", books.first.account_id);
    assert_eq!(root.get(&deliveries).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn of_twenty_tries_at_a_code_exactly_one_succeeds() {
    let books = Books::open().await;
    let mut root = root(&books).await;
    let made = root.post("/api/app/admin/codes", json!({ "amount": "5", "count": 2, "note": "launch" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let (batch, codes) = (made.json["data"]["id"].as_str().unwrap(), made.json["data"]["codes"].as_array().unwrap());
    let account = books.first.account_id;
    let path = format!("/api/app/accounts/{account}/redemptions");
    let code = codes[0].as_str().unwrap();
    let tries = join_all((0..20).map(|_| {
        let mut browser = Browser::like(&root);
        let path = &path;
        async move { browser.post(path, json!({ "code": code.to_lowercase() })).await }
    }))
    .await;
    let mut by_status: BTreeMap<u16, usize> = BTreeMap::new();
    for answer in &tries {
        *by_status.entry(answer.status.as_u16()).or_default() += 1;
    }
    assert_eq!(by_status, BTreeMap::from([(201, 1), (409, 19)]), "{:?}", tries.iter().map(|answer| &answer.text).collect::<Vec<_>>());
    let statement = root.get(&format!("/api/app/accounts/{account}/transactions")).await;
    assert_eq!(statement.json["data"].as_array().unwrap().len(), 1, "one credit: {}", statement.text);
    assert_eq!(statement.json["data"][0]["balance_after"], "5");
    let listed = root.get("/api/app/admin/codes").await;
    assert_eq!((&listed.json["data"][0]["redeemed"], &listed.json["data"][0]["status"]), (&json!(1), &json!("open")));
    assert!(!listed.text.contains(code), "codes are shown once");
    assert_eq!(root.delete(&format!("/api/app/admin/codes/{batch}")).await.status, StatusCode::NO_CONTENT);
    let voided = root.post(&path, json!({ "code": codes[1] })).await;
    assert_eq!((voided.status, &voided.json["error"]["param"]), (StatusCode::GONE, &json!("code")));
    assert_eq!(root.post(&path, json!({ "code": "TG-00000-00000-00000-00000" })).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_providers_should_have_invoiced_is_told_without_a_key_as_well() {
    let books = Books::open().await;
    let mut root = root(&books).await;
    let report = root.get("/api/app/admin/provider-costs?by=month&invoiced=1.5").await;
    assert_eq!(report.status, StatusCode::OK, "{}", report.text);
    assert_eq!(report.json["data"]["invoice"]["difference"], 1.5);
    let table = root.get("/api/app/admin/provider-costs?format=csv").await;
    assert!(table.text.starts_with("period,channel,provider,model,"), "{}", table.text);
    assert_eq!(root.get("/api/app/admin/provider-costs?invoiced=much").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_price_is_changed_by_a_new_version_and_the_record_says_who_did_it() {
    let books = Books::open().await;
    let mut root = root(&books).await;
    let channel = root.post("/api/app/admin/channels", channel_json("main")).await;
    assert_eq!(channel.status, StatusCode::CREATED, "{}", channel.text);
    let id = channel.json["data"]["id"].as_str().unwrap();
    let body = json!({ "channel_id": id, "model": "acme/model-1", "price": { "prompt": "1", "completion": "2" } });
    let made = root.post("/api/app/admin/price-versions", body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json["data"]["price"]["prompt"], "1");
    let versions = root.get("/api/app/admin/price-versions?model=acme/model-1").await;
    let prices: Vec<&Value> = versions.json["data"].as_array().unwrap().iter().map(|version| &version["price"]["prompt"]).collect();
    assert_eq!(prices, [&json!("1"), &json!("0.15")], "the old one stays");
    let catalog = books.services.control.catalog_full();
    assert_eq!(catalog.model("acme/model-1").unwrap().endpoints[0].price.id.as_ref(), made.json["data"]["id"].as_str().unwrap());
    let models = root.get("/api/app/admin/models").await;
    assert_eq!((&models.json["data"][0]["id"], &models.json["data"][0]["price_versions"]), (&json!("acme/model-1"), &json!(2)));
    let wrong = json!({ "channel_id": id, "model": "acme/other", "price": "free" });
    assert_eq!(root.post("/api/app/admin/price-versions", wrong).await.status, StatusCode::NOT_FOUND);
    let records = root.get(&format!("/api/app/admin/audit-records?subject={id}")).await;
    let actions: Vec<&Value> = records.json["data"].as_array().unwrap().iter().map(|record| &record["action"]).collect();
    assert_eq!(actions, [&json!("channel.changed"), &json!("channel.created")]);
    let actor = &records.json["data"][0]["actor"];
    assert_eq!((&actor["kind"], &actor["name"]), (&json!("user"), &json!("root")));
    assert!(records.json["data"][0]["before"].is_object() && !records.text.contains("sk-upstream"), "{}", records.text);
}

#[tokio::test]
async fn a_price_is_scheduled_listed_and_withdrawn() {
    let books = Books::open().await;
    let mut root = root(&books).await;
    let channel = root.post("/api/app/admin/channels", channel_json("main")).await;
    let id = channel.json["data"]["id"].as_str().unwrap();
    let path = "/api/app/admin/price-versions";
    let body =
        |at: Value| json!({ "channel_id": id, "model": "acme/model-1", "price": { "prompt": "1", "completion": "2" }, "effective_at": at });
    let in_an_hour = Timestamp::now().plus_micros(3_600_000_000).to_string();
    let made = root.post(path, body(json!(in_an_hour))).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let data = &made.json["data"];
    assert_eq!((&data["status"], &data["effective_at"]), (&json!("scheduled"), &json!(in_an_hour)));
    assert_eq!(data["cost"]["prompt"], "0.1", "it stays what it is");
    let version = data["id"].as_str().unwrap();
    let listed = async |root: &mut Browser<'_>| {
        let versions = root.get(&format!("{path}?model=acme/model-1")).await;
        versions.json["data"].as_array().unwrap().iter().map(|version| version["status"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed(&mut root).await, ["scheduled", "published"]);
    let catalog = books.services.control.catalog_full();
    assert_ne!(&*catalog.model("acme/model-1").unwrap().endpoints[0].price.id, version);
    assert_eq!(root.delete(&format!("{path}/{version}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(root.delete(&format!("{path}/{version}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(listed(&mut root).await, ["withdrawn", "published"]);
    for wrong in ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let refused = root.post(path, body(json!(wrong))).await;
        assert_eq!((refused.status, &refused.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("effective_at")));
    }
    let now = root.post(path, body(Value::Null)).await;
    assert_eq!((now.status, &now.json["data"]["status"]), (StatusCode::CREATED, &json!("published")));
}

#[tokio::test]
async fn accounts_are_opened_credited_once_and_suspended() {
    let books = Books::open().await;
    let mut root = root(&books).await;
    let made = root.post("/api/app/admin/accounts", json!({ "name": "Acme & Söhne" })).await;
    let path = format!("/api/app/admin/accounts/{}", made.json["data"]["id"].as_str().unwrap());
    let order = json!({ "kind": "grant", "amount": "12.5", "reason": "welcome", "idempotency_key": "w-1" });
    let first = root.post(&format!("{path}/credits"), order.clone()).await;
    assert_eq!((first.status, &first.json["data"]["balance"]), (StatusCode::CREATED, &json!("12.5")), "{}", first.text);
    let second = root.post(&format!("{path}/credits"), order).await;
    assert_eq!((second.status, &second.json["data"]["transaction_id"]), (StatusCode::OK, &first.json["data"]["transaction_id"]));
    let other = json!({ "kind": "grant", "amount": "13", "reason": "welcome", "idempotency_key": "w-1" });
    assert_eq!(root.post(&format!("{path}/credits"), other).await.status, StatusCode::CONFLICT);
    assert_eq!(root.patch(&path, json!({ "status": "suspended", "name": "Acme" })).await.json["data"]["status"], "suspended");
    let found = root.get("/api/app/admin/accounts?q=ACM").await;
    assert_eq!(found.json["data"].as_array().unwrap().len(), 1, "{}", found.text);
    assert_eq!(root.get("/api/app/admin/accounts?q=%25").await.json["data"], json!([]), "taken literally");
}

#[tokio::test]
async fn somebody_who_is_disabled_is_out_at_once_and_the_last_administrator_stays() {
    let books = Books::open().await;
    let mut root = root(&books).await;
    let eve = person(&books, "eve@example.com", books.first.account_id, Role::Member).await;
    let mut browser = Browser::of(&books, "eve@example.com").await;
    let path = format!("/api/app/admin/users/{}", eve.id);
    let disabled = root.patch(&path, json!({ "status": "disabled" })).await;
    assert_eq!((disabled.status, &disabled.json["data"]["status"]), (StatusCode::OK, &json!("disabled")), "{}", disabled.text);
    assert_eq!(browser.get("/api/app/session").await.status, StatusCode::UNAUTHORIZED);
    let found = root.get("/api/app/admin/users?q=ROOT@").await;
    let own = format!("/api/app/admin/users/{}", found.json["data"][0]["id"].as_str().unwrap());
    assert_eq!(root.patch(&own, json!({ "is_platform_admin": false })).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn an_app_trades_its_code_in_for_a_key_once_and_only_with_its_verifier() {
    let books = Books::open().await;
    let account = books.first.account_id;
    let mut root = root(&books).await;
    let path = format!("/api/app/accounts/{account}/authorization-codes");
    let verifier = "a-verifier-of-forty-three-characters-or-more-0123";
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let body = json!({ "callback_url": "https://app.example/back?x=1", "code_challenge": challenge, "code_challenge_method": "S256",
        "state": "a b", "limit": "3" });
    let mut code = async || {
        let made = root.post(&path, body.clone()).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let url = made.json["data"]["redirect_url"].as_str().unwrap().to_owned();
        assert!(url.starts_with("https://app.example/back?x=1&code=") && url.ends_with("&state=a%20b"), "{url}");
        url.split("code=").nth(1).unwrap().split('&').next().unwrap().to_owned()
    };
    let (one, two) = (code().await, code().await);
    let trade = async |code: &str, verifier: &str| {
        books.post("/auth/keys", "", json!({ "code": code, "code_verifier": verifier, "code_challenge_method": "S256" })).await
    };
    assert_eq!(trade(&one, "another-verifier-of-forty-three-characters-0").await.status, StatusCode::FORBIDDEN);
    assert_eq!(trade(&one, verifier).await.status, StatusCode::FORBIDDEN, "a code that was shown is used up");
    let traded = trade(&two, verifier).await;
    assert_eq!(traded.status, StatusCode::OK, "{}", traded.text);
    let own = books.get("/key", traded.json["key"].as_str().unwrap()).await;
    assert_eq!((&own.json["data"]["name"], &own.json["data"]["limit"]), (&json!("app.example"), &json!(3)));
    assert_eq!(trade(&two, verifier).await.status, StatusCode::FORBIDDEN);
    // Without a callback the code is shown, and its app has to prove itself.
    let headless = root.post(&path, json!({ "code_challenge": challenge, "code_challenge_method": "S256", "name": "a shell" })).await;
    assert_eq!((headless.status, &headless.json["data"]["redirect_url"]), (StatusCode::CREATED, &Value::Null), "{}", headless.text);
    let traded = trade(headless.json["data"]["code"].as_str().unwrap(), verifier).await;
    let own = books.get("/key", traded.json["key"].as_str().unwrap()).await;
    assert_eq!(own.json["data"]["name"], "a shell");
    let unproven = root.post(&path, json!({ "name": "a shell" })).await;
    assert_eq!((unproven.status, &unproven.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("code_challenge")));
    for wrong in ["http://app.example/", "ftp://x", "https://user@app.example/", "https://app.example/#x", "nonsense"] {
        let refused = root.post(&path, json!({ "callback_url": wrong })).await;
        assert_eq!((refused.status, &refused.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("callback_url")), "{wrong}");
    }
}

#[tokio::test]
async fn a_code_for_an_app_is_worth_nothing_once_whoever_gave_it_may_make_no_keys() {
    let books = Books::open().await;
    let (account, store) = (books.first.account_id, books.services.control.store());
    let act = || Act::new("tester", Timestamp::now());
    let path = format!("/api/app/accounts/{account}/authorization-codes");
    let owner = person(&books, "owner@example.com", account, Role::Owner).await;
    let code = async |name: &str| {
        let user = person(&books, &format!("{name}@example.com"), account, Role::Member).await;
        let mut browser = Browser::of(&books, &user.email).await;
        let made = browser.post(&path, json!({ "callback_url": "https://app.example/" })).await;
        let url = made.json["data"]["redirect_url"].as_str().unwrap_or_else(|| panic!("{}", made.text)).to_owned();
        (user, url.split("code=").nth(1).unwrap().to_owned())
    };
    let ((disabled, one), (removed, two), (demoted, three), (_, four)) =
        (code("disabled").await, code("removed").await, code("demoted").await, code("stays").await);
    let disable = |user: &mut User| user.status = UserStatus::Disabled;
    store.change_user(&act(), "user.changed", disabled.id, disable).await.unwrap();
    store.set_role(&act(), account, removed.id, None, Role::Owner).await.unwrap();
    store.set_role(&act(), account, demoted.id, Some(Role::Analyst), Role::Owner).await.unwrap();
    for (code, status) in
        [(one, StatusCode::FORBIDDEN), (two, StatusCode::FORBIDDEN), (three, StatusCode::FORBIDDEN), (four, StatusCode::OK)]
    {
        let traded = books.post("/auth/keys", "", json!({ "code": code })).await;
        assert_eq!(traded.status, status, "{}", traded.text);
    }
    let mut browser = Browser::of(&books, &owner.email).await;
    let late = browser.post(&path, json!({ "callback_url": "https://app.example/", "expires_at": "2020-01-01T00:00:00Z" })).await;
    assert_eq!((late.status, &late.json["error"]["param"]), (StatusCode::BAD_REQUEST, &json!("expires_at")), "{}", late.text);
}
