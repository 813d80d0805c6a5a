//! Prices for a later moment: scheduled, in force at their moment on every gateway, withdrawn before it.

use std::time::Duration;

use gateway::control::store::{Act, ChannelDraft, ControlStore, Fact, ManagedBy, ScheduledPrice, StoreError, StoredChannel, Withdrawn};
use gateway::control::{Control, ControlError};
use schemas::{ChannelId, PriceTable, Timestamp};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{TestDatabase, channel};
use crate::books::open_control;

const MODEL: &str = "acme/model-1";
/// A moment comes sooner, or the test fails.
const PATIENCE: Duration = Duration::from_secs(10);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn act(seconds: i64) -> Act {
    Act::new("tester", at(seconds))
}

/// So much a million tokens, in and out.
fn table(dollars: &str) -> PriceTable {
    let text: schemas::price::PriceText = serde_json::from_value(json!({ "prompt": dollars, "completion": dollars })).unwrap();
    PriceTable::try_from(&text).unwrap()
}

fn scheduled(channel: &StoredChannel, dollars: &str, effective_at: Timestamp) -> ScheduledPrice {
    ScheduledPrice {
        channel_id: channel.id,
        channel_name: channel.spec.name.clone(),
        model: MODEL.to_owned(),
        price: table(dollars),
        cost: table("0.1"),
        effective_at,
    }
}

async fn saved(store: &ControlStore, seconds: i64) -> StoredChannel {
    let draft = ChannelDraft {
        id: ChannelId::mint(),
        spec: channel("main"),
        sealed_api_key: None,
        sealed_api_keys: None,
        managed_by: ManagedBy::Api,
    };
    store.save_channel(&act(seconds), &draft).await.unwrap()
}

/// The version in force at a moment.
async fn version_at(store: &ControlStore, seconds: i64) -> String {
    store.channels_at(at(seconds)).await.unwrap()[0].models[0].price.id.to_string()
}

#[tokio::test]
async fn of_what_is_due_the_latest_counts_and_nothing_before_its_moment() {
    let database = TestDatabase::make().await;
    let store = ControlStore::open(&database.url()).await.unwrap();
    let channel = saved(&store, 1).await;
    let first = channel.models[0].price.id.to_string();
    let later = store.schedule_price(&act(2), &scheduled(&channel, "2", at(20))).await.unwrap();
    let sooner = store.schedule_price(&act(3), &scheduled(&channel, "3", at(10))).await.unwrap();
    assert_eq!(store.next_price_change(at(3)).await.unwrap(), Some(at(10)));
    for (seconds, expected) in [(9, &first), (10, &sooner), (19, &sooner), (20, &later), (1_000, &later)] {
        assert_eq!(version_at(&store, seconds).await, *expected, "at {seconds}");
    }
    let in_force = &store.channels_at(at(20)).await.unwrap()[0];
    assert_eq!((&*in_force.models[0].price.table, &*in_force.models[0].cost), (&table("2"), &table("0.1")));
    assert_eq!(in_force.spec.models[0].price.as_ref().unwrap().table().unwrap(), table("2"), "it is shown, too");
    assert_eq!(store.price_version(&first).await.unwrap().unwrap().table, channel.models[0].price.table, "old charges keep theirs");
    assert_eq!(store.next_price_change(at(20)).await.unwrap(), None);
}

#[tokio::test]
async fn a_change_of_the_channel_keeps_what_is_in_force_and_what_is_to_come() {
    let database = TestDatabase::make().await;
    let store = ControlStore::open(&database.url()).await.unwrap();
    let channel = saved(&store, 1).await;
    let ten = store.schedule_price(&act(2), &scheduled(&channel, "2", at(10))).await.unwrap();
    let thirty = store.schedule_price(&act(2), &scheduled(&channel, "3", at(30))).await.unwrap();
    let draft = |spec| ChannelDraft { id: channel.id, spec, sealed_api_key: None, sealed_api_keys: None, managed_by: ManagedBy::Api };
    let mut spec = store.channels_at(at(15)).await.unwrap()[0].spec.clone();
    spec.weight = 7;
    let changed = store.save_channel(&act(15), &draft(spec.clone())).await.unwrap();
    assert_eq!(&*changed.models[0].price.id, ten, "another weight is no other price");
    // A price set by hand counts from then on, until the next one is due.
    spec.models[0].price = serde_json::from_value(json!({ "prompt": "9", "completion": "9" })).unwrap();
    let by_hand = store.save_channel(&act(20), &draft(spec)).await.unwrap().models[0].price.id.to_string();
    assert_ne!(by_hand, ten);
    for (seconds, expected) in [(25, &by_hand), (30, &thirty)] {
        assert_eq!(version_at(&store, seconds).await, *expected, "at {seconds}");
    }
}

#[tokio::test]
async fn a_price_is_withdrawn_before_its_moment_and_not_after() {
    let database = TestDatabase::make().await;
    let store = ControlStore::open(&database.url()).await.unwrap();
    let channel = saved(&store, 1).await;
    let first = channel.models[0].price.id.to_string();
    let version = store.schedule_price(&act(2), &scheduled(&channel, "2", at(10))).await.unwrap();
    assert_eq!(store.withdraw_price(&act(10), &version).await.unwrap(), Withdrawn::InForce);
    assert_eq!(store.withdraw_price(&act(9), &version).await.unwrap(), Withdrawn::Now);
    assert_eq!(store.withdraw_price(&act(9), &version).await.unwrap(), Withdrawn::Unknown);
    assert_eq!(store.withdraw_price(&act(9), "pv_other").await.unwrap(), Withdrawn::Unknown);
    assert_eq!(version_at(&store, 20).await, first);
    assert_eq!(store.next_price_change(at(2)).await.unwrap(), None);
    let rows = store.price_version_rows(Some(MODEL)).await.unwrap();
    let seen: Vec<(&str, Option<Timestamp>)> = rows.iter().map(|row| (row.id.as_str(), row.withdrawn_at)).collect();
    assert_eq!(seen, [(version.as_str(), Some(at(9))), (first.as_str(), None)]);
    let announced = store.due_announcements().await.unwrap();
    let versions: Vec<&str> = announced
        .iter()
        .filter_map(|due| if let Fact::PricePublished(published) = &due.fact { Some(published.version.as_str()) } else { None })
        .collect();
    assert_eq!(versions, [first.as_str()], "what never came into force is not told");
}

#[tokio::test]
async fn what_waits_for_a_model_leaves_with_it() {
    let database = TestDatabase::make().await;
    let store = ControlStore::open(&database.url()).await.unwrap();
    let channel = saved(&store, 1).await;
    let version = store.schedule_price(&act(2), &scheduled(&channel, "2", at(10))).await.unwrap();
    store.delete_channel(&act(3), channel.id).await.unwrap();
    assert_eq!(store.withdraw_price(&act(4), &version).await.unwrap(), Withdrawn::Unknown);
    let gone = store.schedule_price(&act(5), &scheduled(&channel, "2", at(10))).await;
    assert!(matches!(gone, Err(StoreError::Missing { .. })));
}

#[tokio::test]
async fn what_waits_for_a_channel_is_withdrawn_when_the_file_takes_it_over() {
    let database = TestDatabase::make().await;
    let store = ControlStore::open(&database.url()).await.unwrap();
    let channel = saved(&store, 1).await;
    store.schedule_price(&act(2), &scheduled(&channel, "2", at(10))).await.unwrap();
    let waiting = store.schedule_price(&act(2), &scheduled(&channel, "3", at(30))).await.unwrap();
    let mut spec = store.channels_at(at(20)).await.unwrap()[0].spec.clone();
    spec.models[0].price = serde_json::from_value(json!({ "prompt": "9", "completion": "9" })).unwrap();
    let draft = ChannelDraft { id: channel.id, spec, sealed_api_key: None, sealed_api_keys: None, managed_by: ManagedBy::File };
    let of_file = store.save_channel(&act(20), &draft).await.unwrap().models[0].price.id.to_string();
    for seconds in [20, 30, 1_000] {
        assert_eq!(version_at(&store, seconds).await, of_file, "at {seconds}");
    }
    assert_eq!(store.next_price_change(at(20)).await.unwrap(), None);
    assert_eq!(store.withdraw_price(&act(21), &waiting).await.unwrap(), Withdrawn::Unknown, "it was withdrawn");
}

/// Waits until a catalog has a version, or fails.
async fn in_force(control: &Control, version: &str) {
    let waiting = async {
        while &*control.catalog().model(MODEL).unwrap().endpoints[0].price.id != version {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the price came into force");
}

#[tokio::test]
async fn a_running_gateway_changes_the_price_at_its_moment_by_itself() {
    let database = TestDatabase::make().await;
    let control = open_control(&database.url()).await;
    let act = || Act::new("tester", Timestamp::now());
    let channel = control.create_channel(&act(), channel("main")).await.unwrap();
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn({
        let (control, stop) = (control.clone(), stop.clone());
        async move { control.keep_prices(stop).await }
    });
    let soon = Timestamp::now().plus_micros(200_000);
    let version = control.schedule_price(&act(), &scheduled(&channel, "2", soon)).await.unwrap();
    let withdrawn = control.schedule_price(&act(), &scheduled(&channel, "5", soon.plus_micros(1))).await.unwrap();
    assert_eq!(control.withdraw_price(&act(), &withdrawn).await.unwrap(), Withdrawn::Now);
    in_force(&control, &version).await;
    assert!(Timestamp::now() >= soon);
    // A gateway that starts afterwards has it from the start.
    in_force(&open_control(&database.url()).await, &version).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn channels_of_the_file_have_no_scheduled_prices() {
    let database = TestDatabase::make().await;
    let control = open_control(&database.url()).await;
    let act = || Act::new("file", Timestamp::now());
    control.apply_file_channels(&act(), &[channel("main")]).await.unwrap();
    let stored = control.store().channels().await.unwrap().remove(0);
    let later = Timestamp::now().plus_micros(60_000_000);
    let refused = control.schedule_price(&act(), &scheduled(&stored, "2", later)).await;
    assert!(matches!(refused, Err(ControlError::ManagedByFile(_))));
}
