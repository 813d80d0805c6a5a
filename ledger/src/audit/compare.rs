//! Rows that should be there against rows that are, and what postings add up to.

use std::collections::HashMap;

use serde_json::Value;

use crate::store::rows::{BalanceRow, PostingRow, Row};

use super::report::AuditReport;

const ABSENT: &str = "absent";

/// Reports every row that is missing, different or too many.
pub(super) fn compare<R: Row>(expected: Vec<R>, found: Vec<R>, report: &mut AuditReport) {
    report.count(R::TABLE, found.len() as u64);
    if expected == found {
        return;
    }
    let mut wanted: HashMap<String, R> = expected.into_iter().map(|row| (row.key(), row)).collect();
    for row in found {
        match wanted.remove(&row.key()) {
            Some(expected) if expected == row => {}
            Some(expected) => differing_columns(&expected, &row, report),
            None => report.differ(R::TABLE, &row.key(), ABSENT, &json(&row).to_string()),
        }
    }
    let mut missing: Vec<_> = wanted.into_iter().collect();
    missing.sort_by(|left, right| left.0.cmp(&right.0));
    for (key, row) in missing {
        report.differ(R::TABLE, &key, &json(&row).to_string(), ABSENT);
    }
}

fn differing_columns<R: Row>(expected: &R, found: &R, report: &mut AuditReport) {
    let (Value::Object(expected), Value::Object(row)) = (json(expected), json(found)) else { return };
    for (column, wanted) in expected {
        let value = row.get(&column).cloned().unwrap_or_default();
        if value != wanted {
            report.differ(R::TABLE, &format!("{} {column}", found.key()), &text(&wanted), &text(&value));
        }
    }
}

fn json<R: Row>(row: &R) -> Value {
    serde_json::to_value(row).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// What the store's own postings add up to, whatever the log says.
#[derive(Default)]
pub(super) struct Sums {
    total: i128,
    customers: HashMap<String, i128>,
}

impl Sums {
    /// Rows come in key order, a whole number of transactions at a time.
    pub(super) fn add(&mut self, rows: &[PostingRow], report: &mut AuditReport) {
        for legs in rows.chunk_by(|left, right| left.position == right.position) {
            let sum: i128 = legs.iter().map(|leg| i128::from(leg.amount_nanos)).sum();
            report.check_that(sum == 0, "double_entry", &format!("position {}", legs[0].position), &0, &sum);
            self.total += sum;
        }
        for row in rows {
            if let Some(account) = &row.account_id {
                *self.customers.entry(account.clone()).or_default() += i128::from(row.amount_nanos);
            }
        }
    }

    /// Every balance is the sum of its postings, and all postings sum to zero.
    pub(super) fn check(&self, balances: &[BalanceRow], report: &mut AuditReport) {
        report.check_that(self.total == 0, "double_entry", "all postings", &0, &self.total);
        let found: HashMap<&str, i128> = balances.iter().map(|row| (row.account_id.as_str(), i128::from(row.balance_nanos))).collect();
        for (account, sum) in &self.customers {
            let balance = found.get(account.as_str()).copied().unwrap_or(0);
            report.check_that(balance == *sum, "double_entry", &format!("balance of {account}"), sum, &balance);
        }
        for row in balances.iter().filter(|row| !self.customers.contains_key(&row.account_id)) {
            report.check_that(row.balance_nanos == 0, "double_entry", &format!("balance of {}", row.account_id), &0, &row.balance_nanos);
        }
    }
}
