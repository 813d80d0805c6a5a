//! The endpoints.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::{Form, Query, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{CODES_MAX, Granted, Misbehaviour, Person, Provider};

/// How long an id token is good for.
const TOKEN_SECONDS: u64 = 300;

type Shared = State<Arc<Provider>>;

pub async fn discovery(State(provider): Shared) -> Json<Value> {
    let issuer = &provider.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

pub async fn jwks(State(provider): Shared) -> Response {
    match provider.key.public() {
        Ok(key) => Json(json!({ "keys": [key] })).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

pub async fn set_person(State(provider): Shared, Json(person): Json<Person>) -> StatusCode {
    *provider.person.lock() = Some(person);
    StatusCode::NO_CONTENT
}

pub async fn misbehave(State(provider): Shared, Json(how): Json<Misbehaviour>) -> StatusCode {
    *provider.misbehaviour.lock() = how;
    StatusCode::NO_CONTENT
}

#[derive(Debug, Deserialize)]
pub struct AuthorizeQuery {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    scope: String,
    state: String,
    nonce: Option<String>,
    code_challenge: String,
    code_challenge_method: String,
}

/// Sends the browser back with a code, or with `access_denied` where nobody is signed in here.
pub async fn authorize(State(provider): Shared, Query(query): Query<AuthorizeQuery>) -> Response {
    let is_openid = query.scope.split(' ').any(|scope| scope == "openid");
    let is_fine = query.response_type == "code" && query.client_id == provider.client.client_id && is_openid;
    if !is_fine || query.code_challenge_method != "S256" {
        return (StatusCode::BAD_REQUEST, "not a request of the authorization code flow with PKCE").into_response();
    }
    let separator = if query.redirect_uri.contains('?') { '&' } else { '?' };
    let back = |rest: &str| Redirect::to(&format!("{}{separator}{rest}&state={}", query.redirect_uri, query.state)).into_response();
    let Some(person) = provider.person.lock().clone() else { return back("error=access_denied") };
    let Some(code) = random() else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    let mut codes = provider.codes.lock();
    if codes.len() >= CODES_MAX {
        return back("error=temporarily_unavailable");
    }
    let redirect_uri = query.redirect_uri.clone();
    codes.insert(code.clone(), Granted { person, redirect_uri, challenge: query.code_challenge.clone(), nonce: query.nonce.clone() });
    back(&format!("code={code}"))
}

#[derive(Debug, Deserialize)]
pub struct TokenForm {
    grant_type: String,
    code: String,
    redirect_uri: String,
    code_verifier: String,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// Trades a code in, once, for whoever has its verifier and the client's secret.
pub async fn token(State(provider): Shared, headers: HeaderMap, Form(form): Form<TokenForm>) -> Response {
    let refuse = |word: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": word }))).into_response();
    let shown = basic(&headers).or_else(|| Some((form.client_id.clone()?, form.client_secret.clone()?)));
    if shown != Some((provider.client.client_id.clone(), provider.client.client_secret.clone())) {
        return refuse("invalid_client");
    }
    let Some(granted) = provider.codes.lock().remove(&form.code) else { return refuse("invalid_grant") };
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form.code_verifier.as_bytes()));
    if form.grant_type != "authorization_code" || granted.challenge != challenge || granted.redirect_uri != form.redirect_uri {
        return refuse("invalid_grant");
    }
    match id_token(&provider, &granted) {
        Ok(id_token) => {
            Json(json!({ "access_token": "unused", "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "id_token": id_token }))
                .into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn id_token(provider: &Provider, granted: &Granted) -> Result<String, crate::KeyError> {
    let how = *provider.misbehaviour.lock();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut claims = json!({
        "iss": if how == Misbehaviour::OtherIssuer { "https://somebody.else.example" } else { &provider.issuer },
        "aud": if how == Misbehaviour::OtherAudience { "another-client" } else { &provider.client.client_id },
        "sub": granted.person.sub,
        "email": granted.person.email,
        "email_verified": granted.person.email_verified,
        "name": granted.person.name,
        "iat": now,
        "exp": if how == Misbehaviour::Expired { now - 3600 } else { now + TOKEN_SECONDS },
    });
    if how != Misbehaviour::NoNonce {
        claims["nonce"] = json!(granted.nonce);
    }
    match how {
        Misbehaviour::OtherKey => provider.other_key.sign(&claims),
        Misbehaviour::Unsigned => {
            let header = json!({ "alg": "none", "typ": "JWT", "kid": "key-1" });
            Ok(format!("{}.{}.", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string())))
        }
        _ => provider.key.sign(&claims),
    }
}

/// `Authorization: Basic`, as the client's id and secret, each of them encoded as a form is (RFC 6749, 2.3.1).
fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let decoded = |text: &str| url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned());
    let (id, secret) = pair.split_once(':')?;
    Some((decoded(id)?, decoded(secret)?))
}

fn random() -> Option<String> {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes).ok()?;
    Some(hex::encode(bytes))
}
