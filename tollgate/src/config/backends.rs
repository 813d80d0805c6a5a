//! Which store each URL chooses. The scheme alone decides.

use std::path::{Path, PathBuf};

use super::key_path::KeyPath;
use super::settings::Config;

/// The stores of one deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backends {
    pub database: Database,
    pub events: Events,
    pub balance: Balance,
    pub analytics: Analytics,
}

/// The store of accounts, keys, channels and the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    Sqlite { path: PathBuf },
    Postgres(ServerUrl),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Events {
    /// A folder of segment files.
    Files { dir: PathBuf },
    /// One or several servers of one cluster.
    JetStream(ServerUrl),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Balance {
    Memory,
    Redis(ServerUrl),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Analytics {
    Sqlite { path: PathBuf },
    ClickHouse(ServerUrl),
}

/// The address of a server. It may hold a password: `Debug` shows the host only.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

/// A URL that chooses nothing, or a choice that does not go with another.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackendError {
    #[error("`{0}` names no store; write {1}")]
    Unknown(String, &'static str),
    #[error("`{0}:` needs a host, such as {1}")]
    NoHost(String, &'static str),
    #[error("`memory:` keeps balances in one process, and with `events_url` on NATS several could run; write \"redis://HOST:6379\"")]
    MemoryShared,
    #[error("a database on a server and an event log in this machine's files do not belong to one deployment; write {0}")]
    Mixed(&'static str),
}

const DATABASE: &str = "\"sqlite://PATH\" or \"postgres://USER:PASSWORD@HOST/DATABASE\"";
const EVENTS: &str = "\"file:FOLDER\" or \"nats://HOST:4222\"";
const BALANCE: &str = "\"memory:\" or \"redis://HOST:6379\"";
const ANALYTICS: &str = "\"sqlite://PATH\" or \"clickhouse://HOST:8123/DATABASE\"";

impl ServerUrl {
    /// As the store's driver wants it, with its password.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn parse(url: &str, scheme: &str, write: &'static str) -> Result<Self, BackendError> {
        let host = url.split_once("://").map_or("", |(_, rest)| rest);
        let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
        if host.is_empty() || host.starts_with(['/', ':', '?']) {
            return Err(BackendError::NoHost(scheme.to_owned(), write));
        }
        Ok(Self(url.to_owned()))
    }
}

impl std::fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (scheme, rest) = self.0.split_once("://").unwrap_or(("", ""));
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        write!(f, "{scheme}://{}", host.split(['/', '?']).next().unwrap_or_default())
    }
}

impl Database {
    /// As the store's driver wants it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { path } => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.expose().to_owned(),
        }
    }
}

impl Analytics {
    /// As the store's driver wants it.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite { path } => format!("sqlite://{}", path.display()),
            Self::ClickHouse(url) => url.expose().to_owned(),
        }
    }
}

impl Backends {
    /// The stores that a configuration chooses, or every URL that chooses none.
    pub fn of(config: &Config) -> Result<Self, Vec<(KeyPath, BackendError)>> {
        let mut wrong = Vec::new();
        let mut keep = |key: &str, error| wrong.push((KeyPath::of_keys([key]), error));
        let data_dir = &config.data_dir;
        let database = database(&config.database_url.0, data_dir).map_err(|error| keep("database_url", error));
        let events = events(&config.events_url.0, data_dir).map_err(|error| keep("events_url", error));
        let balance = balance(&config.balance_url.0).map_err(|error| keep("balance_url", error));
        let analytics = analytics(&config.analytics_url.0, data_dir).map_err(|error| keep("analytics_url", error));
        let (Ok(database), Ok(events), Ok(balance), Ok(analytics)) = (database, events, balance, analytics) else { return Err(wrong) };
        let backends = Self { database, events, balance, analytics };
        match backends.check() {
            Some((key, error)) => Err(vec![(KeyPath::of_keys([key]), error)]),
            None => Ok(backends),
        }
    }

    /// Whether several processes can be one deployment: the log they share decides.
    pub const fn is_distributed(&self) -> bool {
        matches!(self.events, Events::JetStream(_))
    }

    /// What does not go together.
    const fn check(&self) -> Option<(&'static str, BackendError)> {
        match (&self.events, &self.balance, &self.database) {
            (Events::JetStream(_), Balance::Memory, _) => Some(("balance_url", BackendError::MemoryShared)),
            (Events::JetStream(_), _, Database::Sqlite { .. }) => {
                Some(("database_url", BackendError::Mixed("\"postgres://USER:PASSWORD@HOST/DATABASE\"")))
            }
            (Events::Files { .. }, Balance::Redis(_), _) | (Events::Files { .. }, _, Database::Postgres(_)) => {
                Some(("events_url", BackendError::Mixed("\"nats://HOST:4222\"")))
            }
            _ => None,
        }
    }
}

fn database(url: &str, data_dir: &Path) -> Result<Database, BackendError> {
    match scheme(url) {
        "sqlite" => Ok(Database::Sqlite { path: path_after(url, data_dir, DATABASE)? }),
        name @ ("postgres" | "postgresql") => Ok(Database::Postgres(ServerUrl::parse(url, name, DATABASE)?)),
        other => Err(BackendError::Unknown(other.to_owned(), DATABASE)),
    }
}

fn events(url: &str, data_dir: &Path) -> Result<Events, BackendError> {
    match scheme(url) {
        "file" => Ok(Events::Files { dir: path_after(url, data_dir, EVENTS)? }),
        name @ ("nats" | "tls") => Ok(Events::JetStream(ServerUrl::parse(url, name, EVENTS)?)),
        other => Err(BackendError::Unknown(other.to_owned(), EVENTS)),
    }
}

fn balance(url: &str) -> Result<Balance, BackendError> {
    match scheme(url) {
        "memory" if matches!(url, "memory:" | "memory://") => Ok(Balance::Memory),
        name @ ("redis" | "rediss") => Ok(Balance::Redis(ServerUrl::parse(url, name, BALANCE)?)),
        other => Err(BackendError::Unknown(other.to_owned(), BALANCE)),
    }
}

fn analytics(url: &str, data_dir: &Path) -> Result<Analytics, BackendError> {
    match scheme(url) {
        "sqlite" => Ok(Analytics::Sqlite { path: path_after(url, data_dir, ANALYTICS)? }),
        name @ ("clickhouse" | "http" | "https") => Ok(Analytics::ClickHouse(ServerUrl::parse(url, name, ANALYTICS)?)),
        other => Err(BackendError::Unknown(other.to_owned(), ANALYTICS)),
    }
}

/// Never the whole URL: it may hold a password.
fn scheme(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}

/// `{data_dir}` stands for the data folder.
fn path_after(url: &str, data_dir: &Path, write: &'static str) -> Result<PathBuf, BackendError> {
    let rest = url.split_once(':').map_or("", |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    match rest.strip_prefix("{data_dir}") {
        Some(below) => Ok(data_dir.join(below.trim_start_matches('/'))),
        None if rest.is_empty() => Err(BackendError::Unknown(url.to_owned(), write)),
        None => Ok(PathBuf::from(rest)),
    }
}
