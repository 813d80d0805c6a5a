//! A shared gate whose server is flushed, stopped, rolled back or forgets its scripts.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ledger::gate::{
    Announcement, BalanceGate, GateClock, GateError, GateOptions, GateState, GateStatus, Posted, RedisGateOptions, ReserveCommand,
    Reserved, RestoredHold,
};
use schemas::RequestId;
use tempfile::TempDir;

use super::setting::{NOW, account, asks, held, key, nanos, redis_options, redis_url, request, settles};

/// A server of one test's own, which may be stopped and flushed.
struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Self::spawn(port, folder.path());
        let server = Self { child, port, folder };
        server.answers().await;
        server
    }

    fn spawn(port: u16, folder: &Path) -> Child {
        let binary = std::env::var("TOLLGATE_TEST_REDIS_SERVER_BIN").expect("TOLLGATE_TEST_REDIS_SERVER_BIN is a server's program");
        let mut command = Command::new(binary);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
        command.arg(folder).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    async fn answers(&self) {
        while self.try_run(&["PING"]).await.is_err() {
            tokio::task::yield_now().await;
        }
    }

    async fn try_run(&self, command: &[&str]) -> redis::RedisResult<redis::Value> {
        let mut connection = redis::Client::open(self.url())?.get_multiplexed_async_connection().await?;
        redis::cmd(command[0]).arg(&command[1..]).query_async(&mut connection).await
    }

    async fn run(&self, command: &[&str]) {
        self.try_run(command).await.unwrap();
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    async fn restart(&mut self) {
        self.child = Self::spawn(self.port, self.folder.path());
        self.answers().await;
    }

    async fn gate(&self) -> BalanceGate {
        BalanceGate::redis(&self.url(), self.options()).await.unwrap()
    }

    fn options(&self) -> RedisGateOptions {
        RedisGateOptions {
            key_prefix: "test".to_owned(),
            response_timeout: Duration::from_secs(2),
            clock: GateClock::Caller,
            ..redis_options(GateOptions::default())
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn with_balance(balance: i64) -> GateState {
    GateState { accounts: vec![(account(1), nanos(balance), 1)], ..GateState::default() }
}

fn is_closed<T>(answer: &Result<T, GateError>) -> bool {
    matches!(answer, Err(GateError::NotReady { .. }))
}

fn restored(number: u128, hold: i64) -> RestoredHold {
    RestoredHold {
        request_id: request(number),
        account_id: account(1),
        key_id: None,
        limit: None,
        hold: nanos(hold),
        worst_case: nanos(hold),
        tokens: 0,
        admitted_at: NOW,
        owner: asks(0, 0).owner,
    }
}

#[tokio::test]
async fn two_clients_share_one_balance_exactly() {
    let options = redis_options(GateOptions::default());
    let one = BalanceGate::redis(&redis_url(), options.clone()).await.unwrap();
    let two = BalanceGate::redis(&redis_url(), options).await.unwrap();
    one.rebuild(NOW, with_balance(109)).await.unwrap();
    let reservations = (0..200).map(|number| {
        let gate = if number % 2 == 0 { &one } else { &two };
        gate.reserve(NOW, ReserveCommand { request_id: RequestId::mint(), ..asks(0, 10) })
    });
    let answers = futures_util::future::join_all(reservations).await;
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Ok(Reserved::Held { .. }))).count(), 10);
    assert_eq!(one.amounts(account(1)).await.unwrap(), two.amounts(account(1)).await.unwrap());
    assert_eq!(one.amounts(account(1)).await.unwrap().held, nanos(100));
}

#[tokio::test]
async fn a_server_that_forgot_its_functions_is_told_them_again() {
    let server = Server::start().await;
    let gate = server.gate().await;
    gate.rebuild(NOW, with_balance(10)).await.unwrap();
    server.run(&["FUNCTION", "FLUSH"]).await;
    assert_eq!(held(gate.reserve(NOW, asks(1, 10)).await.unwrap()), 10);
}

/// A primary that was a replica for a while keeps its process, its functions and what it was told.
#[tokio::test]
async fn a_shard_of_another_run_authorises_nothing_even_where_somebody_has_looked() {
    let server = Server::start().await;
    let gate = server.gate().await;
    gate.rebuild(NOW, with_balance(100)).await.unwrap();
    held(gate.reserve(NOW, asks(1, 10)).await.unwrap());
    let shard = account(1).uuid().as_u128() % 4;
    server.run(&["HSET", &format!("test:{{{shard}}}:gate"), "run", "another"]).await;
    assert!(is_closed(&gate.reserve(NOW, asks(2, 10)).await));
    assert_eq!(gate.status().await.unwrap(), GateStatus::Closed);
    gate.rebuild(NOW, with_balance(100)).await.unwrap();
    assert_eq!(held(gate.reserve(NOW, asks(2, 10)).await.unwrap()), 10);
}

#[tokio::test]
async fn a_flushed_server_authorises_nothing_and_learns_what_was_held() {
    let server = Server::start().await;
    let (one, two) = (server.gate().await, server.gate().await);
    one.rebuild(NOW, with_balance(100)).await.unwrap();
    for round in 0..20 {
        let number = 10 * round;
        held(one.reserve(NOW, asks(number, 60)).await.unwrap());
        server.run(&["FLUSHALL"]).await;
        let word = Posted { account_id: account(1), posted: nanos(100), position: 9, requests: Vec::new(), key_spend: Vec::new() };
        assert!(is_closed(&two.post(NOW, vec![word]).await));
        assert!(is_closed(&two.reserve(NOW, asks(number + 1, 60)).await));
        assert!(is_closed(&one.settle(NOW, settles(number, 60)).await));
        assert_eq!(one.status().await.unwrap(), GateStatus::Closed);
        let epoch = one.begin_epoch().await.unwrap();
        let told = two.reserve(NOW, asks(number + 1, 60)).await;
        assert!(matches!(told, Err(GateError::NotReady { learning: Some(learning), .. }) if learning == epoch));
        let announcement = Announcement { node: asks(0, 0).owner, holds: vec![restored(number, 60)], pending: Vec::new() };
        two.announce(epoch, announcement.clone()).await.unwrap();
        assert_eq!(one.announcements(epoch).await.unwrap(), vec![announcement.clone()]);
        let state = GateState { holds: announcement.holds, ..with_balance(100) };
        one.complete_epoch(NOW, epoch, state).await.unwrap();
        assert!(matches!(two.reserve(NOW, asks(number + 1, 60)).await, Ok(Reserved::Refused(_))), "60 of 100 are held");
        two.release(NOW, request(number), account(1), None).await.unwrap();
        assert_eq!(two.amounts(account(1)).await.unwrap().available(), nanos(100));
    }
}

#[tokio::test]
async fn a_server_restored_from_an_old_snapshot_authorises_nothing() {
    let mut server = Server::start().await;
    let gate = server.gate().await;
    gate.rebuild(NOW, with_balance(100)).await.unwrap();
    server.run(&["SAVE"]).await;
    held(gate.reserve(NOW, asks(1, 100)).await.unwrap());
    server.stop();
    server.restart().await;
    // Neither a process that remembers nor a new one is let in.
    let fresh = server.gate().await;
    assert!(is_closed(&fresh.reserve(NOW, asks(2, 100)).await));
    assert!(is_closed(&gate.reserve(NOW, asks(3, 100)).await));
    gate.rebuild(NOW, GateState { holds: vec![restored(1, 100)], ..with_balance(100) }).await.unwrap();
    assert!(matches!(fresh.reserve(NOW, asks(2, 100)).await, Ok(Reserved::Refused(_))));
    fresh.settle(NOW, settles(1, 30)).await.unwrap();
    assert_eq!(gate.amounts(account(1)).await.unwrap().available(), nanos(70));
}

/// However many of its days the ledger names: a key's state is as long as two months of them.
#[tokio::test]
async fn a_key_is_read_once_a_word_and_a_long_word_goes_in_parts() {
    let server = Server::start().await;
    let gate = server.gate().await;
    gate.rebuild(NOW, with_balance(100)).await.unwrap();
    let word = |days: i32, position| Posted {
        account_id: account(1),
        posted: nanos(100),
        position,
        requests: Vec::new(),
        key_spend: (0..days).map(|day| (key(1), NOW.day().plus(day - days), nanos(1))).collect(),
    };
    assert_eq!(gate.post(NOW, vec![word(1, 2)]).await, Ok(Vec::new()));
    let calls = async |command: &str| {
        let redis::Value::BulkString(stats) = server.try_run(&["INFO", "commandstats"]).await.unwrap() else { panic!("no text") };
        let stats = String::from_utf8(stats).unwrap();
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls="))).unwrap().to_owned();
        line.split(',').next().unwrap().parse::<u32>().unwrap()
    };
    for (days, parts) in [(900, 1), (2_500, 3)] {
        server.run(&["CONFIG", "RESETSTAT"]).await;
        assert_eq!(gate.post(NOW, vec![word(days, 3)]).await, Ok(Vec::new()));
        assert_eq!(calls("fcall").await, parts);
        assert_eq!(calls("hmget").await, 2 * parts, "the shard's own, and one for all of the account's");
    }
}

#[tokio::test]
async fn a_tick_that_went_back_closes_every_shard() {
    let server = Server::start().await;
    let gate = server.gate().await;
    gate.rebuild(NOW, with_balance(100)).await.unwrap();
    held(gate.reserve(NOW, asks(1, 10)).await.unwrap());
    let shard = account(1).uuid().as_u128() % 4;
    server.run(&["HSET", &format!("test:{{{shard}}}:gate"), "tick", "1"]).await;
    assert!(is_closed(&gate.amounts(account(1)).await));
    for number in 2..6 {
        assert!(is_closed(&gate.amounts(account(number)).await), "the others are as old");
    }
}

#[tokio::test]
async fn a_stopped_server_is_an_error_at_once_and_recovers_with_a_rebuild() {
    let mut server = Server::start().await;
    let gate = server.gate().await;
    gate.rebuild(NOW, with_balance(100)).await.unwrap();
    server.stop();
    let begun = std::time::Instant::now();
    assert_eq!(gate.reserve(NOW, asks(1, 10)).await, Err(GateError::Unavailable));
    assert!(begun.elapsed() < Duration::from_secs(6), "twice the response timeout, on a busy machine");
    server.restart().await;
    while gate.reserve(NOW, asks(1, 10)).await == Err(GateError::Unavailable) {
        tokio::task::yield_now().await;
    }
    assert!(is_closed(&gate.reserve(NOW, asks(1, 10)).await));
    gate.rebuild(NOW, with_balance(100)).await.unwrap();
    assert_eq!(held(gate.reserve(NOW, asks(1, 10)).await.unwrap()), 10);
}

#[tokio::test]
async fn processes_that_spread_accounts_over_other_numbers_of_shards_do_not_share_a_gate() {
    let server = Server::start().await;
    let gate = server.gate().await;
    gate.rebuild(NOW, GateState::default()).await.unwrap();
    let options = server.options();
    let other = GateOptions { shards: options.gate.shards * 2, ..options.gate.clone() };
    let refused = BalanceGate::redis(&server.url(), RedisGateOptions { gate: other.clone(), ..options.clone() }).await.unwrap_err();
    assert!(refused.to_string().contains("was built with 4 shards and this process has 8"), "{refused}");
    // One that began while the server was away finds out when it looks.
    let later = BalanceGate::redis_later(&server.url(), RedisGateOptions { gate: other, ..options }).unwrap();
    assert!(matches!(later.status().await, Err(GateError::Corrupt { .. })));
    assert!(matches!(gate.status().await, Ok(GateStatus::Open { .. })));
}

/// Nothing is gained by waiting: whoever starts the process has to mend it, and is told what.
#[tokio::test]
async fn a_wrong_password_and_an_evicting_server_are_no_servers_that_are_away() {
    let server = Server::start().await;
    server.run(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    let refused = BalanceGate::redis(&server.url(), server.options()).await.unwrap_err();
    assert!(refused.to_string().contains("noeviction") && !refused.is_away(), "{refused}");
    server.run(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    server.run(&["CONFIG", "SET", "requirepass", "right"]).await;
    let with = |password: &str| server.url().replace("redis://", &format!("redis://:{password}@"));
    for url in [server.url(), with("wrong-one")] {
        let refused = BalanceGate::redis(&url, server.options()).await.unwrap_err();
        let told = std::iter::successors(Some(&refused as &dyn std::error::Error), |error| error.source()).map(ToString::to_string);
        let told = told.collect::<Vec<_>>().join(": ");
        assert!(!refused.is_away(), "{told}");
        assert!(told.to_lowercase().contains("auth") || told.contains("WRONGPASS"), "{told}");
        assert!(!told.contains("wrong-one"), "{told}");
    }
    assert!(BalanceGate::redis(&with("right"), server.options()).await.unwrap().status().await.is_ok());
}

#[tokio::test]
async fn a_process_that_began_without_the_server_uses_it_once_it_is_there() {
    let mut server = Server::start().await;
    let options = server.options();
    server.stop();
    let away = BalanceGate::redis(&server.url(), options.clone()).await.unwrap_err();
    assert!(away.is_away(), "{away}");
    let gate = BalanceGate::redis_later(&server.url(), options).unwrap();
    assert!(matches!(gate.status().await, Err(GateError::Unavailable)));
    server.restart().await;
    gate.rebuild(NOW, GateState { accounts: vec![(account(1), nanos(10), 1)], ..GateState::default() }).await.unwrap();
    assert_eq!(held(gate.reserve(NOW, asks(1, 10)).await.unwrap()), 10);
}
