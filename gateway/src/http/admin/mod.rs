//! `/admin`: accounts, their money, and channels; for management keys only.
//!
//! Owns the shapes of our own administration routes. A balance is never changed here: credits are ordered
//! as events and their result is the ledger's. Start at [`routes`].

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::control::services::Services;

mod accounts;
pub(crate) mod balance_alerts;
pub(crate) mod channels;
mod credits;
mod explain;
pub(crate) mod health;
pub(crate) mod probe;
pub(crate) mod provider_costs;
mod secrets;
mod transactions;
pub(crate) mod users;

pub fn routes() -> OpenApiRouter<Arc<Services>> {
    OpenApiRouter::new()
        .routes(routes!(accounts::list_accounts, accounts::create_account))
        .routes(routes!(accounts::get_account, accounts::update_account))
        .routes(routes!(credits::create_credit))
        .routes(routes!(balance_alerts::get_balance_alert, balance_alerts::set_balance_alert, balance_alerts::delete_balance_alert))
        .routes(routes!(balance_alerts::rotate_balance_alert_secret))
        .routes(routes!(balance_alerts::list_balance_alert_deliveries))
        .routes(routes!(transactions::list_transactions))
        .routes(routes!(channels::list_channels, channels::create_channel))
        .routes(routes!(channels::get_channel, channels::update_channel, channels::delete_channel))
        .routes(routes!(probe::test_channel))
        .routes(routes!(health::get_channel_health))
        .routes(routes!(provider_costs::get_provider_costs))
        .routes(routes!(secrets::rotate_secrets))
        .routes(routes!(explain::explain_route))
}
