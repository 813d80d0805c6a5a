//! NATS servers that a test starts, kills and starts again.

use std::fmt::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::Client;
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::within;

/// One server with a port, a folder and a store of its own; killed when dropped.
pub struct Server {
    process: Option<Child>,
    dir: TempDir,
    pub port: u16,
}

impl Server {
    /// A server alone, with `sync_interval: always`.
    pub async fn start() -> Self {
        Self::start_with("").await
    }

    /// The same with more lines in its configuration.
    pub async fn start_with(more: &str) -> Self {
        let mut server = Self::configured("alone", &format!("{JETSTREAM}\n{more}"));
        server.restart().await;
        server
    }

    pub async fn without_jetstream() -> Self {
        let mut server = Self::configured("plain", "");
        server.restart().await;
        server
    }

    /// Made, not started. The configuration may name its store as `STORE`.
    fn configured(name: &str, configuration: &str) -> Self {
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let store = dir.path().join("store").display().to_string();
        let text = format!("listen: 127.0.0.1:{port}\nserver_name: {name}\n{}", configuration.replace("STORE", &store));
        std::fs::write(dir.path().join("server.conf"), text).unwrap();
        Self { process: None, dir, port }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    /// Starts the process again on the same port and store and waits until it takes connections.
    pub async fn restart(&mut self) {
        self.spawn();
        within(async {
            while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    fn spawn(&mut self) {
        let log = std::fs::File::create(self.dir.path().join("server.log")).unwrap();
        let configuration = self.dir.path().join("server.conf");
        let mut command = Command::new(binary());
        let child = command.arg("-c").arg(configuration).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        self.process = Some(child.expect("nats-server starts"));
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// For three servers on a busy machine to elect a leader.
const MEETING_TIMEOUT: Duration = Duration::from_secs(50);
const CLUSTER_TRIES: u32 = 3;
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
const JETSTREAM: &str = "jetstream { store_dir: \"STORE\", sync_interval: always, max_file: 1GB, max_mem: 64MB }";

/// Three servers that keep three copies. Six ports are taken between asking for them and listening; when somebody else was
/// faster, the servers do not find each other, and others are made.
pub async fn cluster() -> [Server; 3] {
    for _ in 0..CLUSTER_TRIES {
        let mut servers = configured_cluster();
        servers.iter_mut().for_each(Server::spawn);
        if tokio::time::timeout(MEETING_TIMEOUT, have_met(&servers)).await.is_ok() {
            return servers;
        }
    }
    panic!("the servers of a cluster did not find each other in {CLUSTER_TRIES} tries");
}

fn configured_cluster() -> [Server; 3] {
    let ports = [free_port(), free_port(), free_port()];
    let mut routes = String::new();
    ports.iter().for_each(|port| write!(routes, "nats://127.0.0.1:{port}, ").unwrap());
    let mut number = 0;
    ports.map(|port| {
        number += 1;
        let cluster = format!("cluster {{ name: test, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}");
        Server::configured(&format!("member-{number}"), &format!("{JETSTREAM}\n{cluster}"))
    })
}

/// Streams can be made once the servers have chosen a leader among them and know each other.
async fn have_met(servers: &[Server]) {
    loop {
        if let Ok(client) = async_nats::connect(servers[0].url()).await {
            let probe = serde_json::json!({ "name": "PROBE", "subjects": ["probe"], "num_replicas": 3, "storage": "memory" });
            // A question that came to nobody is asked again.
            let asked = tokio::time::timeout(ANSWER_TIMEOUT, try_api(&client, "STREAM.CREATE.PROBE", probe)).await;
            if asked.ok().flatten().is_some_and(|answer| answer["error"].is_null()) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

pub fn urls(servers: &[Server]) -> String {
    servers.iter().map(Server::url).collect::<Vec<_>>().join(",")
}

/// Asks the JetStream API behind the log's back.
pub async fn api(url: &str, subject: &str, body: Value) -> Value {
    let client = async_nats::connect(url).await.unwrap();
    let answer = try_api(&client, subject, body).await.unwrap();
    assert!(answer["error"].is_null(), "{subject}: {answer}");
    answer
}

/// The state of the log's stream, if the servers tell it.
pub async fn try_info(servers: &[Server]) -> Option<Value> {
    let client = async_nats::connect(urls(servers).split(',').map(|url| url.parse().unwrap()).collect::<Vec<async_nats::ServerAddr>>());
    try_api(&client.await.ok()?, "STREAM.INFO.USAGE", Value::Null).await
}

async fn try_api(client: &Client, subject: &str, body: Value) -> Option<Value> {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let answer = client.request(format!("$JS.API.{subject}"), body.into()).await.ok()?;
    serde_json::from_slice(&answer.payload).ok()
}

pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn binary() -> PathBuf {
    std::env::var_os("TOLLGATE_TEST_NATS_SERVER_BIN")
        .expect("TOLLGATE_TEST_NATS_SERVER_BIN is not set: `make test` installs nats-server and sets it; by hand, write the program's path")
        .into()
}
