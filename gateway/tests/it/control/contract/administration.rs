//! The catalog follows every act, and a snapshot once taken stays what it was.

use gateway::control::account::{AccountChange, AccountLimits, AccountStatus};
use gateway::control::catalog::KeyRefusal;
use gateway::control::key::{ApiKey, KeyHash, KeyKind, KeyScope, mint_key};
use gateway::control::secrets::{Secret, SecretKey};
use gateway::control::store::{Act, ControlStore, ManagedBy, StoreError};
use gateway::control::{Control, ControlError};
use ledger::gate::RateLimits;
use schemas::Timestamp;
use serde_json::json;

use super::{TestDatabase, channel, channel_json};
use crate::books::open_control;

struct Fixture {
    control: Control,
    database: TestDatabase,
}

impl Fixture {
    async fn open() -> Self {
        let database = TestDatabase::make().await;
        let control = open_control(&database.url()).await;
        Self { control, database }
    }

    async fn key(&self) -> (Secret, ApiKey) {
        let account = self.control.create_account(&act(), "a").await.unwrap();
        let secret = mint_key().unwrap();
        let key = ApiKey::new(&secret, account.id, "key", KeyKind::Inference, KeyScope::Account, now());
        (secret, self.control.create_key(&act(), key).await.unwrap())
    }

    fn refusal(&self, secret: &Secret, now: Timestamp) -> Option<KeyRefusal> {
        self.control.catalog().authenticate(secret.expose(), now).err()
    }
}

fn now() -> Timestamp {
    Timestamp::now()
}

fn act() -> Act {
    Act::new("tester", now())
}

fn file_act() -> Act {
    Act::new("file", now())
}

#[tokio::test]
async fn a_snapshot_stays_what_it_was_while_the_catalog_moves_on() {
    let fixture = Fixture::open().await;
    let before = fixture.control.catalog_full();
    let stored = fixture.control.create_channel(&act(), channel("main")).await.unwrap();
    let with_channel = fixture.control.catalog_full();
    fixture.control.delete_channel(&act(), stored.id).await.unwrap();
    assert!(before.model("acme/model-1").is_none());
    let endpoint = &with_channel.model("acme/model-1").unwrap().endpoints[0];
    assert_eq!((&*endpoint.upstream, &*endpoint.channel.name), ("model-1", "main"));
    assert_eq!(endpoint.channel.keys[0].secret.expose(), "sk-upstream-very-secret");
    assert!(fixture.control.catalog().model("acme/model-1").is_none());
}

#[tokio::test]
async fn endpoints_are_in_order_of_priority_and_disabled_ones_are_left_out() {
    let fixture = Fixture::open().await;
    for (name, priority) in [("later", 5), ("first", 0), ("also-first", 0)] {
        let mut spec = channel(name);
        spec.priority = priority;
        fixture.control.create_channel(&act(), spec).await.unwrap();
    }
    let mut off = channel_json("off");
    off["status"] = json!("disabled");
    fixture.control.create_channel(&act(), serde_json::from_value(off).unwrap()).await.unwrap();
    let catalog = fixture.control.catalog_full();
    let endpoints = &catalog.model("acme/model-1").unwrap().endpoints;
    let names: Vec<&str> = endpoints.iter().map(|endpoint| &*endpoint.channel.name).collect();
    assert_eq!(names, ["also-first", "first", "later"]);
}

#[tokio::test]
async fn a_key_is_refused_as_soon_as_something_about_it_is_not_right() {
    let fixture = Fixture::open().await;
    let (secret, key) = fixture.key().await;
    assert_eq!(fixture.refusal(&secret, now()), None);
    assert_eq!(fixture.refusal(&Secret::new("sk-tg-v1-nobody"), now()), Some(KeyRefusal::Unknown));
    assert_eq!(fixture.refusal(&Secret::new("x".repeat(10_000)), now()), Some(KeyRefusal::Unknown));

    fixture.control.change_key(&act(), &key.hash, |key| key.disabled = true).await.unwrap();
    assert_eq!(fixture.refusal(&secret, now()), Some(KeyRefusal::Disabled));
    let tomorrow = now().plus_micros(86_400_000_000);
    fixture
        .control
        .change_key(&act(), &key.hash, |key| {
            key.disabled = false;
            key.expires_at = Some(tomorrow);
        })
        .await
        .unwrap();
    assert_eq!(fixture.refusal(&secret, now()), None);
    assert_eq!(fixture.refusal(&secret, tomorrow), Some(KeyRefusal::Expired));

    let set_status = async |status| {
        let change = AccountChange { status: Some(status), ..AccountChange::default() };
        fixture.control.change_account(&act(), key.account_id, change).await.unwrap();
    };
    set_status(AccountStatus::Suspended).await;
    assert_eq!(fixture.refusal(&secret, now()), Some(KeyRefusal::AccountSuspended));
    set_status(AccountStatus::Closed).await;
    assert_eq!(fixture.refusal(&secret, now()), Some(KeyRefusal::AccountClosed));
    fixture.control.delete_key(&act(), &key.hash).await.unwrap();
    assert_eq!(fixture.refusal(&secret, now()), Some(KeyRefusal::Unknown));
}

#[tokio::test]
async fn the_limits_of_an_account_govern_all_its_keys_and_come_back() {
    let fixture = Fixture::open().await;
    let (secret, key) = fixture.key().await;
    let (other, _) = fixture.key().await;
    let rates = |control: &Control, secret: &Secret| control.catalog().authenticate(secret.expose(), now()).unwrap().account_rates;
    let change = AccountChange {
        requests_per_minute: Some(Some(60)),
        tokens_per_minute: Some(Some(100_000)),
        concurrency: Some(Some(4)),
        ..AccountChange::default()
    };
    let account = fixture.control.change_account(&act(), key.account_id, change).await.unwrap();
    let limits = AccountLimits { requests_per_minute: Some(60), tokens_per_minute: Some(100_000), concurrency: Some(4) };
    assert_eq!((account.limits, rates(&fixture.control, &secret)), (limits, limits.into()));
    assert_eq!(rates(&fixture.control, &other), RateLimits::default(), "another account's keys");
    for wrong in [0, 1_000_000_001] {
        let wrong = AccountChange { concurrency: Some(Some(wrong)), name: Some("b".to_owned()), ..AccountChange::default() };
        let refused = fixture.control.change_account(&act(), key.account_id, wrong).await;
        assert!(matches!(refused, Err(ControlError::Store(StoreError::InvalidField(_)))), "{refused:?}");
    }
    let lifted = AccountChange { tokens_per_minute: Some(None), ..AccountChange::default() };
    fixture.control.change_account(&act(), key.account_id, lifted).await.unwrap();
    fixture.control.store().close().await;
    let again = open_control(&fixture.database.url()).await;
    let limits = AccountLimits { tokens_per_minute: None, ..limits };
    assert_eq!((rates(&again, &secret), again.catalog().account(key.account_id).unwrap().name.as_str()), (limits.into(), "a"));
}

#[tokio::test]
async fn a_restart_finds_everything_again_and_another_secret_key_is_refused() {
    let fixture = Fixture::open().await;
    let (secret, _) = fixture.key().await;
    fixture.control.create_channel(&act(), channel("main")).await.unwrap();
    fixture.control.store().close().await;

    let other = SecretKey::from_secret(&Secret::new("another secret key, quite long")).unwrap();
    let refused = Control::open(ControlStore::open(&fixture.database.url()).await.unwrap(), other, now()).await;
    assert!(matches!(refused, Err(ControlError::OtherSecretKey { .. })));

    let again = open_control(&fixture.database.url()).await;
    assert!(again.catalog().authenticate(secret.expose(), now()).is_ok());
    let catalog = again.catalog_full();
    let endpoint = &catalog.model("acme/model-1").unwrap().endpoints[0];
    assert_eq!(endpoint.channel.keys[0].secret.expose(), "sk-upstream-very-secret");
}

#[tokio::test]
async fn the_channels_of_the_file_are_what_the_file_says() {
    let fixture = Fixture::open().await;
    fixture.control.create_channel(&act(), channel("by-hand")).await.unwrap();
    let names = || fixture.control.catalog().channels().iter().map(|channel| channel.name.to_string()).collect::<Vec<_>>();

    fixture.control.apply_file_channels(&file_act(), &[channel("one"), channel("two")]).await.unwrap();
    assert_eq!(names(), ["by-hand", "one", "two"]);
    let records = fixture.control.store().audit_records(None, 100).await.unwrap().len();
    let version = |catalog: &gateway::control::Catalog| catalog.model("acme/model-1").unwrap().endpoints[1].price.id.clone();
    let first_version = version(&fixture.control.catalog());

    fixture.control.apply_file_channels(&file_act(), &[channel("one"), channel("two")]).await.unwrap();
    assert_eq!(fixture.control.store().audit_records(None, 100).await.unwrap().len(), records, "an unchanged file changes nothing");

    let mut dearer = channel_json("one");
    dearer["models"][0]["price"]["prompt"] = json!("0.20");
    fixture.control.apply_file_channels(&file_act(), &[serde_json::from_value(dearer).unwrap()]).await.unwrap();
    assert_eq!(names(), ["by-hand", "one"]);
    assert_ne!(version(&fixture.control.catalog()), first_version);

    let mut with_new_key = channel_json("one");
    with_new_key["api_key"] = json!("sk-rotated");
    fixture.control.apply_file_channels(&file_act(), &[serde_json::from_value(with_new_key).unwrap()]).await.unwrap();
    let catalog = fixture.control.catalog_full();
    let one = catalog.channels().iter().find(|channel| &*channel.name == "one").unwrap();
    assert_eq!(one.keys[0].secret.expose(), "sk-rotated");

    let stored = fixture.control.store().channels().await.unwrap();
    let one = stored.iter().find(|channel| channel.spec.name == "one").unwrap();
    assert_eq!(one.managed_by, ManagedBy::File);
    let refused = fixture.control.delete_channel(&act(), one.id).await;
    assert!(matches!(refused, Err(ControlError::ManagedByFile(name)) if name == "one"));
}

#[tokio::test]
async fn a_reference_that_leads_nowhere_names_the_channel_and_the_field() {
    let fixture = Fixture::open().await;
    let mut spec = channel_json("one");
    spec["api_key"] = json!("env:TOLLGATE_TEST_NO_SUCH_VARIABLE");
    let refused = fixture.control.apply_file_channels(&file_act(), &[serde_json::from_value(spec).unwrap()]).await;
    let Err(ControlError::SecretReference { channel, path, source }) = refused else { panic!("{refused:?}") };
    assert_eq!((channel.as_str(), path.as_str()), ("one", "api_key"));
    assert!(source.to_string().contains("TOLLGATE_TEST_NO_SUCH_VARIABLE"));
}

#[tokio::test]
async fn the_last_use_of_a_key_is_written_down_and_survives_changes_of_the_key() {
    let fixture = Fixture::open().await;
    let (_, key) = fixture.key().await;
    let used = now();
    fixture.control.catalog().key(&key.hash).unwrap().touch(used);
    fixture.control.change_key(&act(), &key.hash, |key| key.name = "renamed".to_owned()).await.unwrap();
    assert_eq!(fixture.control.write_down_uses(now()).await.unwrap(), 1);
    assert_eq!(fixture.control.write_down_uses(now().plus_micros(1)).await.unwrap(), 0);
    assert_eq!(fixture.control.store().keys().await.unwrap()[0].last_used_at, Some(used));
    let again = open_control(&fixture.database.url()).await;
    assert_eq!(again.catalog().key(&KeyHash::of("nothing")).map(|key| key.record.id), None);
    assert_eq!(again.catalog().key(&key.hash).unwrap().last_used_at(), Some(used));
}
