//! What third-party apps trade in for a key: used once, within ten minutes.

use schemas::{AccountId, NanoUsd, Timestamp, UserId};
use sqlx::FromRow;

use super::{ControlStore, StoreError, in_transaction, parsed, writing};
use crate::control::key::LimitReset;

const TABLE: &str = "control_authorization_codes";

/// A right to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    pub code_sha256: String,
    pub account_id: AccountId,
    pub user_id: UserId,
    /// What the app proves itself with, as its method made it; `None` where it gave nothing.
    pub challenge: Option<String>,
    /// `S256` or `plain`.
    pub challenge_method: Option<String>,
    pub key_name: String,
    pub limit: Option<NanoUsd>,
    pub limit_reset: Option<LimitReset>,
    pub key_expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
}

#[derive(FromRow)]
struct Row {
    code_sha256: String,
    account_id: String,
    user_id: String,
    challenge: Option<String>,
    challenge_method: Option<String>,
    key_name: String,
    limit_nanos: Option<i64>,
    limit_reset: Option<String>,
    key_expires_at: Option<i64>,
    created_at: i64,
    expires_at: i64,
}

impl TryFrom<Row> for AuthorizationCode {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            code_sha256: row.code_sha256,
            account_id: parsed(TABLE, "account_id", &row.account_id, |text| text.parse().ok())?,
            user_id: parsed(TABLE, "user_id", &row.user_id, |text| text.parse().ok())?,
            challenge: row.challenge,
            challenge_method: row.challenge_method,
            key_name: row.key_name,
            limit: row.limit_nanos.map(NanoUsd::from_nanos),
            limit_reset: row.limit_reset.map(|text| parsed(TABLE, "limit_reset", &text, LimitReset::parse)).transpose()?,
            key_expires_at: row.key_expires_at.map(Timestamp::from_micros),
            created_at: Timestamp::from_micros(row.created_at),
            expires_at: Timestamp::from_micros(row.expires_at),
        })
    }
}

impl ControlStore {
    pub async fn insert_authorization_code(&self, code: &AuthorizationCode) -> Result<(), StoreError> {
        const INSERT: &str = "INSERT INTO control_authorization_codes (code_sha256, account_id, user_id, challenge, challenge_method, \
                 key_name, limit_nanos, limit_reset, key_expires_at, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
        const FORGET: &str = "DELETE FROM control_authorization_codes WHERE expires_at < $1";
        writing!(self, pool => {
            sqlx::query(FORGET).bind(code.created_at.plus_micros(-3_600_000_000).micros()).execute(pool).await?;
            let insert = sqlx::query(INSERT).bind(&code.code_sha256).bind(code.account_id.uuid().to_string());
            let insert = insert.bind(code.user_id.uuid().to_string()).bind(&code.challenge).bind(&code.challenge_method);
            let insert = insert.bind(&code.key_name).bind(code.limit.map(NanoUsd::nanos)).bind(code.limit_reset.map(LimitReset::as_str));
            let insert = insert.bind(code.key_expires_at.map(Timestamp::micros)).bind(code.created_at.micros());
            insert.bind(code.expires_at.micros()).execute(pool).await?;
        });
        Ok(())
    }

    /// Takes a code out: it is used up by the first who shows it, whether or not they prove to be its app.
    pub async fn take_authorization_code(&self, code_sha256: &str) -> Result<Option<AuthorizationCode>, StoreError> {
        const SELECT: &str = "SELECT code_sha256, account_id, user_id, challenge, challenge_method, key_name, limit_nanos, limit_reset, \
                 key_expires_at, created_at, expires_at FROM control_authorization_codes WHERE code_sha256 = $1";
        const DELETE: &str = "DELETE FROM control_authorization_codes WHERE code_sha256 = $1";
        let row: Option<Row> = in_transaction!(self, transaction => {
            let row = sqlx::query_as(SELECT).bind(code_sha256).fetch_optional(&mut *transaction).await?;
            sqlx::query(DELETE).bind(code_sha256).execute(&mut *transaction).await?;
            row
        });
        row.map(AuthorizationCode::try_from).transpose()
    }
}
