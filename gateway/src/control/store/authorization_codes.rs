//! What third-party apps trade in for a key: used once, within ten minutes.

use std::fmt;

use schemas::{AccountId, KeyId, NanoUsd, Timestamp, UserId};
use serde::Serialize;
use sqlx::FromRow;

use super::{Act, ControlStore, StoreError, in_transaction, is_unique_violation, parsed, record_act};
use crate::control::key::LimitReset;

const TABLE: &str = "control_authorization_codes";
/// So many codes of an account may wait for their apps.
pub const CODES_MAX: i64 = 1_000;
/// Codes that have ended are forgotten after so long: until then their apps are told that they came late.
const KEPT_AFTER_END_MICROS: i64 = 3_600_000_000;

/// Who lets an app have a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeGiver {
    Person(UserId),
    /// A management key.
    Key(KeyId),
}

impl CodeGiver {
    pub const fn person(self) -> Option<UserId> {
        match self {
            Self::Person(user) => Some(user),
            Self::Key(_) => None,
        }
    }

    const fn key(self) -> Option<KeyId> {
        match self {
            Self::Person(_) => None,
            Self::Key(key) => Some(key),
        }
    }
}

/// As records of acts name them.
impl fmt::Display for CodeGiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(user) => user.fmt(f),
            Self::Key(key) => key.fmt(f),
        }
    }
}

/// A right to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationCode {
    pub code_sha256: String,
    pub account_id: AccountId,
    pub giver: CodeGiver,
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
    user_id: Option<String>,
    key_id: Option<String>,
    challenge: Option<String>,
    challenge_method: Option<String>,
    key_name: String,
    limit_nanos: Option<i64>,
    limit_reset: Option<String>,
    key_expires_at: Option<i64>,
    created_at: i64,
    expires_at: i64,
}

/// A code as its record shows it: **neither the code nor its challenge**, which by the method `plain` is the verifier.
#[derive(Serialize)]
struct Shown<'a> {
    key_name: &'a str,
    limit_nanos: Option<NanoUsd>,
    limit_reset: Option<LimitReset>,
    key_expires_at: Option<Timestamp>,
    has_challenge: bool,
    expires_at: Timestamp,
}

impl<'a> Shown<'a> {
    fn of(code: &'a AuthorizationCode) -> Self {
        Self {
            key_name: &code.key_name,
            limit_nanos: code.limit,
            limit_reset: code.limit_reset,
            key_expires_at: code.key_expires_at,
            has_challenge: code.challenge.is_some(),
            expires_at: code.expires_at,
        }
    }
}

impl TryFrom<Row> for AuthorizationCode {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let giver = match (&row.user_id, &row.key_id) {
            (Some(user), _) => CodeGiver::Person(parsed(TABLE, "user_id", user, |text| text.parse().ok())?),
            (None, key) => CodeGiver::Key(parsed(TABLE, "key_id", key.as_deref().unwrap_or_default(), |text| text.parse().ok())?),
        };
        Ok(Self {
            code_sha256: row.code_sha256,
            account_id: parsed(TABLE, "account_id", &row.account_id, |text| text.parse().ok())?,
            giver,
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
    pub async fn insert_authorization_code(&self, act: &Act, code: &AuthorizationCode) -> Result<(), StoreError> {
        const FORGET: &str = "DELETE FROM control_authorization_codes WHERE expires_at < $1";
        const WAITING: &str = "SELECT COUNT(*) FROM control_authorization_codes WHERE account_id = $1 AND expires_at > $2";
        const INSERT: &str = "INSERT INTO control_authorization_codes (code_sha256, account_id, user_id, key_id, challenge, \
                 challenge_method, key_name, limit_nanos, limit_reset, key_expires_at, created_at, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let account = code.account_id.uuid().to_string();
        in_transaction!(self, transaction => {
            sqlx::query(FORGET).bind(act.at.plus_micros(-KEPT_AFTER_END_MICROS).micros()).execute(&mut *transaction).await?;
            let waiting: i64 = sqlx::query_scalar(WAITING).bind(&account).bind(act.at.micros()).fetch_one(&mut *transaction).await?;
            if waiting >= CODES_MAX {
                return Err(StoreError::TooMany { what: "authorization codes waiting for their apps", limit: CODES_MAX });
            }
            let insert = sqlx::query(INSERT).bind(&code.code_sha256).bind(&account);
            let insert = insert.bind(code.giver.person().map(|user| user.uuid().to_string()));
            let insert = insert.bind(code.giver.key().map(|key| key.uuid().to_string()));
            let insert = insert.bind(&code.challenge).bind(&code.challenge_method).bind(&code.key_name);
            let insert = insert.bind(code.limit.map(NanoUsd::nanos)).bind(code.limit_reset.map(LimitReset::as_str));
            let insert = insert.bind(code.key_expires_at.map(Timestamp::micros)).bind(code.created_at.micros());
            match insert.bind(code.expires_at.micros()).execute(&mut *transaction).await {
                Ok(_) => {}
                Err(error) if is_unique_violation(&error) => {
                    return Err(StoreError::Exists { what: "authorization code", name: code.key_name.clone() });
                }
                Err(error) => return Err(error.into()),
            }
            record_act!(transaction, act, "authorization_code.created", &account, None::<&Shown<'_>>, Some(&Shown::of(code)));
        });
        Ok(())
    }

    /// Takes a code out: it is used up by the first who shows it, whether or not they prove to be its app.
    pub async fn take_authorization_code(&self, code_sha256: &str) -> Result<Option<AuthorizationCode>, StoreError> {
        const SELECT: &str = "SELECT code_sha256, account_id, user_id, key_id, challenge, challenge_method, key_name, limit_nanos, \
                 limit_reset, key_expires_at, created_at, expires_at FROM control_authorization_codes WHERE code_sha256 = $1";
        const DELETE: &str = "DELETE FROM control_authorization_codes WHERE code_sha256 = $1";
        let row: Option<Row> = in_transaction!(self, transaction => {
            let row = sqlx::query_as(SELECT).bind(code_sha256).fetch_optional(&mut *transaction).await?;
            sqlx::query(DELETE).bind(code_sha256).execute(&mut *transaction).await?;
            row
        });
        row.map(AuthorizationCode::try_from).transpose()
    }
}
