//! Where a store of a test lives, and the same tests on both engines.
//!
//! `on_both_engines!` makes two tests of each function named in it. ClickHouse is the server at
//! `TOLLGATE_TEST_CLICKHOUSE_URL`; every store there has a database of its own.

use std::io::{Read, Write};
use std::net::TcpStream;

use clickhouse::{Client, Compression};
use projector::{Access, AnalyticsStore};
use serde_json::value::RawValue;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Connection, Row, TypeInfo, ValueRef};
use tempfile::TempDir;
use uuid::Uuid;

/// Behind the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    ClickHouse,
}

/// A database that is gone with this value.
pub enum Home {
    Sqlite(TempDir),
    ClickHouse { server: String, database: String },
}

macro_rules! on_both_engines {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::home::Engine::Sqlite).await;
            })*
        }
        mod clickhouse {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::home::Engine::ClickHouse).await;
            })*
        }
    };
}
pub(crate) use on_both_engines;

/// A migrated store in a home of its own.
pub async fn empty_store(engine: Engine) -> (Home, AnalyticsStore) {
    let home = match engine {
        Engine::Sqlite => Home::Sqlite(tempfile::tempdir().unwrap()),
        Engine::ClickHouse => Home::in_clickhouse(&server()).await,
    };
    let store = home.open(Access::ReadWrite).await;
    store.migrate().await.unwrap();
    (home, store)
}

/// The shared server.
pub fn server() -> String {
    let url = std::env::var("TOLLGATE_TEST_CLICKHOUSE_URL");
    url.expect(
        "TOLLGATE_TEST_CLICKHOUSE_URL must be the address of a ClickHouse server, like http://127.0.0.1:8123; `make test` starts one",
    )
}

impl Home {
    /// A new database at this server.
    pub async fn in_clickhouse(server: &str) -> Self {
        let database = format!("test_{}", Uuid::now_v7().simple());
        let server = server.trim_end_matches('/').to_owned();
        client(&server).query(&format!("CREATE DATABASE {database}")).execute().await.unwrap();
        Self::ClickHouse { server, database }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(dir) => format!("sqlite://{}", dir.path().join("analytics.db").display()),
            Self::ClickHouse { server, database } => format!("{server}/{database}"),
        }
    }

    pub async fn open(&self, access: Access) -> AnalyticsStore {
        AnalyticsStore::open(&self.url(), access).await.unwrap()
    }

    /// The answer to a query, a line a row, in the same words from both engines.
    pub async fn lines(&self, sql: &str) -> Vec<String> {
        match self {
            Self::Sqlite(_) => {
                let mut connection = SqliteConnection::connect(&self.url()).await.unwrap();
                let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows.iter().map(sqlite_line).collect()
            }
            Self::ClickHouse { server, database } => {
                let client = client(server)
                    .with_database(database)
                    .with_setting("date_time_output_format", "iso")
                    .with_setting("output_format_json_quote_64bit_integers", "1")
                    .with_setting("output_format_json_quote_decimals", "1")
                    .with_setting("output_format_decimal_trailing_zeros", "1");
                let mut answer = client.query_raw(sql).fetch_bytes("JSONCompactEachRow").unwrap();
                let text = answer.collect().await.unwrap();
                let rows = serde_json::Deserializer::from_slice(&text).into_iter::<Vec<Box<RawValue>>>();
                rows.map(|row| clickhouse_line(&row.unwrap())).collect()
            }
        }
    }

    /// A statement in the engine's own words.
    pub async fn execute(&self, sqlite: &str, clickhouse: &str) {
        match self {
            Self::Sqlite(_) => drop(self.lines(sqlite).await),
            Self::ClickHouse { server, database } => {
                client(server).with_database(database).query_raw(clickhouse).execute().await.unwrap();
            }
        }
    }
}

impl Drop for Home {
    /// Best effort, and not in the way of the test's own failure.
    fn drop(&mut self) {
        let Self::ClickHouse { server, database } = self else { return };
        let Some(address) = server.strip_prefix("http://") else { return };
        let sql = format!("DROP DATABASE IF EXISTS {database}");
        if let Ok(mut stream) = TcpStream::connect(address) {
            let request = format!("POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{sql}", sql.len());
            let _ = stream.write_all(request.as_bytes());
            let _ = stream.read_to_end(&mut Vec::new());
        }
    }
}

pub fn client(server: &str) -> Client {
    Client::default().with_url(server).with_compression(Compression::None)
}

fn sqlite_line(row: &SqliteRow) -> String {
    let cells = (0..row.len()).map(|index| {
        let raw = row.try_get_raw(index).unwrap();
        if raw.is_null() {
            return "NULL".to_owned();
        }
        match raw.type_info().name() {
            "INTEGER" => row.get::<i64, _>(index).to_string(),
            "REAL" => row.get::<f64, _>(index).to_string(),
            _ => row.get::<String, _>(index),
        }
    });
    cells.collect::<Vec<_>>().join("|")
}

fn clickhouse_line(row: &[Box<RawValue>]) -> String {
    let cells = row.iter().map(|cell| match cell.get() {
        "null" => "NULL".to_owned(),
        text if text.starts_with('"') => serde_json::from_str(text).unwrap(),
        // Read by the standard library, to the last bit.
        number if number.contains(['.', 'e']) => number.parse::<f64>().unwrap().to_string(),
        number => number.to_owned(),
    });
    cells.collect::<Vec<_>>().join("|")
}
