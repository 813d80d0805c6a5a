//! What the store promises about codes that apps trade in for keys.

use futures_util::future::join_all;
use gateway::control::account::Account;
use gateway::control::key::{ApiKey, KeyKind, KeyScope, LimitReset, mint_key};
use gateway::control::people::{Role, User};
use gateway::control::store::{Act, AuthorizationCode, CodeGiver, ControlStore, StoreError};
use schemas::{AccountId, KeyId, NanoUsd, Timestamp};

use super::TestDatabase;

/// Of an account, as the store bounds them.
const CODES_MAX: u32 = 1_000;

struct Fixture {
    store: ControlStore,
    account: AccountId,
    key: KeyId,
    _database: TestDatabase,
}

impl Fixture {
    async fn open() -> Self {
        let database = TestDatabase::make().await;
        let store = ControlStore::open(&database.url()).await.unwrap();
        let (account, key) = account(&store, "first").await;
        Self { store, account, key, _database: database }
    }

    fn code(&self, number: u32, created: i64) -> AuthorizationCode {
        AuthorizationCode {
            code_sha256: format!("{number:064x}"),
            account_id: self.account,
            giver: CodeGiver::Key(self.key),
            challenge: Some("the-challenge".to_owned()),
            challenge_method: Some("plain".to_owned()),
            key_name: "an app".to_owned(),
            limit: Some(NanoUsd::from_usd(1)),
            limit_reset: Some(LimitReset::Weekly),
            key_expires_at: Some(at(5_000)),
            created_at: at(created),
            expires_at: at(created + 600),
        }
    }

    async fn insert(&self, code: &AuthorizationCode) -> Result<(), StoreError> {
        self.store.insert_authorization_code(&Act::new("tester", code.created_at), code).await
    }
}

/// An account and its management key.
async fn account(store: &ControlStore, name: &str) -> (AccountId, KeyId) {
    let act = Act::new("tester", at(1));
    let account = Account::new(name.to_owned(), at(1));
    store.insert_account(&act, &account).await.unwrap();
    let key = ApiKey::new(&mint_key().unwrap(), account.id, "a program", KeyKind::Management, KeyScope::Account, at(1));
    store.insert_key(&act, &key).await.unwrap();
    (account.id, key.id)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

#[tokio::test]
async fn a_code_comes_back_as_it_was_stored_to_the_first_who_takes_it_whoever_gave_it() {
    let fixture = Fixture::open().await;
    let ada = User::new(fixture.account, "ada@example.com".to_owned(), "ada".to_owned(), at(1));
    fixture.store.insert_user(&Act::new("tester", at(1)), &ada, Role::Owner).await.unwrap();
    let by_person = AuthorizationCode { giver: CodeGiver::Person(ada.id), ..fixture.code(1, 10) };
    let plain = AuthorizationCode {
        challenge: None,
        challenge_method: None,
        limit: None,
        limit_reset: None,
        key_expires_at: None,
        ..fixture.code(2, 10)
    };
    for code in [by_person, plain, fixture.code(3, 10)] {
        fixture.insert(&code).await.unwrap();
        let take = |store: ControlStore| async move { store.take_authorization_code(&code.code_sha256.clone()).await.unwrap() };
        let taken: Vec<AuthorizationCode> =
            join_all((0..20).map(|_| take.clone()(fixture.store.clone()))).await.into_iter().flatten().collect();
        assert_eq!(taken.len(), 1, "{taken:?}");
    }
}

#[tokio::test]
async fn the_record_of_a_code_tells_neither_it_nor_its_challenge() {
    let fixture = Fixture::open().await;
    let code = fixture.code(0xabc, 10);
    fixture.insert(&code).await.unwrap();
    let records = fixture.store.audit_records(Some(&fixture.account.uuid().to_string()), 1).await.unwrap();
    assert_eq!((records[0].action.as_str(), records[0].actor.as_str()), ("authorization_code.created", "tester"));
    let shown = records[0].after.as_ref().unwrap().get();
    assert!(shown.contains(r#""key_name":"an app""#) && shown.contains(r#""has_challenge":true"#), "{shown}");
    assert!(!shown.contains("the-challenge") && !shown.contains(&code.code_sha256), "{shown}");
}

#[tokio::test]
async fn codes_of_an_account_that_wait_for_their_apps_are_bounded_and_one_is_there_once() {
    let fixture = Fixture::open().await;
    fixture.insert(&fixture.code(0, 10)).await.unwrap();
    assert!(matches!(fixture.insert(&fixture.code(0, 10)).await, Err(StoreError::Exists { .. })));
    for number in 1..CODES_MAX {
        fixture.insert(&fixture.code(number, 10)).await.unwrap();
    }
    let refused = fixture.insert(&fixture.code(CODES_MAX, 609)).await;
    assert!(matches!(refused, Err(StoreError::TooMany { limit, .. }) if limit == i64::from(CODES_MAX)), "{refused:?}");
    let (account_id, key) = account(&fixture.store, "other").await;
    let other = AuthorizationCode { account_id, giver: CodeGiver::Key(key), ..fixture.code(CODES_MAX, 609) };
    fixture.insert(&other).await.unwrap();
    fixture.store.take_authorization_code(&fixture.code(7, 10).code_sha256).await.unwrap().unwrap();
    fixture.insert(&fixture.code(CODES_MAX + 1, 609)).await.unwrap();
    assert!(fixture.insert(&fixture.code(CODES_MAX + 2, 609)).await.is_err());
    // What has ended waits for nobody.
    fixture.insert(&fixture.code(CODES_MAX + 2, 610)).await.unwrap();
}
