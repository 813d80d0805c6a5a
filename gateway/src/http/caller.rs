//! Who asks: extractors for routes of keys ([`Caller`]) and of administration ([`Administrator`], [`PlatformAdministrator`]).
//!
//! A management key of one account reaches that account only; one of the platform reaches all. What is out
//! of reach is refused here, before a handler looks at anything.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use schemas::{AccountId, Timestamp, UserId};

use super::error::ApiError;
use crate::access::authenticate;
use crate::control::catalog::{Catalog, Key};
use crate::control::key::KeyScope;
use crate::control::services::Services;
use crate::control::store::Act;

/// Marks requests that came over the deployment's own socket: whoever can open it owns the data folder and
/// needs no key. **Nothing that is reachable over a network may set it.**
#[derive(Debug, Clone, Copy)]
pub struct OwnMachine;

/// Whoever sent a request with a good key, of either kind.
#[derive(Debug, Clone)]
pub struct Caller {
    pub key: Arc<Key>,
    pub catalog: Arc<Catalog>,
    pub now: Timestamp,
    /// Came over the deployment's own socket.
    pub is_local: bool,
    /// Came from the web app: who asks.
    pub person: Option<UserId>,
}

impl Caller {
    pub fn account_id(&self) -> AccountId {
        self.key.account_id()
    }

    /// Whether the key may see what belongs to an account.
    pub fn reaches(&self, account: AccountId) -> bool {
        self.account_id() == account || (self.key.is_management() && self.key.record.scope == KeyScope::Platform)
    }
}

impl FromRequestParts<Arc<Services>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, ApiError> {
        let (catalog, now) = (services.control.catalog_full(), Timestamp::now());
        let is_local = parts.extensions.get::<OwnMachine>().is_some();
        let key = if is_local { catalog.local_key(now) } else { authenticate(&catalog, &parts.headers, now)? };
        Ok(Self { key, catalog, now, is_local, person: None })
    }
}

/// Whoever sent a request with a good management key.
#[derive(Debug, Clone)]
pub struct Administrator(pub Caller);

impl Administrator {
    /// The account a request is about: the one it names, else the key's own; 403 when out of reach.
    pub fn account(&self, named: Option<AccountId>) -> Result<AccountId, ApiError> {
        let account = named.unwrap_or_else(|| self.0.account_id());
        if self.0.reaches(account) {
            return Ok(account);
        }
        Err(ApiError::permission_denied(format!("This management key administers account {} only.", self.0.account_id())))
    }

    /// `None` (every account) for the platform, else the key's own.
    pub fn accounts(&self) -> Option<AccountId> {
        if self.is_platform() { None } else { Some(self.0.account_id()) }
    }

    pub fn is_platform(&self) -> bool {
        self.0.key.record.scope == KeyScope::Platform
    }

    /// 403 unless the key administers the platform.
    pub fn platform(&self) -> Result<(), ApiError> {
        if self.is_platform() {
            return Ok(());
        }
        Err(ApiError::permission_denied(
            "Only management keys of the platform can perform this operation; this one administers one account.",
        ))
    }

    /// How what this administrator does is recorded.
    pub fn act(&self) -> Act {
        let actor = match self.0.person {
            Some(person) => person.to_string(),
            None if self.0.is_local => "local".to_owned(),
            None => self.0.key.record.id.to_string(),
        };
        Act::new(actor, self.0.now)
    }
}

impl FromRequestParts<Arc<Services>> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, services).await?;
        if caller.key.is_management() {
            return Ok(Self(caller));
        }
        Err(ApiError::permission_denied("Only management keys can perform this operation; this is an inference key."))
    }
}

/// Whoever sent a request with a good management key of the platform. **Others are told no before their body is looked at.**
#[derive(Debug, Clone)]
pub struct PlatformAdministrator(pub Administrator);

impl FromRequestParts<Arc<Services>> for PlatformAdministrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, ApiError> {
        let administrator = Administrator::from_request_parts(parts, services).await?;
        administrator.platform()?;
        Ok(Self(administrator))
    }
}

/// A good key where one was sent; routes open to everyone ignore a bad one.
pub fn optional_key(catalog: &Catalog, headers: &HeaderMap, now: Timestamp) -> Option<Arc<Key>> {
    authenticate(catalog, headers, now).ok()
}
