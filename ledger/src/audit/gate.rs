//! What the gate believes against what the books say.

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::{AccountId, NanoUsd};

use crate::gate::{BalanceGate, GateSnapshot};
use crate::store::LedgerStore;

use super::AuditError;
use super::report::AuditReport;

/// The gate hears of a batch just after its commit: an account that differs is looked at again.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// posted = balance at the same position for every account; nothing is negative. Open holds and pending
/// charges are counted: at quiescence both are zero.
pub(super) async fn check(store: &LedgerStore, gate: &BalanceGate, report: &mut AuditReport) -> Result<(), AuditError> {
    let snapshot = gate.snapshot().await?;
    report.count("gate_accounts", snapshot.accounts.len() as u64);
    report.count("gate_holds", snapshot.holds);
    report.count("gate_pending", snapshot.pending);
    report.count("gate_tombstones", snapshot.tombstones);
    if !snapshot.open {
        report.differ("gate", "state", "open", "closed");
        return Ok(());
    }
    for (account, amounts) in &snapshot.accounts {
        report.check_that(!amounts.pending.is_negative(), "gate_pending", &account.to_string(), &"at least 0", &amounts.pending);
        report.check_that(!amounts.held.is_negative(), "gate_held", &account.to_string(), &"at least 0", &amounts.held);
    }
    let mut suspects: Option<BTreeMap<AccountId, Suspect>> = None;
    for try_number in 0..TRIES {
        if try_number > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let differing = compare(store, gate).await?;
        // An account is only wrong if it is wrong in the same way every time: a live one moves on.
        suspects = Some(match suspects {
            None => differing,
            Some(before) => differing.into_iter().filter(|(account, now)| before.get(account) == Some(now)).collect(),
        });
        if suspects.as_ref().is_none_or(BTreeMap::is_empty) {
            break;
        }
    }
    for (account, suspect) in suspects.unwrap_or_default() {
        report.differ("gate_posted", &account.to_string(), &suspect.balance.to_string(), &suspect.posted.to_string());
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Suspect {
    balance: NanoUsd,
    posted: NanoUsd,
}

/// Accounts whose balance is another in the gate, while the books stood still around the look at it.
async fn compare(store: &LedgerStore, gate: &BalanceGate) -> Result<BTreeMap<AccountId, Suspect>, AuditError> {
    let before = balances(store).await?;
    let snapshot: GateSnapshot = gate.snapshot().await?;
    let after = balances(store).await?;
    let posted: BTreeMap<AccountId, NanoUsd> = snapshot.accounts.iter().map(|(account, amounts)| (*account, amounts.posted)).collect();
    let accounts = before.keys().chain(posted.keys());
    let balance = |of: &BTreeMap<AccountId, NanoUsd>, account: &AccountId| of.get(account).copied().unwrap_or(NanoUsd::ZERO);
    let differing = accounts.filter_map(|account| {
        let suspect = Suspect { balance: balance(&before, account), posted: balance(&posted, account) };
        let still = suspect.balance == balance(&after, account);
        (still && suspect.balance != suspect.posted).then_some((*account, suspect))
    });
    Ok(differing.collect())
}

async fn balances(store: &LedgerStore) -> Result<BTreeMap<AccountId, NanoUsd>, AuditError> {
    Ok(store.balances().await?.into_iter().map(|(account, balance, _)| (account, balance)).collect())
}
