//! What the books say: the reads of the API and the operators. What the gate is told is in `words.rs`.
//!
//! One text serves every database; [`reading!`] expands it for each.

use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use schemas::{AccountId, Day, KeyId, NanoUsd, Partition, Producer, RequestId, Timestamp};
use sqlx::{Database, Encode, QueryBuilder, Type};
use uuid::Uuid;

use crate::apply::{RequestState, TransactionKind};
use crate::chain::Checkpoint;
use crate::heads::Due;

use super::columns::{Columns, SqlRow};
use super::query::PAGE_LIMIT_MAX;
use super::read::{fold_request, sequence};
use super::rows::signed;
use super::{
    AccountTotals, ChargeTotal, CreditOutcome, DueGrant, LedgerError, LedgerStore, Page, PartitionHead, ProducerGap, RequestCharge,
    Transaction, TransactionQuery,
};

/// The last log position that was applied.
pub(super) const POSITION: &str = "SELECT position FROM ledger_position WHERE singleton = 1";

/// The sequences of a node's boots from one on, in every partition; and everybody's with numbers missing.
const SEQUENCES_OF: &str = "SELECT node_id, boot_id, partition, contiguous, ahead, position FROM ledger_producers \
    WHERE node_id = $1 AND boot_id >= $2 ORDER BY node_id, boot_id, partition";
const OPEN_SEQUENCES: &str = "SELECT node_id, boot_id, partition, contiguous, ahead, position FROM ledger_producers \
    WHERE ahead <> '[]' ORDER BY node_id, boot_id, partition";

const TRANSACTION_COLUMNS: &str = "e.position, e.event_id, e.event_type, e.account_id, e.amount_nanos, e.balance_after_nanos, \
    e.request_id, e.key_id, o.request_id AS order_request_id, o.reference, o.reason, e.occurred_at_micros";

/// Runs a block with the reading pool of whichever database the books are in.
macro_rules! reading {
    ($store:expr, $pool:ident => $body:expr) => {
        match $store {
            LedgerStore::Sqlite(store) => {
                let $pool = &store.readers;
                $body
            }
            LedgerStore::Postgres(store) => {
                let $pool = &store.readers;
                $body
            }
        }
    };
}
pub(super) use reading;

impl LedgerStore {
    /// The last log position applied.
    pub async fn position(&self) -> Result<u64, LedgerError> {
        reading!(self, pool => position_of(&sqlx::query(POSITION).fetch_one(pool).await?))
    }

    /// The newest facts that were booked: the SHA-256 of each one's bytes by its position. The log has to have the same there.
    pub async fn newest_facts(&self, limit: usize) -> Result<BTreeMap<u64, [u8; 32]>, LedgerError> {
        let sql = "SELECT position, event_sha256 FROM ledger_entries ORDER BY position DESC LIMIT $1";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        reading!(self, pool => {
            let found = sqlx::query(sql).bind(limit).fetch_all(pool).await?;
            Ok(rows("ledger_entries", &found, |columns| Ok((columns.count("position")?, columns.head("event_sha256")?)))?.into_iter().collect())
        })
    }

    /// Every account whose balance ever changed: id, balance, and the log position all are complete up to.
    pub async fn balances(&self) -> Result<Vec<(AccountId, NanoUsd, u64)>, LedgerError> {
        let sql =
            "SELECT b.account_id, b.balance_nanos, p.position FROM ledger_balances b CROSS JOIN ledger_position p ORDER BY b.account_id";
        reading!(self, pool => rows("ledger_balances", &sqlx::query(sql).fetch_all(pool).await?, |columns| {
            Ok((columns.account("account_id")?, columns.nanos("balance_nanos")?, columns.count("position")?))
        }))
    }

    /// `None` for an account no money ever moved on.
    pub async fn balance(&self, account: AccountId) -> Result<Option<NanoUsd>, LedgerError> {
        let sql = "SELECT balance_nanos FROM ledger_balances WHERE account_id = $1";
        let balance: Option<i64> = reading!(self, pool => sqlx::query_scalar(sql).bind(account.uuid()).fetch_optional(pool).await?);
        Ok(balance.map(NanoUsd::from_nanos))
    }

    /// Everything ever credited and charged; the balance is the difference.
    pub async fn account_totals(&self, account: AccountId) -> Result<AccountTotals, LedgerError> {
        let sql = "SELECT credits_nanos, usage_nanos FROM ledger_balances WHERE account_id = $1";
        reading!(self, pool => {
            let found = sqlx::query(sql).bind(account.uuid()).fetch_all(pool).await?;
            let totals = rows("ledger_balances", &found, |columns| {
                Ok(AccountTotals { credits: columns.nanos("credits_nanos")?, usage: columns.nanos("usage_nanos")? })
            });
            Ok(totals?.pop().unwrap_or_default())
        })
    }

    /// What every key spent on every UTC admission day.
    pub async fn key_spend(&self) -> Result<Vec<(KeyId, Day, NanoUsd)>, LedgerError> {
        let sql = "SELECT key_id, day, spent_nanos FROM ledger_key_spend ORDER BY key_id, day";
        reading!(self, pool => rows("ledger_key_spend", &sqlx::query(sql).fetch_all(pool).await?, |columns| {
            Ok((columns.key("key_id")?, columns.day("day")?, columns.nanos("spent_nanos")?))
        }))
    }

    /// Transactions that moved a balance, newest first.
    pub async fn transactions(&self, query: TransactionQuery) -> Result<Page<Transaction>, LedgerError> {
        let limit = query.limit.clamp(1, PAGE_LIMIT_MAX);
        let before = query.cursor.as_deref().map(read_cursor).transpose()?.unwrap_or(i64::MAX);
        let mut items = reading!(self, pool => {
            let found = transactions_sql(&query, before, limit).build().fetch_all(pool).await?;
            rows("ledger_entries", &found, read_transaction)?
        });
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|(position, _)| write_cursor(*position));
        Ok(Page { items: items.into_iter().map(|(_, transaction)| transaction).collect(), next_cursor })
    }

    /// The result of a credit order; `None` until it is applied.
    pub async fn credit_outcome(&self, event_id: &str) -> Result<Option<CreditOutcome>, LedgerError> {
        let sql = "SELECT e.position, e.event_id, e.event_type, e.account_id, e.amount_nanos, e.balance_after_nanos, e.request_id, e.key_id, \
            o.request_id AS order_request_id, o.reference, o.reason, e.occurred_at_micros, e.rejection, o.input_sha256 \
            FROM ledger_entries e JOIN ledger_orders o ON o.position = e.position WHERE e.request_id IS NULL AND e.event_id = $1";
        reading!(self, pool => {
            let found = sqlx::query(sql).bind(event_id).fetch_all(pool).await?;
            let outcomes = rows("ledger_entries", &found, |columns| {
                let (_, transaction) = read_transaction(columns)?;
                let rejected = columns.optional_text("rejection")?;
                Ok(CreditOutcome {
                    transaction: Some(transaction).filter(|transaction| rejected.is_none() && !transaction.amount.is_zero()),
                    input_sha256: columns.text("input_sha256")?,
                    rejected,
                })
            });
            Ok(outcomes?.pop())
        })
    }

    /// How a request ended in the books; `None` until a terminal is applied.
    pub async fn charge_of(&self, request: RequestId) -> Result<Option<RequestCharge>, LedgerError> {
        let sql = "SELECT event_type, verdict, account_id, amount_nanos, provider_cost_nanos, provisional, \
            (SELECT CAST(sum(r.amount_nanos) AS BIGINT) FROM ledger_orders o JOIN ledger_entries r ON r.position = o.position \
             WHERE o.request_id = $1 AND r.request_id IS NULL AND r.event_type = 'balance.refund') AS refunded \
            FROM ledger_entries WHERE request_id = $1 ORDER BY position";
        reading!(self, pool => charge(&sqlx::query(sql).bind(request.uuid()).fetch_all(pool).await?))
    }

    /// Up to which number the events of a node are applied without a gap: those of its boots from `from` on, in the order of their
    /// ids. Asked for often, and there are more producers every day: never of all of them.
    pub async fn watermarks(&self, from: Producer) -> Result<Vec<(Producer, Partition, u64)>, LedgerError> {
        let (node, boot) = (from.node.uuid(), from.boot.uuid());
        let found = reading!(self, pool => {
            let rows = sqlx::query(SEQUENCES_OF).bind(node).bind(boot).fetch_all(pool).await?;
            rows.iter().map(sequence).collect::<Result<Vec<_>, _>>()
        });
        let sequences = found?;
        Ok(sequences.into_iter().map(|(producer, partition, known)| (producer, partition, known.sequence.contiguous)).collect())
    }

    /// Numbers that are missing from producers' sequences.
    pub async fn producer_gaps(&self) -> Result<Vec<ProducerGap>, LedgerError> {
        let found: Result<Vec<_>, _> =
            reading!(self, pool => sqlx::query(OPEN_SEQUENCES).fetch_all(pool).await?.iter().map(sequence).collect());
        let sequences = found?;
        let gaps = sequences.into_iter().flat_map(|(producer, partition, known)| {
            let gaps = known.sequence.gaps().into_iter();
            gaps.map(move |(first, last)| ProducerGap { producer, partition, first, last })
        });
        Ok(gaps.collect())
    }

    /// The chain of every partition that has one.
    pub async fn heads(&self) -> Result<Vec<PartitionHead>, LedgerError> {
        let sql = "SELECT partition, ordinal, head FROM ledger_partitions ORDER BY partition";
        reading!(self, pool => rows("ledger_partitions", &sqlx::query(sql).fetch_all(pool).await?, |columns| {
            Ok(PartitionHead {
                partition: columns.partition("partition")?,
                ordinal: columns.count("ordinal")?,
                head: columns.head("head")?,
            })
        }))
    }

    /// Grants whose time is up and of which something is left, oldest first.
    pub async fn due_grants(&self, now: Timestamp, limit: usize) -> Result<Vec<DueGrant>, LedgerError> {
        let sql = "SELECT grant_id, account_id, remaining_nanos, expires_at_micros FROM ledger_lots \
            WHERE remaining_nanos > 0 AND expires_at_micros <= $1 ORDER BY expires_at_micros, grant_id LIMIT $2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        reading!(self, pool => rows("ledger_lots", &sqlx::query(sql).bind(now.micros()).bind(limit).fetch_all(pool).await?, |columns| {
            Ok(DueGrant {
                grant_id: columns.text("grant_id")?,
                account_id: columns.account("account_id")?,
                remaining: columns.nanos("remaining_nanos")?,
                expires_at: columns.time("expires_at_micros")?,
            })
        }))
    }

    /// Σ charges and charged requests per account and UTC admission day: what analytics must agree with.
    pub async fn charge_totals(&self) -> Result<Vec<ChargeTotal>, LedgerError> {
        self.charge_totals_to(i64::MAX).await
    }

    /// [`Self::charge_totals`] as they were at a log position the books have reached.
    pub async fn charge_totals_at(&self, position: u64) -> Result<Vec<ChargeTotal>, LedgerError> {
        self.charge_totals_to(signed(position)).await
    }

    async fn charge_totals_to(&self, position: i64) -> Result<Vec<ChargeTotal>, LedgerError> {
        let sql = "SELECT account_id, admission_day, CAST(-sum(amount_nanos) AS BIGINT) AS charged, count(*) AS requests FROM ledger_entries \
            WHERE event_type = 'usage.settled' AND amount_nanos <> 0 AND position <= $1 \
            GROUP BY account_id, admission_day ORDER BY account_id, admission_day";
        reading!(self, pool => rows("ledger_entries", &sqlx::query(sql).bind(position).fetch_all(pool).await?, |columns| {
            Ok(ChargeTotal {
                account_id: columns.account("account_id")?,
                day: columns.day("admission_day")?,
                charged: columns.nanos("charged")?,
                requests: columns.count("requests")?,
            })
        }))
    }

    /// What is posted to `provider_cost` for requests admitted on these UTC days, both included: what analytics must agree with.
    pub async fn provider_cost(&self, from: Day, to: Day) -> Result<NanoUsd, LedgerError> {
        let sql = "SELECT CAST(coalesce(-sum(p.amount_nanos), 0) AS BIGINT) FROM ledger_entries e \
            JOIN ledger_postings p ON p.position = e.position AND p.account_code = 3 WHERE e.admission_day BETWEEN $1 AND $2";
        let (from, to) = (from.number(), to.number());
        let nanos: i64 = reading!(self, pool => sqlx::query_scalar(sql).bind(from).bind(to).fetch_one(pool).await?);
        Ok(NanoUsd::from_nanos(nanos))
    }

    pub async fn quarantined(&self) -> Result<u64, LedgerError> {
        let sql = "SELECT count(*) FROM ledger_quarantine";
        let count: i64 = reading!(self, pool => sqlx::query_scalar(sql).fetch_one(pool).await?);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The head that a log position made; `None` where no fact was recorded.
    pub async fn head_at(&self, position: u64) -> Result<Option<Checkpoint>, LedgerError> {
        let sql = "SELECT partition, ordinal, head, position, occurred_at_micros FROM ledger_entries WHERE position = $1";
        reading!(self, pool => sqlx::query(sql).bind(signed(position)).fetch_optional(pool).await?.as_ref().map(head).transpose())
    }

    /// The heads made after a position that are due, in log order.
    pub(super) async fn heads_due(&self, after: u64, mut due: Due) -> Result<Vec<Checkpoint>, LedgerError> {
        let sql = "SELECT partition, ordinal, head, position, occurred_at_micros FROM ledger_entries WHERE position > $1 ORDER BY position";
        let mut found = Vec::new();
        reading!(self, pool => {
            let mut rows = sqlx::query(sql).bind(signed(after)).fetch(pool);
            while let Some(row) = rows.try_next().await? {
                found.extend(Some(head(&row)?).filter(|head| due.is_due(head)));
            }
        });
        Ok(found)
    }
}

pub(super) fn position_of<R: SqlRow>(row: &R) -> Result<u64, LedgerError> {
    Columns { table: "ledger_position", row }.count("position")
}

fn head<R: SqlRow>(row: &R) -> Result<Checkpoint, LedgerError> {
    let columns = Columns { table: "ledger_entries", row };
    Ok(Checkpoint {
        partition: columns.partition("partition")?,
        ordinal: columns.count("ordinal")?,
        head: columns.head("head")?,
        position: columns.count("position")?,
        time: columns.time("occurred_at_micros")?,
    })
}

pub(super) fn rows<R: SqlRow, T>(
    table: &'static str,
    rows: &[R],
    read: impl Fn(&Columns<'_, R>) -> Result<T, LedgerError>,
) -> Result<Vec<T>, LedgerError> {
    rows.iter().map(|row| read(&Columns { table, row })).collect()
}

fn transactions_sql<DB: Database>(query: &TransactionQuery, before: i64, limit: usize) -> QueryBuilder<DB>
where
    for<'v> i64: Encode<'v, DB> + Type<DB>,
    for<'v> Uuid: Encode<'v, DB> + Type<DB>,
    for<'v> &'v str: Encode<'v, DB> + Type<DB>,
{
    let mut sql = QueryBuilder::new(format!(
        "SELECT {TRANSACTION_COLUMNS} FROM ledger_entries e LEFT JOIN ledger_orders o ON o.position = e.position \
         WHERE e.amount_nanos <> 0 AND e.position < "
    ));
    sql.push_bind(before);
    if let Some(account) = query.account {
        sql.push(" AND e.account_id = ").push_bind(account.uuid());
    }
    if let Some(request) = query.request {
        sql.push(" AND (e.request_id = ").push_bind(request.uuid()).push(" OR o.request_id = ").push_bind(request.uuid()).push(")");
    }
    if let Some(from) = query.from {
        sql.push(" AND e.occurred_at_micros >= ").push_bind(from.micros());
    }
    if let Some(to) = query.to {
        sql.push(" AND e.occurred_at_micros < ").push_bind(to.micros());
    }
    if !query.kinds.is_empty() {
        let mut list = sql.push(" AND e.event_type IN (").separated(", ");
        for kind in &query.kinds {
            list.push_bind(kind.event_type());
        }
        sql.push(")");
    }
    sql.push(" ORDER BY e.position DESC LIMIT ").push_bind(i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1));
    sql
}

/// How a request ended, from its facts in log order.
fn charge<R: SqlRow>(rows: &[R]) -> Result<Option<RequestCharge>, LedgerError> {
    let mut known: Option<RequestCharge> = None;
    for row in rows {
        let columns = Columns { table: "ledger_entries", row };
        let account = columns.account("account_id")?;
        let mut state = RequestState { provider_cost: known.and_then(|charge| charge.provider_cost), ..RequestState::new(account) };
        fold_request(&mut state, &columns)?;
        if let Some(terminal) = state.effective {
            known = Some(RequestCharge {
                account_id: account,
                terminal,
                charge: state.charge,
                provider_cost: state.provider_cost,
                refunded: columns.optional_nanos("refunded")?.unwrap_or(NanoUsd::ZERO),
                provisional: columns.boolean("provisional")?,
            });
        }
    }
    Ok(known)
}

fn read_transaction<R: SqlRow>(columns: &Columns<'_, R>) -> Result<(i64, Transaction), LedgerError> {
    let event_type = columns.text("event_type")?;
    let kind = TransactionKind::from_event_type(&event_type);
    let kind = kind.ok_or(LedgerError::Row { table: "ledger_entries", column: "event_type", value: event_type })?;
    let transaction = Transaction {
        id: columns.text("event_id")?,
        account_id: columns.account("account_id")?,
        kind,
        amount: columns.nanos("amount_nanos")?,
        balance_after: columns.nanos("balance_after_nanos")?,
        request_id: columns.optional_request("request_id")?.or(columns.optional_request("order_request_id")?),
        key_id: columns.optional_id("key_id")?.map(KeyId::from_uuid),
        reference: columns.optional_text("reference")?,
        reason: columns.optional_text("reason")?,
        created_at: columns.time("occurred_at_micros")?,
    };
    Ok((columns.integer("position")?, transaction))
}

/// A cursor is the last position shown; written so that nobody mistakes it for a page number.
pub(super) fn write_cursor(position: i64) -> String {
    format!("t{position:016x}")
}

pub(super) fn read_cursor(cursor: &str) -> Result<i64, LedgerError> {
    let digits = cursor.strip_prefix('t').filter(|digits| digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    digits.and_then(|digits| i64::from_str_radix(digits, 16).ok()).ok_or(LedgerError::Cursor)
}
