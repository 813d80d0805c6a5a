//! Facts of the control store that the event log is to hear of: written with the change, deleted once
//! the event is durable, so that none is lost between the two.

use std::sync::Arc;

use schemas::event::{AccountOpened, PricePublished};
use schemas::{AccountId, Body, Timestamp};
use sqlx::FromRow;

use super::{ControlStore, StoreError, in_transaction, parsed, reading};

pub(crate) const INSERT: &str =
    "INSERT INTO control_announcements (event_id, kind, subject, due_at) VALUES ($1, $2, $3, $4) ON CONFLICT (event_id) DO NOTHING";

/// Announcements taken in one go.
const BATCH: i64 = 256;

/// What is to be announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    AccountOpened,
    PricePublished(Arc<PricePublished>),
}

/// One event that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    pub event_id: String,
    pub account: AccountId,
    pub at: Timestamp,
    pub fact: Fact,
}

impl Announcement {
    /// The event's body.
    pub fn body(&self) -> Body {
        match &self.fact {
            Fact::AccountOpened => Body::AccountOpened(AccountOpened { currency: "USD".to_owned() }),
            Fact::PricePublished(published) => Body::PricePublished(Box::new(published.as_ref().clone())),
        }
    }
}

#[derive(FromRow)]
struct Row {
    event_id: String,
    kind: String,
    subject: String,
    due_at: i64,
    channel_name: Option<String>,
    model: Option<String>,
    price: Option<String>,
    cost: Option<String>,
    effective_at: Option<i64>,
}

impl ControlStore {
    /// The oldest announcements that are due, a bounded number of them.
    pub async fn due_announcements(&self) -> Result<Vec<Announcement>, StoreError> {
        const SELECT: &str = "SELECT due.event_id, due.kind, due.subject, due.due_at, \
                 version.channel_name, version.model, version.price, version.cost, version.effective_at \
             FROM control_announcements due LEFT JOIN control_price_versions version ON version.id = due.subject \
             WHERE due.due_at <= $2 AND NOT EXISTS (SELECT 1 FROM control_scheduled_prices scheduled \
                 WHERE scheduled.version_id = due.subject AND scheduled.withdrawn_at IS NOT NULL) \
             ORDER BY due.due_at, due.event_id LIMIT $1";
        let rows: Vec<Row> = reading!(self, pool => {
            sqlx::query_as(SELECT).bind(BATCH).bind(Timestamp::now().micros()).fetch_all(pool).await?
        });
        rows.into_iter().map(Announcement::try_from).collect()
    }

    /// Forgets an announcement whose event is durable.
    pub async fn announced(&self, event_id: &str) -> Result<(), StoreError> {
        const DELETE: &str = "DELETE FROM control_announcements WHERE event_id = $1";
        in_transaction!(self, transaction => {
            sqlx::query(DELETE).bind(event_id).execute(&mut *transaction).await?;
        });
        Ok(())
    }
}

impl TryFrom<Row> for Announcement {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unreadable = |column| StoreError::Unreadable { table: "control_announcements", column, text: row.event_id.clone() };
        let at = Timestamp::from_micros(row.due_at);
        if row.kind == "account.opened" {
            let account = parsed("control_announcements", "subject", &row.subject, |text| text.parse().ok())?;
            return Ok(Self { event_id: row.event_id, account, at, fact: Fact::AccountOpened });
        }
        let (Some(channel), Some(model), Some(price), Some(cost), Some(effective_at)) =
            (row.channel_name, row.model, row.price, row.cost, row.effective_at)
        else {
            return Err(unreadable("subject"));
        };
        let fact = Fact::PricePublished(Arc::new(PricePublished {
            channel,
            cost: serde_json::from_str(&cost)?,
            effective_at: Timestamp::from_micros(effective_at),
            model,
            price: serde_json::from_str(&price)?,
            version: row.subject,
        }));
        Ok(Self { event_id: row.event_id, account: AccountId::SYSTEM, at, fact })
    }
}
