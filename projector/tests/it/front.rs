//! A ClickHouse server of a test's own, which it may kill.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// Ends with this value; its data, too.
pub struct Front {
    child: Child,
    data: TempDir,
    port: String,
}

impl Front {
    pub fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let (child, port) = spawn(&data, "0");
        Self { child, data, port }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// On the same folder and port.
    pub fn restart(&mut self) {
        (self.child, self.port) = spawn(&self.data, &self.port);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns once it can be asked.
fn spawn(data: &TempDir, port: &str) -> (Child, String) {
    let command = std::env::var("TOLLGATE_TEST_CLICKHOUSE_FRONT");
    let command = command.expect(
        "TOLLGATE_TEST_CLICKHOUSE_FRONT must be the command that starts a server, like `python scripts/clickhouse_front.py`; \
         `make test` sets it",
    );
    let mut words = command.split_whitespace();
    let mut child = Command::new(words.next().unwrap())
        .args(words)
        .args(["--with-parent", "--port", port, "--data"])
        .arg(data.path())
        .current_dir("..")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.trim().rsplit(':').next().filter(|port| !port.is_empty()).expect("the server did not start");
    (child, port.to_owned())
}
