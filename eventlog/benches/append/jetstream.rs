//! The same on JetStream: servers of our own from `TOLLGATE_TEST_NATS_SERVER_BIN`, one and three, with
//! `sync_interval: always`.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use eventlog::{EventLog, JetStreamOptions, Message, ReadLimit};

use super::{RUN, event, micros, report};

/// Killed when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

pub async fn measure(dir: &Path) {
    let Some(binary) = std::env::var_os("TOLLGATE_TEST_NATS_SERVER_BIN") else {
        println!("jetstream: not measured, TOLLGATE_TEST_NATS_SERVER_BIN is not set");
        return;
    };
    for copies in [1, 3] {
        let (servers, urls) = start(Path::new(&binary), dir, copies);
        let (log, reader) = (connect(&urls, copies).await, connect(&urls, copies).await);
        let mut appended = 0;
        for batch in [1, 100, 1_000] {
            append(&log, copies, batch, &mut appended).await;
        }
        append_at_once(&log, copies, &mut appended).await;
        read(&reader, copies, appended).await;
        wake(&log, &reader, copies, appended).await;
        drop(servers);
    }
}

fn start(binary: &Path, dir: &Path, copies: usize) -> (Vec<Server>, String) {
    let ports: Vec<u16> = (0..copies * 2).map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()).collect();
    let (clients, routes) = ports.split_at(copies);
    let all_routes: String = routes.iter().map(|port| format!("nats://127.0.0.1:{port}, ")).collect();
    let servers = clients.iter().zip(routes).map(|(client, route)| {
        let folder = tempfile::tempdir_in(dir).unwrap().keep();
        let mut text = format!(
            "listen: 127.0.0.1:{client}\nserver_name: s{client}\njetstream {{ store_dir: \"{}\", sync_interval: always, max_file: 4GB }}\n",
            folder.display()
        );
        if copies > 1 {
            text += &format!("cluster {{ name: bench, listen: \"127.0.0.1:{route}\", routes: [{all_routes}] }}\n");
        }
        std::fs::write(folder.join("server.conf"), text).unwrap();
        let mut command = Command::new(binary);
        Server(command.arg("-c").arg(folder.join("server.conf")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    });
    (servers.collect(), clients.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect::<Vec<_>>().join(","))
}

/// Until the servers are there and have chosen a leader.
async fn connect(urls: &str, copies: usize) -> EventLog {
    loop {
        let options = JetStreamOptions { replicas: Some(copies), servers_sync_always: true, ..JetStreamOptions::default() };
        match EventLog::connect_jetstream(urls, options).await {
            Ok(log) => return log,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

fn messages(first: u64, count: u64) -> Vec<Message> {
    (first..first + count).map(|number| Message { id: format!("event-{number}"), partition: 0, payload: event().into() }).collect()
}

async fn append(log: &EventLog, copies: usize, batch: u64, appended: &mut u64) {
    let (started, before) = (Instant::now(), *appended);
    while started.elapsed() < RUN && *appended - before < 100_000 {
        log.append(messages(*appended + 1, batch)).await.unwrap();
        *appended += batch;
    }
    report(&format!("jetstream R{copies}, batches of {batch}"), *appended - before, started.elapsed());
}

/// Single events, as many gateways would send them.
async fn append_at_once(log: &EventLog, copies: usize, appended: &mut u64) {
    let (started, before) = (Instant::now(), *appended);
    while started.elapsed() < RUN {
        let singles = (1..=256).map(|next| log.append(messages(*appended + next, 1)));
        assert!(futures_util::future::join_all(singles).await.iter().all(Result::is_ok));
        *appended += 256;
    }
    report(&format!("jetstream R{copies}, 256 singles"), *appended - before, started.elapsed());
}

async fn read(log: &EventLog, copies: usize, appended: u64) {
    let (started, mut after) = (Instant::now(), 0);
    while after < appended {
        after = log.read(after, ReadLimit::default()).await.unwrap().last().unwrap().position;
    }
    report(&format!("jetstream R{copies}, read"), after, started.elapsed());
}

/// From the append on one connection until the reader on another has the event; then the same from the acknowledgement.
async fn wake(log: &EventLog, reader: &EventLog, copies: usize, appended: u64) {
    let (mut lags, mut after_ack) = (Vec::new(), Vec::new());
    for number in appended..appended + 200 {
        let started = Instant::now();
        let appending = async {
            log.append(messages(number + 1, 1)).await.unwrap();
            Instant::now()
        };
        let reading = async {
            reader.wait_past(number).await;
            assert_eq!(reader.read(number, ReadLimit::default()).await.unwrap().len(), 1);
            Instant::now()
        };
        let (acknowledged, read) = tokio::join!(appending, reading);
        lags.push(micros(read - started));
        after_ack.push(micros(read.saturating_duration_since(acknowledged)));
    }
    lags.sort_unstable_by(f64::total_cmp);
    after_ack.sort_unstable_by(f64::total_cmp);
    println!(
        "jetstream R{copies}, append to reader: p50 {:.0} µs, p99 {:.0} µs; after the acknowledgement: p50 {:.0} µs, p99 {:.0} µs",
        lags[100], lags[198], after_ack[100], after_ack[198]
    );
}
