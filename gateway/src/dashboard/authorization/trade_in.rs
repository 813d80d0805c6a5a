//! `POST /auth/keys`: an app trades its code in for a key.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemas::{AccountId, KeyId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::control::key::{ApiKey, KeyKind, KeyScope, mint_key};
use crate::control::people::{UserStatus, token_sha256};
use crate::control::services::Services;
use crate::control::store::{Act, AuthorizationCode, CodeGiver, ControlStore, StoreError};
use crate::dashboard::permissions::USERS;
use crate::http::envelope::JsonBody;
use crate::http::error::ApiError;

#[derive(Debug, Deserialize, ToSchema)]
pub struct TradeIn {
    code: String,
    code_verifier: Option<String>,
    code_challenge_method: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct TradedIn {
    key: String,
    /// Who gave the code; `null` where a management key did.
    user_id: Option<String>,
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
    if !may_still_make_keys(&services, &code, now).await? {
        return Err(ApiError::permission_denied("Whoever gave this code may no longer make keys in the account"));
    }
    let secret = mint_key().map_err(ApiError::internal)?;
    let creator = code.giver.person();
    let key = ApiKey {
        limit_nanos: code.limit,
        limit_reset: code.limit_reset,
        expires_at: code.key_expires_at,
        creator_user_id: creator,
        ..ApiKey::new(&secret, code.account_id, code.key_name, KeyKind::Inference, KeyScope::Account, now)
    };
    services.control.create_key(&Act::new(code.giver.to_string(), now), key).await?;
    Ok(Json(TradedIn { key: secret.expose().to_owned(), user_id: creator.map(|user| user.to_string()) }))
}

/// Whether whoever gave a code could give it now.
async fn may_still_make_keys(services: &Services, code: &AuthorizationCode, now: Timestamp) -> Result<bool, StoreError> {
    match code.giver {
        CodeGiver::Person(user) => person_makes_keys(services.control.store(), user, code.account_id).await,
        CodeGiver::Key(key) => key_makes_keys(services, key, code.account_id, now).await,
    }
}

/// They can sign in, and their role in the account is one that makes keys.
async fn person_makes_keys(store: &ControlStore, user: UserId, account: AccountId) -> Result<bool, StoreError> {
    let is_active = store.user(user).await?.is_some_and(|user| user.status == UserStatus::Active);
    let accounts = store.accounts_of(user).await?;
    Ok(is_active && accounts.iter().any(|member| member.id == account && USERS.contains(&member.role)))
}

/// As the store has it, it is there and good, and administers the account.
async fn key_makes_keys(services: &Services, key: KeyId, account: AccountId, now: Timestamp) -> Result<bool, StoreError> {
    let Some(key) = services.control.store().key(key).await? else { return Ok(false) };
    let is_good = services.control.catalog().check(&key, now).is_ok();
    let reaches = key.account_id == account || key.scope == KeyScope::Platform;
    Ok(is_good && reaches && key.kind == KeyKind::Management)
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
