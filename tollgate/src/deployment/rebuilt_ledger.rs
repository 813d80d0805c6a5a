//! Where a replay puts the books: never into live tables.

use std::path::Path;

use ledger::store::{Access, LedgerError, LedgerStore, PostgresLedger};

/// An empty ledger to be filled from the log.
pub enum RebuiltLedger {
    /// It stays: a file in the folder that was named, or the empty database that was given.
    Kept(LedgerStore),
    /// A schema beside the live books in PostgreSQL, removed afterwards.
    Beside { live: PostgresLedger, schema: String, store: LedgerStore },
}

impl RebuiltLedger {
    /// In the database of `url` when one is given; beside live books in PostgreSQL when nothing is to stay;
    /// else in a file of the folder.
    pub async fn open(live: &LedgerStore, url: Option<&str>, folder: &Path, stays: bool) -> Result<Self, LedgerError> {
        if let (None, false, LedgerStore::Postgres(live)) = (url, stays, live) {
            let schema = format!("tollgate_replay_{}", uuid::Uuid::now_v7().simple());
            let store = LedgerStore::Postgres(live.fresh_schema(&schema).await?);
            return Ok(Self::Beside { live: live.clone(), schema, store });
        }
        let file = format!("sqlite://{}", folder.join("ledger.db").display());
        let store = LedgerStore::open(url.unwrap_or(&file), Access::ReadWrite).await?;
        store.migrate().await?;
        Ok(Self::Kept(store))
    }

    pub fn store(&self) -> &LedgerStore {
        match self {
            Self::Kept(store) | Self::Beside { store, .. } => store,
        }
    }

    /// Closes it, and removes what is not to stay. A schema that could not be removed is named in the log.
    pub async fn close(self) {
        self.store().close().await;
        if let Self::Beside { live, schema, .. } = &self
            && let Err(error) = live.drop_schema(schema).await
        {
            tracing::warn!(error = &error as &dyn std::error::Error, schema, "temporary replay schema was not removed");
        }
    }
}
