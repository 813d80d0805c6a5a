//! Servers that are not there, not ours, too old or without JetStream: one clear error each, without the password.

use std::time::Duration;

use eventlog::{EventLog, JetStreamError, JetStreamOptions, LogError};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::server::{Server, free_port};
use crate::scene::message;

const PASSWORD: &str = "hunter2-and-more";

async fn refused(url: &str) -> JetStreamError {
    let options = JetStreamOptions { connect_timeout: Duration::from_secs(2), ..JetStreamOptions::default() };
    let error = match EventLog::connect_jetstream(url, options).await {
        Err(LogError::JetStream(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("connected"),
    };
    let text = format!("{error} {error:?}");
    assert!(!text.contains(PASSWORD), "the password is in {text}");
    error
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let port = free_port();
    let error = refused(&format!("nats://tollgate:{PASSWORD}@127.0.0.1:{port}")).await;
    assert!(matches!(error, JetStreamError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")), "{error}");
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_right_ones_may_be_percent_encoded() {
    let server = Server::start_with(&format!("authorization {{ user: tollgate, password: \"{PASSWORD}/@\" }}")).await;
    let at = |credentials: &str| format!("nats://{credentials}127.0.0.1:{}", server.port);
    for wrong in [String::new(), format!("tollgate:{PASSWORD}@")] {
        let error = refused(&at(&wrong)).await;
        assert!(matches!(error, JetStreamError::Unauthorized { .. }), "{error}");
    }
    let right = at(&format!("tollgate:{PASSWORD}%2F%40@"));
    let log = EventLog::connect_jetstream(&right, JetStreamOptions::default()).await.unwrap();
    log.append(vec![message(1)]).await.unwrap();
    let EventLog::JetStream(log) = log else { panic!("another backend") };
    assert_eq!(log.servers(), format!("127.0.0.1:{}", server.port));
}

#[tokio::test]
async fn of_several_servers_one_that_answers_is_enough() {
    let server = Server::start().await;
    let url = format!("nats://127.0.0.1:{},127.0.0.1:{}", free_port(), server.port);
    EventLog::connect_jetstream(&url, JetStreamOptions::default()).await.unwrap().append(vec![message(1)]).await.unwrap();
}

#[tokio::test]
async fn a_password_is_not_sent_in_the_clear_when_the_url_says_tls() {
    let server = Server::start().await;
    let error = refused(&format!("tls://tollgate:{PASSWORD}@127.0.0.1:{}", server.port)).await;
    assert!(matches!(error, JetStreamError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_server_or_an_account_without_jetstream_is_refused() {
    let plain = Server::without_jetstream().await;
    let error = refused(&plain.url()).await;
    assert!(matches!(error, JetStreamError::NotEnabled { .. }), "{error}");
    let accounts = "accounts { ours { users: [{ user: tollgate, password: secret }] }, other { jetstream: enabled } }";
    let server = Server::start_with(accounts).await;
    let error = refused(&format!("nats://tollgate:secret@127.0.0.1:{}", server.port)).await;
    assert!(matches!(error, JetStreamError::NotEnabled { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_is_too_old_or_takes_too_short_messages_is_refused() {
    for (version, payload, expected) in [("2.11.9", 1_048_576, "2.12.1 or later"), ("2.15.1", 65_536, "max_payload")] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let pretending = async {
            let (mut client, _) = listener.accept().await.unwrap();
            let info = format!(
                "INFO {{\"server_id\":\"X\",\"server_name\":\"x\",\"host\":\"127.0.0.1\",\"port\":1,\"version\":\"{version}\",\"go\":\"\",\
                 \"proto\":1,\"headers\":true,\"jetstream\":true,\"max_payload\":{payload},\"client_id\":1}}\r\nPONG\r\n"
            );
            client.write_all(info.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        };
        let error = tokio::select! {
            error = refused(&url) => error,
            () = pretending => unreachable!(),
        };
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn what_a_client_cannot_see_or_one_copy_cannot_keep_is_warned_of() {
    let server = Server::start().await;
    let warnings = async |options: JetStreamOptions| match EventLog::connect_jetstream(&server.url(), options).await.unwrap() {
        EventLog::JetStream(log) => log.warnings().to_vec(),
        _ => panic!("another backend"),
    };
    let told = warnings(JetStreamOptions::default()).await;
    assert!(told.iter().any(|warning| warning.contains("sync_interval: always")), "{told:?}");
    assert!(told.iter().any(|warning| warning.contains("num_replicas")), "{told:?}");
    let told = warnings(JetStreamOptions { servers_sync_always: true, ..JetStreamOptions::default() }).await;
    assert!(!told.iter().any(|warning| warning.contains("sync_interval")), "{told:?}");
}
