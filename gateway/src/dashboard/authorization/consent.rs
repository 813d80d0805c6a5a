//! Somebody who is signed in says yes to an app, in the web app's own page.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Wanted;
use crate::control::key::LimitReset;
use crate::control::store::CodeGiver;
use crate::dashboard::{Dashboard, Member};
use crate::http::envelope::{Data, JsonBody, UsdAmount, created};
use crate::http::error::ApiError;
use crate::signin::SignedIn;

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
    request_body = Authorize, responses((status = 201, body = Data<Authorized>), (status = 400), (status = 403), (status = 409)))]
pub async fn create_authorization_code(
    State(dashboard): State<Arc<Dashboard>>,
    member: Member,
    signed_in: SignedIn,
    JsonBody(body): JsonBody<Authorize>,
) -> Result<Response, ApiError> {
    if body.callback_url.is_none() && body.code_challenge.is_none() {
        return Err(ApiError::bad_request("code_challenge", "`code_challenge` is needed where there is no `callback_url`"));
    }
    let wanted = Wanted {
        callback_url: body.callback_url.clone(),
        challenge: body.code_challenge,
        challenge_method: body.code_challenge_method,
        key_name: body.name,
        key_name_field: "name",
        limit: body.limit.map(|limit| limit.0),
        limit_reset: body.limit_reset,
        key_expires_at: body.expires_at,
    };
    let (store, giver) = (dashboard.services.control.store(), CodeGiver::Person(signed_in.user.id));
    let code = wanted.give(store, giver, member.account_id, &signed_in.act()).await?;
    let Some(callback_url) = body.callback_url else {
        return Ok(created(Authorized { redirect_url: None, code: Some(code) }));
    };
    let separator = if callback_url.contains('?') { '&' } else { '?' };
    let state = body.state.map(|state| format!("&state={}", percent_encoded(&state))).unwrap_or_default();
    let redirect_url = format!("{callback_url}{separator}code={code}{state}");
    Ok(created(Authorized { redirect_url: Some(redirect_url), code: None }))
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encode).collect()
}
