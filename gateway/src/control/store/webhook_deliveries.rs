//! Messages to receivers outside: what is to be delivered, what was, what was given up.
//!
//! An attempt is claimed before it is made, with the moment of the next one: a process that dies in between loses nothing,
//! and two that deliver at once do not make the same attempt.

use schemas::{AccountId, Timestamp};
use sqlx::FromRow;

use super::{ControlStore, StoreError, fitting, parsed, reading, writing};

const TABLE: &str = "control_webhook_deliveries";
/// Longest id of a message.
const ID_CHARS_MAX: usize = 100;

pub(super) const INSERT: &str = "INSERT INTO control_webhook_deliveries (id, account_id, event_type, body, status, attempts, \
     next_attempt_at, created_at) VALUES ($1, $2, $3, $4, 'pending', 0, $5, $5)";
/// Gives up what an account has pending.
pub(super) const CLOSE_PENDING: &str =
    "UPDATE control_webhook_deliveries SET status = 'failed', last_error = $2 WHERE account_id = $1 AND status = 'pending'";

/// How far a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryStatus {
    /// Attempts go on.
    Pending,
    /// The receiver took it.
    Delivered,
    /// Given up.
    Failed,
}

impl DeliveryStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|status| status.as_str() == text)
    }
}

/// One message, with what became of it so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookDelivery {
    /// The `webhook-id` of every attempt.
    pub id: String,
    pub account_id: AccountId,
    pub event_type: String,
    /// JSON, the same bytes in every attempt.
    pub body: String,
    pub status: DeliveryStatus,
    pub attempts: u32,
    pub next_attempt_at: Timestamp,
    pub last_attempt_at: Option<Timestamp>,
    /// Of the receiver's answer, where there was one.
    pub last_status: Option<u16>,
    pub last_error: Option<String>,
    pub created_at: Timestamp,
    pub delivered_at: Option<Timestamp>,
}

/// A place in a list of messages: after this one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct DeliveryCursor {
    created_at: Timestamp,
    id: String,
}

impl DeliveryCursor {
    pub fn after(delivery: &WebhookDelivery) -> Self {
        Self { created_at: delivery.created_at, id: delivery.id.clone() }
    }
}

impl std::fmt::Display for DeliveryCursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.created_at.micros(), self.id)
    }
}

impl TryFrom<String> for DeliveryCursor {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parts = text.split_once('.').filter(|(_, id)| (1..=ID_CHARS_MAX).contains(&id.len()));
        let place = parts.and_then(|(micros, id)| Some((micros.parse().ok()?, id)));
        let (micros, id) = place.ok_or("is not one that this list gave out")?;
        Ok(Self { created_at: Timestamp::from_micros(micros), id: id.to_owned() })
    }
}

/// What an attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptOutcome {
    pub status: DeliveryStatus,
    pub http_status: Option<u16>,
    pub error: Option<String>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    account_id: String,
    event_type: String,
    body: String,
    status: String,
    attempts: i64,
    next_attempt_at: i64,
    last_attempt_at: Option<i64>,
    last_status: Option<i64>,
    last_error: Option<String>,
    created_at: i64,
    delivered_at: Option<i64>,
}

/// `SELECT` of whole rows, with what follows.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, account_id, event_type, body, status, attempts, next_attempt_at, last_attempt_at, last_status, last_error, ",
            "created_at, delivered_at FROM control_webhook_deliveries ",
            $rest
        )
    };
}

impl TryFrom<Row> for WebhookDelivery {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            account_id: parsed(TABLE, "account_id", &row.account_id, |text| text.parse().ok())?,
            event_type: row.event_type,
            body: row.body,
            status: parsed(TABLE, "status", &row.status, DeliveryStatus::parse)?,
            attempts: fitting(TABLE, "attempts", row.attempts)?,
            next_attempt_at: Timestamp::from_micros(row.next_attempt_at),
            last_attempt_at: row.last_attempt_at.map(Timestamp::from_micros),
            last_status: row.last_status.map(|status| fitting(TABLE, "last_status", status)).transpose()?,
            last_error: row.last_error,
            created_at: Timestamp::from_micros(row.created_at),
            delivered_at: row.delivered_at.map(Timestamp::from_micros),
            id: row.id,
        })
    }
}

impl ControlStore {
    /// One page, newest first, of an account's messages older than `before`.
    pub async fn webhook_deliveries(
        &self,
        account: AccountId,
        before: Option<&DeliveryCursor>,
        limit: u32,
    ) -> Result<Vec<WebhookDelivery>, StoreError> {
        const SELECT: &str =
            select!("WHERE account_id = $1 AND ($2 IS NULL OR (created_at, id) < ($2, $3)) ORDER BY created_at DESC, id DESC LIMIT $4");
        let account = account.uuid().to_string();
        let (micros, id) = before.map(|cursor| (cursor.created_at.micros(), cursor.id.as_str())).unzip();
        let rows: Vec<Row> = reading!(self, pool => {
            sqlx::query_as(SELECT).bind(account).bind(micros).bind(id).bind(i64::from(limit)).fetch_all(pool).await?
        });
        rows.into_iter().map(WebhookDelivery::try_from).collect()
    }

    /// Messages whose next attempt is due, the longest due first.
    pub async fn due_webhook_deliveries(&self, now: Timestamp, limit: usize) -> Result<Vec<WebhookDelivery>, StoreError> {
        const SELECT: &str = select!("WHERE status = 'pending' AND next_attempt_at <= $1 ORDER BY next_attempt_at, id LIMIT $2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<Row> = reading!(self, pool => sqlx::query_as(SELECT).bind(now.micros()).bind(limit).fetch_all(pool).await?);
        rows.into_iter().map(WebhookDelivery::try_from).collect()
    }

    /// Claims an attempt; false if another process did. Unless its outcome is noted, the next one is due at `next_attempt_at`.
    pub async fn claim_webhook_attempt(
        &self,
        delivery: &WebhookDelivery,
        now: Timestamp,
        next_attempt_at: Timestamp,
    ) -> Result<bool, StoreError> {
        const UPDATE: &str = "UPDATE control_webhook_deliveries SET attempts = attempts + 1, last_attempt_at = $3, next_attempt_at = $4 \
             WHERE id = $1 AND attempts = $2 AND status = 'pending'";
        let claimed = writing!(self, pool => {
            let update = sqlx::query(UPDATE).bind(&delivery.id).bind(i64::from(delivery.attempts)).bind(now.micros());
            update.bind(next_attempt_at.micros()).execute(pool).await?.rows_affected()
        });
        Ok(claimed == 1)
    }

    /// Notes what became of a message. One that ended stays so, unless it was delivered after all.
    pub async fn note_webhook_outcome(
        &self,
        id: &str,
        outcome: &AttemptOutcome,
        at: Timestamp,
        next_attempt_at: Timestamp,
    ) -> Result<(), StoreError> {
        const UPDATE: &str = "UPDATE control_webhook_deliveries SET status = $2, last_status = $3, last_error = $4, \
             delivered_at = CASE WHEN $2 = 'delivered' THEN $5 ELSE delivered_at END, \
             next_attempt_at = CASE WHEN $2 = 'pending' THEN $6 ELSE next_attempt_at END \
             WHERE id = $1 AND (status = 'pending' OR $2 = 'delivered')";
        writing!(self, pool => {
            let update = sqlx::query(UPDATE).bind(id).bind(outcome.status.as_str()).bind(outcome.http_status.map(i64::from));
            update.bind(&outcome.error).bind(at.micros()).bind(next_attempt_at.micros()).execute(pool).await?;
        });
        Ok(())
    }

    /// Removes messages that ended and are older.
    pub async fn forget_webhook_deliveries(&self, before: Timestamp) -> Result<(), StoreError> {
        const DELETE: &str = "DELETE FROM control_webhook_deliveries WHERE status <> 'pending' AND created_at < $1";
        writing!(self, pool => {
            sqlx::query(DELETE).bind(before.micros()).execute(pool).await?;
        });
        Ok(())
    }
}
