//! What administrators of the platform do in the web app. The door has made sure that they are.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use schemas::Timestamp;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Dashboard;
use crate::http::caller::{Administrator, Caller};
use crate::http::error::ApiError;
use crate::signin::SignedIn;

mod accounts;
mod audit;
mod channels;
mod codes;
mod prices;
mod provider_costs;
mod users;

pub fn routes() -> OpenApiRouter<Arc<Dashboard>> {
    OpenApiRouter::default()
        .routes(routes!(accounts::list_all_accounts, accounts::create_customer_account))
        .routes(routes!(accounts::get_any_account, accounts::update_any_account))
        .routes(routes!(accounts::credit_account))
        .routes(routes!(users::list_users))
        .routes(routes!(users::update_user))
        .routes(routes!(channels::list_all_channels, channels::add_channel))
        .routes(routes!(channels::get_any_channel, channels::change_any_channel, channels::remove_channel))
        .routes(routes!(channels::probe_channel))
        .routes(routes!(channels::get_any_channel_health))
        .routes(routes!(channels::list_provider_kinds))
        .routes(routes!(prices::list_offered_models))
        .routes(routes!(prices::list_price_versions, prices::create_price_version))
        .routes(routes!(prices::withdraw_price_version))
        .routes(routes!(provider_costs::get_costs_of_providers))
        .routes(routes!(codes::list_code_batches, codes::create_codes))
        .routes(routes!(codes::list_codes, codes::void_codes))
        .routes(routes!(audit::list_audit_records))
        .routes(routes!(audit::get_audit_report, audit::run_audit))
        .routes(routes!(audit::get_system))
}

/// Somebody who administers the platform, in the form the administration of management keys knows.
impl FromRequestParts<Arc<Dashboard>> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Arc<Dashboard>) -> Result<Self, ApiError> {
        let signed_in = SignedIn::from_request_parts(parts, dashboard).await?;
        if !signed_in.user.is_platform_admin {
            return Err(ApiError::permission_denied("Only administrators of the platform may do this."));
        }
        let (catalog, now) = (dashboard.services.control.catalog_full(), Timestamp::now());
        Ok(Self(Caller { key: catalog.local_key(now), catalog, now, is_local: false, person: Some(signed_in.user.id) }))
    }
}
