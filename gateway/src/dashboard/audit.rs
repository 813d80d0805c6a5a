//! Whether the books hold, for people of finance: the part of the deployment's audit that concerns their account.

use std::sync::Arc;

use axum::extract::State;
use schemas::partition::partition_of;
use schemas::{AccountId, Partition, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Dashboard, Member};
use crate::http::envelope::Data;
use crate::http::error::ApiError;

/// What the last audit says to one account.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AccountAuditView {
    /// Whether everything agreed, in the books of all accounts.
    ok: bool,
    #[schema(value_type = String, format = DateTime)]
    checked_at: Timestamp,
    /// Those of this account.
    differences: Vec<DifferenceView>,
    /// The head of the chain that this account's entries stand in.
    heads: Vec<HeadView>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct DifferenceView {
    kind: String,
    subject: String,
    expected: String,
    found: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct HeadView {
    #[schema(value_type = u16)]
    partition: Partition,
    /// How many entries the chain has.
    position: u64,
    hash: String,
}

impl DifferenceView {
    /// Whether it names the account: as ids are printed, or as they stand in tables.
    fn concerns(&self, account: AccountId) -> bool {
        let names = [account.to_string(), account.uuid().simple().to_string()];
        [&self.subject, &self.expected, &self.found].into_iter().any(|text| names.iter().any(|name| text.contains(name)))
    }
}

impl AccountAuditView {
    /// Other accounts' books are nobody else's business.
    fn of_account(mut self, account: AccountId) -> Self {
        let partition = partition_of(account);
        self.differences.retain(|difference| difference.concerns(account));
        self.heads.retain(|head| head.partition == partition);
        self
    }
}

/// What the last audit of the books says to an account; made now when there is none.
#[utoipa::path(get, path = "/api/app/accounts/{account}/audit", tag = "money", params(("account" = String, Path)),
    responses((status = 200, body = Data<AccountAuditView>), (status = 401), (status = 403), (status = 404), (status = 503)))]
pub async fn get_account_audit(State(dashboard): State<Arc<Dashboard>>, member: Member) -> Result<Data<AccountAuditView>, ApiError> {
    let report = dashboard.operations.last_audit().await?;
    let report: AccountAuditView = serde_json::from_str(report.get()).map_err(ApiError::internal)?;
    Ok(Data { data: report.of_account(member.account_id) })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_account_sees_the_verdict_and_what_concerns_itself() {
        let account = AccountId::from_uuid("0193a4b2-0000-7000-8000-000000000001".parse().unwrap());
        let own = partition_of(account);
        let report = format!(
            r#"{{"ok": false, "checked": {{"events": 7}}, "checked_at": "2026-11-28T10:00:00Z",
                "differences": [
                    {{"kind": "gate_posted", "subject": "{account}", "expected": "1", "found": "2"}},
                    {{"kind": "ledger_balances", "subject": "{uuid}", "expected": "{uuid} | 3", "found": "{uuid} | 4"}},
                    {{"kind": "gate_posted", "subject": "{another}", "expected": "5", "found": "6"}}],
                "heads": [{{"partition": {own}, "position": 3, "hash": "aa"}}, {{"partition": {other}, "position": 4, "hash": "bb"}}]}}"#,
            uuid = account.uuid().simple(),
            another = AccountId::mint(),
            other = own + 1,
        );
        let view = serde_json::from_str::<AccountAuditView>(&report).unwrap().of_account(account);
        assert!(!view.ok);
        assert_eq!(
            view.differences.iter().map(|difference| difference.expected.as_str()).collect::<Vec<_>>(),
            ["1".to_owned(), format!("{} | 3", account.uuid().simple())]
        );
        assert_eq!(view.heads.iter().map(|head| head.hash.as_str()).collect::<Vec<_>>(), ["aa"]);
    }
}
