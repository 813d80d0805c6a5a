//! Which request an `Idempotency-Key` stands for: one for each API key and word, whichever gateway is asked.

use schemas::{KeyId, RequestId, Timestamp};
use sqlx::FromRow;

use super::{ControlStore, StoreError, parsed, reading, writing};

const TABLE: &str = "control_idempotency";
/// Old rows removed in one round.
const FORGOTTEN_MAX: i64 = 10_000;

/// A request's claim on a word of its API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyClaim {
    pub key_id: KeyId,
    pub idempotency_key: String,
    pub request_id: RequestId,
    /// SHA-256 of the request's body, hex: the same word with another body is a mistake.
    pub input_sha256: String,
    pub at: Timestamp,
    /// Its request was accepted: it is charged or released some day, whoever knows of it now.
    pub is_accepted: bool,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    New,
    /// By another request, which is this one.
    Taken(IdempotencyClaim),
}

#[derive(FromRow)]
struct ClaimRow {
    request_id: String,
    input_sha256: String,
    created_at: i64,
    accepted: bool,
}

impl ControlStore {
    /// The first comer has the word; one from before `forgotten_before` is as good as none.
    pub async fn claim_idempotency(&self, claim: &IdempotencyClaim, forgotten_before: Timestamp) -> Result<Claimed, StoreError> {
        const CLAIM: &str = "INSERT INTO control_idempotency (api_key_id, idempotency_key, request_id, input_sha256, created_at) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (api_key_id, idempotency_key) DO UPDATE SET request_id = excluded.request_id, \
             input_sha256 = excluded.input_sha256, created_at = excluded.created_at, accepted = FALSE WHERE control_idempotency.created_at < $6";
        const SELECT: &str =
            "SELECT request_id, input_sha256, created_at, accepted FROM control_idempotency WHERE api_key_id = $1 AND idempotency_key = $2";
        let key_id = claim.key_id.uuid().to_string();
        loop {
            let claimed = writing!(self, pool => {
                let insert = sqlx::query(CLAIM).bind(&key_id).bind(&claim.idempotency_key).bind(claim.request_id.uuid().to_string());
                let insert = insert.bind(&claim.input_sha256).bind(claim.at.micros()).bind(forgotten_before.micros());
                insert.execute(pool).await?.rows_affected()
            });
            if claimed > 0 {
                return Ok(Claimed::New);
            }
            let row: Option<ClaimRow> =
                writing!(self, pool => sqlx::query_as(SELECT).bind(&key_id).bind(&claim.idempotency_key).fetch_optional(pool).await?);
            // Given back in between: it is free again.
            if let Some(row) = row {
                return Ok(Claimed::Taken(taken(claim, &row)?));
            }
        }
    }

    /// Gives a word whose request came to nothing to another request. False if somebody was faster.
    pub async fn reclaim_idempotency(&self, from: RequestId, claim: &IdempotencyClaim) -> Result<bool, StoreError> {
        const UPDATE: &str = "UPDATE control_idempotency SET request_id = $3, input_sha256 = $4, created_at = $5, accepted = FALSE \
             WHERE api_key_id = $1 AND idempotency_key = $2 AND request_id = $6";
        let changed = writing!(self, pool => {
            let update = sqlx::query(UPDATE).bind(claim.key_id.uuid().to_string()).bind(&claim.idempotency_key);
            let update = update.bind(claim.request_id.uuid().to_string()).bind(&claim.input_sha256).bind(claim.at.micros());
            update.bind(from.uuid().to_string()).execute(pool).await?.rows_affected()
        });
        Ok(changed > 0)
    }

    /// Notes that the request of a word was accepted.
    pub async fn accept_idempotency(&self, claim: &IdempotencyClaim) -> Result<(), StoreError> {
        const UPDATE: &str =
            "UPDATE control_idempotency SET accepted = TRUE WHERE api_key_id = $1 AND idempotency_key = $2 AND request_id = $3";
        writing!(self, pool => {
            let update = sqlx::query(UPDATE).bind(claim.key_id.uuid().to_string()).bind(&claim.idempotency_key);
            update.bind(claim.request_id.uuid().to_string()).execute(pool).await?;
        });
        Ok(())
    }

    /// Frees the word of a request that was never accepted.
    pub async fn unclaim_idempotency(&self, claim: &IdempotencyClaim) -> Result<(), StoreError> {
        const DELETE: &str = "DELETE FROM control_idempotency WHERE api_key_id = $1 AND idempotency_key = $2 AND request_id = $3";
        writing!(self, pool => {
            let delete = sqlx::query(DELETE).bind(claim.key_id.uuid().to_string()).bind(&claim.idempotency_key);
            delete.bind(claim.request_id.uuid().to_string()).execute(pool).await?;
        });
        Ok(())
    }

    /// Removes what is older, a bounded number at a time.
    pub async fn forget_idempotency(&self, before: Timestamp) -> Result<(), StoreError> {
        const OLDEST: &str = "SELECT 1 FROM control_idempotency WHERE created_at < $1 LIMIT 1";
        const DELETE: &str = "DELETE FROM control_idempotency WHERE (api_key_id, idempotency_key) IN \
             (SELECT api_key_id, idempotency_key FROM control_idempotency WHERE created_at < $1 ORDER BY created_at LIMIT $2)";
        let is_due = reading!(self, pool => sqlx::query(OLDEST).bind(before.micros()).fetch_optional(pool).await?.is_some());
        if is_due {
            writing!(self, pool => {
                sqlx::query(DELETE).bind(before.micros()).bind(FORGOTTEN_MAX).execute(pool).await?;
            });
        }
        Ok(())
    }
}

fn taken(claim: &IdempotencyClaim, row: &ClaimRow) -> Result<IdempotencyClaim, StoreError> {
    Ok(IdempotencyClaim {
        key_id: claim.key_id,
        idempotency_key: claim.idempotency_key.clone(),
        request_id: parsed(TABLE, "request_id", &row.request_id, parse_request)?,
        input_sha256: row.input_sha256.clone(),
        at: Timestamp::from_micros(row.created_at),
        is_accepted: row.accepted,
    })
}

fn parse_request(text: &str) -> Option<RequestId> {
    uuid::Uuid::parse_str(text).ok().map(RequestId::from_uuid)
}
