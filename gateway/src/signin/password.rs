//! Signing in with a password, signing up, signing out.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, StatusCode};
use schemas::Timestamp;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::control::ControlError;
use crate::control::account::{ACCOUNT_NAME_CHARS_MAX, Account};
use crate::control::people::{User, UserStatus, normal_email};
use crate::control::secrets::Secret;
use crate::control::store::{Act, Sessions, StoreError};
use crate::dashboard::address::ClientAddress;
use crate::dashboard::{Dashboard, session::SessionView};
use crate::http::envelope::{Data, JsonBody};
use crate::http::error::{ApiError, ErrorType};
use crate::signin::SignedIn;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    email: String,
    #[schema(value_type = String, format = Password)]
    password: Secret,
}

/// Signs in with an e-mail address and a password. What is wrong is not told.
#[utoipa::path(post, path = "/auth/sign-in", tag = "sign-in", request_body = SignInRequest,
    responses((status = 200, body = Data<SessionView>), (status = 401), (status = 429)))]
pub async fn sign_in(
    State(dashboard): State<Arc<Dashboard>>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SignInRequest>,
) -> Result<Response, ApiError> {
    let (desk, control, now) = (&dashboard.sign_in, &dashboard.services.control, Timestamp::now());
    let email = normal_email(&body.email).ok_or_else(|| ApiError::bad_request("email", "`email` must be an e-mail address"))?;
    desk.take_address(address)?;
    desk.take_email(&email)?;
    let user = control.store().user_by_email(&email).await?;
    let hash = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let is_right = desk.passwords.verify(&body.password, hash).await?;
    let Some(user) = user.filter(|user| is_right && user.status == UserStatus::Active) else {
        return Err(not_signed_in());
    };
    desk.was_right(address, &email);
    let (session, cookies) = desk.begin(control, &user, &headers, address, now).await?;
    let view = SessionView::of(&dashboard, user, &session).await?;
    Ok((with_cookies(cookies), Data { data: view }).into_response())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUpRequest {
    email: String,
    #[schema(value_type = String, format = Password)]
    password: Secret,
    name: String,
    account_name: String,
}

/// Makes an account and its owner, where the deployment lets strangers in (`auth.sign_up`).
#[utoipa::path(post, path = "/auth/sign-up", tag = "sign-in", request_body = SignUpRequest,
    responses((status = 201, body = Data<SessionView>), (status = 403), (status = 409), (status = 429)))]
pub async fn sign_up(
    State(dashboard): State<Arc<Dashboard>>,
    ClientAddress(address): ClientAddress,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SignUpRequest>,
) -> Result<Response, ApiError> {
    let (desk, control, now) = (&dashboard.sign_in, &dashboard.services.control, Timestamp::now());
    if !desk.options.sign_up {
        return Err(ApiError::permission_denied("Ask an administrator for an invitation; signing up is closed here."));
    }
    let email = normal_email(&body.email).ok_or_else(|| ApiError::bad_request("email", "`email` must be an e-mail address"))?;
    let name = valid_name(&body.name)?;
    let account_name = Account::name_of(&body.account_name).ok_or_else(|| {
        ApiError::bad_request("account_name", format!("`account_name` must have 1 to {ACCOUNT_NAME_CHARS_MAX} characters"))
    })?;
    desk.take_address(address)?;
    let hash = desk.passwords.hash(&body.password).await?;
    let account = Account::new(account_name.to_owned(), now);
    let user = User { password_hash: Some(hash), ..User::new(account.id, email, name, now) };
    match dashboard.services.sign_up(&Act::new("sign-up", now), &account, &user, None).await {
        Err(ControlError::Store(StoreError::Exists { .. })) => {
            return Err(ApiError::conflict("There is somebody with this e-mail address already; sign in instead."));
        }
        signed_up => signed_up?,
    }
    let (session, cookies) = desk.begin(control, &user, &headers, address, now).await?;
    let view = SessionView::of(&dashboard, user, &session).await?;
    Ok((StatusCode::CREATED, with_cookies(cookies), Data { data: view }).into_response())
}

/// Ends the session.
#[utoipa::path(post, path = "/auth/sign-out", tag = "sign-in", responses((status = 204), (status = 401)))]
pub async fn sign_out(State(dashboard): State<Arc<Dashboard>>, signed_in: SignedIn) -> Result<Response, ApiError> {
    let store = dashboard.services.control.store();
    store.revoke_sessions(&signed_in.act(), signed_in.user.id, Sessions::One(signed_in.session.id)).await?;
    Ok((StatusCode::NO_CONTENT, with_cookies(dashboard.sign_in.no_cookies())).into_response())
}

/// A person's name as it is kept.
pub fn valid_name(text: &str) -> Result<String, ApiError> {
    if User::is_name(text) {
        Ok(text.trim().to_owned())
    } else {
        Err(ApiError::bad_request("name", "`name` must have 1 to 200 characters"))
    }
}

/// `Set-Cookie` for each.
pub fn with_cookies(cookies: Vec<HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    headers
}

fn not_signed_in() -> ApiError {
    ApiError::new(ErrorType::Authentication, "The e-mail address or the password is not right.")
        .with_metadata("reason", "invalid_credentials")
}
