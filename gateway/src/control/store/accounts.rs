//! Accounts.

use schemas::{AccountId, Timestamp};
use sqlx::FromRow;

use super::{Act, ControlStore, StoreError, as_json, fitting, found, holds, in_transaction, parsed, reading, record_act};
use crate::control::account::{Account, AccountLimits, AccountStatus};
use crate::control::credits::CreditOrder;
use crate::control::key::InvalidField;

const TABLE: &str = "control_accounts";
pub(super) const INSERT: &str = "INSERT INTO control_accounts (id, name, status, created_at) VALUES ($1, $2, $3, $4)";

#[derive(FromRow)]
struct AccountRow {
    id: String,
    name: String,
    status: String,
    created_at: i64,
    requests_per_minute: Option<i64>,
    tokens_per_minute: Option<i64>,
    concurrency: Option<i64>,
}

/// `SELECT` of whole rows, with what follows.
macro_rules! select_accounts {
    ($rest:literal) => {
        concat!("SELECT id, name, status, created_at, requests_per_minute, tokens_per_minute, concurrency FROM control_accounts ", $rest)
    };
}

impl TryFrom<AccountRow> for Account {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, |text| text.parse().ok())?,
            name: row.name,
            status: parsed(TABLE, "status", &row.status, AccountStatus::parse)?,
            created_at: Timestamp::from_micros(row.created_at),
            limits: AccountLimits {
                requests_per_minute: row.requests_per_minute.map(|rate| fitting(TABLE, "requests_per_minute", rate)).transpose()?,
                tokens_per_minute: row.tokens_per_minute.map(|rate| fitting(TABLE, "tokens_per_minute", rate)).transpose()?,
                concurrency: row.concurrency.map(|rate| fitting(TABLE, "concurrency", rate)).transpose()?,
            },
        })
    }
}

/// Writes an account in the transaction of an act; the event log hears of it by an announcement.
macro_rules! write_account {
    ($transaction:ident, $act:expr, $account:expr) => {{
        let account: &$crate::control::account::Account = $account;
        let id = account.id.uuid().to_string();
        let insert = sqlx::query($crate::control::store::accounts::INSERT).bind(&id).bind(&account.name).bind(account.status.as_str());
        insert.bind(account.created_at.micros()).execute(&mut *$transaction).await?;
        let announcement = sqlx::query($crate::control::store::announcements::INSERT).bind(format!("account:{id}:opened"));
        let announcement = announcement.bind("account.opened").bind(&id).bind(account.created_at.micros());
        announcement.execute(&mut *$transaction).await?;
        record_act!($transaction, $act, "account.created", &id, None::<&$crate::control::account::Account>, Some(account));
    }};
}

pub(super) use write_account;

impl ControlStore {
    /// Adds an account.
    pub async fn insert_account(&self, act: &Act, account: &Account) -> Result<(), StoreError> {
        in_transaction!(self, transaction => {
            write_account!(transaction, act, account);
        });
        Ok(())
    }

    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        const SELECT: &str = select_accounts!("WHERE id = $1");
        let id = id.uuid().to_string();
        let row: Option<AccountRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(id).fetch_optional(pool).await?);
        row.map(Account::try_from).transpose()
    }

    /// Every account, oldest first.
    pub async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        const SELECT: &str = select_accounts!("ORDER BY id");
        let rows: Vec<AccountRow> = reading!(self, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        rows.into_iter().map(Account::try_from).collect()
    }

    /// One page, newest first, of the accounts older than `before`.
    pub async fn accounts_page(&self, before: Option<AccountId>, limit: u32) -> Result<Vec<Account>, StoreError> {
        const SELECT: &str = select_accounts!("WHERE $1 IS NULL OR id < $1 ORDER BY id DESC LIMIT $2");
        let before = before.map(|id| id.uuid().to_string());
        let rows: Vec<AccountRow> =
            reading!(self, pool => sqlx::query_as(SELECT).bind(before).bind(i64::from(limit)).fetch_all(pool).await?);
        rows.into_iter().map(Account::try_from).collect()
    }

    /// One page, newest first, of the accounts older than `before` whose name holds a text, or whose id it is.
    pub async fn accounts_holding(&self, text: &str, before: Option<AccountId>, limit: u32) -> Result<Vec<Account>, StoreError> {
        const SELECT: &str = select_accounts!("WHERE $1 IS NULL OR id < $1 ORDER BY id DESC");
        let before = before.map(|id| id.uuid().to_string());
        let (wanted, id) = (text.to_lowercase(), text.parse::<AccountId>().ok());
        let is_wanted = |account: &Account| Some(account.id) == id || holds(&account.name, &wanted);
        reading!(self, pool => {
            let mut rows = sqlx::query_as::<_, AccountRow>(SELECT).bind(before).fetch(pool);
            found(&mut rows, is_wanted, limit).await
        })
    }

    /// Records who ordered a credit that the books have; once, however often it is repeated.
    pub async fn record_credit(&self, act: &Act, order: &CreditOrder) -> Result<(), StoreError> {
        const KNOWN: &str = "SELECT count(*) FROM control_audit_records WHERE subject = $1 AND action = 'credit.booked' AND after = $2";
        let (id, after) = (order.account_id.uuid().to_string(), as_json(Some(order))?);
        in_transaction!(self, transaction => {
            let known: i64 = sqlx::query_scalar(KNOWN).bind(&id).bind(&after).fetch_one(&mut *transaction).await?;
            if known == 0 {
                record_act!(transaction, act, "credit.booked", &id, None::<&CreditOrder>, Some(order));
            }
        });
        Ok(())
    }

    /// Reads, changes and writes an account, and answers with the account as it is now.
    pub async fn change_account(
        &self,
        act: &Act,
        id: AccountId,
        change: impl FnOnce(&mut Account) -> Result<(), InvalidField> + Send,
    ) -> Result<Account, StoreError> {
        const SELECT: &str = select_accounts!("WHERE id = $1");
        const UPDATE: &str = "UPDATE control_accounts SET status = $2, name = $3, requests_per_minute = $4, tokens_per_minute = $5, \
             concurrency = $6 WHERE id = $1";
        let key = id.uuid().to_string();
        Ok(in_transaction!(self, transaction => {
            let row: Option<AccountRow> = sqlx::query_as(SELECT).bind(&key).fetch_optional(&mut *transaction).await?;
            let row = row.ok_or_else(|| StoreError::Missing { what: "account", name: id.to_string() })?;
            let before = Account::try_from(row)?;
            let mut after = before.clone();
            change(&mut after)?;
            let limits = after.limits;
            let update = sqlx::query(UPDATE).bind(&key).bind(after.status.as_str()).bind(&after.name);
            let update = update.bind(limits.requests_per_minute.map(i64::from)).bind(limits.tokens_per_minute.map(u64::cast_signed));
            update.bind(limits.concurrency.map(i64::from)).execute(&mut *transaction).await?;
            record_act!(transaction, act, "account.changed", &key, Some(&before), Some(&after));
            after
        }))
    }
}
