//! A deployment of the executable in a folder of its own: served on a free port, or stopped.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::shell::{Ran, tollgate};

/// Whatever a test waits for comes sooner, or the test fails.
const PATIENCE: Duration = Duration::from_secs(90);
const MANAGEMENT_KEY: &str = "sk-tg-v1-00000000000000000000000000000000000000000000000000000000000000aa";

/// See the module. What is served ends with this value.
pub struct Deployment {
    folder: tempfile::TempDir,
    listen: SocketAddr,
    process: Option<Child>,
}

impl Deployment {
    /// With these lines of configuration beside what every test needs; keys of no section first.
    pub fn new(configuration: &str) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let deployment = Self { folder: tempfile::tempdir().unwrap(), listen, process: None };
        deployment.configure(configuration);
        deployment
    }

    /// From the next start on.
    pub fn configure(&self, configuration: &str) {
        let text = format!(
            "listen = \"{}\"\n{configuration}\n[bootstrap]\nadmin_password = \"correct horse battery staple\"\n\
             management_key = \"{MANAGEMENT_KEY}\"\n[upstreams]\nallow_private = true\n",
            self.listen
        );
        std::fs::write(self.folder.path().join("tollgate.toml"), text).unwrap();
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts it and waits until it can serve and bill.
    pub fn serve(&mut self) {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("serve.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        let command = command.arg("serve").current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        self.process = Some(command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap());
        until("it is ready", || self.request("GET /readyz", "", "").is_some_and(|answer| answer.starts_with("HTTP/1.1 200")));
    }

    /// Asks it to end, and waits for that.
    pub fn stop(&mut self) {
        if self.process.is_some() {
            self.signal("TERM");
            self.wait();
        }
    }

    /// Sends a signal.
    pub fn signal(&self, name: &str) {
        let pid = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits until it has ended in order.
    pub fn wait(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let status = process.wait().unwrap();
        assert!(status.success(), "{status}\n{}", self.log());
    }

    /// What it said so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("serve.log")).unwrap()
    }

    /// Its metrics as they are now.
    pub fn metrics(&self) -> String {
        self.request("GET /metrics", "", "").unwrap()
    }

    /// A command of the shell whose answer is JSON.
    pub fn run(&self, arguments: &[&str]) -> Value {
        let ran = self.ran(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        serde_json::from_str(&ran.stdout).unwrap()
    }

    pub fn ran(&self, arguments: &[&str]) -> Ran {
        tollgate(self.folder.path(), arguments)
    }

    /// A new key of the first account.
    pub fn inference_key(&self) -> String {
        let account = self.run(&["accounts", "list", "--json"])[0]["id"].as_str().unwrap().to_owned();
        let key = self.run(&["keys", "create", "--account", &account, "--name", "test", "--json"]);
        key["key"].as_str().unwrap().to_owned()
    }

    /// A chat request over HTTP: the status line and everything after it.
    pub fn chat(&self, key: &str, body: &Value) -> String {
        self.request("POST /v1/chat/completions", key, &body.to_string()).unwrap()
    }

    /// One request over a connection of its own; nothing where there is no connection.
    fn request(&self, line: &str, key: &str, body: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.listen).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: Bearer {key}\r\nx-openrouter-metadata: enabled\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.listen,
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // A test that failed: nothing may outlive it.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Waits for something to become true.
#[expect(
    clippy::disallowed_methods,
    reason = "commands are processes that the test's thread waits for anyway; another one serves the upstream"
)]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
