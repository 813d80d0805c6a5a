//! `POST /auth/keys/code`: a program of an account's gives an app its code, without a page.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use schemas::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::giver::Giver;
use super::{Callback, Wanted};
use crate::control::ControlError;
use crate::control::key::LimitReset;
use crate::dashboard::Dashboard;
use crate::http::datasets::app_id;
use crate::http::envelope::{Data, JsonBody, UsdAmount};
use crate::http::error::ApiError;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateKeyCode {
    /// Where the app is: https, or http on localhost. Nothing is sent there; it says whose code it is.
    callback_url: String,
    code_challenge: Option<String>,
    /// `S256` or `plain`.
    code_challenge_method: Option<String>,
    /// In USD: what the key may spend.
    #[schema(value_type = Option<f64>)]
    limit: Option<UsdAmount>,
    /// When the key's limit begins anew; absent, it is for the key's whole life.
    #[schema(value_type = Option<LimitReset>)]
    usage_limit_type: Option<LimitReset>,
    /// When the key ends.
    expires_at: Option<Timestamp>,
    /// The key's name; default: the app's host.
    #[schema(max_length = 100)]
    key_label: Option<String>,
    /// The key's account. Absent, it is the management key's own, or the only one in which somebody signed in makes keys.
    #[serde(alias = "account_id")]
    workspace_id: Option<AccountId>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct KeyCode {
    /// The code: to be traded in at `/auth/keys` within ten minutes, once.
    id: String,
    /// Of the callback's origin: the same for the same app, for ever.
    app_id: u64,
    created_at: Timestamp,
}

/// Makes a code that an app trades in for a key at `/auth/keys`.
#[utoipa::path(post, path = "/auth/keys/code", tag = "keys", request_body = CreateKeyCode, security(("key" = []), ("session" = [])),
    responses((status = 200, body = Data<KeyCode>), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
pub async fn create_key_code(
    giver: Giver,
    State(dashboard): State<Arc<Dashboard>>,
    JsonBody(body): JsonBody<CreateKeyCode>,
) -> Result<Response, ApiError> {
    let account_id = giver.account(body.workspace_id)?;
    if dashboard.services.control.catalog_full().account(account_id).is_none() {
        return Err(ControlError::NoAccount(account_id).into());
    }
    let act = giver.act();
    let app = app_id(&Callback::parse(&body.callback_url)?.origin);
    let wanted = Wanted {
        callback_url: Some(body.callback_url),
        challenge: body.code_challenge,
        challenge_method: body.code_challenge_method,
        key_name: body.key_label,
        key_name_field: "key_label",
        limit: body.limit.map(|limit| limit.0),
        limit_reset: body.usage_limit_type,
        key_expires_at: body.expires_at,
    };
    let id = wanted.give(dashboard.services.control.store(), giver.recorded(), account_id, &act).await?;
    let mut response = Data { data: KeyCode { id, app_id: app, created_at: act.at } }.into_response();
    if let Some(cookie) = giver.renewed() {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}
