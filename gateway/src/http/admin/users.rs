//! A new password for somebody who lost theirs: there is no mail server, so an operator tells them.
//!
//! **On the deployment's own machine only.** A management key must not become anybody's session.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::control::people::{Passwords, User, mint_password, normal_email};
use crate::control::services::Services;
use crate::control::store::Sessions;
use crate::http::caller::Administrator;
use crate::http::envelope::{Data, JsonBody};
use crate::http::error::ApiError;

/// Where it is asked for, on the socket.
pub const RESET_PASSWORD_PATH: &str = "/admin/users/reset-password";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    email: String,
}

/// The only place that shows the password.
#[derive(Debug, Serialize)]
pub struct PasswordReset {
    user_id: String,
    email: String,
    password: String,
    /// Browsers that were signed in and are no longer.
    sessions_ended: u64,
}

/// Gives somebody a password that is made up, and ends all their sessions.
pub async fn reset_password(
    administrator: Administrator,
    State(services): State<Arc<Services>>,
    JsonBody(body): JsonBody<ResetPassword>,
) -> Result<Data<PasswordReset>, ApiError> {
    if !administrator.0.is_local {
        return Err(ApiError::permission_denied("Passwords are reset on the deployment's own machine: `tollgate users reset-password`."));
    }
    let unknown = || ApiError::not_found("There is nobody with this e-mail address.").with_param("email");
    let email = normal_email(&body.email).ok_or_else(unknown)?;
    let store = services.control.store();
    let user = store.user_by_email(&email).await?.ok_or_else(unknown)?;
    let password = mint_password().map_err(ApiError::internal)?;
    let hash = Passwords::new().map_err(ApiError::internal)?.hash(&password).await.map_err(ApiError::internal)?;
    let act = administrator.act();
    store.change_user(&act, "user.password_reset", user.id, |user: &mut User| user.password_hash = Some(hash)).await?;
    let sessions_ended = store.revoke_sessions(&act, user.id, Sessions::All).await?;
    let data = PasswordReset { user_id: user.id.to_string(), email, password: password.expose().to_owned(), sessions_ended };
    Ok(Data { data })
}
