//! The door of the web app's API: finds out who asks, whether the request is really theirs, and whether they may.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CACHE_CONTROL, HOST, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use schemas::{AccountId, Timestamp};
use serde::Deserialize;

use super::Dashboard;
use super::address::ClientAddress;
use super::permissions::{Access, access};
use crate::control::people::Role;
use crate::http::envelope::UrlQuery;
use crate::http::error::{ApiError, ErrorType};
use crate::signin::{Identified, SignedIn, identify, unauthenticated};

/// What only its caller may see must not be kept by anyone.
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");
/// The variable of a path that names an account, and of the query of a route whose path has none.
const ACCOUNT: &str = "account";

/// The account of a request and what whoever asks is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub account_id: AccountId,
    /// `None`: an administrator of the platform who is no member.
    pub role: Option<Role>,
}

impl<S: Sync> FromRequestParts<S> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().copied().ok_or_else(no_account)
    }
}

/// Lets a request in, or says why not.
pub async fn admit(State(dashboard): State<Arc<Dashboard>>, request: Request, next: Next) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let path = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()).unwrap_or_default();
    let Some(access) = access(&parts.method, &path) else {
        // Axum answers 405 for a known address by itself; what comes here has a handler and no row.
        return Err(ApiError::internal(format!("{} {path} is not in the table of permissions", parts.method)));
    };
    let is_safe = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
    if !is_safe {
        refuse_other_sites(&dashboard, &parts.headers)?;
    }
    let identified = identify_sender(&dashboard, &mut parts).await?;
    let renewed = identified.as_ref().and_then(|identified| identified.renewed.clone());
    let signed_in = identified.map(|identified| identified.signed_in);
    if needs_session(access, dashboard.public_statistics) {
        let signed_in = signed_in.as_ref().ok_or_else(unauthenticated)?;
        if !is_safe {
            dashboard.check_csrf(signed_in, &parts.headers)?;
        }
        if let Some(member) = check(access, signed_in, &mut parts).await? {
            parts.extensions.insert(member);
        }
    }
    if let Some(signed_in) = signed_in {
        parts.extensions.insert(signed_in);
    }
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(cookie) = renewed {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response.headers_mut().entry(CACHE_CONTROL).or_insert(PRIVATE);
    Ok(response)
}

/// Who asks for a change outside this door, where it is somebody with a session. **It has to be a page of ours that asks**, as it has to
/// be here.
pub async fn identify_for_change(dashboard: &Arc<Dashboard>, parts: &mut Parts) -> Result<Option<Identified>, ApiError> {
    refuse_other_sites(dashboard, &parts.headers)?;
    let Some(identified) = identify_sender(dashboard, parts).await? else { return Ok(None) };
    dashboard.check_csrf(&identified.signed_in, &parts.headers)?;
    Ok(Some(identified))
}

async fn identify_sender(dashboard: &Arc<Dashboard>, parts: &mut Parts) -> Result<Option<Identified>, ApiError> {
    let ClientAddress(address) = ClientAddress::from_request_parts(parts, dashboard).await?;
    identify(&dashboard.sign_in, &dashboard.services.control, &parts.headers, address, Timestamp::now()).await
}

fn refuse_other_sites(dashboard: &Dashboard, headers: &HeaderMap) -> Result<(), ApiError> {
    if is_own_origin(headers, &dashboard.sign_in.options.public_url) {
        return Ok(());
    }
    Err(ApiError::new(ErrorType::PermissionDenied, "The request comes from another site.").with_metadata("reason", "csrf"))
}

fn needs_session(access: Access, public_statistics: bool) -> bool {
    match access {
        Access::Anyone => false,
        Access::Statistics => !public_statistics,
        Access::SignedIn | Access::Account { .. } | Access::Platform => true,
    }
}

/// Whether somebody may do what a row of the table says.
async fn check(access: Access, signed_in: &SignedIn, parts: &mut Parts) -> Result<Option<Member>, ApiError> {
    match access {
        Access::Anyone | Access::Statistics | Access::SignedIn => Ok(None),
        Access::Platform if signed_in.user.is_platform_admin => Ok(None),
        Access::Platform => Err(forbidden("Only administrators of the platform may do this.")),
        Access::Account { roles, platform } => {
            let account_id = account_of(parts).await?;
            let role = role_among(roles, platform, signed_in, account_id)?;
            Ok(Some(Member { account_id, role }))
        }
    }
}

/// Whether a row of the table lets somebody in, where it is about an account.
pub fn lets_in(access: Access, signed_in: &SignedIn, account: AccountId) -> bool {
    match access {
        Access::Anyone | Access::Statistics | Access::SignedIn => true,
        Access::Platform => signed_in.user.is_platform_admin,
        Access::Account { roles, platform } => role_among(roles, platform, signed_in, account).is_ok(),
    }
}

/// What somebody is in an account, if that is one of the roles; `None` is the platform, where it may.
pub fn role_among(roles: &[Role], platform: bool, signed_in: &SignedIn, account: AccountId) -> Result<Option<Role>, ApiError> {
    match signed_in.role(account) {
        Some(role) if roles.contains(&role) => Ok(Some(role)),
        role if platform && signed_in.user.is_platform_admin => Ok(role),
        Some(role) => Err(forbidden(format!("Your role in this account ({}) does not allow this.", role.as_str()))),
        None => Err(no_account()),
    }
}

async fn account_of(parts: &mut Parts) -> Result<AccountId, ApiError> {
    #[derive(Deserialize)]
    struct Named {
        account: Option<String>,
    }
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| no_account())?;
    if let Some((_, text)) = params.iter().find(|(name, _)| *name == ACCOUNT) {
        return text.parse().map_err(|_| no_account());
    }
    let UrlQuery(named) = UrlQuery::<Named>::from_request_parts(parts, &()).await?;
    let text = named.account.ok_or_else(|| ApiError::bad_request(ACCOUNT, "`account` is missing in the query"))?;
    text.parse().map_err(|_| no_account())
}

fn forbidden(message: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::new(ErrorType::PermissionDenied, message).with_metadata("reason", "forbidden")
}

fn no_account() -> ApiError {
    ApiError::not_found("There is no such account, or you do not belong to it.")
}

/// Whether a request was made by a page of ours. Programs that are no browsers send no origin; they have no
/// cookies of somebody else either.
pub fn is_own_origin(headers: &HeaderMap, public_url: &str) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let host = headers.get(HOST).and_then(|value| value.to_str().ok());
    origin == public_url.trim_end_matches('/') || (authority.is_some() && authority == host)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_another_site_has_another_origin() {
        let headers = |origin: &str, host: &str| {
            let pairs = [(ORIGIN, origin), (HOST, host)].into_iter().filter(|(_, text)| !text.is_empty());
            pairs.map(|(name, text)| (name, HeaderValue::from_str(text).unwrap())).collect::<HeaderMap>()
        };
        let ours = "https://llm.example.com";
        assert!(is_own_origin(&headers("", "llm.example.com"), ours));
        assert!(is_own_origin(&headers("https://llm.example.com", "inner:8080"), ours));
        assert!(is_own_origin(&headers("http://127.0.0.1:8080", "127.0.0.1:8080"), ours));
        for other in ["https://evil.example", "null", "https://llm.example.com.evil.example", "http://127.0.0.1:9999"] {
            assert!(!is_own_origin(&headers(other, "127.0.0.1:8080"), ours), "{other}");
        }
    }
}
