//! The PostgreSQL server: where it is, and what is wrong when it does not let us in.
//!
//! Shared by the ledger and the control store. **No password ever leaves this room**: errors name host,
//! port, user and database only.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

/// How long a first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Prepared statements kept per connection.
const STATEMENTS_MAX: usize = 200;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("database_url is not `postgres://user:password@host:port/database`")]
    Address,
    #[error("PostgreSQL at {address} cannot be reached")]
    Unreachable { address: String, source: sqlx::Error },
    #[error("PostgreSQL at {address} did not answer within {} s", CONNECT_TIMEOUT.as_secs())]
    Silent { address: String },
    #[error("PostgreSQL at {address} does not let user `{user}` in")]
    Credentials { address: String, user: String, source: sqlx::Error },
    #[error("PostgreSQL at {address} has no database `{database}`; create it first")]
    NoDatabase { address: String, database: String },
    #[error("PostgreSQL at {address} refused the connection")]
    Refused { address: String, source: sqlx::Error },
}

/// A server, a database and a user. TLS is as `sslmode` of the URL says. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    options: Arc<PgConnectOptions>,
}

impl Server {
    pub fn of(url: &str, application_name: &str) -> Result<Self, ConnectError> {
        let options = PgConnectOptions::from_str(url).map_err(|_| ConnectError::Address)?;
        let options = options.application_name(application_name).statement_cache_capacity(STATEMENTS_MAX);
        Ok(Self { options: Arc::new(options.disable_statement_logging()) })
    }

    /// The same server, with everything in another schema.
    #[must_use]
    pub fn in_schema(&self, schema: &str) -> Self {
        Self { options: Arc::new(self.options.as_ref().clone().options([("search_path", schema)])) }
    }

    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Whether it lets us in.
    pub async fn check(&self) -> Result<(), ConnectError> {
        use sqlx::Connection as _;
        let connection = self.connect().await?;
        connection.close().await.map_err(|source| self.refused(source))
    }

    /// One connection, with nothing set but what the URL says.
    pub async fn connect(&self) -> Result<PgConnection, ConnectError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.options.connect()).await {
            Ok(connected) => connected.map_err(|source| self.refused(source)),
            Err(_) => Err(ConnectError::Silent { address: self.address() }),
        }
    }

    fn address(&self) -> String {
        format!("{}:{}", self.options.get_host(), self.options.get_port())
    }

    fn refused(&self, source: sqlx::Error) -> ConnectError {
        let address = self.address();
        let code = source.as_database_error().and_then(|error| error.code()).map(std::borrow::Cow::into_owned);
        match (code.as_deref(), &source) {
            (Some("28P01" | "28000"), _) => ConnectError::Credentials { address, user: self.options.get_username().to_owned(), source },
            (Some("3D000"), _) => {
                let database = self.options.get_database().unwrap_or(self.options.get_username());
                ConnectError::NoDatabase { address, database: database.to_owned() }
            }
            (None, sqlx::Error::Io(_)) => ConnectError::Unreachable { address, source },
            _ => ConnectError::Refused { address, source },
        }
    }
}
