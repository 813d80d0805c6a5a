//! Databases for tests, one for each, in either engine.
//!
//! PostgreSQL is the server of `TOLLGATE_TEST_POSTGRES_URL`, whose user may create databases.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};

/// A SQLite file in a folder of its own.
pub struct SqliteDatabase(tempfile::TempDir);

impl SqliteDatabase {
    pub async fn make() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn url(&self) -> String {
        format!("sqlite://{}", self.0.path().join("tollgate.db").display())
    }

    pub async fn execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        let mut connection = SqliteConnection::connect(&self.url()).await?;
        connection.execute(AssertSqlSafe(sql)).await?;
        connection.close().await
    }
}

/// A PostgreSQL database that is dropped with this value.
pub struct PostgresDatabase(String);

impl PostgresDatabase {
    pub async fn make() -> Self {
        let name = format!("control_{}", uuid::Uuid::now_v7().simple());
        command(&server_url(), &format!("CREATE DATABASE {name}")).await.unwrap();
        Self(name)
    }

    pub fn url(&self) -> String {
        let url = server_url();
        let (server, _) = url.rsplit_once('/').unwrap();
        format!("{server}/{}", self.0)
    }

    pub async fn execute(&self, sql: &str) -> Result<(), sqlx::Error> {
        command(&self.url(), sql).await
    }
}

impl Drop for PostgresDatabase {
    /// On a thread with a runtime of its own: a test's runtime may be ending.
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.0);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(command(&server_url(), &drop)).unwrap();
        });
        let _ = thread.join();
    }
}

fn server_url() -> String {
    let hint = "TOLLGATE_TEST_POSTGRES_URL is not set: PostgreSQL tests need postgres://user:password@host:port/postgres";
    std::env::var("TOLLGATE_TEST_POSTGRES_URL").expect(hint)
}

async fn command(url: &str, sql: &str) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    connection.execute(AssertSqlSafe(sql)).await?;
    connection.close().await
}
