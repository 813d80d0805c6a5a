//! What a key, whoever made it and its account prefer decides where real requests go.

use gateway::control::people::Role;
use gateway::providers::AttemptError;
use gateway::routing::health::{Ending, observe};
use http::StatusCode;
use schemas::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Gateway, MODEL, channel, with};
use crate::people::browser::{Browser, person};

const OTHER_MODEL: &str = "acme/model-2";

/// Somebody who owns the first account, with a key of their own.
struct Owner<'g> {
    gateway: &'g Gateway,
    browser: Browser<'g>,
    account: String,
    key: String,
    hash: String,
}

impl<'g> Owner<'g> {
    async fn of(gateway: &'g Gateway) -> Self {
        let id = gateway.books.first.account_id;
        person(&gateway.books, "ada@example.com", id, Role::Owner).await;
        let mut browser = Browser::of(&gateway.books, "ada@example.com").await;
        let account = format!("/api/app/accounts/{id}");
        let made = browser.post(&format!("{account}/keys"), json!({ "name": "k" })).await;
        let text = |name: &str| made.json["data"][name].as_str().unwrap().to_owned();
        Self { gateway, browser, account, key: text("key"), hash: text("hash") }
    }

    async fn patch(&mut self, path: &str, body: Value) {
        let answer = self.browser.patch(path, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }

    async fn set_account(&mut self, preferences: Value) {
        let path = format!("{}/preferences", self.account);
        self.patch(&path, preferences).await;
    }

    async fn set_own(&mut self, preferences: Value) {
        self.patch("/api/app/preferences", preferences).await;
    }

    async fn set_key(&mut self, preferences: Value) {
        let path = format!("{}/keys/{}", self.account, self.hash);
        self.patch(&path, json!({ "preferences": preferences })).await;
    }

    async fn ask(&self, more: Value) -> Answer {
        self.gateway.ask_with(&self.key, more).await
    }

    /// Who answered, by which strategy, and who chose that.
    async fn route(&self, more: Value) -> (String, String, String) {
        let answer = self.ask(more).await;
        let told = |name: &str| answer.json["openrouter_metadata"][name].as_str().unwrap().to_owned();
        (answer.served_by(), told("routing_strategy"), told("routing_strategy_level"))
    }
}

fn priced(name: &str, price: &str) -> Value {
    let mut channel = channel(name, 0, "");
    channel["models"][0]["price"] = json!({ "prompt": price, "completion": price });
    channel
}

fn route(channel: &str, strategy: &str, level: &str) -> (String, String, String) {
    (channel.to_owned(), strategy.to_owned(), level.to_owned())
}

#[tokio::test]
async fn the_nearest_level_that_names_a_strategy_chooses_where_requests_go() {
    let gateway = Gateway::open(vec![priced("cheap", "0.1"), priced("fast", "9")]).await;
    // What was measured once stands until something else is: the cheap one is slow by a wide margin.
    for (name, latency_ms) in [("cheap", 60_000), ("fast", 1)] {
        let ending = Ending::Succeeded { latency_ms, output_tokens: 1, generation_ms: latency_ms };
        observe::succeeded(&gateway.endpoint(name), ending, None, Timestamp::now());
    }
    let mut owner = Owner::of(&gateway).await;
    assert_eq!(owner.route(json!({})).await.2, "default");
    owner.set_account(json!({ "routing_strategy": "lowest_cost" })).await;
    assert_eq!(owner.route(json!({})).await, route("cheap", "lowest_cost", "account"));
    owner.set_own(json!({ "routing_strategy": "lowest_latency" })).await;
    assert_eq!(owner.route(json!({})).await, route("fast", "lowest_latency", "creator"));
    owner.set_key(json!({ "routing_strategy": "lowest_cost" })).await;
    assert_eq!(owner.route(json!({})).await, route("cheap", "lowest_cost", "key"));
    let own = json!({ "provider": { "routing_strategy": "lowest_latency" } });
    assert_eq!(owner.route(own).await, route("fast", "lowest_latency", "request"));
    // Taken back, the next level's word counts again.
    owner.set_key(Value::Null).await;
    assert_eq!(owner.route(json!({})).await, route("fast", "lowest_latency", "creator"));
    owner.set_own(json!({ "routing_strategy": null })).await;
    assert_eq!(owner.route(json!({})).await, route("cheap", "lowest_cost", "account"));
    // Another key of the account, made by nobody who prefers anything.
    let answer = gateway.ask(json!({})).await;
    assert_eq!((answer.served_by().as_str(), &answer.json["openrouter_metadata"]["routing_strategy_level"]), ("cheap", &json!("account")));
    drop(owner);
    gateway.close().await;
}

#[tokio::test]
async fn the_nearest_level_that_names_a_model_answers_requests_without_one() {
    let mut other = channel("other", 0, "");
    other["models"][0]["id"] = json!(OTHER_MODEL);
    let gateway = Gateway::open(vec![channel("main", 0, ""), other]).await;
    let mut owner = Owner::of(&gateway).await;
    let unnamed = || json!({ "model": null });
    let refused = owner.ask(unnamed()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
    owner.set_account(json!({ "default_model": OTHER_MODEL })).await;
    assert_eq!(owner.ask(unnamed()).await.json["model"], OTHER_MODEL);
    owner.set_own(json!({ "default_model": MODEL })).await;
    assert_eq!(owner.ask(unnamed()).await.json["model"], MODEL);
    owner.set_key(json!({ "default_model": OTHER_MODEL })).await;
    assert_eq!(owner.ask(unnamed()).await.json["model"], OTHER_MODEL);
    assert_eq!(owner.ask(json!({})).await.json["model"], MODEL, "a model that is named is the one");
    owner.set_key(Value::Null).await;
    assert_eq!(owner.ask(unnamed()).await.json["model"], MODEL);
    drop(owner);
    gateway.close().await;
}

#[tokio::test]
async fn privacy_that_any_level_wants_holds_whatever_the_others_say() {
    let policy = |zdr: bool| json!({ "data_policy": { "data_collection": "deny", "zdr": zdr } });
    let channels = vec![priced("open", "0.1"), with(priced("private", "5"), policy(false)), with(priced("silent", "9"), policy(true))];
    let gateway = Gateway::open(channels.clone()).await;
    let mut owner = Owner::of(&gateway).await;
    let cheapest = json!({ "provider": { "routing_strategy": "lowest_cost" } });
    assert_eq!(owner.ask(cheapest.clone()).await.served_by(), "open");
    owner.set_account(json!({ "privacy": { "data_collection": "deny" } })).await;
    owner.set_own(json!({ "privacy": { "data_collection": "allow" } })).await;
    owner.set_key(json!({ "data_collection": "allow", "zdr": false })).await;
    let loose = json!({ "provider": { "routing_strategy": "lowest_cost", "data_collection": "allow", "zdr": false } });
    assert_eq!(owner.ask(loose.clone()).await.served_by(), "private");
    owner.set_own(json!({ "privacy": { "zdr": true } })).await;
    assert_eq!(owner.ask(loose.clone()).await.served_by(), "silent");
    // Where nothing keeps what was promised, the answer names who wanted it.
    gateway.offer(channels[..2].to_vec()).await;
    let answer = owner.ask(loose.clone()).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{}", answer.text);
    let removed = answer.error()["metadata"]["removed_endpoints"].as_array().unwrap();
    let of = |name: &str| removed.iter().find(|told| told["channel"] == name).map(|told| told["level"].clone()).unwrap();
    assert_eq!((of("open"), of("private")), (json!("account"), json!("creator")), "{removed:?}");
    let availability = &answer.error()["availability"];
    assert_eq!((&availability["code"], &availability["constraint"]["field"]), (&json!("privacy_restricted"), &json!("privacy.zdr")));
    // What the person wants holds for their own keys only.
    assert_eq!(gateway.ask(loose).await.served_by(), "private");
    drop(owner);
    gateway.close().await;
}

#[tokio::test]
async fn a_preferred_strategy_fails_over_like_any_other() {
    let gateway = Gateway::open(vec![priced("cheap", "0.1"), priced("dear", "9")]).await;
    let mut owner = Owner::of(&gateway).await;
    owner.set_key(json!({ "routing_strategy": "lowest_cost" })).await;
    for _ in 0..3 {
        observe::failed(&gateway.endpoint("cheap"), 0, &AttemptError::broken("down"), Timestamp::now());
    }
    assert_eq!(owner.route(json!({})).await, route("dear", "lowest_cost", "key"));
    drop(owner);
    gateway.close().await;
}
