//! The way of a browser to a provider and back. Whatever goes wrong, it ends at `/sign-in?error=…`, and the log says why.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use schemas::Timestamp;
use serde::Deserialize;

use super::id_token::{Identity, read};
use super::provider::{Provider, ProviderError};
use crate::control::ControlError;
use crate::control::account::{ACCOUNT_NAME_CHARS_MAX, Account};
use crate::control::people::{User, UserStatus, normal_email, token_sha256};
use crate::control::secrets::random_hex_32;
use crate::control::store::{Act, SignInState, StoreError};
use crate::dashboard::Dashboard;
use crate::dashboard::address::ClientAddress;
use crate::http::envelope::{UrlPath, UrlQuery};
use crate::http::error::ApiError;
use crate::signin::SignedIn;
use crate::signin::cookies::{self, CookieName};

const LIFETIME_SECONDS: u64 = 10 * 60;
const RETURN_BYTES_MAX: usize = 512;

#[derive(Debug, Deserialize)]
pub struct BeginQuery {
    return_to: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct EndQuery {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

/// Whoever is signed in already links themselves.
type Asker = Option<Extension<Arc<SignedIn>>>;

pub async fn begin_google(
    State(dashboard): State<Arc<Dashboard>>,
    address: ClientAddress,
    asker: Asker,
    query: UrlQuery<BeginQuery>,
) -> Result<Response, ApiError> {
    begin(&dashboard, "google", address.0, asker, query.0).await
}

pub async fn begin_oidc(
    State(dashboard): State<Arc<Dashboard>>,
    address: ClientAddress,
    asker: Asker,
    UrlPath(name): UrlPath<String>,
    query: UrlQuery<BeginQuery>,
) -> Result<Response, ApiError> {
    begin(&dashboard, &format!("oidc:{name}"), address.0, asker, query.0).await
}

pub async fn end_google(
    State(dashboard): State<Arc<Dashboard>>,
    address: ClientAddress,
    headers: HeaderMap,
    query: UrlQuery<EndQuery>,
) -> Result<Response, ApiError> {
    end(&dashboard, "google", address.0, &headers, query.0).await
}

pub async fn end_oidc(
    State(dashboard): State<Arc<Dashboard>>,
    address: ClientAddress,
    UrlPath(name): UrlPath<String>,
    headers: HeaderMap,
    query: UrlQuery<EndQuery>,
) -> Result<Response, ApiError> {
    end(&dashboard, &format!("oidc:{name}"), address.0, &headers, query.0).await
}

async fn begin(dashboard: &Dashboard, id: &str, address: IpAddr, asker: Asker, query: BeginQuery) -> Result<Response, ApiError> {
    let desk = &dashboard.sign_in;
    if desk.take_address(address).is_err() {
        return Ok(refused("too_many"));
    }
    let provider = known_provider(dashboard, id)?;
    let nonce = random_hex_32().map_err(ApiError::internal)?;
    let browser = random_hex_32().map_err(ApiError::internal)?;
    let begun = match provider.begin(&nonce).await {
        Ok(begun) => begun,
        Err(error) => return Ok(failed("provider_unavailable", &error)),
    };
    let now = Timestamp::now();
    let state = SignInState {
        state_sha256: token_sha256(&begun.state),
        browser_sha256: token_sha256(&browser),
        provider: id.to_owned(),
        nonce: nonce.to_string(),
        verifier: begun.verifier,
        return_to: query.return_to.filter(|path| is_own_path(path)).unwrap_or_else(|| "/".to_owned()),
        link_user_id: asker.map(|Extension(signed_in)| signed_in.user.id),
        expires_at: now.plus_micros(i64::try_from(LIFETIME_SECONDS).unwrap_or_default() * 1_000_000),
    };
    dashboard.services.control.store().insert_sign_in_state(&state, now).await?;
    let cookie = cookies::set(CookieName::State, &browser, LIFETIME_SECONDS, desk.options.is_https());
    Ok(redirect(&begun.url, cookie.into_iter().collect()))
}

async fn end(dashboard: &Dashboard, id: &str, address: IpAddr, headers: &HeaderMap, query: EndQuery) -> Result<Response, ApiError> {
    let (desk, store, now) = (&dashboard.sign_in, dashboard.services.control.store(), Timestamp::now());
    if desk.take_address(address).is_err() {
        return Ok(refused("too_many"));
    }
    let provider = known_provider(dashboard, id)?;
    let state = match &query.state {
        Some(state) => store.take_sign_in_state(&token_sha256(state)).await?,
        None => None,
    };
    let browser = cookies::read(headers, CookieName::State, desk.options.is_https()).map(token_sha256);
    let state = state.filter(|state| state.provider == id && state.expires_at > now && browser.as_ref() == Some(&state.browser_sha256));
    let Some(state) = state else { return Ok(refused("state")) };
    if query.error.is_some() {
        return Ok(refused("cancelled"));
    }
    let Some(code) = query.code else { return Ok(refused("provider")) };
    let identity = match provider.trade_in(code, state.verifier.clone()).await {
        Ok(token) => read(provider, &token, &state.nonce).await,
        Err(error) => Err(error),
    };
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => return Ok(failed("provider", &error)),
    };
    let user = match person(dashboard, id, &identity, &state, now).await? {
        Ok(user) => user,
        Err(word) => return Ok(refused(word)),
    };
    desk.identity_was_right(address);
    let (_, mut cookies) = desk.begin(&dashboard.services.control, &user, headers, address, now).await?;
    cookies.extend(cookies::clear(CookieName::State, desk.options.is_https()));
    Ok(redirect(&state.return_to, cookies))
}

/// Who somebody is here, or the word for why they are nobody: known by subject, linked while signed in, or, where the
/// deployment lets strangers in, new. An address alone links nothing: whoever signed up with it may not be who has it.
async fn person(
    dashboard: &Dashboard,
    provider: &str,
    identity: &Identity,
    state: &SignInState,
    now: Timestamp,
) -> Result<Result<User, &'static str>, ApiError> {
    let store = dashboard.services.control.store();
    let known = store.user_by_identity(provider, &identity.sub).await?;
    if let Some(user) = known {
        return Ok(match state.link_user_id {
            Some(linking) if linking != user.id => Err("linked_elsewhere"),
            _ if user.status == UserStatus::Active => Ok(user),
            _ => Err("disabled"),
        });
    }
    if let Some(linking) = state.link_user_id {
        let user = store.user(linking).await?.filter(|user| user.status == UserStatus::Active);
        let Some(user) = user else { return Ok(Err("disabled")) };
        return match store.link_identity(&Act::new(user.id.to_string(), now), user.id, provider, &identity.sub).await {
            Ok(()) => Ok(Ok(user)),
            Err(StoreError::Exists { .. }) => Ok(Err("linked_elsewhere")),
            Err(error) => Err(error.into()),
        };
    }
    let email = identity.email.as_deref().filter(|_| identity.email_verified).and_then(normal_email);
    let Some(email) = email else { return Ok(Err("email_unverified")) };
    if store.user_by_email(&email).await?.is_some() {
        return Ok(Err("link_required"));
    }
    if !dashboard.sign_in.options.sign_up {
        return Ok(Err("no_account"));
    }
    let name = identity.name.as_deref().map(str::trim).filter(|name| User::is_name(name));
    let name = name.unwrap_or_else(|| email.split('@').next().unwrap_or_default());
    let name: String = name.chars().take(ACCOUNT_NAME_CHARS_MAX).collect();
    let account = Account::new(name.clone(), now);
    let user = User::new(account.id, email, name, now);
    match dashboard.services.sign_up(&Act::new("sign-up", now), &account, &user, Some((provider, &identity.sub))).await {
        Ok(()) => Ok(Ok(user)),
        // Somebody signed up with this address at the same moment.
        Err(ControlError::Store(StoreError::Exists { .. })) => Ok(Err("link_required")),
        Err(error) => Err(error.into()),
    }
}

fn known_provider<'d>(dashboard: &'d Dashboard, id: &str) -> Result<&'d Provider, ApiError> {
    let known = dashboard.sign_in.providers.iter().find(|provider| provider.options.id == id);
    known.ok_or_else(|| ApiError::not_found("There is no such way to sign in here."))
}

/// A path of this site and nothing that a browser could take for another one.
fn is_own_path(path: &str) -> bool {
    let starts = path.starts_with('/') && !path.starts_with("//");
    starts && path.len() <= RETURN_BYTES_MAX && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn refused(word: &'static str) -> Response {
    redirect(&format!("/sign-in?error={word}"), Vec::new())
}

fn failed(word: &'static str, error: &ProviderError) -> Response {
    tracing::warn!(error = error as &dyn std::error::Error, "sign-in at an identity provider failed");
    refused(word)
}

fn redirect(to: &str, cookies: Vec<HeaderValue>) -> Response {
    let Ok(location) = HeaderValue::try_from(to) else { return StatusCode::BAD_GATEWAY.into_response() };
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response();
    for cookie in cookies {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::is_own_path;

    #[test]
    fn nobody_is_sent_to_another_site() {
        for own in ["/", "/credits?tab=1", "/models/openai/gpt-4o"] {
            assert!(is_own_path(own), "{own}");
        }
        for other in ["", "credits", "//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb", "/ a"] {
            assert!(!is_own_path(other), "{other}");
        }
    }
}
