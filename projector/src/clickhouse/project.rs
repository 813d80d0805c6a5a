//! A batch, written: marks of what becomes stale, rows, quarantine, and the log position last.
//!
//! A crash anywhere between leaves marks and rows of a batch whose position is not there; the batch is then read again. A
//! row that is already there is in effect at its own position, so the plan takes it as known and comes to the same end: **what
//! takes effect at a position does not depend on how much of the later log the table has seen**. Two projectors
//! write the same rows.

use std::collections::{BTreeSet, HashMap};

use clickhouse::Row;
use eventlog::fault;
use schemas::{AccountId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ClickHouseAnalytics;
use super::row::{StoredRow, minted_hour};
use crate::error::AnalyticsError;
use crate::fold::{Fact, Unreadable};
use crate::plan::{Known, Plan};
use crate::row::parse_terminal;
use crate::store::ProjectOutcome;
use crate::tail::Tail;

/// Ids in one question: their text stays below the server's limit for a field.
const KNOWN_IDS_MAX: usize = 2_000;

#[derive(Row, Serialize, Deserialize)]
struct Position {
    id: u8,
    position: u64,
}

#[derive(Row, Serialize, Deserialize)]
struct StoredTail {
    id: u8,
    position: u64,
    event_sha256: String,
}

#[derive(Row, Serialize)]
struct Quarantined {
    position: u64,
    reason: String,
    detail: String,
    event_sha256: String,
    event_bytes: u64,
}

#[derive(Row, Deserialize)]
struct Effective {
    #[serde(with = "clickhouse::serde::uuid")]
    request_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid")]
    account_id: Uuid,
    terminal: String,
    recovered: bool,
    admitted_at: i64,
}

impl ClickHouseAnalytics {
    pub(crate) async fn project(&self, facts: Vec<(u64, Fact)>) -> Result<ProjectOutcome, AnalyticsError> {
        self.check_writable()?;
        let _writing = self.writer.acquire().await.map_err(|_| AnalyticsError::ReadOnly)?;
        self.wait_for_pauses().await?;
        let before = self.position().await?;
        let known = self.read_known(before, &facts).await?;
        let mut plan = Plan::new(before);
        for (position, fact) in facts {
            plan.take(position, fact, &known)?;
        }
        let position = plan.outcome.position;
        if position > before {
            self.mark(&plan.dirty_hours, position).await?;
            fault::point("projector.after_marks");
            let rows = plan.rows.iter().map(StoredRow::of).collect::<Result<Vec<_>, _>>()?;
            self.insert("stored_usage_events", &rows).await?;
            fault::point("projector.after_rows");
            self.insert("stored_projection_quarantine", &plan.quarantine.iter().map(Quarantined::of).collect::<Vec<_>>()).await?;
            fault::point("projector.before_position");
            self.insert("projection_position", &[Position { id: 1, position }]).await?;
            fault::point("projector.after_position");
        }
        Ok(plan.outcome)
    }

    pub(crate) async fn tail(&self) -> Result<Option<Tail>, AnalyticsError> {
        let sql = "SELECT id, position, event_sha256 FROM projection_tail ORDER BY position DESC LIMIT 1";
        let found = self.fetch_all::<StoredTail>(self.client.query(sql)).await?;
        Ok(found.first().and_then(|tail| Tail::read(tail.position, &tail.event_sha256)))
    }

    pub(crate) async fn note_tail(&self, tail: Tail) -> Result<(), AnalyticsError> {
        self.insert("projection_tail", &[StoredTail { id: 1, position: tail.position, event_sha256: tail.text() }]).await
    }

    /// What the store has of the requests in a batch. Without FINAL: the newest of a few rows is found faster by hand.
    async fn read_known(&self, position: u64, facts: &[(u64, Fact)]) -> Result<HashMap<RequestId, Known>, AnalyticsError> {
        let ids: Vec<RequestId> = facts
            .iter()
            .filter(|(at, _)| *at > position)
            .filter_map(|(_, fact)| match fact {
                Fact::Usage { row, .. } => Some(row.request_id),
                _ => None,
            })
            .collect();
        let sql = "SELECT e.request_id AS request_id, argMax(e.account_id, e.log_position) AS account_id, \
                   argMax(toString(e.terminal), e.log_position) AS terminal, argMax(e.recovered, e.log_position) AS recovered, \
                   argMax(e.admitted_at, e.log_position) AS admitted_at FROM stored_usage_events AS e \
                   WHERE toUnixTimestamp(e.minted_hour) IN {hours:Array(UInt32)} \
                   AND e.minted_hour BETWEEN toDateTime({first:UInt32}, 'UTC') AND toDateTime({last:UInt32}, 'UTC') \
                   AND e.request_id IN {ids:Array(UUID)} GROUP BY e.request_id";
        let mut known = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(KNOWN_IDS_MAX) {
            let hours: BTreeSet<u32> = ids.iter().map(|id| minted_hour(*id)).collect();
            let (first, last) = (hours.first().copied().unwrap_or_default(), hours.last().copied().unwrap_or_default());
            let ids: Vec<String> = ids.iter().map(|id| id.uuid().hyphenated().to_string()).collect();
            let query = self.client.query(sql).param("hours", hours).param("first", first).param("last", last).param("ids", ids);
            for row in self.fetch_all::<Effective>(query).await? {
                known.insert(RequestId::from_uuid(row.request_id), row.read()?);
            }
        }
        Ok(known)
    }
}

impl Effective {
    fn read(&self) -> Result<Known, AnalyticsError> {
        Ok(Known {
            account_id: AccountId::from_uuid(self.account_id),
            terminal: parse_terminal(&self.terminal, self.recovered)?,
            admitted_at: Timestamp::from_micros(self.admitted_at),
        })
    }
}

impl Quarantined {
    fn of(unreadable: &Unreadable) -> Self {
        Self {
            position: unreadable.position,
            reason: unreadable.reason.to_owned(),
            detail: unreadable.detail.clone(),
            event_sha256: unreadable.event_sha256.clone(),
            event_bytes: unreadable.event_bytes as u64,
        }
    }
}
