//! Accepting an invitation: by somebody new, who chooses a password, or by somebody who is signed in.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::password::{valid_name, with_cookies};
use crate::control::people::{Invitation, Role, User, token_sha256};
use crate::control::secrets::Secret;
use crate::control::store::Act;
use crate::dashboard::address::ClientAddress;
use crate::dashboard::{Dashboard, session::SessionView};
use crate::http::envelope::{Data, JsonBody, UrlPath};
use crate::http::error::ApiError;
use crate::signin::SignedIn;

/// An invitation as whoever has its link sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationView {
    email: String,
    account_name: String,
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// What an invitation is to.
#[utoipa::path(get, path = "/auth/invitations/{token}", tag = "sign-in", params(("token" = String, Path)),
    responses((status = 200, body = Data<InvitationView>), (status = 404)))]
pub async fn get_invitation(
    State(dashboard): State<Arc<Dashboard>>,
    ClientAddress(address): ClientAddress,
    UrlPath(token): UrlPath<String>,
) -> Result<Data<InvitationView>, ApiError> {
    dashboard.sign_in.take_address(address)?;
    let invitation = open_invitation(&dashboard, &token, Timestamp::now()).await?;
    let account = dashboard.services.control.store().account(invitation.account_id).await?.ok_or_else(no_invitation)?;
    Ok(Data {
        data: InvitationView {
            email: invitation.email,
            account_name: account.name,
            role: invitation.role,
            expires_at: invitation.expires_at,
        },
    })
}

/// Empty for somebody who is signed in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    name: Option<String>,
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Secret>,
}

/// Joins the account. Somebody who is known by the address signs in first.
#[utoipa::path(post, path = "/auth/invitations/{token}/accept", tag = "sign-in", params(("token" = String, Path)),
    request_body = AcceptInvitation, responses((status = 200, body = Data<SessionView>), (status = 404), (status = 409)))]
pub async fn accept_invitation(
    State(dashboard): State<Arc<Dashboard>>,
    ClientAddress(address): ClientAddress,
    signed_in: Option<axum::Extension<Arc<SignedIn>>>,
    headers: HeaderMap,
    UrlPath(token): UrlPath<String>,
    JsonBody(body): JsonBody<AcceptInvitation>,
) -> Result<Response, ApiError> {
    let (desk, control, now) = (&dashboard.sign_in, &dashboard.services.control, Timestamp::now());
    desk.take_address(address)?;
    let invitation = open_invitation(&dashboard, &token, now).await?;
    if let Some(axum::Extension(signed_in)) = signed_in {
        dashboard.check_csrf(&signed_in, &headers)?;
        control.store().accept_invitation(&signed_in.act(), &invitation, signed_in.user.id, None).await?;
        let view = SessionView::of(&dashboard, signed_in.user.clone(), &signed_in.session).await?;
        return Ok(Data { data: view }.into_response());
    }
    let name = valid_name(body.name.as_deref().unwrap_or_default())?;
    let password = body.password.ok_or_else(|| ApiError::bad_request("password", "`password` is missing"))?;
    let hash = desk.passwords.hash(&password).await?;
    if control.store().user_by_email(&invitation.email).await?.is_some() {
        return Err(ApiError::conflict("There is somebody with this e-mail address already; sign in and open the link again."));
    }
    let user = User { password_hash: Some(hash), ..User::new(invitation.account_id, invitation.email.clone(), name, now) };
    control.store().accept_invitation(&Act::new(user.id.to_string(), now), &invitation, user.id, Some(&user)).await?;
    let (session, cookies) = desk.begin(control, &user, &headers, address, now).await?;
    let view = SessionView::of(&dashboard, user, &session).await?;
    Ok((with_cookies(cookies), Data { data: view }).into_response())
}

async fn open_invitation(dashboard: &Dashboard, token: &str, now: Timestamp) -> Result<Invitation, ApiError> {
    let known = dashboard.services.control.store().invitation_by_token(&token_sha256(token)).await?;
    known.filter(|invitation| invitation.is_open(now)).ok_or_else(no_invitation)
}

fn no_invitation() -> ApiError {
    ApiError::not_found("This invitation is not known, was used, or has ended. Ask for a new one.")
}
