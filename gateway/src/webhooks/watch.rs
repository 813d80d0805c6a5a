//! Notices balances that fell below their accounts' thresholds, in the books and nowhere else: what the ledger booked is the
//! same for all who look.

use std::sync::Arc;

use schemas::{NanoUsd, Timestamp};
use serde::Serialize;

use crate::control::balance_alert::{BalanceAlert, Crossing};
use crate::control::services::Services;
use crate::metrics::BALANCE_ALERTS_TOTAL;

/// The `type` of the message.
pub const BALANCE_LOW: &str = "balance.low";

/// The message's body, as receivers read it.
#[derive(Serialize)]
struct BalanceLow<'a> {
    r#type: &'a str,
    timestamp: Timestamp,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    account_id: String,
    account_name: &'a str,
    /// Decimal text, so that no reader rounds them.
    balance: String,
    threshold: String,
    currency: &'a str,
}

/// Why balances were not looked at.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    #[error(transparent)]
    Store(#[from] crate::control::store::StoreError),
    #[error(transparent)]
    Ledger(#[from] ledger::store::LedgerError),
    #[error("message could not be written")]
    Json(#[from] serde_json::Error),
}

/// Looks at the balance of every account that has an alert; says how many crossings were noted.
pub async fn look(services: &Arc<Services>, now: Timestamp) -> Result<usize, WatchError> {
    let store = services.control.store();
    let mut noted = 0;
    for alert in store.balance_alerts().await? {
        let balance = services.ledger.balance(alert.account_id).await?.unwrap_or(NanoUsd::ZERO);
        match alert.crossing(balance) {
            Crossing::Neither => {}
            Crossing::Up => store.rearm_balance_alert(&alert).await?,
            Crossing::Down => {
                let body = message(services, &alert, balance, now)?;
                if store.note_low_balance(&alert, BALANCE_LOW, &body, now).await? {
                    tracing::info!(account = %alert.account_id, "balance fell below the account's threshold");
                    metrics::counter!(BALANCE_ALERTS_TOTAL).increment(1);
                    noted += 1;
                }
            }
        }
    }
    Ok(noted)
}

fn message(services: &Services, alert: &BalanceAlert, balance: NanoUsd, now: Timestamp) -> Result<String, serde_json::Error> {
    let catalog = services.control.catalog();
    let data = Data {
        account_id: alert.account_id.to_string(),
        account_name: catalog.account(alert.account_id).map_or("", |account| account.name.as_str()),
        balance: balance.to_string(),
        threshold: alert.threshold.to_string(),
        currency: "USD",
    };
    serde_json::to_string(&BalanceLow { r#type: BALANCE_LOW, timestamp: now, data })
}
