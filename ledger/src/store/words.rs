//! What the books say to the balance gate: the ledger's word, said again, and everything for a gate that lost its state.
//!
//! **All of an answer is of one log position**: it is read in one transaction, whatever a worker books meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use schemas::terminal::Terminal;
use schemas::{AccountId, NanoUsd, RequestId};
use sqlx::{Postgres, Sqlite, Transaction};
use uuid::Uuid;

use crate::apply::State;
use crate::gate::learning::Books;
use crate::posted::Posted;

use super::columns::{Columns, SqlRow};
use super::queries::{POSITION, position_of, reading, rows};
use super::rows::signed;
use super::{LedgerError, LedgerStore, read};

/// What moved after a log position; 0 for all.
const BALANCES: &str = "SELECT account_id, balance_nanos FROM ledger_balances WHERE position > $1 ORDER BY account_id";
const SPEND: &str = "SELECT key_id, day, account_id, spent_nanos FROM ledger_key_spend WHERE position > $1 ORDER BY key_id, day";
/// Requests looked up in one statement.
const REQUESTS_MAX: usize = 1_000;

/// Runs a block in a transaction that sees one log position for as long as it lives.
macro_rules! at_one_position {
    ($store:expr, $transaction:ident => $body:expr) => {
        match $store {
            LedgerStore::Sqlite(store) => {
                let mut $transaction = store.reading_transaction().await?;
                $body
            }
            LedgerStore::Postgres(store) => {
                let mut $transaction = store.reading_transaction().await?;
                $body
            }
        }
    };
}

/// The facts of requests, in log order; each engine takes a list in its own way.
trait RequestFacts {
    async fn take_requests(&mut self, state: &mut State, requests: &[RequestId]) -> Result<(), LedgerError>;
}

impl RequestFacts for Transaction<'_, Sqlite> {
    async fn take_requests(&mut self, state: &mut State, requests: &[RequestId]) -> Result<(), LedgerError> {
        let ids: Vec<String> = requests.iter().map(|id| id.uuid().simple().to_string()).collect();
        let ids = serde_json::to_string(&ids).map_err(|error| LedgerError::Database(sqlx::Error::Encode(error.into())))?;
        let sql = "SELECT request_id, event_type, verdict, account_id, amount_nanos, provider_cost_nanos, provisional FROM ledger_entries \
            WHERE request_id IN (SELECT unhex(value) FROM json_each($1)) ORDER BY position";
        read::take_requests(state, &sqlx::query(sql).bind(ids).fetch_all(&mut **self).await?)
    }
}

impl RequestFacts for Transaction<'_, Postgres> {
    async fn take_requests(&mut self, state: &mut State, requests: &[RequestId]) -> Result<(), LedgerError> {
        let ids: Vec<Uuid> = requests.iter().map(|id| id.uuid()).collect();
        let sql = "SELECT request_id, event_type, verdict, account_id, amount_nanos, provider_cost_nanos, provisional FROM ledger_entries \
            WHERE request_id = ANY($1) ORDER BY position";
        read::take_requests(state, &sqlx::query(sql).bind(ids).fetch_all(&mut **self).await?)
    }
}

impl LedgerStore {
    /// What a gate that lost its state is rebuilt from: all balances, what every key spent on every UTC admission day, and which of these
    /// requests are booked.
    pub async fn books(&self, requests: &[RequestId]) -> Result<Books, LedgerError> {
        at_one_position!(self, transaction => {
            let position = position_of(&sqlx::query(POSITION).fetch_one(&mut *transaction).await?)?;
            let balances = sqlx::query(BALANCES).bind(0_i64).fetch_all(&mut *transaction).await?;
            let spend = sqlx::query(SPEND).bind(0_i64).fetch_all(&mut *transaction).await?;
            Ok(Books {
                accounts: rows("ledger_balances", &balances, |columns| {
                    Ok((columns.account("account_id")?, columns.nanos("balance_nanos")?, position))
                })?,
                key_spend: rows("ledger_key_spend", &spend, |columns| {
                    Ok((columns.key("key_id")?, columns.day("day")?, columns.nanos("spent_nanos")?))
                })?,
                booked: booked(&mut transaction, requests).await?,
            })
        })
    }

    /// What the gate would have been told of these requests: of those that are booked, grouped by account.
    pub async fn posted_for(&self, requests: &[(AccountId, RequestId)]) -> Result<Vec<Posted>, LedgerError> {
        let mut posted: BTreeMap<AccountId, Posted> = BTreeMap::new();
        for (account, request) in requests {
            // An expired one may still be settled, see `Entered::ended`.
            if self.charge_of(*request).await?.is_some_and(|charge| charge.terminal != Terminal::Expired) {
                let empty =
                    Posted { account_id: *account, posted: NanoUsd::ZERO, position: 0, requests: Vec::new(), key_spend: Vec::new() };
                posted.entry(*account).or_insert(empty).requests.push(*request);
            }
        }
        let sql =
            "SELECT p.position, (SELECT balance_nanos FROM ledger_balances WHERE account_id = $1) AS balance_nanos FROM ledger_position p";
        for (account, one) in &mut posted {
            reading!(self, pool => {
                let row = sqlx::query(sql).bind(account.uuid()).fetch_one(pool).await?;
                let columns = Columns { table: "ledger_position", row: &row };
                one.position = columns.count("position")?;
                one.posted = columns.optional_nanos("balance_nanos")?.unwrap_or(NanoUsd::ZERO);
            });
        }
        Ok(posted.into_values().collect())
    }

    /// The balances and key spend that moved after a log position, as the gate is told them, and the position they are as of.
    pub async fn posted_after(&self, after: u64) -> Result<(u64, Vec<Posted>), LedgerError> {
        at_one_position!(self, transaction => {
            let position = position_of(&sqlx::query(POSITION).fetch_one(&mut *transaction).await?)?;
            let balances = sqlx::query(BALANCES).bind(signed(after)).fetch_all(&mut *transaction).await?;
            let spend = sqlx::query(SPEND).bind(signed(after)).fetch_all(&mut *transaction).await?;
            Ok((position, posted(position, &balances, &spend)?))
        })
    }
}

/// Those whose terminal in effect stands in the books. Not the expired ones: such a request may still be settled, and then its charge is
/// pending until the books have that, too.
async fn booked(facts: &mut impl RequestFacts, requests: &[RequestId]) -> Result<BTreeSet<RequestId>, LedgerError> {
    let mut booked = BTreeSet::new();
    for chunk in requests.chunks(REQUESTS_MAX) {
        let mut state = State::default();
        facts.take_requests(&mut state, chunk).await?;
        let ended = state.requests.iter().filter(|(_, known)| known.effective.is_some_and(|terminal| terminal != Terminal::Expired));
        booked.extend(ended.map(|(request, _)| *request));
    }
    Ok(booked)
}

/// A key's spend moves with its account's balance: no row is without its account.
fn posted<R: SqlRow>(position: u64, balances: &[R], spend: &[R]) -> Result<Vec<Posted>, LedgerError> {
    let mut posted: BTreeMap<AccountId, Posted> = BTreeMap::new();
    for row in balances {
        let columns = Columns { table: "ledger_balances", row };
        let (account_id, balance) = (columns.account("account_id")?, columns.nanos("balance_nanos")?);
        posted.insert(account_id, Posted { account_id, posted: balance, position, requests: Vec::new(), key_spend: Vec::new() });
    }
    for row in spend {
        let columns = Columns { table: "ledger_key_spend", row };
        if let Some(account) = posted.get_mut(&columns.account("account_id")?) {
            account.key_spend.push((columns.key("key_id")?, columns.day("day")?, columns.nanos("spent_nanos")?));
        }
    }
    Ok(posted.into_values().collect())
}
