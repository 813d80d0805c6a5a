//! What routing keeps in the control store: channels' health, preferences, and what a channel says of itself.

use gateway::control::board::HealthBoard;
use gateway::control::people::{Role, User};
use gateway::control::store::{Act, ChannelDraft, ControlStore, HealthRow, ManagedBy, StoreError};
use gateway::providers::AttemptError;
use gateway::routing::health::{BreakerState, Ending, HealthStatus, Window, observe};
use gateway::routing::{DataCollection, RoutingPreferences, RoutingStrategy};
use schemas::{ChannelId, NodeId, Timestamp, UserId};
use serde_json::json;

use super::{TestDatabase, channel, channel_json};
use crate::books::open_control;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn act(seconds: i64) -> Act {
    Act::new("tester", at(seconds))
}

async fn open() -> (ControlStore, TestDatabase) {
    let database = TestDatabase::make().await;
    (ControlStore::open(&database.url()).await.unwrap(), database)
}

/// A row with something in every column.
fn row(channel: &str, node: &str, updated: i64) -> HealthRow {
    HealthRow {
        channel_id: channel.to_owned(),
        node_id: node.to_owned(),
        channel_name: "main — 主".to_owned(),
        status: "degraded".to_owned(),
        consecutive_failures: i64::from(u32::MAX) + 1,
        last_check_at: Some(1),
        last_success_at: None,
        last_failure_at: Some(i64::MAX),
        open_until: Some(4),
        cool_until: None,
        details: json!({ "models": { "acme/model-1": {} } }).to_string(),
        updated_at: at(updated).micros(),
    }
}

#[tokio::test]
async fn health_comes_back_as_each_gateway_wrote_it_the_oldest_first() {
    let (store, _database) = open().await;
    let (one, two, other) = (row("c1", "n1", 20), row("c1", "n2", 10), row("c2", "n1", 30));
    store.save_channel_health(&[one.clone(), two.clone(), other.clone()]).await.unwrap();
    assert_eq!(store.channel_health_since(at(0)).await.unwrap(), [two.clone(), one.clone(), other.clone()]);
    assert_eq!(store.channel_health_since(at(20)).await.unwrap(), [one.clone(), other.clone()], "what was written at that moment counts");
    assert!(store.channel_health_since(at(31)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_gateway_writes_over_its_own_health_and_over_nobody_elses() {
    let (store, _database) = open().await;
    let (one, two) = (row("c1", "n1", 10), row("c1", "n2", 11));
    store.save_channel_health(&[one.clone(), two.clone()]).await.unwrap();
    let newer = HealthRow {
        channel_name: "renamed".to_owned(),
        status: "healthy".to_owned(),
        consecutive_failures: 0,
        last_check_at: None,
        last_success_at: Some(2),
        last_failure_at: None,
        open_until: None,
        cool_until: Some(5),
        details: "{}".to_owned(),
        updated_at: at(12).micros(),
        ..one
    };
    store.save_channel_health(std::slice::from_ref(&newer)).await.unwrap();
    assert_eq!(store.channel_health_since(at(0)).await.unwrap(), [two, newer]);
    store.save_channel_health(&[]).await.unwrap();
}

#[tokio::test]
async fn health_nobody_writes_to_any_more_is_forgotten() {
    let (store, _database) = open().await;
    let (gone, kept) = (row("c1", "n1", 10), row("c1", "n2", 20));
    store.save_channel_health(&[gone, kept.clone()]).await.unwrap();
    store.forget_channel_health(at(20)).await.unwrap();
    assert_eq!(store.channel_health_since(at(0)).await.unwrap(), [kept]);
}

#[tokio::test]
async fn a_word_that_is_no_status_is_refused() {
    let (store, _database) = open().await;
    let wrong = HealthRow { status: "fine".to_owned(), ..row("c1", "n1", 10) };
    assert!(store.save_channel_health(&[wrong]).await.is_err());
    assert!(store.channel_health_since(at(0)).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_one_gateway_finds_out_holds_for_the_others_and_after_a_restart() {
    let database = TestDatabase::make().await;
    let (one, two) = (open_control(&database.url()).await, open_control(&database.url()).await);
    one.create_channel(&Act::new("tester", Timestamp::now()), channel("main")).await.unwrap();
    two.reload().await.unwrap();
    let (node_one, node_two) = (NodeId::mint(), NodeId::mint());
    let (board_one, board_two) = (HealthBoard::new(one.clone(), node_one), HealthBoard::new(two.clone(), node_two));
    let endpoint = |control: &gateway::control::Control| control.catalog_full().model("acme/model-1").unwrap().endpoints[0].clone();

    let (at_one, at_two) = (endpoint(&one), endpoint(&two));
    let now = Timestamp::now();
    observe::began(&at_two, 0, Some(120), now);
    observe::succeeded(&at_two, Ending::Succeeded { latency_ms: 900, output_tokens: 50, generation_ms: 900 }, Some(120), now);
    for _ in 0..3 {
        observe::failed(&at_one, 0, &AttemptError::broken("down"), Timestamp::now());
    }
    // What is heard in one round is judged in the next.
    for _ in 0..2 {
        board_one.round(Timestamp::now()).await.unwrap();
        board_two.round(Timestamp::now()).await.unwrap();
    }
    assert_ne!(at_two.channel.state.breaker.state(Timestamp::now()), BreakerState::Closed, "a breaker that opened is open everywhere");
    assert_eq!(at_two.channel.state.status(), HealthStatus::Unhealthy);
    for endpoint in [&at_one, &at_two] {
        let counts = endpoint.state.counts(Window::FiveMinutes, Timestamp::now());
        assert_eq!((counts.success, counts.error), (1, 3), "counts are summed over gateways");
    }
    assert!(at_one.state.expected_ttft_ms(Timestamp::now()) > 0.0, "a speed measured elsewhere is known where none was");

    // The next life of the first gateway.
    let again = open_control(&database.url()).await;
    HealthBoard::new(again.clone(), node_one).restore().await.unwrap();
    let channel = &endpoint(&again).channel;
    assert_eq!((channel.state.breaker.consecutive_failures(), channel.state.status()), (3, HealthStatus::Unhealthy));
    assert_eq!(channel.state.last_success_at(), Some(now));
}

#[tokio::test]
async fn preferences_come_back_are_taken_back_and_are_recorded() {
    let (store, _database) = open().await;
    let account = gateway::control::account::Account::new("a".to_owned(), at(1));
    store.insert_account(&act(1), &account).await.unwrap();
    let user = User::new(account.id, "ada@example.com".to_owned(), "Ada".to_owned(), at(1));
    store.insert_user(&act(1), &user, Role::Owner).await.unwrap();
    let wanted = RoutingPreferences {
        default_model: Some("acme/model-1".to_owned()),
        routing_strategy: Some(RoutingStrategy::LowestLatency),
        data_collection: Some(DataCollection::Deny),
        zdr: Some(false),
    };
    assert_eq!(store.account_preferences(account.id).await.unwrap(), RoutingPreferences::default());
    let change = |preferences: &mut RoutingPreferences| *preferences = wanted.clone();
    assert_eq!(store.change_account_preferences(&act(2), account.id, change).await.unwrap(), wanted);
    let of_user = |preferences: &mut gateway::control::people::UserPreferences| preferences.routing = wanted.clone();
    store.change_user_preferences(&act(2), user.id, of_user).await.unwrap();
    assert_eq!(store.account_preferences(account.id).await.unwrap(), wanted);
    assert_eq!(store.user_preferences(user.id).await.unwrap().routing, wanted);
    assert_eq!(store.all_account_preferences().await.unwrap(), [(account.id, wanted.clone())]);
    let all: Vec<(UserId, RoutingPreferences)> =
        store.all_user_preferences().await.unwrap().into_iter().map(|(user, preferences)| (user, preferences.routing)).collect();
    assert_eq!(all, [(user.id, wanted.clone())]);

    let none = store.change_account_preferences(&act(3), account.id, |preferences| *preferences = RoutingPreferences::default()).await;
    assert_eq!(none.unwrap(), store.account_preferences(account.id).await.unwrap());
    let records = store.audit_records(Some(&account.id.uuid().to_string()), 10).await.unwrap();
    let changes: Vec<_> = records.iter().filter(|record| record.action == "preferences.changed").collect();
    assert_eq!(changes.len(), 2);
    assert!(changes[0].before.as_ref().unwrap().get().contains("lowest_latency"));
    store.change_account_preferences(&act(4), account.id, |_| {}).await.unwrap();
    let unchanged = store.audit_records(Some(&account.id.uuid().to_string()), 10).await.unwrap();
    assert_eq!(unchanged.len(), records.len(), "what changes nothing is no act");
}

#[tokio::test]
async fn what_a_channel_says_of_itself_comes_back() {
    let (store, _database) = open().await;
    let mut written = channel_json("main");
    for (name, value) in [
        ("priority", json!(-3)),
        ("weight", json!(7)),
        ("region", json!("eu")),
        ("data_policy", json!({ "data_collection": "deny", "zdr": true })),
        ("limits", json!({ "requests_per_minute": 60, "tokens_per_minute": u64::from(u32::MAX) + 1, "concurrency": 3 })),
        ("timeouts", json!({ "connect": "2s", "first_byte": "250ms", "idle": "3s", "total": "1m" })),
        ("health_check", json!({ "enabled": false, "interval": "90s", "timeout": "7s", "failure_threshold": 9 })),
        ("status", json!("disabled")),
    ] {
        written[name] = value;
    }
    // As prices are written back.
    written["models"][0]["price"] = json!({ "prompt": "0.15", "completion": "0.6", "cache_read": "0.075" });
    written["models"][0]["cost"] = json!({ "prompt": "0.1", "completion": "0.4" });
    for (name, value) in [
        ("quantization", json!("fp8")),
        ("aliases", json!(["acme/latest", "acme/best"])),
        ("supported_parameters", json!(["tools", "seed"])),
        ("input_modalities", json!(["text", "image"])),
        ("data_policy", json!({ "data_collection": "allow", "zdr": false })),
        ("status", json!("disabled")),
    ] {
        written["models"][0][name] = value;
    }
    let spec: gateway::control::channel::ChannelSpec = serde_json::from_value(written).unwrap();
    let id = ChannelId::mint();
    let draft =
        ChannelDraft { id, spec, sealed_api_key: Some(vec![0, 1, 255]), sealed_api_keys: Some(vec![9, 8, 7]), managed_by: ManagedBy::Api };
    let saved = store.save_channel(&act(1), &draft).await.unwrap();
    let read = store.channel(id).await.unwrap().unwrap();
    assert_eq!(read, saved, "what was answered is what is stored");
    assert_eq!(read.spec.settings(), draft.spec.settings());
    assert_eq!((read.spec.priority, read.spec.weight, read.spec.health_check), (-3, 7, draft.spec.health_check));
    assert_eq!((read.spec.status, &read.spec.models), (draft.spec.status, &draft.spec.models));
    assert_eq!((&read.sealed_api_key, &read.sealed_api_keys), (&draft.sealed_api_key, &draft.sealed_api_keys));
}

#[tokio::test]
async fn keys_sealed_anew_replace_the_old_ones_all_or_none() {
    let (store, _database) = open().await;
    store.setting_or_insert(&act(1), "secret_key_id", "old").await.unwrap();
    let id = ChannelId::mint();
    let draft =
        ChannelDraft { id, spec: channel("main"), sealed_api_key: Some(vec![1]), sealed_api_keys: None, managed_by: ManagedBy::Api };
    store.save_channel(&act(1), &draft).await.unwrap();
    let before = store.channel(id).await.unwrap().unwrap();
    store.reseal_channels(&act(2), &[(id, Some(vec![2]), Some(vec![3]))], ("secret_key_id", "new")).await.unwrap();
    let after = store.channel(id).await.unwrap().unwrap();
    assert_eq!((&after.sealed_api_key, &after.sealed_api_keys), (&Some(vec![2]), &Some(vec![3])));
    assert_eq!((&after.spec, &after.models), (&before.spec, &before.models), "nothing else changed");
    assert_eq!(store.setting_or_insert(&act(3), "secret_key_id", "other").await.unwrap(), "new");
    let gone = store.delete_channel(&act(4), ChannelId::mint()).await;
    assert!(matches!(gone, Err(StoreError::Missing { .. })));
}
