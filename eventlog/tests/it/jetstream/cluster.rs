//! Three servers, three copies: one may die, with two of them gone nothing is acknowledged any more.

use std::time::Duration;

use eventlog::EventLog;

use super::appending::{append_until_taken, hasty};
use super::server::{Server, cluster, try_info, urls};
use crate::scene::{first_numbers, messages, read_all};

/// Elections take seconds.
async fn before_long<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(120), future).await.unwrap_or_else(|_| panic!("{what} takes more than two minutes"))
}

#[tokio::test]
async fn appends_go_on_with_two_of_three_stop_with_one_and_go_on_after() {
    let mut servers = Box::pin(cluster()).await;
    let log = before_long("connecting", EventLog::connect_jetstream(&urls(&servers), hasty())).await.unwrap();
    let EventLog::JetStream(jetstream) = &log else { panic!("another backend") };
    assert!(!jetstream.warnings().iter().any(|warning| warning.contains("copies")), "{:?}", jetstream.warnings());
    let watcher = before_long("connecting the watcher", EventLog::connect_jetstream(&urls(&servers), hasty())).await.unwrap();

    // All three, one killed under appends; the next round kills another while that one is back.
    for (round, killed) in (0..).zip([0, 1, 2]) {
        let first = round * 300 + 1;
        let killing = async {
            watcher.wait_past(first + 80).await;
            servers[killed].kill();
        };
        before_long("appending while one is killed", async { tokio::join!(append_between(&log, first, first + 299), killing) }).await;
        servers[killed].restart().await;
        before_long("catching up", all_copies_follow(&servers)).await;
    }

    // Both come back before anything is asked of the cluster: now and then a follower of nats-server 2.15 that was killed
    // a moment ago stays out of its Raft group until it is started again, and two of three are none then.
    servers[0].kill();
    servers[1].kill();
    let refused = before_long("an append with one", log.append(messages(901..=915))).await.unwrap_err();
    assert!(refused.is_transient(), "one server of three acknowledged: {refused}");
    servers[1].restart().await;
    servers[0].restart().await;
    before_long("appending with three", append_between(&log, 901, 1_200)).await;
    for reader in [&log, &watcher] {
        // Twice is allowed where the cluster lost its majority, out of order or missing is not.
        assert_eq!(first_numbers(&before_long("reading", read_all(reader)).await), (1..=1_200).collect::<Vec<_>>());
        assert!(reader.is_healthy());
    }

    // What the cluster knows by its ids it does not take again.
    let last = log.append(messages(1_101..=1_200)).await.unwrap();
    assert_eq!(last, log.bounds().await.unwrap().last);
    assert_eq!(log.append(messages(1_190..=1_240)).await.unwrap(), last + 40);
    assert_eq!(log.append(messages(1_240..=1_240)).await.unwrap(), last + 40);
    assert_eq!(watcher.bounds().await.unwrap().last, last + 40);
}

async fn append_between(log: &EventLog, first: u64, last: u64) {
    for first in (first..=last).step_by(15) {
        append_until_taken(log, first, (first + 14).min(last)).await;
    }
}

/// Until the stream has a leader and two followers that have everything.
async fn all_copies_follow(servers: &[Server]) {
    loop {
        let info = try_info(servers).await;
        let replicas = info.as_ref().and_then(|info| info["cluster"]["replicas"].as_array());
        if replicas.is_some_and(|replicas| replicas.len() == 2 && replicas.iter().all(|replica| replica["current"] == true)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
