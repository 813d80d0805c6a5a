//! PostgreSQL databases for tests: each test has its own, copied from a migrated template.
//!
//! The server is the one of `TOLLGATE_TEST_POSTGRES_URL`, whose user may create databases. A template is
//! made once per version of the migrations, by whichever test process comes first.

use ledger::{Access, LedgerStore};
use sha2::{Digest as _, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

const MIGRATIONS: [&str; 1] = [include_str!("../../../../migrations/postgres/ledger/0001_ledger.sql")];

/// The server's URL, with the database that commands are given in.
pub fn server_url() -> String {
    let hint = "TOLLGATE_TEST_POSTGRES_URL is not set: PostgreSQL tests need postgres://user:password@host:port/postgres";
    std::env::var("TOLLGATE_TEST_POSTGRES_URL").expect(hint)
}

/// The URL of a database on the server.
pub fn url_of(database: &str) -> String {
    let url = server_url();
    let (server, _) = url.rsplit_once('/').expect("a PostgreSQL URL ends with a database");
    format!("{server}/{database}")
}

/// A database that is dropped with this value.
pub struct Database {
    name: String,
}

impl Database {
    /// A ledger's database, migrated and empty.
    pub async fn migrated() -> Self {
        let template = template().await;
        let name = format!("ledger_{}", uuid::Uuid::now_v7().simple());
        command(&format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { name }
    }

    /// A database without anything.
    pub async fn bare() -> Self {
        let name = format!("bare_{}", uuid::Uuid::now_v7().simple());
        command(&format!("CREATE DATABASE {name}")).await;
        Self { name }
    }

    pub fn url(&self) -> String {
        url_of(&self.name)
    }
}

impl Drop for Database {
    /// On a thread with a runtime of its own: a test's runtime may be ending.
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(command(&drop));
        });
        let _ = thread.join();
    }
}

async fn command(sql: &str) {
    let mut connection = PgConnection::connect(&server_url()).await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}

async fn template() -> String {
    let mut hash = Sha256::new();
    MIGRATIONS.iter().for_each(|migration| hash.update(migration));
    let name = format!("ledger_template_{}", &hex::encode(hash.finalize())[..12]);
    let mut connection = PgConnection::connect(&server_url()).await.unwrap();
    connection.execute("SELECT pg_advisory_lock(7160114)").await.unwrap();
    let known: Option<String> = sqlx::query_scalar("SELECT datname::TEXT FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_optional(&mut connection)
        .await
        .unwrap();
    if known.is_none() {
        let raw = format!("{name}_raw");
        connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {raw} WITH (FORCE)"))).await.unwrap();
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {raw}"))).await.unwrap();
        let store = LedgerStore::open(&url_of(&raw), Access::ReadWrite).await.unwrap();
        store.migrate().await.unwrap();
        store.close().await;
        connection.execute(AssertSqlSafe(format!("ALTER DATABASE {raw} RENAME TO {name}"))).await.unwrap();
    }
    connection.close().await.unwrap();
    name
}
