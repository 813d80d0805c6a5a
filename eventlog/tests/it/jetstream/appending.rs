//! Appending over a wire that breaks and to a server that dies: nothing acknowledged is lost, nothing is out of order.

use std::time::Duration;

use eventlog::testing::SimDisk;
use eventlog::{Durability, EventLog, JetStreamOptions, Shipper, ShipperOptions};
use tokio_util::sync::CancellationToken;

use super::proxy::{Proxy, Way};
use super::server::Server;
use crate::scene::{first_numbers, message, messages, number_of, numbers, open_spool, read_all, within, write_terminal};

/// As little patience as a test has.
pub fn hasty() -> JetStreamOptions {
    JetStreamOptions { ack_timeout: Duration::from_secs(2), patience: Duration::from_secs(10), ..JetStreamOptions::default() }
}

pub async fn connect(url: &str) -> EventLog {
    EventLog::connect_jetstream(url, hasty()).await.unwrap()
}

/// Repeats a batch until it is taken, as the shipper does.
pub async fn append_until_taken(log: &EventLog, first: u64, last: u64) -> u64 {
    loop {
        match log.append(messages(first..=last)).await {
            Ok(position) => return position,
            Err(error) => {
                assert!(error.is_transient(), "{error}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

#[tokio::test]
async fn a_connection_cut_anywhere_loses_repeats_and_reorders_nothing() {
    let server = Server::start().await;
    let proxy = Proxy::before(server.port).await;
    let log = connect(&format!("nats://127.0.0.1:{}", proxy.port)).await;
    let mut appended = 0;
    // A batch of twelve is about 4,000 bytes to the server; its acknowledgement is some 150 to the client.
    let to_server = (0..4_200).step_by(97).map(|bytes| (Way::ToServer, bytes));
    let to_client = (0..160).step_by(20).map(|bytes| (Way::ToClient, bytes));
    for (way, bytes) in to_server.chain(to_client) {
        proxy.cut_after(way, bytes);
        append_until_taken(&log, appended + 1, appended + 12).await;
        appended += 12;
        assert!(proxy.has_cut() || bytes > 3_000 || way == Way::ToClient, "the cut at {bytes} {way:?} came too late to matter");
    }
    assert_eq!(numbers(&read_all(&log).await), (1..=appended).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_lost_acknowledgement_of_a_single_event_does_not_write_it_twice() {
    let server = Server::start().await;
    let proxy = Proxy::before(server.port).await;
    let log = connect(&format!("nats://127.0.0.1:{}", proxy.port)).await;
    for number in 1..=10 {
        proxy.cut_after(Way::ToClient, 0);
        assert_eq!(append_until_taken(&log, number, number).await, number);
    }
    assert_eq!(numbers(&read_all(&log).await), (1..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_batch_that_begins_with_known_events_adds_only_the_others() {
    let server = Server::start().await;
    let log = connect(&server.url()).await;
    assert_eq!(log.append(messages(1..=40)).await.unwrap(), 40);
    assert_eq!(log.append(messages(1..=40)).await.unwrap(), 40);
    assert_eq!(log.append(messages(21..=70)).await.unwrap(), 70);
    assert_eq!(log.append(vec![message(70), message(71), message(71)]).await.unwrap(), 71);
    assert_eq!(numbers(&read_all(&log).await), (1..=71).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_server_killed_under_appends_loses_nothing_acknowledged_and_reorders_nothing() {
    let mut server = Server::start().await;
    let log = connect(&server.url()).await;
    let reader = connect(&server.url()).await;
    let (mut read, mut appended) = (Vec::new(), 0);
    for kill in 0..8_u64 {
        let until = appended + 300;
        let appending = async {
            let mut next = appended + 1;
            while next <= until {
                let last = (next + kill * 7 % 23).min(until);
                append_until_taken(&log, next, last).await;
                next = last + 1;
            }
        };
        let killing = async {
            reader.wait_past(read.len() as u64 + 20 + kill * 13).await;
            server.kill();
            server.restart().await;
        };
        within(async { tokio::join!(appending, killing) }).await;
        appended = until;
        read = within(read_all(&reader)).await;
        assert_eq!(first_numbers(&read), (1..=appended).collect::<Vec<_>>(), "kill {kill}");
    }
    let repeated = read.len() as u64 - appended;
    assert_eq!(repeated, 0, "events the server knew by their ids were written again");
    assert!(log.is_healthy() && reader.is_healthy());
}

#[tokio::test]
async fn a_reader_that_waits_goes_on_after_the_server_was_killed() {
    let mut server = Server::start().await;
    let log = connect(&server.url()).await;
    let reader = connect(&server.url()).await;
    log.append(messages(1..=3)).await.unwrap();
    for round in 0..3 {
        let last = 3 + round;
        let waiting = async {
            reader.wait_past(last).await;
            reader.read(last, eventlog::ReadLimit::default()).await.unwrap()
        };
        let meanwhile = async {
            // Long enough that somebody waits; then the consumer he waits on is gone for good.
            tokio::time::sleep(Duration::from_millis(50)).await;
            server.kill();
            server.restart().await;
            append_until_taken(&log, last + 1, last + 1).await;
        };
        let (read, ()) = within(async { tokio::join!(waiting, meanwhile) }).await;
        assert_eq!(read.iter().map(|entry| number_of(&entry.payload)).collect::<Vec<_>>(), [last + 1]);
    }
}

/// A shipper between a spool and a log while something happens.
async fn ship_during(spool: &eventlog::Spool, log: &EventLog, during: impl Future<Output = ()>) {
    let cancel = CancellationToken::new();
    let options = ShipperOptions { batch_events_max: 50, retry_delay_max: Duration::from_millis(200), ..ShipperOptions::default() };
    let shipper = Shipper::new(spool.clone(), log.clone(), std::sync::Arc::new(|| Box::pin(async { Default::default() })), options);
    let meanwhile = async {
        during.await;
        cancel.cancel();
    };
    let (stopped, ()) = within(async { tokio::join!(shipper.run(cancel.clone()), meanwhile) }).await;
    stopped.unwrap();
}

#[tokio::test]
async fn what_a_spool_took_while_the_server_was_away_arrives_once_and_in_order() {
    let mut server = Server::start().await;
    let log = connect(&server.url()).await;
    let (spool, _) = open_spool(&SimDisk::new(), Durability::Disk);
    let during = async {
        for number in 1..=400 {
            write_terminal(&spool, None, 0, number).await;
            if number == 100 {
                log.wait_past(20).await;
                server.kill();
            }
        }
        // Away for longer than a try and its pause.
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.restart().await;
        log.wait_past(399).await;
    };
    ship_during(&spool, &log, during).await;
    assert_eq!(numbers(&read_all(&log).await), (1..=400).collect::<Vec<_>>());
}

#[tokio::test]
async fn under_log_durability_a_terminal_is_safe_once_the_stream_has_it_and_late_while_it_is_away() {
    let mut server = Server::start().await;
    let log = connect(&server.url()).await;
    let (spool, _) = open_spool(&SimDisk::new(), Durability::Log { ack_timeout: Duration::from_millis(300) });
    let during = async {
        write_terminal(&spool, None, 0, 1).await;
        assert_eq!(log.bounds().await.unwrap().last, 1, "safe means that the stream has it");
        assert!(!spool.is_log_behind());
        server.kill();
        write_terminal(&spool, None, 0, 2).await;
        assert!(spool.is_log_behind(), "it finished on disk, and everybody can see it");
        server.restart().await;
        log.wait_past(1).await;
        while spool.is_log_behind() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    ship_during(&spool, &log, during).await;
    assert_eq!(numbers(&read_all(&log).await), [1, 2]);
}
