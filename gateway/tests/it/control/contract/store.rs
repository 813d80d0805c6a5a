//! What the control store promises, whichever database it is in.

use gateway::control::account::{Account, AccountChange, AccountStatus};
use gateway::control::channel::ChannelSpec;
use gateway::control::key::{ApiKey, KeyKind, KeyScope, mint_key};
use gateway::control::store::{Act, ChannelDraft, ControlStore, Fact, GatewayLease, KeyQuery, ManagedBy, StoreError};
use schemas::ids::{BootId, NodeId};
use schemas::{AccountId, ChannelId, NanoUsd, Producer, Timestamp};

use super::{TestDatabase, channel};

struct Fixture {
    store: ControlStore,
    database: TestDatabase,
}

impl Fixture {
    async fn open() -> Self {
        let database = TestDatabase::make().await;
        let store = ControlStore::open(&database.url()).await.unwrap();
        Self { store, database }
    }

    async fn account(&self, name: &str) -> Account {
        let account = Account::new(name.to_owned(), at(1));
        self.store.insert_account(&act(1), &account).await.unwrap();
        account
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn act(seconds: i64) -> Act {
    Act::new("tester", at(seconds))
}

fn draft(id: ChannelId, spec: ChannelSpec) -> ChannelDraft {
    ChannelDraft { id, spec, sealed_api_key: Some(vec![1, 2, 3]), sealed_api_keys: None, managed_by: ManagedBy::Api }
}

#[tokio::test]
async fn accounts_are_paged_newest_first() {
    let fixture = Fixture::open().await;
    for name in ["a", "b", "c"] {
        fixture.account(name).await;
    }
    let first = fixture.store.accounts_page(None, 2).await.unwrap();
    let rest = fixture.store.accounts_page(Some(first[1].id), 2).await.unwrap();
    let names: Vec<&str> = first.iter().chain(&rest).map(|account| account.name.as_str()).collect();
    assert_eq!(names, ["c", "b", "a"]);
}

#[tokio::test]
async fn a_key_comes_back_as_it_was_stored() {
    let fixture = Fixture::open().await;
    let account = fixture.account("a").await;
    let secret = mint_key().unwrap();
    let key = ApiKey {
        limit_nanos: Some(NanoUsd::from_nanos(12_345_678_901)),
        limit_reset: Some(gateway::control::key::LimitReset::Weekly),
        requests_per_minute: Some(60),
        tokens_per_minute: Some(u64::from(u32::MAX) + 1),
        concurrency: Some(3),
        allowed_models: Some(vec!["acme/model-1".to_owned()]),
        expires_at: Some(at(1_000)),
        ..ApiKey::new(&secret, account.id, "key", KeyKind::Inference, KeyScope::Account, at(2))
    };
    fixture.store.insert_key(&act(2), &key).await.unwrap();
    assert_eq!(fixture.store.keys().await.unwrap(), [key]);
}

#[tokio::test]
async fn a_deleted_key_is_gone_but_its_hash_is_never_free_again() {
    let fixture = Fixture::open().await;
    let account = fixture.account("a").await;
    let secret = mint_key().unwrap();
    let key = ApiKey::new(&secret, account.id, "key", KeyKind::Inference, KeyScope::Account, at(2));
    fixture.store.insert_key(&act(2), &key).await.unwrap();
    let deleted = fixture
        .store
        .change_key(&act(3), "key.deleted", key.id, |key| {
            key.deleted_at = Some(at(3));
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(deleted.deleted_at, Some(at(3)));
    assert!(fixture.store.keys().await.unwrap().is_empty());
    let again = ApiKey::new(&secret, account.id, "again", KeyKind::Inference, KeyScope::Account, at(4));
    assert!(matches!(fixture.store.insert_key(&act(4), &again).await, Err(StoreError::Exists { .. })));
    let change = fixture.store.change_key(&act(5), "key.changed", key.id, |_| Ok(())).await;
    assert!(matches!(change, Err(StoreError::Missing { .. })));
}

#[tokio::test]
async fn key_pages_can_leave_out_disabled_keys_and_other_accounts() {
    let fixture = Fixture::open().await;
    let (one, two) = (fixture.account("one").await, fixture.account("two").await);
    for (account, name, disabled) in [(&one, "1", false), (&one, "2", true), (&two, "3", false)] {
        let key = ApiKey::new(&mint_key().unwrap(), account.id, name, KeyKind::Inference, KeyScope::Account, at(2));
        fixture.store.insert_key(&act(2), &ApiKey { disabled, ..key }).await.unwrap();
    }
    let platforms = ApiKey::new(&mint_key().unwrap(), one.id, "4", KeyKind::Management, KeyScope::Platform, at(2));
    fixture.store.insert_key(&act(2), &platforms).await.unwrap();
    let names = async |account, scope, include_disabled, offset| {
        let query = KeyQuery { account, scope, creator: None, include_disabled, before: None, offset, limit: 10 };
        let page = fixture.store.keys_page(query).await.unwrap();
        page.into_iter().map(|key| key.name).collect::<Vec<_>>()
    };
    assert_eq!(names(None, None, true, 0).await, ["4", "3", "2", "1"]);
    assert_eq!(names(None, None, false, 2).await, ["1"]);
    assert_eq!(names(Some(one.id), None, true, 0).await, ["4", "2", "1"]);
    assert_eq!(names(Some(one.id), Some(KeyScope::Account), true, 0).await, ["2", "1"]);
}

#[tokio::test]
async fn no_key_is_skipped_or_told_twice_when_keys_come_and_go_between_pages() {
    let fixture = Fixture::open().await;
    let account = fixture.account("one").await;
    let insert = async |name: &str| {
        let key = ApiKey::new(&mint_key().unwrap(), account.id, name, KeyKind::Inference, KeyScope::Account, at(2));
        fixture.store.insert_key(&act(2), &key).await.unwrap();
        key.id
    };
    for name in ["1", "2", "3", "4"] {
        insert(name).await;
    }
    let page = async |before| {
        let query = KeyQuery { account: None, scope: None, creator: None, include_disabled: true, before, offset: 0, limit: 2 };
        let page = fixture.store.keys_page(query).await.unwrap();
        (page.iter().map(|key| key.name.clone()).collect::<Vec<_>>(), page.last().map(|key| key.id))
    };
    let (first, last) = page(None).await;
    insert("5").await;
    let delete = |key: &mut ApiKey| {
        key.deleted_at = Some(at(3));
        Ok(())
    };
    fixture.store.change_key(&act(3), "key.deleted", last.unwrap(), delete).await.unwrap();
    let (second, end) = page(last).await;
    assert_eq!((first, second), (vec!["4".to_owned(), "3".to_owned()], vec!["2".to_owned(), "1".to_owned()]));
    assert_eq!(page(end).await, (Vec::new(), None));
}

#[tokio::test]
async fn a_channel_that_somebody_else_changed_meanwhile_is_not_written_over() {
    let fixture = Fixture::open().await;
    let id = ChannelId::mint();
    let first = fixture.store.save_channel(&act(1), &draft(id, channel("main"))).await.unwrap();
    let cheaper = ChannelSpec { weight: 7, ..channel("main") };
    let second = fixture.store.save_channel_over(&act(2), &draft(id, cheaper), &first).await.unwrap();
    let stale = fixture.store.save_channel_over(&act(3), &draft(id, channel("main")), &first).await;
    assert!(matches!(stale, Err(StoreError::Changed("channel"))), "{stale:?}");
    assert_eq!(fixture.store.channel(id).await.unwrap().unwrap().spec.weight, 7);
    fixture.store.save_channel_over(&act(4), &draft(id, channel("main")), &second).await.unwrap();
}

#[tokio::test]
async fn a_changed_price_is_a_new_version_and_the_old_one_stays() {
    let fixture = Fixture::open().await;
    let id = ChannelId::mint();
    let first = fixture.store.save_channel(&act(1), &draft(id, channel("main"))).await.unwrap();
    let unchanged = fixture.store.save_channel(&act(2), &draft(id, channel("renamed"))).await.unwrap();
    assert_eq!(unchanged.models, first.models, "a new name is not a new price");
    let mut dearer = channel("renamed");
    dearer.models[0].price = serde_json::from_value(serde_json::json!({ "prompt": "0.30", "completion": "0.60" })).unwrap();
    let changed = fixture.store.save_channel(&act(3), &draft(id, dearer)).await.unwrap();
    assert_ne!(changed.models[0].price.id, first.models[0].price.id);
    assert!(changed.models[0].price.id.starts_with("pv_"));
    let versions = fixture.store.price_versions(id, "acme/model-1").await.unwrap();
    let ids: Vec<&str> = versions.iter().map(|version| version.version.as_str()).collect();
    assert_eq!(ids, [&*changed.models[0].price.id, &*first.models[0].price.id]);
    assert_eq!(versions[1].price, *first.models[0].price.table);
    assert_eq!(fixture.store.channel(id).await.unwrap().unwrap(), changed, "what was answered is what is stored");
}

#[tokio::test]
async fn a_deleted_channel_leaves_its_price_versions() {
    let fixture = Fixture::open().await;
    let id = ChannelId::mint();
    fixture.store.save_channel(&act(1), &draft(id, channel("main"))).await.unwrap();
    fixture.store.delete_channel(&act(2), id).await.unwrap();
    assert!(fixture.store.channels().await.unwrap().is_empty());
    assert_eq!(fixture.store.price_versions(id, "acme/model-1").await.unwrap().len(), 1);
    assert!(matches!(fixture.store.delete_channel(&act(3), id).await, Err(StoreError::Missing { .. })));
}

#[tokio::test]
async fn two_channels_cannot_have_one_name_and_a_refused_save_changes_nothing() {
    let fixture = Fixture::open().await;
    fixture.store.save_channel(&act(1), &draft(ChannelId::mint(), channel("main"))).await.unwrap();
    let other = ChannelId::mint();
    let refused = fixture.store.save_channel(&act(2), &draft(other, channel("main"))).await;
    assert!(matches!(refused, Err(StoreError::Exists { .. })));
    assert!(fixture.store.price_versions(other, "acme/model-1").await.unwrap().is_empty());
    assert_eq!(fixture.store.audit_records(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn every_change_is_recorded_with_who_did_it_and_what_was_before() {
    let fixture = Fixture::open().await;
    let account = fixture.account("a").await;
    let suspend = AccountChange { status: Some(AccountStatus::Suspended), ..AccountChange::default() };
    fixture.store.change_account(&Act::new("key_1", at(5)), account.id, |account| suspend.apply(account)).await.unwrap();
    let records = fixture.store.audit_records(Some(&account.id.uuid().to_string()), 10).await.unwrap();
    let seen: Vec<(&str, &str)> = records.iter().map(|record| (record.actor.as_str(), record.action.as_str())).collect();
    assert_eq!(seen, [("key_1", "account.changed"), ("tester", "account.created")]);
    assert!(records[0].before.as_ref().unwrap().get().contains("active"));
    assert!(records[0].after.as_ref().unwrap().get().contains("suspended"));
    assert!(records[1].before.is_none());
}

#[tokio::test]
async fn what_is_append_only_refuses_to_be_changed() {
    let fixture = Fixture::open().await;
    fixture.store.save_channel(&act(1), &draft(ChannelId::mint(), channel("main"))).await.unwrap();
    for statement in [
        "UPDATE control_price_versions SET price = '{}'",
        "DELETE FROM control_price_versions",
        "UPDATE control_audit_records SET actor = 'nobody'",
        "DELETE FROM control_audit_records",
    ] {
        let refused = fixture.database.execute(statement).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{statement}: {refused}");
    }
}

#[tokio::test]
async fn facts_stay_due_until_their_event_is_durable() {
    let fixture = Fixture::open().await;
    let account = fixture.account("a").await;
    let saved = fixture.store.save_channel(&act(2), &draft(ChannelId::mint(), channel("main"))).await.unwrap();
    let due = fixture.store.due_announcements().await.unwrap();
    assert_eq!(due.len(), 2);
    assert_eq!((due[0].account, &due[0].fact, due[0].at), (account.id, &Fact::AccountOpened, at(1)));
    let Fact::PricePublished(published) = &due[1].fact else { panic!("a price was published") };
    assert_eq!((published.version.as_str(), published.channel.as_str()), (&*saved.models[0].price.id, "main"));
    assert_eq!(due[1].account, AccountId::SYSTEM);
    fixture.store.announced(&due[0].event_id).await.unwrap();
    assert_eq!(fixture.store.due_announcements().await.unwrap(), due[1..]);
}

#[tokio::test]
async fn a_setting_is_what_its_first_writer_set() {
    let fixture = Fixture::open().await;
    assert_eq!(fixture.store.setting_or_insert(&act(1), "name", "one").await.unwrap(), "one");
    assert_eq!(fixture.store.setting_or_insert(&act(2), "name", "two").await.unwrap(), "one");
    assert_eq!(fixture.store.audit_records(None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_store_shares_its_database_with_the_ledger() {
    let fixture = Fixture::open().await;
    fixture.account("a").await;
    let url = fixture.database.url();
    let ledger = ledger::LedgerStore::open(&url, ledger::Access::ReadWrite).await.unwrap();
    ledger.migrate().await.unwrap();
    let again = ControlStore::open(&url).await.unwrap();
    assert_eq!(again.accounts().await.unwrap().len(), 1);
    assert_eq!(ledger.position().await.unwrap(), 0);
}

#[tokio::test]
async fn gateways_are_known_while_their_leases_run_the_oldest_first() {
    let fixture = Fixture::open().await;
    let lease = |started: i64, ends: i64| GatewayLease {
        gateway: Producer { node: NodeId::mint(), boot: BootId::mint() },
        started_at: at(started),
        ends_at: at(ends),
    };
    let (younger, older) = (lease(20, 50), lease(10, 40));
    for lease in [&younger, &older] {
        fixture.store.register_gateway(lease).await.unwrap();
    }
    assert_eq!(fixture.store.gateways(at(30)).await.unwrap(), [older, younger]);
    assert_eq!(fixture.store.gateways(at(40)).await.unwrap(), [younger], "a lease that ended is no lease");

    assert!(fixture.store.renew_gateway(older.gateway, at(60)).await.unwrap());
    assert_eq!(fixture.store.gateways(at(55)).await.unwrap(), [GatewayLease { ends_at: at(60), ..older }]);

    let next_life = GatewayLease { gateway: Producer { boot: BootId::mint(), ..older.gateway }, started_at: at(56), ends_at: at(90) };
    fixture.store.register_gateway(&next_life).await.unwrap();
    assert!(!fixture.store.renew_gateway(older.gateway, at(99)).await.unwrap(), "a last life holds no lease");
    fixture.store.retire_gateway(older.gateway).await.unwrap();
    assert_eq!(fixture.store.gateways(at(57)).await.unwrap(), [next_life]);
    fixture.store.retire_gateway(next_life.gateway).await.unwrap();
    assert!(fixture.store.gateways(at(57)).await.unwrap().is_empty());
}
