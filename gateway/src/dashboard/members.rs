//! Who belongs to an account, and who is asked to.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use schemas::{Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Dashboard, Member};
use crate::control::people::{INVITATION_LIFETIME, Invitation, Role, normal_email, token_sha256};
use crate::control::secrets::random_hex_32;
use crate::http::envelope::{DataPage, JsonBody, UrlPath, created};
use crate::http::error::ApiError;
use crate::signin::SignedIn;

#[derive(Debug, Serialize, ToSchema)]
pub struct MemberView {
    user_id: String,
    name: String,
    email: String,
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    joined_at: Timestamp,
}

/// Everybody in an account.
#[utoipa::path(get, path = "/api/app/accounts/{account}/members", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = DataPage<MemberView>), (status = 404)))]
pub async fn list_members(State(dashboard): State<Arc<Dashboard>>, member: Member) -> Result<DataPage<MemberView>, ApiError> {
    let members = dashboard.services.control.store().members(member.account_id).await?;
    let views = members.into_iter().map(|member| MemberView {
        user_id: member.user_id.to_string(),
        name: member.name,
        email: member.email,
        role: member.role,
        joined_at: member.joined_at,
    });
    Ok(DataPage { data: views.collect(), next_cursor: None })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateMember {
    role: Role,
}

/// Gives a member another role. Nobody changes those above them, and an account keeps an owner.
#[utoipa::path(patch, path = "/api/app/accounts/{account}/members/{user}", tag = "accounts",
    params(("account" = String, Path), ("user" = String, Path)), request_body = UpdateMember,
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
pub async fn update_member(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    UrlPath((_account, user)): UrlPath<(String, String)>,
    JsonBody(body): JsonBody<UpdateMember>,
) -> Result<StatusCode, ApiError> {
    let (user, by) = (known_user(&user)?, own_role(member)?);
    dashboard.services.control.store().set_role(&signed_in.act(), member.account_id, user, Some(body.role), by).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a member out of the account; what they made stays.
#[utoipa::path(delete, path = "/api/app/accounts/{account}/members/{user}", tag = "accounts",
    params(("account" = String, Path), ("user" = String, Path)), responses((status = 204), (status = 403), (status = 404), (status = 409)))]
pub async fn remove_member(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    UrlPath((_account, user)): UrlPath<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let (user, by) = (known_user(&user)?, own_role(member)?);
    dashboard.services.control.store().set_role(&signed_in.act(), member.account_id, user, None, by).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize, ToSchema)]
pub struct InvitationRow {
    id: String,
    email: String,
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// To be given to whoever is invited; shown once, to whoever made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
}

impl InvitationRow {
    fn of(invitation: &Invitation, link: Option<String>) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.clone(),
            role: invitation.role,
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
            link,
        }
    }
}

/// Invitations that can still be accepted.
#[utoipa::path(get, path = "/api/app/accounts/{account}/invitations", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = DataPage<InvitationRow>), (status = 403), (status = 404)))]
pub async fn list_invitations(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
) -> Result<DataPage<InvitationRow>, ApiError> {
    let invitations = dashboard.services.control.store().invitations(member.account_id, signed_in.now).await?;
    Ok(DataPage { data: invitations.iter().map(|invitation| InvitationRow::of(invitation, None)).collect(), next_cursor: None })
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvitation {
    email: String,
    role: Role,
}

/// Invites somebody by a link that works for a week and once.
#[utoipa::path(post, path = "/api/app/accounts/{account}/invitations", tag = "accounts", params(("account" = String, Path)),
    request_body = CreateInvitation, responses((status = 201, body = crate::http::envelope::Data<InvitationRow>), (status = 400), (status = 403)))]
pub async fn create_invitation(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<CreateInvitation>,
) -> Result<Response, ApiError> {
    let email = normal_email(&body.email).ok_or_else(|| ApiError::bad_request("email", "`email` must be an e-mail address"))?;
    if !signed_in.user.is_platform_admin && member.role.is_some_and(|role| !role.manages(body.role)) {
        return Err(ApiError::permission_denied("Only an owner of the account, or the platform, invites owners.").with_param("role"));
    }
    let token = random_hex_32().map_err(ApiError::internal)?;
    let lifetime = i64::try_from(INVITATION_LIFETIME.as_micros()).unwrap_or(i64::MAX / 4);
    let invitation = Invitation {
        id: Uuid::now_v7(),
        account_id: member.account_id,
        email,
        role: body.role,
        token_sha256: token_sha256(&token),
        invited_by: signed_in.user.id,
        created_at: signed_in.now,
        expires_at: signed_in.now.plus_micros(lifetime),
        accepted_at: None,
        revoked_at: None,
    };
    dashboard.services.control.store().insert_invitation(&signed_in.act(), &invitation).await?;
    let link = format!("{}/invitations/{}", dashboard.sign_in.options.public_url, token.as_str());
    Ok(created(InvitationRow::of(&invitation, Some(link))).into_response())
}

/// Takes an invitation back.
#[utoipa::path(delete, path = "/api/app/accounts/{account}/invitations/{invitation}", tag = "accounts",
    params(("account" = String, Path), ("invitation" = String, Path)), responses((status = 204), (status = 403), (status = 404)))]
pub async fn revoke_invitation(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    UrlPath((_account, invitation)): UrlPath<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let id = Uuid::parse_str(&invitation).map_err(|_| ApiError::not_found("There is no such invitation."))?;
    dashboard.services.control.store().revoke_invitation(&signed_in.act(), member.account_id, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn known_user(text: &str) -> Result<UserId, ApiError> {
    text.parse().map_err(|_| ApiError::not_found("There is no such member."))
}

/// The door lets only members in where something is changed.
fn own_role(member: Member) -> Result<Role, ApiError> {
    member.role.ok_or_else(|| ApiError::permission_denied("Only members of the account may do this."))
}
