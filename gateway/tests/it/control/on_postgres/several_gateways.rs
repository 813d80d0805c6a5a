//! Gateways that share one store: what is done on one reaches all.

use std::time::Duration;

use gateway::control::bootstrap::{BootstrapOptions, bootstrap};
use gateway::control::catalog::KeyRefusal;
use gateway::control::channel::{Availability, ChannelSpec};
use gateway::control::key::{ApiKey, KeyKind, KeyScope, mint_key};
use gateway::control::store::{Act, ScheduledPrice, StoredChannel};
use gateway::control::{Catalog, ChangedChannel, Control, ControlError};
use schemas::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{TestDatabase, channel};
use crate::books::open_control;

/// Changes must arrive within a second; a busy test machine gets more.
const PATIENCE: Duration = Duration::from_secs(10);

fn act() -> Act {
    Act::new("tester", Timestamp::now())
}

/// Waits until another gateway's catalog shows something.
async fn shown(control: &Control, what: impl Fn(&Catalog) -> bool) {
    let shown = async {
        while !what(&control.catalog()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.expect("the change did not arrive");
}

#[tokio::test]
async fn a_change_on_one_gateway_reaches_the_others() {
    let database = TestDatabase::make().await;
    let (one, two) = (open_control(&database.url()).await, open_control(&database.url()).await);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn({
        let (two, stop) = (two.clone(), stop.clone());
        async move { two.follow(stop).await }
    });
    let account = one.create_account(&act(), "a").await.unwrap();
    shown(&two, |catalog| catalog.account(account.id).is_some()).await;
    let secret = mint_key().unwrap();
    let key = ApiKey::new(&secret, account.id, "key", KeyKind::Inference, KeyScope::Account, Timestamp::now());
    let key = one.create_key(&act(), key).await.unwrap();
    shown(&two, |catalog| catalog.authenticate(secret.expose(), Timestamp::now()).is_ok()).await;
    let stored = one.create_channel(&act(), channel("main")).await.unwrap();
    shown(&two, |catalog| catalog.model("acme/model-1").is_some()).await;
    let changed = async |change: fn(&mut ChannelSpec)| {
        let anew = move |before: &StoredChannel| {
            let mut spec = before.spec.clone();
            change(&mut spec);
            Ok::<_, ControlError>(ChangedChannel { spec, loses_api_key: false })
        };
        one.change_channel(&act(), stored.id, anew).await.unwrap();
    };
    changed(|spec| spec.priority = 7).await;
    shown(&two, |catalog| catalog.channels().iter().any(|channel| channel.priority == 7)).await;
    changed(|spec| spec.status = Availability::Disabled).await;
    shown(&two, |catalog| catalog.model("acme/model-1").is_none()).await;
    changed(|spec| spec.status = Availability::Enabled).await;
    shown(&two, |catalog| catalog.model("acme/model-1").is_some()).await;
    one.delete_channel(&act(), stored.id).await.unwrap();
    shown(&two, |catalog| catalog.model("acme/model-1").is_none()).await;
    one.delete_key(&act(), &key.hash).await.unwrap();
    shown(&two, |catalog| catalog.authenticate(secret.expose(), Timestamp::now()).is_err()).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn a_key_that_is_disabled_on_one_gateway_is_refused_on_the_others_and_a_price_to_come_reaches_them() {
    let database = TestDatabase::make().await;
    let gateways = [open_control(&database.url()).await, open_control(&database.url()).await, open_control(&database.url()).await];
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    for gateway in &gateways[1..] {
        let (control, stop) = (gateway.clone(), stop.clone());
        tasks.spawn(async move { tokio::join!(control.follow(stop.clone()), control.keep_prices(stop)) });
    }
    let account = gateways[0].create_account(&act(), "a").await.unwrap();
    let secret = mint_key().unwrap();
    let key = ApiKey::new(&secret, account.id, "key", KeyKind::Inference, KeyScope::Account, Timestamp::now());
    let key = gateways[0].create_key(&act(), key).await.unwrap();
    let channel = gateways[0].create_channel(&act(), channel("main")).await.unwrap();
    let table = schemas::PriceTable::free();
    let scheduled = ScheduledPrice {
        channel_id: channel.id,
        channel_name: "main".to_owned(),
        model: "acme/model-1".to_owned(),
        price: table.clone(),
        cost: table,
        effective_at: Timestamp::now().plus_micros(300_000),
    };
    let version = gateways[0].schedule_price(&act(), &scheduled).await.unwrap();
    gateways[0].change_key(&act(), &key.hash, |key| key.disabled = true).await.unwrap();
    let price = |catalog: &Catalog| catalog.model("acme/model-1").map(|model| model.endpoints[0].price.id.to_string());
    for gateway in &gateways[1..] {
        shown(gateway, |catalog| catalog.authenticate(secret.expose(), Timestamp::now()).err() == Some(KeyRefusal::Disabled)).await;
        shown(gateway, |catalog| price(catalog).as_ref() == Some(&version)).await;
    }
    assert!(Timestamp::now() >= scheduled.effective_at);
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn a_gateway_goes_on_following_after_its_connections_were_ended() {
    let database = TestDatabase::make().await;
    let (one, two) = (open_control(&database.url()).await, open_control(&database.url()).await);
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    tasks.spawn({
        let (two, stop) = (two.clone(), stop.clone());
        async move { two.follow(stop).await }
    });
    let first = one.create_account(&act(), "a").await.unwrap();
    shown(&two, |catalog| catalog.account(first.id).is_some()).await;
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.execute(sql).await.unwrap();
    let second = loop {
        // The first act after the loss may meet a connection that is gone.
        if let Ok(account) = one.create_account(&act(), "b").await {
            break account;
        }
    };
    shown(&two, |catalog| catalog.account(second.id).is_some()).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn an_act_on_what_another_gateway_just_made_is_done() {
    let database = TestDatabase::make().await;
    let (one, two) = (open_control(&database.url()).await, open_control(&database.url()).await);
    let account = one.create_account(&act(), "a").await.unwrap();
    let key = |secret| ApiKey::new(secret, account.id, "key", KeyKind::Inference, KeyScope::Account, Timestamp::now());
    let made = two.create_key(&act(), key(&mint_key().unwrap())).await.unwrap();
    one.change_key(&act(), &made.hash, |key| key.disabled = true).await.unwrap();
    let renamed = two.change_key(&act(), &made.hash, |key| key.name = "renamed".to_owned()).await.unwrap();
    assert!(renamed.disabled, "the other gateway's change is kept");
}

#[tokio::test]
async fn gateways_that_start_together_make_one_first_start() {
    let database = TestDatabase::make().await;
    let start = async || {
        let control = open_control(&database.url()).await;
        let alone = control.alone().await.unwrap();
        control.apply_file_channels(&Act::new("file", Timestamp::now()), &[channel("main")]).await.unwrap();
        let made = bootstrap(&control, &BootstrapOptions::default(), Timestamp::now()).await.unwrap();
        drop(alone);
        (control, made.is_some())
    };
    let (one, two, three) = tokio::join!(start(), start(), start());
    assert_eq!([one.1, two.1, three.1].iter().filter(|made| **made).count(), 1);
    assert_eq!(one.0.store().accounts().await.unwrap().len(), 1);
    assert_eq!(one.0.store().channels().await.unwrap().len(), 1);
}
