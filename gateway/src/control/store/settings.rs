//! Settings that belong to the deployment, not to one process: which secret key, how many partitions.

use sqlx::Row;

use super::{Act, ControlStore, StoreError, in_transaction, reading, record_act};

impl ControlStore {
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        const SELECT: &str = "SELECT value FROM control_settings WHERE name = $1";
        let row = reading!(self, pool => sqlx::query(SELECT).bind(name).fetch_optional(pool).await?.map(|row| row.try_get("value")));
        Ok(row.transpose()?)
    }

    /// Sets what was never set and answers with what is set now: the first writer wins.
    pub async fn setting_or_insert(&self, act: &Act, name: &str, value: &str) -> Result<String, StoreError> {
        const INSERT: &str = "INSERT INTO control_settings (name, value, updated_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";
        in_transaction!(self, transaction => {
            let inserted = sqlx::query(INSERT).bind(name).bind(value).bind(act.at.micros()).execute(&mut *transaction).await?;
            if inserted.rows_affected() > 0 {
                record_act!(transaction, act, "setting.set", name, None::<&str>.as_ref(), Some(&value));
            }
        });
        Ok(self.setting(name).await?.unwrap_or_else(|| value.to_owned()))
    }
}
