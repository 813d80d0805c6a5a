//! What people and accounts prefer; absent is not set.

use schemas::{AccountId, UserId};
use sqlx::FromRow;

use super::{Act, ControlStore, StoreError, in_transaction, parsed, reading, record_act};
use crate::control::people::{Language, Theme, UserPreferences};
use crate::routing::{DataCollection, RoutingPreferences, RoutingStrategy};

const USERS: &str = "control_user_preferences";
const ACCOUNTS: &str = "control_account_preferences";

#[derive(FromRow)]
struct UserRow {
    user_id: String,
    theme: Option<String>,
    language: Option<String>,
    default_model: Option<String>,
    routing_strategy: Option<String>,
    data_collection: Option<String>,
    zdr: Option<bool>,
}

#[derive(FromRow)]
struct AccountRow {
    account_id: String,
    default_model: Option<String>,
    routing_strategy: Option<String>,
    data_collection: Option<String>,
    zdr: Option<bool>,
}

/// Reads a word that may be absent.
fn word<T>(table: &'static str, column: &'static str, text: Option<String>, parse: fn(&str) -> Option<T>) -> Result<Option<T>, StoreError> {
    text.map(|text| parsed(table, column, &text, parse)).transpose()
}

impl TryFrom<UserRow> for UserPreferences {
    type Error = StoreError;

    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        Ok(Self {
            theme: word(USERS, "theme", row.theme, Theme::parse)?,
            language: word(USERS, "language", row.language, Language::parse)?,
            routing: RoutingPreferences {
                default_model: row.default_model,
                routing_strategy: word(USERS, "routing_strategy", row.routing_strategy, RoutingStrategy::parse)?,
                data_collection: word(USERS, "data_collection", row.data_collection, DataCollection::parse)?,
                zdr: row.zdr,
            },
        })
    }
}

impl TryFrom<AccountRow> for RoutingPreferences {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        Ok(Self {
            default_model: row.default_model,
            routing_strategy: word(ACCOUNTS, "routing_strategy", row.routing_strategy, RoutingStrategy::parse)?,
            data_collection: word(ACCOUNTS, "data_collection", row.data_collection, DataCollection::parse)?,
            zdr: row.zdr,
        })
    }
}

macro_rules! select_of_users {
    ($rest:literal) => {
        concat!(
            "SELECT user_id, theme, language, default_model, routing_strategy, data_collection, zdr FROM control_user_preferences ",
            $rest
        )
    };
}
macro_rules! select_of_accounts {
    ($rest:literal) => {
        concat!("SELECT account_id, default_model, routing_strategy, data_collection, zdr FROM control_account_preferences ", $rest)
    };
}

impl ControlStore {
    pub async fn user_preferences(&self, user: UserId) -> Result<UserPreferences, StoreError> {
        const SELECT: &str = select_of_users!("WHERE user_id = $1");
        let user = user.uuid().to_string();
        let row: Option<UserRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(user).fetch_optional(pool).await?);
        row.map_or_else(|| Ok(UserPreferences::default()), UserPreferences::try_from)
    }

    pub async fn account_preferences(&self, account: AccountId) -> Result<RoutingPreferences, StoreError> {
        const SELECT: &str = select_of_accounts!("WHERE account_id = $1");
        let account = account.uuid().to_string();
        let row: Option<AccountRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(account).fetch_optional(pool).await?);
        row.map_or_else(|| Ok(RoutingPreferences::default()), RoutingPreferences::try_from)
    }

    /// What everybody set who set anything.
    pub async fn all_user_preferences(&self) -> Result<Vec<(UserId, UserPreferences)>, StoreError> {
        const SELECT: &str = select_of_users!("");
        let rows: Vec<UserRow> = reading!(self, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        rows.into_iter().map(|row| Ok((parsed(USERS, "user_id", &row.user_id, |text| text.parse().ok())?, row.try_into()?))).collect()
    }

    /// What every account set that set anything.
    pub async fn all_account_preferences(&self) -> Result<Vec<(AccountId, RoutingPreferences)>, StoreError> {
        const SELECT: &str = select_of_accounts!("");
        let rows: Vec<AccountRow> = reading!(self, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        rows.into_iter()
            .map(|row| Ok((parsed(ACCOUNTS, "account_id", &row.account_id, |text| text.parse().ok())?, row.try_into()?)))
            .collect()
    }

    /// Reads, changes and writes what somebody prefers, in one transaction.
    pub async fn change_user_preferences(
        &self,
        act: &Act,
        user: UserId,
        change: impl FnOnce(&mut UserPreferences) + Send,
    ) -> Result<UserPreferences, StoreError> {
        const SELECT: &str = select_of_users!("WHERE user_id = $1");
        const UPSERT: &str = "INSERT INTO control_user_preferences (user_id, theme, language, default_model, routing_strategy, \
                 data_collection, zdr, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_id) DO UPDATE SET \
                 theme = excluded.theme, language = excluded.language, default_model = excluded.default_model, \
                 routing_strategy = excluded.routing_strategy, data_collection = excluded.data_collection, zdr = excluded.zdr, \
                 updated_at = excluded.updated_at";
        let id = user.uuid().to_string();
        Ok(in_transaction!(self, transaction => {
            let row: Option<UserRow> = sqlx::query_as(SELECT).bind(&id).fetch_optional(&mut *transaction).await?;
            let before = row.map(UserPreferences::try_from).transpose()?.unwrap_or_default();
            let mut after = before.clone();
            change(&mut after);
            let upsert = sqlx::query(UPSERT).bind(&id).bind(after.theme.map(Theme::as_str)).bind(after.language.map(Language::as_str));
            let upsert = upsert.bind(&after.routing.default_model).bind(after.routing.routing_strategy.map(RoutingStrategy::as_str));
            let upsert = upsert.bind(after.routing.data_collection.map(DataCollection::as_str)).bind(after.routing.zdr);
            upsert.bind(act.at.micros()).execute(&mut *transaction).await?;
            if before != after {
                record_act!(transaction, act, "preferences.changed", &id, Some(&before), Some(&after));
            }
            after
        }))
    }

    /// Reads, changes and writes what an account prefers, in one transaction.
    pub async fn change_account_preferences(
        &self,
        act: &Act,
        account: AccountId,
        change: impl FnOnce(&mut RoutingPreferences) + Send,
    ) -> Result<RoutingPreferences, StoreError> {
        const SELECT: &str = select_of_accounts!("WHERE account_id = $1");
        const UPSERT: &str = "INSERT INTO control_account_preferences (account_id, default_model, routing_strategy, data_collection, zdr, \
                 updated_at) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account_id) DO UPDATE SET \
                 default_model = excluded.default_model, routing_strategy = excluded.routing_strategy, \
                 data_collection = excluded.data_collection, zdr = excluded.zdr, updated_at = excluded.updated_at";
        let id = account.uuid().to_string();
        Ok(in_transaction!(self, transaction => {
            let row: Option<AccountRow> = sqlx::query_as(SELECT).bind(&id).fetch_optional(&mut *transaction).await?;
            let before = row.map(RoutingPreferences::try_from).transpose()?.unwrap_or_default();
            let mut after = before.clone();
            change(&mut after);
            let upsert = sqlx::query(UPSERT).bind(&id).bind(&after.default_model);
            let upsert = upsert.bind(after.routing_strategy.map(RoutingStrategy::as_str));
            let upsert = upsert.bind(after.data_collection.map(DataCollection::as_str)).bind(after.zdr);
            upsert.bind(act.at.micros()).execute(&mut *transaction).await?;
            if before != after {
                record_act!(transaction, act, "preferences.changed", &id, Some(&before), Some(&after));
            }
            after
        }))
    }
}
