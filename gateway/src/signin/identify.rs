//! Who a request of a browser is from, and the renewal of its cookie along the way.
//!
//! **The row decides**: a token that is still good but whose session was revoked, or whose person was disabled, is
//! nobody's. The token saves the store from looking at what was made up, and ends by itself.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use schemas::{AccountId, Timestamp};
use uuid::Uuid;

use super::SignIn;
use super::cookies::{self, CookieName};
use crate::control::Control;
use crate::control::people::{Role, SessionRecord, User, UserStatus, token_sha256};
use crate::control::store::{Act, ControlStore, MemberAccount, StoreError};
use crate::http::error::{ApiError, ErrorType};

/// Somebody who is signed in, with everything they belong to.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub user: User,
    pub session: SessionRecord,
    pub accounts: Vec<MemberAccount>,
    pub now: Timestamp,
}

/// What was found out about a request.
#[derive(Debug, Clone)]
pub struct Identified {
    pub signed_in: Arc<SignedIn>,
    /// To be sent along with the answer.
    pub renewed: Option<HeaderValue>,
}

impl SignedIn {
    /// Their role in an account; `None` where they have none.
    pub fn role(&self, account: AccountId) -> Option<Role> {
        self.accounts.iter().find(|member| member.id == account).map(|member| member.role)
    }

    /// How what they do is recorded.
    pub fn act(&self) -> Act {
        Act::new(self.user.id.to_string(), self.now)
    }
}

/// Handlers behind [`crate::dashboard`]'s door take it; without a session the door has refused already.
impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Arc<Self>>().map(|signed_in| Self::clone(signed_in)).ok_or_else(unauthenticated)
    }
}

/// 401: nobody is signed in.
pub fn unauthenticated() -> ApiError {
    ApiError::new(ErrorType::Authentication, "Sign in to continue.").with_metadata("reason", "unauthenticated")
}

/// Finds out who a request is from; `None` is nobody.
pub async fn identify(
    sign_in: &SignIn,
    control: &Control,
    headers: &HeaderMap,
    address: IpAddr,
    now: Timestamp,
) -> Result<Option<Identified>, ApiError> {
    let https = sign_in.options.is_https();
    let claims = cookies::read(headers, CookieName::Session, https).and_then(|token| sign_in.tokens.read_session(token));
    let refresh = cookies::read(headers, CookieName::Refresh, https).map(token_sha256);
    let store = control.store();
    let found = match (&claims, &refresh) {
        (Some(claims), _) => store.session(claims.sid).await?.filter(|session| session.user_id == claims.sub),
        (None, Some(refresh)) => store.session_by_refresh(refresh).await?,
        (None, None) => None,
    };
    let Some(signed_in) = good(store, found, now).await? else { return Ok(None) };
    let session = &signed_in.session;
    // Only whoever has the session's own token goes on after its quarter of an hour.
    let is_due = claims.is_none_or(|claims| claims.is_due(now)) && refresh.is_some_and(|refresh| refresh == session.refresh_sha256);
    let renewed = if is_due {
        store.touch_session(session.id, now, &address.to_string()).await?;
        sign_in.session_cookie(session, now)?
    } else {
        None
    };
    Ok(Some(Identified { signed_in: Arc::new(signed_in), renewed }))
}

/// Who is signed in by a session that was good before; `None` if it is not any more.
pub async fn still_signed_in(control: &Control, session: Uuid, now: Timestamp) -> Result<Option<SignedIn>, StoreError> {
    let found = control.store().session(session).await?;
    good(control.store(), found, now).await
}

/// Somebody who may be somebody now.
async fn good(store: &ControlStore, session: Option<SessionRecord>, now: Timestamp) -> Result<Option<SignedIn>, StoreError> {
    let Some(session) = session.filter(|session| session.is_good(now)) else { return Ok(None) };
    let Some(user) = store.user(session.user_id).await?.filter(|user| user.status == UserStatus::Active) else { return Ok(None) };
    let accounts = store.accounts_of(user.id).await?;
    Ok(Some(SignedIn { user, session, accounts, now }))
}
