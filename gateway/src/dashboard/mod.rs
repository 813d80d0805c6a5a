//! The web app's API below `/api/app`: what people see and do with a session.
//!
//! Owns its door ([`door`]): who asks, whether the request is really theirs, and whether their role may do it, by one
//! table ([`permissions`]). **A route that is not in the table is closed.** Handlers behind the door ask nobody again.
//! Start at [`router`].

mod accounts;
mod activity;
pub mod address;
mod admin;
mod audit;
pub mod authorization;
mod balance_alerts;
mod door;
mod generations;
mod journal;
mod keys;
pub mod live;
mod members;
pub mod money;
pub mod operations;
pub mod paging;
pub mod permissions;
mod preferences;
mod profile;
mod redemptions;
pub mod session;
mod sessions;
pub mod statistics;
mod transactions;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use http::HeaderMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::control::services::Services;
use crate::http::error::{ApiError, ErrorType};
use crate::http::peer::TrustedProxies;
use crate::signin::{self, SignIn, SignedIn};

pub use door::Member;
pub use live::{LiveFeed, LiveOptions};
pub use operations::Operations;

/// The header that carries a session's CSRF token.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// What the web app's routes work with.
pub struct Dashboard {
    pub services: Arc<Services>,
    pub sign_in: SignIn,
    pub trusted_proxies: TrustedProxies,
    pub operations: Operations,
    pub live: LiveFeed,
    /// Whether the statistics of all customers together are shown to everyone.
    pub public_statistics: bool,
}

impl Dashboard {
    /// 403 unless a request carries the session's own token.
    pub fn check_csrf(&self, signed_in: &SignedIn, headers: &HeaderMap) -> Result<(), ApiError> {
        let token = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if self.sign_in.tokens.is_csrf(signed_in.session.id, token) {
            return Ok(());
        }
        let message = "The X-CSRF-Token header is missing or not this session's; load the page again.";
        Err(ApiError::new(ErrorType::PermissionDenied, message).with_metadata("reason", "csrf"))
    }
}

/// Every route of the web app's own, with what OpenAPI says of them.
pub fn documented_routes() -> OpenApiRouter<Arc<Dashboard>> {
    OpenApiRouter::default()
        .merge(statistics::routes())
        .routes(routes!(generations::list_generations))
        .routes(routes!(generations::get_app_generation))
        .routes(routes!(activity::get_account_activity))
        .routes(routes!(live::watch_account))
        .routes(routes!(session::get_session))
        .routes(routes!(preferences::get_preferences, preferences::update_preferences))
        .routes(routes!(profile::update_profile))
        .routes(routes!(profile::change_password))
        .routes(routes!(sessions::list_sessions, sessions::sign_out_everywhere))
        .routes(routes!(sessions::end_session))
        .routes(routes!(accounts::get_app_account, accounts::update_app_account))
        .routes(routes!(accounts::get_account_preferences, accounts::update_account_preferences))
        .routes(routes!(members::list_members))
        .routes(routes!(members::update_member, members::remove_member))
        .routes(routes!(members::list_invitations, members::create_invitation))
        .routes(routes!(members::revoke_invitation))
        .routes(routes!(keys::list_app_keys, keys::create_app_key))
        .routes(routes!(keys::get_app_key, keys::update_app_key, keys::delete_app_key))
        .routes(routes!(transactions::list_account_transactions))
        .routes(routes!(transactions::export_transactions))
        .routes(routes!(journal::list_ledger_entries))
        .routes(routes!(audit::get_account_audit))
        .routes(routes!(redemptions::redeem_code))
        .routes(routes!(
            balance_alerts::get_app_balance_alert,
            balance_alerts::set_app_balance_alert,
            balance_alerts::delete_app_balance_alert
        ))
        .routes(routes!(balance_alerts::rotate_app_balance_alert_secret))
        .routes(routes!(balance_alerts::list_app_balance_alert_deliveries))
        .routes(routes!(authorization::consent::create_authorization_code))
        .merge(admin::routes())
        .merge(signin::routes())
}

/// The routes behind their door, with their state: they can be merged into a router of any other.
pub fn router<S: Clone + Send + Sync + 'static>(dashboard: Arc<Dashboard>) -> Router<S> {
    let (routes, _) = documented_routes().split_for_parts();
    routes.merge(signin::oidc::routes()).layer(from_fn_with_state(Arc::clone(&dashboard), door::admit)).with_state(dashboard)
}
