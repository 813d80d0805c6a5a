//! Redemption codes, by batches. A code is kept by its hash; whoever claims it first has it for ever.

use schemas::{AccountId, NanoUsd, Timestamp, UserId};
use serde::Serialize;
use sqlx::FromRow;
use uuid::Uuid;

use super::{Act, ControlStore, StoreError, fitting, in_transaction, parsed, reading, record_act, writing};

const BATCHES: &str = "control_code_batches";
const CODES: &str = "control_codes";

/// Codes that were made together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodeBatch {
    pub id: Uuid,
    pub amount: NanoUsd,
    pub count: u32,
    /// How many are claimed.
    #[serde(skip)]
    pub redeemed: u32,
    pub note: String,
    pub expires_at: Option<Timestamp>,
    pub created_by: String,
    pub created_at: Timestamp,
    pub voided_at: Option<Timestamp>,
}

/// A code as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCode {
    /// Its last characters.
    pub label: String,
    pub account_id: Option<AccountId>,
    pub user_id: Option<UserId>,
    pub redeemed_at: Option<Timestamp>,
}

/// What became of trying a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedCode {
    Unknown,
    Used,
    Expired,
    /// It is this account's; its credit may be booked already.
    Theirs {
        amount: NanoUsd,
        label: String,
    },
}

#[derive(FromRow)]
struct BatchRow {
    id: String,
    amount_nanos: i64,
    count: i64,
    redeemed: i64,
    note: String,
    expires_at: Option<i64>,
    created_by: String,
    created_at: i64,
    voided_at: Option<i64>,
}

#[derive(FromRow)]
struct CodeRow {
    label: String,
    account_id: Option<String>,
    user_id: Option<String>,
    claimed_at: Option<i64>,
}

#[derive(FromRow)]
struct ClaimRow {
    label: String,
    account_id: Option<String>,
    booked_at: Option<i64>,
    amount_nanos: i64,
    expires_at: Option<i64>,
    voided_at: Option<i64>,
}

impl TryFrom<BatchRow> for CodeBatch {
    type Error = StoreError;

    fn try_from(row: BatchRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(BATCHES, "id", &row.id, |text| Uuid::parse_str(text).ok())?,
            amount: NanoUsd::from_nanos(row.amount_nanos),
            count: fitting(BATCHES, "count", row.count)?,
            redeemed: fitting(BATCHES, "redeemed", row.redeemed)?,
            note: row.note,
            expires_at: row.expires_at.map(Timestamp::from_micros),
            created_by: row.created_by,
            created_at: Timestamp::from_micros(row.created_at),
            voided_at: row.voided_at.map(Timestamp::from_micros),
        })
    }
}

macro_rules! select_batches {
    ($rest:literal) => {
        concat!(
            "SELECT batch.id, batch.amount_nanos, batch.count, batch.note, batch.expires_at, batch.created_by, batch.created_at, ",
            "batch.voided_at, (SELECT COUNT(*) FROM control_codes code WHERE code.batch_id = batch.id AND code.account_id IS NOT NULL) ",
            "AS redeemed FROM control_code_batches batch ",
            $rest
        )
    };
}

impl ControlStore {
    /// Adds a batch with its codes: hash and label of each.
    pub async fn insert_codes(&self, act: &Act, batch: &CodeBatch, codes: &[(String, String)]) -> Result<(), StoreError> {
        const BATCH: &str = "INSERT INTO control_code_batches (id, amount_nanos, count, note, expires_at, created_by, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        const CODE: &str = "INSERT INTO control_codes (code_sha256, batch_id, label) VALUES ($1, $2, $3)";
        let id = batch.id.to_string();
        in_transaction!(self, transaction => {
            let insert = sqlx::query(BATCH).bind(&id).bind(batch.amount.nanos()).bind(i64::from(batch.count)).bind(&batch.note);
            let insert = insert.bind(batch.expires_at.map(Timestamp::micros)).bind(&batch.created_by).bind(batch.created_at.micros());
            insert.execute(&mut *transaction).await?;
            for (code_sha256, label) in codes {
                sqlx::query(CODE).bind(code_sha256).bind(&id).bind(label).execute(&mut *transaction).await?;
            }
            record_act!(transaction, act, "codes.created", &id, None::<&CodeBatch>, Some(batch));
        });
        Ok(())
    }

    /// One page, newest first, of the batches older than `before`.
    pub async fn code_batches(&self, before: Option<Uuid>, limit: u32) -> Result<Vec<CodeBatch>, StoreError> {
        const SELECT: &str = select_batches!("WHERE $1 IS NULL OR batch.id < $1 ORDER BY batch.id DESC LIMIT $2");
        let before = before.map(|id| id.to_string());
        let rows: Vec<BatchRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(before).bind(i64::from(limit)).fetch_all(pool).await?);
        rows.into_iter().map(CodeBatch::try_from).collect()
    }

    /// The codes of a batch.
    pub async fn codes(&self, batch: Uuid) -> Result<Vec<StoredCode>, StoreError> {
        const SELECT: &str = "SELECT label, account_id, user_id, claimed_at FROM control_codes WHERE batch_id = $1 ORDER BY label";
        let rows: Vec<CodeRow> = reading!(self, pool => sqlx::query_as(SELECT).bind(batch.to_string()).fetch_all(pool).await?);
        let code = |row: CodeRow| {
            Ok(StoredCode {
                label: row.label,
                account_id: row.account_id.map(|text| parsed(CODES, "account_id", &text, |text| text.parse().ok())).transpose()?,
                user_id: row.user_id.map(|text| parsed(CODES, "user_id", &text, |text| text.parse().ok())).transpose()?,
                redeemed_at: row.claimed_at.map(Timestamp::from_micros),
            })
        };
        rows.into_iter().map(code).collect()
    }

    /// Ends the codes of a batch that nobody claimed.
    pub async fn void_codes(&self, act: &Act, batch: Uuid) -> Result<(), StoreError> {
        const UPDATE: &str = "UPDATE control_code_batches SET voided_at = $2 WHERE id = $1 AND voided_at IS NULL";
        let id = batch.to_string();
        in_transaction!(self, transaction => {
            if sqlx::query(UPDATE).bind(&id).bind(act.at.micros()).execute(&mut *transaction).await?.rows_affected() == 0 {
                return Err(StoreError::Missing { what: "batch of codes", name: id });
            }
            record_act!(transaction, act, "codes.voided", &id, None::<&Timestamp>, Some(&act.at));
        });
        Ok(())
    }

    /// Claims a code for an account. **Of all who try at once, one account has it**; repeated by that account, it is
    /// still theirs until its credit is booked.
    pub async fn claim_code(&self, act: &Act, code_sha256: &str, account: AccountId, user: UserId) -> Result<ClaimedCode, StoreError> {
        const SELECT: &str = "SELECT code.label, code.account_id, code.booked_at, batch.amount_nanos, batch.expires_at, batch.voided_at \
             FROM control_codes code JOIN control_code_batches batch ON batch.id = code.batch_id WHERE code.code_sha256 = $1";
        const CLAIM: &str = "UPDATE control_codes SET account_id = $2, user_id = $3, claimed_at = $4 \
             WHERE code_sha256 = $1 AND account_id IS NULL";
        let account_id = account.uuid().to_string();
        Ok(in_transaction!(self, transaction => {
            let row: Option<ClaimRow> = sqlx::query_as(SELECT).bind(code_sha256).fetch_optional(&mut *transaction).await?;
            match row {
                None => ClaimedCode::Unknown,
                Some(row) => match &row.account_id {
                    Some(owner) if *owner != account_id || row.booked_at.is_some() => ClaimedCode::Used,
                    Some(_) => ClaimedCode::Theirs { amount: NanoUsd::from_nanos(row.amount_nanos), label: row.label },
                    None if row.voided_at.is_some() || row.expires_at.is_some_and(|at| at <= act.at.micros()) => ClaimedCode::Expired,
                    None => {
                        let claim = sqlx::query(CLAIM).bind(code_sha256).bind(&account_id).bind(user.uuid().to_string());
                        claim.bind(act.at.micros()).execute(&mut *transaction).await?;
                        record_act!(transaction, act, "code.redeemed", &account_id, None::<&str>.as_ref(), Some(&row.label));
                        ClaimedCode::Theirs { amount: NanoUsd::from_nanos(row.amount_nanos), label: row.label }
                    }
                },
            }
        }))
    }

    /// Notes that a claimed code's credit is in the ledger; `false` when somebody else was told so already.
    pub async fn code_booked(&self, code_sha256: &str, at: Timestamp) -> Result<bool, StoreError> {
        const UPDATE: &str = "UPDATE control_codes SET booked_at = $2 WHERE code_sha256 = $1 AND booked_at IS NULL";
        Ok(writing!(self, pool => sqlx::query(UPDATE).bind(code_sha256).bind(at.micros()).execute(pool).await?.rows_affected()) > 0)
    }
}
