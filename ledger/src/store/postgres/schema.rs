//! Fresh schemas: where books are rebuilt beside the live ones, in the same database.

use sqlx::{AssertSqlSafe, Executor as _};

use crate::store::{Access, LedgerError};

use super::PostgresLedger;

impl PostgresLedger {
    /// A schema that did not exist before, migrated, in the same database. The caller drops it, or keeps it.
    pub async fn fresh_schema(&self, name: &str) -> Result<Self, LedgerError> {
        self.writer()?;
        let mut connection = self.server.connect().await?;
        connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {}", quoted(name)))).await?;
        let fresh = Self::with(self.server.in_schema(&quoted(name)), Access::ReadWrite);
        fresh.migrate().await?;
        Ok(fresh)
    }

    /// Removes a schema and all that is in it.
    pub async fn drop_schema(&self, name: &str) -> Result<(), LedgerError> {
        self.writer()?;
        let mut connection = self.server.connect().await?;
        connection.execute(AssertSqlSafe(format!("DROP SCHEMA {} CASCADE", quoted(name)))).await?;
        Ok(())
    }
}

/// A name as SQL and the search path read it.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
