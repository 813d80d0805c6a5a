//! A person's own name and password.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Dashboard;
use super::address::ClientAddress;
use super::session::UserView;
use crate::control::people::User;
use crate::control::secrets::Secret;
use crate::control::store::Sessions;
use crate::http::envelope::{Data, JsonBody};
use crate::http::error::{ApiError, ErrorType};
use crate::signin::{SignedIn, valid_name};

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateProfile {
    name: String,
}

/// Changes one's name.
#[utoipa::path(patch, path = "/api/app/profile", tag = "web app", request_body = UpdateProfile,
    responses((status = 200, body = Data<UserView>), (status = 400), (status = 401)))]
pub async fn update_profile(
    State(dashboard): State<Arc<Dashboard>>,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<UpdateProfile>,
) -> Result<Data<UserView>, ApiError> {
    let name = valid_name(&body.name)?;
    let store = dashboard.services.control.store();
    let user = store.change_user(&signed_in.act(), "user.changed", signed_in.user.id, |user: &mut User| user.name = name).await?;
    Ok(Data { data: UserView::of(user) })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// Absent for somebody who has none yet.
    #[schema(value_type = Option<String>, format = Password)]
    current_password: Option<Secret>,
    #[schema(value_type = String, format = Password)]
    new_password: Secret,
}

/// Changes one's password and ends all other sessions.
#[utoipa::path(post, path = "/api/app/profile/password", tag = "web app", request_body = ChangePassword,
    responses((status = 204), (status = 400), (status = 401), (status = 403), (status = 429)))]
pub async fn change_password(
    State(dashboard): State<Arc<Dashboard>>,
    ClientAddress(address): ClientAddress,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    let (desk, store) = (&dashboard.sign_in, dashboard.services.control.store());
    if let Some(hash) = signed_in.user.password_hash.as_deref() {
        desk.take_address(address)?;
        desk.take_email(&signed_in.user.email)?;
        let current = body.current_password.unwrap_or_else(|| Secret::new(""));
        if !desk.passwords.verify(&current, Some(hash)).await? {
            let error = ApiError::new(ErrorType::PermissionDenied, "The current password is not right.");
            return Err(error.with_param("current_password").with_metadata("reason", "invalid_credentials"));
        }
        desk.was_right(address, &signed_in.user.email);
    }
    let hash = desk.passwords.hash(&body.new_password).await.map_err(|error| ApiError::from(error).with_param("new_password"))?;
    let act = signed_in.act();
    store.change_user(&act, "user.password_changed", signed_in.user.id, |user: &mut User| user.password_hash = Some(hash)).await?;
    store.revoke_sessions(&act, signed_in.user.id, Sessions::AllBut(signed_in.session.id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
