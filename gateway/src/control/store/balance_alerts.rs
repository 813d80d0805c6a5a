//! Alerts of low balances. A crossing and the message that tells of it are written in one transaction, by whoever is first.

use schemas::{AccountId, NanoUsd, Timestamp};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::webhook_deliveries::{CLOSE_PENDING, INSERT as INSERT_DELIVERY};
use super::{Act, ControlStore, StoreError, in_transaction, parsed, reading, record_act, writing};
use crate::control::balance_alert::BalanceAlert;

const TABLE: &str = "control_balance_alerts";

#[derive(FromRow)]
struct Row {
    account_id: String,
    id: String,
    threshold_nanos: i64,
    url: String,
    sealed_secret: Vec<u8>,
    is_low: bool,
    crossings: i64,
    created_at: i64,
    updated_at: Option<i64>,
}

/// `SELECT` of whole rows, with what follows.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT account_id, id, threshold_nanos, url, sealed_secret, is_low, crossings, created_at, updated_at ",
            "FROM control_balance_alerts ",
            $rest
        )
    };
}

impl TryFrom<Row> for BalanceAlert {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, |text| Uuid::parse_str(text).ok())?,
            account_id: parsed(TABLE, "account_id", &row.account_id, |text| text.parse().ok())?,
            threshold: NanoUsd::from_nanos(row.threshold_nanos),
            url: row.url,
            sealed_secret: row.sealed_secret,
            is_low: row.is_low,
            crossings: row.crossings,
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: row.updated_at.map(Timestamp::from_micros),
        })
    }
}

/// What audit records keep: the address may carry a secret of the receiver's, its host does not.
#[derive(Serialize)]
struct Shown<'a> {
    threshold: NanoUsd,
    host: &'a str,
}

impl<'a> Shown<'a> {
    fn of(alert: &'a BalanceAlert) -> Self {
        let after_scheme = alert.url.split_once("://").map_or("", |(_, rest)| rest);
        Self { threshold: alert.threshold, host: after_scheme.split(['/', '?', '#']).next().unwrap_or_default() }
    }
}

impl ControlStore {
    pub async fn balance_alert(&self, account: AccountId) -> Result<Option<BalanceAlert>, StoreError> {
        const SELECT: &str = select!("WHERE account_id = $1");
        let account = account.uuid().to_string();
        let row: Option<Row> = reading!(self, pool => sqlx::query_as(SELECT).bind(account).fetch_optional(pool).await?);
        row.map(BalanceAlert::try_from).transpose()
    }

    /// Every account's.
    pub async fn balance_alerts(&self) -> Result<Vec<BalanceAlert>, StoreError> {
        const SELECT: &str = select!("ORDER BY account_id");
        let rows: Vec<Row> = reading!(self, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        rows.into_iter().map(BalanceAlert::try_from).collect()
    }

    /// Reads an account's alert, lets `change` make the new one of it, and writes that.
    pub async fn save_balance_alert<E: From<StoreError>>(
        &self,
        act: &Act,
        account: AccountId,
        change: impl FnOnce(Option<&BalanceAlert>) -> Result<BalanceAlert, E> + Send,
    ) -> Result<BalanceAlert, E> {
        let before = self.balance_alert(account).await?;
        let after = change(before.as_ref())?;
        self.write_balance_alert(act, before.as_ref(), &after).await?;
        Ok(after)
    }

    async fn write_balance_alert(&self, act: &Act, before: Option<&BalanceAlert>, after: &BalanceAlert) -> Result<(), StoreError> {
        const INSERT: &str = "INSERT INTO control_balance_alerts (account_id, id, threshold_nanos, url, sealed_secret, is_low, crossings, \
                 created_at) VALUES ($1, $2, $3, $4, $5, $7, $8, $6) ON CONFLICT (account_id) DO NOTHING";
        const UPDATE: &str = "UPDATE control_balance_alerts SET threshold_nanos = $3, url = $4, sealed_secret = $5, updated_at = $6, \
                 is_low = $7 WHERE account_id = $1 AND id = $2 AND COALESCE(updated_at, 0) = $8";
        let account = after.account_id.uuid().to_string();
        // Of a new one the crossings so far, of another the change it is made of.
        let (statement, action, last) = match before {
            None => (INSERT, "balance_alert.created", after.crossings),
            Some(before) => (UPDATE, "balance_alert.changed", before.updated_at.map_or(0, Timestamp::micros)),
        };
        in_transaction!(self, transaction => {
            let write = sqlx::query(statement).bind(&account).bind(after.id.to_string()).bind(after.threshold.nanos()).bind(&after.url);
            let write = write.bind(&after.sealed_secret).bind(act.at.micros()).bind(after.is_low).bind(last);
            let written = write.execute(&mut *transaction).await?;
            if written.rows_affected() == 0 {
                // Somebody else made, changed or removed it in between.
                return Err(StoreError::Exists { what: "another change of the alert of account", name: after.account_id.to_string() });
            }
            let (before, after) = (before.map(Shown::of), Shown::of(after));
            record_act!(transaction, act, action, &account, before.as_ref(), Some(&after));
        });
        Ok(())
    }

    /// Removes an account's alert. What it has not delivered yet is given up.
    pub async fn delete_balance_alert(&self, act: &Act, account: AccountId) -> Result<(), StoreError> {
        const DELETE: &str = "DELETE FROM control_balance_alerts WHERE account_id = $1 AND id = $2";
        let missing = || StoreError::Missing { what: "balance alert of account", name: account.to_string() };
        let before = self.balance_alert(account).await?.ok_or_else(missing)?;
        let id = account.uuid().to_string();
        in_transaction!(self, transaction => {
            let deleted = sqlx::query(DELETE).bind(&id).bind(before.id.to_string()).execute(&mut *transaction).await?;
            if deleted.rows_affected() == 0 {
                return Err(missing());
            }
            sqlx::query(CLOSE_PENDING).bind(&id).bind("the alert was removed").execute(&mut *transaction).await?;
            record_act!(transaction, act, "balance_alert.deleted", &id, Some(&Shown::of(&before)), None::<&Shown<'_>>);
        });
        Ok(())
    }

    /// Notes that a balance fell below its threshold, with the message that tells of it. **Of all who see the same crossing one
    /// notes it**: false for the others.
    pub async fn note_low_balance(&self, alert: &BalanceAlert, event_type: &str, body: &str, at: Timestamp) -> Result<bool, StoreError> {
        const UPDATE: &str = "UPDATE control_balance_alerts SET is_low = TRUE, crossings = crossings + 1 \
             WHERE id = $1 AND crossings = $2 AND threshold_nanos = $3 AND is_low = FALSE";
        // Who saw it low already saw no crossing, even where it was armed since.
        if alert.is_low {
            return Ok(false);
        }
        Ok(in_transaction!(self, transaction => {
            let update = sqlx::query(UPDATE).bind(alert.id.to_string()).bind(alert.crossings).bind(alert.threshold.nanos());
            let is_first = update.execute(&mut *transaction).await?.rows_affected() == 1;
            if is_first {
                let insert = sqlx::query(INSERT_DELIVERY).bind(alert.next_message_id()).bind(alert.account_id.uuid().to_string());
                insert.bind(event_type).bind(body).bind(at.micros()).execute(&mut *transaction).await?;
            }
            is_first
        }))
    }

    /// Notes that a balance is well above its threshold again: the next crossing counts.
    pub async fn rearm_balance_alert(&self, alert: &BalanceAlert) -> Result<(), StoreError> {
        const UPDATE: &str = "UPDATE control_balance_alerts SET is_low = FALSE \
             WHERE id = $1 AND crossings = $2 AND threshold_nanos = $3 AND is_low = TRUE";
        writing!(self, pool => {
            let update = sqlx::query(UPDATE).bind(alert.id.to_string()).bind(alert.crossings).bind(alert.threshold.nanos());
            update.execute(pool).await?;
        });
        Ok(())
    }

    /// Replaces sealed secrets by the same ones sealed anew.
    pub async fn reseal_balance_alerts(&self, resealed: &[(Uuid, Vec<u8>)]) -> Result<(), StoreError> {
        const UPDATE: &str = "UPDATE control_balance_alerts SET sealed_secret = $2 WHERE id = $1";
        in_transaction!(self, transaction => {
            for (id, sealed) in resealed {
                sqlx::query(UPDATE).bind(id.to_string()).bind(sealed).execute(&mut *transaction).await?;
            }
        });
        Ok(())
    }
}
