//! Third-party apps: somebody who is signed in lets an app have a key (OpenRouter's PKCE flow).
//!
//! The app gets a code by way of the browser and trades it in at `/api/v1/auth/keys`, with the verifier that only it
//! has. A code is used up by the first who shows it, and worth nothing once whoever gave it may make no keys any more.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::permissions::USERS;
use super::{Dashboard, Member};
use crate::control::key::{ApiKey, KeyKind, KeyScope, LimitReset, mint_key};
use crate::control::people::{UserStatus, token_sha256};
use crate::control::secrets::random_hex_32;
use crate::control::services::Services;
use crate::control::store::{Act, AuthorizationCode, ControlStore, StoreError};
use crate::http::envelope::{Data, JsonBody, UsdAmount, created};
use crate::http::error::ApiError;
use crate::signin::SignedIn;

/// How long a code can be traded in.
const CODE_LIFETIME_MICROS: i64 = 10 * 60 * 1_000_000;
const URL_BYTES_MAX: usize = 2_048;
const NAME_CHARS_MAX: usize = 100;
/// Of a key of an app that said neither its name nor its address.
const NAME_WITHOUT_HOST: &str = "app";
/// RFC 7636's bounds of a challenge and a verifier.
const CHALLENGE_BYTES: std::ops::RangeInclusive<usize> = 43..=128;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Authorize {
    /// Absent for an app without a browser of its own: the page shows the code, and a challenge is needed.
    callback_url: Option<String>,
    code_challenge: Option<String>,
    /// `S256` or `plain`.
    code_challenge_method: Option<String>,
    /// Given back to the app as it is.
    state: Option<String>,
    /// Of the key; default: the app's host.
    name: Option<String>,
    #[schema(value_type = Option<String>)]
    limit: Option<UsdAmount>,
    #[schema(value_type = Option<String>)]
    limit_reset: Option<LimitReset>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Authorized {
    /// Where the browser goes next: the app, with its code.
    redirect_url: Option<String>,
    /// To be shown, where there is nowhere to go: the person carries it to the app.
    code: Option<String>,
}

/// Lets an app have a key of this account.
#[utoipa::path(post, path = "/api/app/accounts/{account}/authorization-codes", tag = "keys", params(("account" = String, Path)),
    request_body = Authorize, responses((status = 201, body = Data<Authorized>), (status = 400), (status = 403)))]
pub async fn create_authorization_code(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<Authorize>,
) -> Result<Response, ApiError> {
    let host = body.callback_url.as_deref().map(callback_host).transpose()?;
    if host.is_none() && body.code_challenge.is_none() {
        return Err(ApiError::bad_request("code_challenge", "`code_challenge` is needed where there is no `callback_url`"));
    }
    let method = challenge_method(body.code_challenge.as_deref(), body.code_challenge_method.as_deref())?;
    let name = body.name.or(host).unwrap_or_else(|| NAME_WITHOUT_HOST.to_owned());
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(ApiError::bad_request("name", format!("`name` must have 1 to {NAME_CHARS_MAX} characters")));
    }
    if body.limit.is_some_and(|limit| limit.0.is_negative()) {
        return Err(ApiError::bad_request("limit", "`limit` must not be negative"));
    }
    if body.expires_at.is_some_and(|expires_at| expires_at <= signed_in.now) {
        return Err(ApiError::bad_request("expires_at", "`expires_at` must be in the future"));
    }
    let code = random_hex_32().map_err(ApiError::internal)?;
    let stored = AuthorizationCode {
        code_sha256: token_sha256(&code),
        account_id: member.account_id,
        user_id: signed_in.user.id,
        challenge: body.code_challenge,
        challenge_method: method,
        key_name: name,
        limit: body.limit.map(|limit| limit.0),
        limit_reset: body.limit_reset,
        key_expires_at: body.expires_at,
        created_at: signed_in.now,
        expires_at: signed_in.now.plus_micros(CODE_LIFETIME_MICROS),
    };
    dashboard.services.control.store().insert_authorization_code(&stored).await?;
    let Some(callback_url) = body.callback_url else {
        return Ok(created(Authorized { redirect_url: None, code: Some(code.as_str().to_owned()) }));
    };
    let separator = if callback_url.contains('?') { '&' } else { '?' };
    let state = body.state.map(|state| format!("&state={}", percent_encoded(&state))).unwrap_or_default();
    let redirect_url = format!("{callback_url}{separator}code={}{state}", code.as_str());
    Ok(created(Authorized { redirect_url: Some(redirect_url), code: None }))
}

/// Only https, or http on the app's own machine: a code must not cross a network in the clear.
fn callback_host(url: &str) -> Result<String, ApiError> {
    let bad = || ApiError::bad_request("callback_url", "`callback_url` must be an https address, or http on localhost");
    let uri: Uri = if url.len() > URL_BYTES_MAX || url.contains('#') { return Err(bad()) } else { url.parse().map_err(|_| bad())? };
    let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(bad)?;
    let host = authority.host();
    let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => Ok(host.to_owned()),
        Some("http") if is_local => Ok(host.to_owned()),
        _ => Err(bad()),
    }
}

fn challenge_method(challenge: Option<&str>, method: Option<&str>) -> Result<Option<String>, ApiError> {
    let Some(challenge) = challenge else {
        return match method {
            None => Ok(None),
            Some(_) => Err(ApiError::bad_request("code_challenge", "`code_challenge` is missing")),
        };
    };
    if !CHALLENGE_BYTES.contains(&challenge.len()) || !challenge.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    {
        return Err(ApiError::bad_request("code_challenge", "`code_challenge` must have 43 to 128 letters, digits, or one of `-._~`"));
    }
    match method.unwrap_or("plain") {
        method @ ("S256" | "plain") => Ok(Some(method.to_owned())),
        _ => Err(ApiError::bad_request("code_challenge_method", "Invalid code_challenge_method")),
    }
}

#[derive(Debug, Deserialize, ToSchema)]
pub struct TradeIn {
    code: String,
    code_verifier: Option<String>,
    code_challenge_method: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TradedIn {
    key: String,
    user_id: String,
}

/// Trades a code in for a key. No session and no key: the code and its verifier are the proof.
#[utoipa::path(post, path = "/auth/keys", tag = "keys", request_body = TradeIn,
    responses((status = 200, body = TradedIn), (status = 400), (status = 403)))]
pub async fn trade_in_authorization_code(
    State(services): State<Arc<Services>>,
    JsonBody(body): JsonBody<TradeIn>,
) -> Result<Json<TradedIn>, ApiError> {
    let now = Timestamp::now();
    let refused = || ApiError::permission_denied("Invalid code or code_verifier");
    if body.code_challenge_method.as_deref().is_some_and(|method| !matches!(method, "S256" | "plain")) {
        return Err(ApiError::bad_request("code_challenge_method", "Invalid code_challenge_method"));
    }
    let code = services.control.store().take_authorization_code(&token_sha256(&body.code)).await?.ok_or_else(refused)?;
    if code.expires_at <= now {
        return Err(ApiError::permission_denied("Authorization code expired"));
    }
    let agrees = body.code_challenge_method.is_none() || body.code_challenge_method == code.challenge_method;
    if !agrees || !proves(&code, body.code_verifier.as_deref()) {
        return Err(refused());
    }
    if !may_still_make_keys(services.control.store(), &code).await? {
        return Err(ApiError::permission_denied("Whoever gave this code may no longer make keys in the account"));
    }
    let secret = mint_key().map_err(ApiError::internal)?;
    let key = ApiKey {
        limit_nanos: code.limit,
        limit_reset: code.limit_reset,
        expires_at: code.key_expires_at,
        creator_user_id: Some(code.user_id),
        ..ApiKey::new(&secret, code.account_id, code.key_name, KeyKind::Inference, KeyScope::Account, now)
    };
    services.control.create_key(&Act::new(code.user_id.to_string(), now), key).await?;
    Ok(Json(TradedIn { key: secret.expose().to_owned(), user_id: code.user_id.to_string() }))
}

/// Whether whoever gave a code could give it now: they can sign in, and their role in the account is one that makes keys.
async fn may_still_make_keys(store: &ControlStore, code: &AuthorizationCode) -> Result<bool, StoreError> {
    let is_active = store.user(code.user_id).await?.is_some_and(|user| user.status == UserStatus::Active);
    let accounts = store.accounts_of(code.user_id).await?;
    Ok(is_active && accounts.iter().any(|member| member.id == code.account_id && USERS.contains(&member.role)))
}

/// Whether whoever shows a code is the app it was given to.
fn proves(code: &AuthorizationCode, verifier: Option<&str>) -> bool {
    let Some(challenge) = &code.challenge else { return true };
    let Some(verifier) = verifier else { return false };
    let shown = match code.challenge_method.as_deref() {
        Some("S256") => URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())),
        _ => verifier.to_owned(),
    };
    verify_slices_are_equal(shown.as_bytes(), challenge.as_bytes()).is_ok()
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}
