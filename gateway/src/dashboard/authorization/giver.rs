//! Who gives a code at `/api/v1/auth/keys/code`: a management key, or somebody who is signed in.
//!
//! **An inference key gives none**: the key that the code becomes would have neither its limit nor its end, and would outlive
//! it. People may in the roles that make keys in the web app, and prove as there that the request is theirs.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use schemas::AccountId;

use crate::access::credential;
use crate::control::store::{Act, CodeGiver};
use crate::dashboard::permissions::USERS;
use crate::dashboard::{Dashboard, door};
use crate::http::caller::Administrator;
use crate::http::error::ApiError;
use crate::signin::{Identified, SignedIn};

/// Whoever may give codes, in some account at least.
pub enum Giver {
    Key(Administrator),
    Person(Identified),
}

impl FromRequestParts<Arc<Dashboard>> for Giver {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Arc<Dashboard>) -> Result<Self, ApiError> {
        if names_key(&parts.headers) {
            return Administrator::from_request_parts(parts, &dashboard.services).await.map(Self::Key);
        }
        match door::identify_for_change(dashboard, parts).await? {
            Some(identified) => Ok(Self::Person(identified)),
            // Says how a key is sent.
            None => Err(credential(&parts.headers).err().unwrap_or_else(crate::signin::unauthenticated)),
        }
    }
}

impl Giver {
    /// The account a code is of: the one that is named, else the only one there can be.
    pub fn account(&self, named: Option<AccountId>) -> Result<AccountId, ApiError> {
        match (self, named) {
            (Self::Key(administrator), named) => administrator.account(named),
            (Self::Person(identified), Some(named)) => {
                door::role_among(USERS, false, &identified.signed_in, named)?;
                Ok(named)
            }
            (Self::Person(identified), None) => only_account(&identified.signed_in),
        }
    }

    pub fn act(&self) -> Act {
        match self {
            Self::Key(administrator) => administrator.act(),
            Self::Person(identified) => identified.signed_in.act(),
        }
    }

    pub fn recorded(&self) -> CodeGiver {
        match self {
            Self::Key(administrator) => CodeGiver::Key(administrator.0.key.record.id),
            Self::Person(identified) => CodeGiver::Person(identified.signed_in.user.id),
        }
    }

    /// The session's new cookie, where it is due.
    pub fn renewed(self) -> Option<HeaderValue> {
        match self {
            Self::Key(_) => None,
            Self::Person(identified) => identified.renewed,
        }
    }
}

fn names_key(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || headers.contains_key("x-api-key")
}

/// Where somebody makes keys, if that is one account.
fn only_account(signed_in: &SignedIn) -> Result<AccountId, ApiError> {
    let mut accounts = signed_in.accounts.iter().filter(|member| USERS.contains(&member.role));
    match (accounts.next(), accounts.next()) {
        (Some(only), None) => Ok(only.id),
        (Some(_), Some(_)) => {
            Err(ApiError::bad_request("workspace_id", "`workspace_id` is needed: there are several accounts in which you make keys"))
        }
        (None, _) => Err(ApiError::permission_denied("There is no account in which your role makes keys.")),
    }
}
