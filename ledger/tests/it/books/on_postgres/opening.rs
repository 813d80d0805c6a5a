//! What is wrong with a database is said at once, in one line, without the password.

use ledger::store::postgres::ConnectError;
use ledger::{Access, LedgerError, LedgerStore};

use crate::books::databases::{Database, server_url, url_of};

async fn refusal(url: &str) -> (LedgerError, String) {
    let error = LedgerStore::open(url, Access::ReadWrite).await.err().expect("it opened");
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    assert!(!text.contains("s3cret-password") && !text.contains('\n'), "{text}");
    (error, text)
}

fn with_password(url: &str) -> String {
    let (head, host) = url.split_once('@').unwrap();
    let (user, _) = head.rsplit_once(':').unwrap();
    format!("{user}:s3cret-password@{host}")
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let (error, text) = refusal(&format!("postgres://someone:s3cret-password@{address}/books")).await;
    assert!(matches!(error, LedgerError::Connect(ConnectError::Unreachable { .. })) && error.is_outage(), "{error:?}");
    assert!(text.starts_with(&format!("PostgreSQL at {address} cannot be reached")), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_called_so() {
    let (error, text) = refusal(&with_password(&server_url())).await;
    assert!(matches!(error, LedgerError::Connect(ConnectError::Credentials { .. })) && !error.is_transient(), "{error:?}");
    assert!(text.contains("does not let user `tollgate` in"), "{text}");
}

#[tokio::test]
async fn a_missing_database_is_named() {
    let (error, text) = refusal(&url_of("nobody_made_this")).await;
    assert!(matches!(error, LedgerError::Connect(ConnectError::NoDatabase { .. })), "{error:?}");
    assert!(text.contains("has no database `nobody_made_this`"), "{text}");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_being_repeated() {
    let (error, _) = refusal("postgres://someone:s3cret-password@host:notaport/books").await;
    assert!(matches!(error, LedgerError::Connect(ConnectError::Address)), "{error:?}");
}

#[tokio::test]
async fn a_database_without_tables_says_what_to_do() {
    let database = Database::bare().await;
    let store = LedgerStore::open(&database.url(), Access::ReadWrite).await.unwrap();
    for error in [store.position().await.unwrap_err(), store.apply_batch(&[]).await.unwrap_err()] {
        assert!(matches!(error, LedgerError::NotMigrated(_)) && !error.is_transient(), "{error:?}");
        assert!(error.to_string().contains("tollgate migrate"), "{error}");
    }
}

#[tokio::test]
async fn processes_that_migrate_at_the_same_time_wait_for_each_other() {
    let database = Database::bare().await;
    let open = async || LedgerStore::open(&database.url(), Access::ReadWrite).await.unwrap();
    let stores = [open().await, open().await, open().await];
    let done = tokio::join!(stores[0].migrate(), stores[1].migrate(), stores[2].migrate());
    done.0.unwrap();
    done.1.unwrap();
    done.2.unwrap();
    assert_eq!(stores[0].position().await.unwrap(), 0);
}
