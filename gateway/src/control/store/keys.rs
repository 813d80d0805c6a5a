//! API keys: stored by hash, deleted by a mark, so that a hash is never given out twice.

use schemas::{AccountId, KeyId, NanoUsd, Timestamp, UserId};
use sqlx::FromRow;

use super::{Act, ControlStore, StoreError, fitting, in_transaction, is_unique_violation, parsed, reading, record_act};
use crate::control::key::{ApiKey, InvalidField, KeyKind, KeyScope, LimitReset};

const TABLE: &str = "control_api_keys";

#[derive(FromRow)]
struct KeyRow {
    id: String,
    account_id: String,
    hash: String,
    label: String,
    name: String,
    kind: String,
    scope: String,
    disabled: bool,
    limit_nanos: Option<i64>,
    limit_reset: Option<String>,
    include_byok_in_limit: bool,
    requests_per_minute: Option<i64>,
    tokens_per_minute: Option<i64>,
    concurrency: Option<i64>,
    allowed_models: Option<String>,
    creator_user_id: Option<String>,
    preferences: Option<String>,
    expires_at: Option<i64>,
    created_at: i64,
    updated_at: Option<i64>,
    last_used_at: Option<i64>,
    deleted_at: Option<i64>,
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        let creator = row.creator_user_id.map(|text| parsed(TABLE, "creator_user_id", &text, |text| text.parse().ok()));
        Ok(Self {
            id: parsed(TABLE, "id", &row.id, |text| text.parse().ok())?,
            account_id: parsed(TABLE, "account_id", &row.account_id, |text| text.parse().ok())?,
            hash: parsed(TABLE, "hash", &row.hash, |text| text.parse().ok())?,
            label: row.label,
            name: row.name,
            kind: parsed(TABLE, "kind", &row.kind, KeyKind::parse)?,
            scope: parsed(TABLE, "scope", &row.scope, KeyScope::parse)?,
            disabled: row.disabled,
            limit_nanos: row.limit_nanos.map(NanoUsd::from_nanos),
            limit_reset: row.limit_reset.map(|text| parsed(TABLE, "limit_reset", &text, LimitReset::parse)).transpose()?,
            include_byok_in_limit: row.include_byok_in_limit,
            requests_per_minute: row.requests_per_minute.map(|number| fitting(TABLE, "requests_per_minute", number)).transpose()?,
            tokens_per_minute: row.tokens_per_minute.map(|number| fitting(TABLE, "tokens_per_minute", number)).transpose()?,
            concurrency: row.concurrency.map(|number| fitting(TABLE, "concurrency", number)).transpose()?,
            allowed_models: row.allowed_models.map(|text| serde_json::from_str(&text)).transpose()?,
            creator_user_id: creator.transpose()?,
            preferences: row.preferences.map(|text| serde_json::from_str(&text)).transpose()?,
            expires_at: row.expires_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(row.created_at),
            updated_at: row.updated_at.map(Timestamp::from_micros),
            last_used_at: row.last_used_at.map(Timestamp::from_micros),
            deleted_at: row.deleted_at.map(Timestamp::from_micros),
        })
    }
}

/// `SELECT` of whole key rows, with what follows.
macro_rules! select_keys {
    ($rest:literal) => {
        concat!(
            "SELECT id, account_id, hash, label, name, kind, scope, disabled, limit_nanos, limit_reset, include_byok_in_limit, ",
            "requests_per_minute, tokens_per_minute, concurrency, allowed_models, creator_user_id, preferences, expires_at, created_at, ",
            "updated_at, last_used_at, deleted_at FROM control_api_keys ",
            $rest
        )
    };
}

/// Which keys a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyQuery {
    /// `None`: of every account.
    pub account: Option<AccountId>,
    /// `None`: of either scope.
    pub scope: Option<KeyScope>,
    /// `None`: whoever made them.
    pub creator: Option<UserId>,
    pub include_disabled: bool,
    /// Only keys older than this one.
    pub before: Option<KeyId>,
    /// So many of them are passed over.
    pub offset: u32,
    pub limit: u32,
}

impl ControlStore {
    pub async fn insert_key(&self, act: &Act, key: &ApiKey) -> Result<(), StoreError> {
        const INSERT: &str = "INSERT INTO control_api_keys (id, account_id, hash, label, name, kind, scope, disabled, limit_nanos, \
                 limit_reset, include_byok_in_limit, requests_per_minute, tokens_per_minute, concurrency, allowed_models, \
                 creator_user_id, expires_at, created_at, preferences) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
        let id = key.id.uuid().to_string();
        let allowed_models = super::as_json(key.allowed_models.as_ref())?;
        in_transaction!(self, transaction => {
            let insert = sqlx::query(INSERT)
                .bind(&id)
                .bind(key.account_id.uuid().to_string())
                .bind(key.hash.to_string())
                .bind(&key.label)
                .bind(&key.name)
                .bind(key.kind.as_str())
                .bind(key.scope.as_str())
                .bind(key.disabled)
                .bind(key.limit_nanos.map(NanoUsd::nanos))
                .bind(key.limit_reset.map(LimitReset::as_str))
                .bind(key.include_byok_in_limit)
                .bind(key.requests_per_minute.map(i64::from))
                .bind(key.tokens_per_minute.map(u64::cast_signed))
                .bind(key.concurrency.map(i64::from))
                .bind(&allowed_models)
                .bind(key.creator_user_id.map(|user| user.uuid().to_string()))
                .bind(key.expires_at.map(Timestamp::micros))
                .bind(key.created_at.micros())
                .bind(super::as_json(key.preferences.as_ref())?);
            match insert.execute(&mut *transaction).await {
                Ok(_) => {}
                Err(error) if is_unique_violation(&error) => {
                    return Err(StoreError::Exists { what: "key", name: key.label.clone() });
                }
                Err(error) => return Err(error.into()),
            }
            record_act!(transaction, act, "key.created", &id, None::<&ApiKey>, Some(key));
        });
        Ok(())
    }

    /// Reads, changes and writes a key in one transaction, and answers with the key as it is now.
    pub async fn change_key(
        &self,
        act: &Act,
        action: &'static str,
        id: KeyId,
        change: impl FnOnce(&mut ApiKey) -> Result<(), InvalidField> + Send,
    ) -> Result<ApiKey, StoreError> {
        const SELECT: &str = select_keys!("WHERE id = $1 AND deleted_at IS NULL");
        const UPDATE: &str = "UPDATE control_api_keys SET name = $2, disabled = $3, limit_nanos = $4, limit_reset = $5, \
                 include_byok_in_limit = $6, requests_per_minute = $7, tokens_per_minute = $8, concurrency = $9, \
                 allowed_models = $10, expires_at = $11, updated_at = $12, deleted_at = $13, preferences = $14 WHERE id = $1";
        let row_id = id.uuid().to_string();
        Ok(in_transaction!(self, transaction => {
            let row: Option<KeyRow> = sqlx::query_as(SELECT).bind(&row_id).fetch_optional(&mut *transaction).await?;
            let row = row.ok_or_else(|| StoreError::Missing { what: "key", name: id.to_string() })?;
            let before = ApiKey::try_from(row)?;
            let mut after = before.clone();
            change(&mut after)?;
            after.updated_at = Some(act.at);
            sqlx::query(UPDATE)
                .bind(&row_id)
                .bind(&after.name)
                .bind(after.disabled)
                .bind(after.limit_nanos.map(NanoUsd::nanos))
                .bind(after.limit_reset.map(LimitReset::as_str))
                .bind(after.include_byok_in_limit)
                .bind(after.requests_per_minute.map(i64::from))
                .bind(after.tokens_per_minute.map(u64::cast_signed))
                .bind(after.concurrency.map(i64::from))
                .bind(super::as_json(after.allowed_models.as_ref())?)
                .bind(after.expires_at.map(Timestamp::micros))
                .bind(after.updated_at.map(Timestamp::micros))
                .bind(after.deleted_at.map(Timestamp::micros))
                .bind(super::as_json(after.preferences.as_ref())?)
                .execute(&mut *transaction)
                .await?;
            record_act!(transaction, act, action, &row_id, Some(&before), Some(&after));
            after
        }))
    }

    /// Every key that is not deleted.
    pub async fn keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        const SELECT: &str = select_keys!("WHERE deleted_at IS NULL");
        let rows: Vec<KeyRow> = reading!(self, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    /// One page of keys, newest first.
    pub async fn keys_page(&self, query: KeyQuery) -> Result<Vec<ApiKey>, StoreError> {
        const SELECT: &str = select_keys!(
            "WHERE deleted_at IS NULL AND ($1 IS NULL OR account_id = $1) AND ($2 OR NOT disabled) \
             AND ($5 IS NULL OR creator_user_id = $5) AND ($6 IS NULL OR scope = $6) \
             AND ($7 IS NULL OR id < $7) ORDER BY id DESC LIMIT $3 OFFSET $4"
        );
        let account = query.account.map(|id| id.uuid().to_string());
        let creator = query.creator.map(|id| id.uuid().to_string());
        let before = query.before.map(|id| id.uuid().to_string());
        let rows: Vec<KeyRow> = reading!(self, pool => {
            let select = sqlx::query_as(SELECT).bind(account).bind(query.include_disabled);
            let select = select.bind(i64::from(query.limit)).bind(i64::from(query.offset)).bind(creator);
            select.bind(query.scope.map(KeyScope::as_str)).bind(before).fetch_all(pool).await?
        });
        rows.into_iter().map(ApiKey::try_from).collect()
    }

    /// A key that is not deleted.
    pub async fn key(&self, id: KeyId) -> Result<Option<ApiKey>, StoreError> {
        const SELECT: &str = select_keys!("WHERE id = $1 AND deleted_at IS NULL");
        let id = id.uuid().to_string();
        let row: Option<KeyRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(id).fetch_optional(pool).await?);
        row.map(ApiKey::try_from).transpose()
    }

    /// Whether a hash was ever given out, also to a key deleted since.
    pub async fn key_hash_exists(&self, hash: &str) -> Result<bool, StoreError> {
        const SELECT: &str = "SELECT id FROM control_api_keys WHERE hash = $1";
        let row: Option<(String,)> = reading!(self, pool => sqlx::query_as(SELECT).bind(hash).fetch_optional(pool).await?);
        Ok(row.is_some())
    }

    /// Writes down when keys were last used. No act of administration: nothing is recorded.
    pub async fn set_last_used(&self, uses: &[(KeyId, Timestamp)]) -> Result<(), StoreError> {
        const UPDATE: &str = "UPDATE control_api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2)";
        if uses.is_empty() {
            return Ok(());
        }
        in_transaction!(self, transaction => {
            for (id, at) in uses {
                sqlx::query(UPDATE).bind(id.uuid().to_string()).bind(at.micros()).execute(&mut *transaction).await?;
            }
        });
        Ok(())
    }
}
