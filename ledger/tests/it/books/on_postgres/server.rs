//! A PostgreSQL server of a test's own, to be killed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

/// How long a start may take, recovery included.
const PATIENCE: Duration = Duration::from_secs(60);

/// PostgreSQL refuses to run as root: then `nobody` runs it.
fn command(program: &Path) -> Command {
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

pub struct Server {
    bin: PathBuf,
    dir: TempDir,
    port: u16,
    running: Option<Child>,
}

impl Server {
    /// Makes a cluster with the binaries of `TOLLGATE_TEST_POSTGRES_BIN_DIR` and starts it.
    pub async fn start() -> Self {
        let hint = "TOLLGATE_TEST_POSTGRES_BIN_DIR is not set: tests that kill a server need the folder of initdb and postgres";
        let bin = PathBuf::from(std::env::var("TOLLGATE_TEST_POSTGRES_BIN_DIR").expect(hint));
        let dir = tempfile::tempdir().unwrap();
        open_to_all(dir.path());
        let made = command(&bin.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=tollgate", "--encoding=UTF8", "--no-locale", "--pgdata"])
            .arg(dir.path().join("data"))
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { bin, dir, port, running: None };
        server.run().await;
        server
    }

    pub fn url(&self) -> String {
        format!("postgres://tollgate@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts the server on what is in its folder, and waits until it answers. A server that was killed
    /// leaves processes that end by themselves; until then a new one does not start.
    pub async fn run(&mut self) {
        let started = Instant::now();
        loop {
            let child = self.running.get_or_insert_with(|| {
                command(&self.bin.join("postgres"))
                    .arg("-D")
                    .arg(self.dir.path().join("data"))
                    .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c"])
                    .arg(format!("unix_socket_directories={}", self.dir.path().display()))
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap()
            });
            if child.try_wait().unwrap().is_some() {
                self.running = None;
            } else if let Ok(connection) = PgConnection::connect(&self.url()).await {
                connection.close().await.unwrap();
                return;
            }
            assert!(started.elapsed() < PATIENCE, "the server did not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// `kill -9` of the postmaster.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o777)).unwrap();
}
