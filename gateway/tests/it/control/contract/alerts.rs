//! What the store promises about alerts of low balances and the messages that tell of them.

use futures_util::future::join_all;
use gateway::control::account::Account;
use gateway::control::balance_alert::BalanceAlert;
use gateway::control::store::{Act, AttemptOutcome, ControlStore, DeliveryCursor, DeliveryStatus, StoreError};
use schemas::{NanoUsd, Timestamp};
use uuid::Uuid;

use super::TestDatabase;

struct Fixture {
    store: ControlStore,
    alert: BalanceAlert,
    _database: TestDatabase,
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn act(seconds: i64) -> Act {
    Act::new("tester", at(seconds))
}

impl Fixture {
    async fn open() -> Self {
        let database = TestDatabase::make().await;
        let store = ControlStore::open(&database.url()).await.unwrap();
        let account = Account::new("a".to_owned(), at(1));
        store.insert_account(&act(1), &account).await.unwrap();
        let alert = BalanceAlert {
            id: Uuid::now_v7(),
            account_id: account.id,
            threshold: NanoUsd::from_usd(5),
            url: "https://hooks.example.com/secret-path".to_owned(),
            sealed_secret: vec![1, 2, 3],
            is_low: false,
            crossings: 0,
            created_at: at(2),
            updated_at: None,
        };
        let made = alert.clone();
        store.save_balance_alert(&act(2), account.id, |_| Ok::<_, StoreError>(made)).await.unwrap();
        Self { store, alert, _database: database }
    }

    async fn stored(&self) -> BalanceAlert {
        self.store.balance_alert(self.alert.account_id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn an_alert_comes_back_as_it_was_stored_and_its_record_keeps_no_path() {
    let fixture = Fixture::open().await;
    assert_eq!(fixture.stored().await, fixture.alert);
    assert_eq!(fixture.store.balance_alerts().await.unwrap(), std::slice::from_ref(&fixture.alert));
    let records = fixture.store.audit_records(Some(&fixture.alert.account_id.uuid().to_string()), 1).await.unwrap();
    let after = records[0].after.as_ref().unwrap().get();
    assert!(records[0].action == "balance_alert.created" && after.contains("hooks.example.com") && !after.contains("secret-path"));
}

#[tokio::test]
async fn of_all_who_see_a_crossing_one_notes_it_with_its_message() {
    let fixture = Fixture::open().await;
    let noting = (0..20).map(|_| {
        let (store, alert) = (fixture.store.clone(), fixture.alert.clone());
        async move { store.note_low_balance(&alert, "balance.low", "{}", at(10)).await.unwrap() }
    });
    assert_eq!(join_all(noting).await.iter().filter(|noted| **noted).count(), 1);
    let account = fixture.alert.account_id;
    let sent = fixture.store.webhook_deliveries(account, None, 10).await.unwrap();
    assert_eq!((sent.len(), sent[0].id.as_str()), (1, fixture.alert.next_message_id().as_str()));
    let low = fixture.stored().await;
    assert_eq!((low.is_low, low.crossings), (true, 1));
    fixture.store.rearm_balance_alert(&fixture.alert).await.unwrap();
    assert!(fixture.stored().await.is_low, "who looked before the crossing arms nothing");
    fixture.store.rearm_balance_alert(&low).await.unwrap();
    let armed = fixture.stored().await;
    assert!(!armed.is_low);
    assert!(!fixture.store.note_low_balance(&low, "balance.low", "{}", at(20)).await.unwrap());
    assert!(fixture.store.note_low_balance(&armed, "balance.low", "{}", at(20)).await.unwrap());
    let sent = fixture.store.webhook_deliveries(account, None, 10).await.unwrap();
    assert_eq!(sent.iter().map(|sent| sent.created_at).collect::<Vec<_>>(), [at(20), at(10)], "newest first");
    let first = DeliveryCursor::after(&sent[0]);
    let again: DeliveryCursor = first.to_string().try_into().unwrap();
    let rest = fixture.store.webhook_deliveries(account, Some(&again), 10).await.unwrap();
    assert_eq!(rest, sent[1..], "a page goes on after the last row of the one before");
    assert!(fixture.store.webhook_deliveries(account, Some(&DeliveryCursor::after(&sent[1])), 10).await.unwrap().is_empty());
    let long = format!("1.{}", "x".repeat(101));
    for wrong in ["", "1", "1.", "x.msg_1", long.as_str()] {
        assert!(DeliveryCursor::try_from(wrong.to_owned()).is_err(), "{wrong}");
    }
}

#[tokio::test]
async fn an_attempt_is_one_process_s_and_what_is_not_noted_is_due_again() {
    let fixture = Fixture::open().await;
    fixture.store.note_low_balance(&fixture.alert, "balance.low", "{}", at(10)).await.unwrap();
    assert!(fixture.store.due_webhook_deliveries(at(9), 10).await.unwrap().is_empty());
    let due = fixture.store.due_webhook_deliveries(at(10), 10).await.unwrap().remove(0);
    let claiming = (0..20).map(|_| {
        let (store, due) = (fixture.store.clone(), due.clone());
        async move { store.claim_webhook_attempt(&due, at(10), at(40)).await.unwrap() }
    });
    assert_eq!(join_all(claiming).await.iter().filter(|claimed| **claimed).count(), 1);
    assert!(fixture.store.due_webhook_deliveries(at(39), 10).await.unwrap().is_empty());
    let again = fixture.store.due_webhook_deliveries(at(40), 10).await.unwrap().remove(0);
    assert_eq!((again.attempts, again.last_attempt_at), (1, Some(at(10))));
    let failed = AttemptOutcome { status: DeliveryStatus::Pending, http_status: Some(500), error: Some("no".to_owned()) };
    fixture.store.note_webhook_outcome(&due.id, &failed, at(41), at(60)).await.unwrap();
    let noted = fixture.store.due_webhook_deliveries(at(60), 10).await.unwrap().remove(0);
    assert_eq!((noted.last_status, noted.last_error.as_deref(), noted.next_attempt_at), (Some(500), Some("no"), at(60)));
    let delivered = AttemptOutcome { status: DeliveryStatus::Delivered, http_status: Some(204), error: None };
    fixture.store.note_webhook_outcome(&due.id, &delivered, at(61), at(99)).await.unwrap();
    fixture.store.note_webhook_outcome(&due.id, &failed, at(62), at(99)).await.unwrap();
    let last = fixture.store.webhook_deliveries(fixture.alert.account_id, None, 10).await.unwrap().remove(0);
    assert_eq!((last.status, last.delivered_at, last.last_status), (DeliveryStatus::Delivered, Some(at(61)), Some(204)));
    fixture.store.forget_webhook_deliveries(at(11)).await.unwrap();
    assert!(fixture.store.webhook_deliveries(fixture.alert.account_id, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_removed_alert_gives_up_what_it_has_pending_and_a_new_one_counts_anew() {
    let fixture = Fixture::open().await;
    let account = fixture.alert.account_id;
    fixture.store.note_low_balance(&fixture.alert, "balance.low", "{}", at(10)).await.unwrap();
    fixture.store.delete_balance_alert(&act(20), account).await.unwrap();
    assert!(matches!(fixture.store.delete_balance_alert(&act(21), account).await, Err(StoreError::Missing { .. })));
    assert_eq!(fixture.store.webhook_deliveries(account, None, 10).await.unwrap()[0].status, DeliveryStatus::Failed);
    let anew = BalanceAlert { id: Uuid::now_v7(), ..fixture.alert.clone() };
    let made = anew.clone();
    fixture.store.save_balance_alert(&act(30), account, |_| Ok::<_, StoreError>(made)).await.unwrap();
    assert!(!fixture.store.note_low_balance(&fixture.alert, "balance.low", "{}", at(40)).await.unwrap(), "the old one is gone");
    assert!(fixture.store.note_low_balance(&anew, "balance.low", "{}", at(40)).await.unwrap());
    assert_eq!(fixture.store.webhook_deliveries(account, None, 10).await.unwrap().len(), 2);
}
