//! Who did what: append-only, guarded by triggers.

use schemas::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::FromRow;
use uuid::Uuid;

use super::{ControlStore, StoreError, reading};

pub(crate) const INSERT: &str =
    "INSERT INTO control_audit_records (id, at, actor, action, subject, before, after) VALUES ($1, $2, $3, $4, $5, $6, $7)";

/// One act of administration.
#[derive(Debug, Clone, Serialize)]
pub struct AuditRecord {
    pub id: String,
    pub at: Timestamp,
    pub actor: String,
    /// `account.created`, `key.changed`, `channel.deleted`, …
    pub action: String,
    /// The id of what was changed.
    pub subject: String,
    pub before: Option<Box<RawValue>>,
    pub after: Option<Box<RawValue>>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    at: i64,
    actor: String,
    action: String,
    subject: String,
    before: Option<String>,
    after: Option<String>,
}

/// Which records, newest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditQuery<'a> {
    /// Those about one thing.
    pub subject: Option<&'a str>,
    /// Those of one actor.
    pub actor: Option<&'a str>,
    /// Those older than one record.
    pub before: Option<Uuid>,
    pub limit: u32,
}

impl ControlStore {
    /// The newest records first, all or those about one subject.
    pub async fn audit_records(&self, subject: Option<&str>, limit: u32) -> Result<Vec<AuditRecord>, StoreError> {
        self.audit_page(AuditQuery { subject, limit, ..AuditQuery::default() }).await
    }

    /// One page of records, newest first.
    pub async fn audit_page(&self, query: AuditQuery<'_>) -> Result<Vec<AuditRecord>, StoreError> {
        const SELECT: &str = "SELECT id, at, actor, action, subject, before, after FROM control_audit_records \
             WHERE ($1 IS NULL OR subject = $1) AND ($2 IS NULL OR actor = $2) AND ($3 IS NULL OR id < $3) ORDER BY id DESC LIMIT $4";
        let before = query.before.map(|id| id.to_string());
        let rows: Vec<Row> = reading!(self, pool => {
            let select = sqlx::query_as(SELECT).bind(query.subject).bind(query.actor).bind(before);
            select.bind(i64::from(query.limit)).fetch_all(pool).await?
        });
        let json = |text: Option<String>| text.map(RawValue::from_string).transpose();
        rows.into_iter()
            .map(|row| {
                Ok(AuditRecord {
                    id: row.id,
                    at: Timestamp::from_micros(row.at),
                    actor: row.actor,
                    action: row.action,
                    subject: row.subject,
                    before: json(row.before)?,
                    after: json(row.after)?,
                })
            })
            .collect()
    }
}
