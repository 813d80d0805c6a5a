//! Keys for third-party apps (OpenRouter's PKCE flow): somebody who may make keys lets an app have one.
//!
//! The app gets a code, by way of the browser ([`consent`]) or from a program of the account's ([`programmatic`]), and trades
//! it in at `/api/v1/auth/keys` ([`trade_in`]), with the verifier that only it has. A code is used up by the first who shows
//! it, and worth nothing once whoever gave it may make no keys any more. **Whoever may make no keys gives no codes**: a code
//! becomes a key.

pub mod consent;
mod giver;
pub mod programmatic;
pub mod trade_in;

use http::Uri;
use schemas::{AccountId, NanoUsd, Timestamp};

use crate::control::key::LimitReset;
use crate::control::people::token_sha256;
use crate::control::secrets::random_hex_32;
use crate::control::store::{Act, AuthorizationCode, CodeGiver, ControlStore};
use crate::http::error::ApiError;

/// How long a code can be traded in.
const CODE_LIFETIME_MICROS: i64 = 10 * 60 * 1_000_000;
const URL_BYTES_MAX: usize = 2_048;
const NAME_CHARS_MAX: usize = 100;
/// Of a key of an app that said neither its name nor its address.
const NAME_WITHOUT_HOST: &str = "app";
/// RFC 7636's bounds of a challenge and a verifier.
const CHALLENGE_BYTES: std::ops::RangeInclusive<usize> = 43..=128;

/// What an app is to have, as it was asked for.
struct Wanted {
    callback_url: Option<String>,
    challenge: Option<String>,
    challenge_method: Option<String>,
    key_name: Option<String>,
    /// What the name is called where it is asked for.
    key_name_field: &'static str,
    limit: Option<NanoUsd>,
    limit_reset: Option<LimitReset>,
    key_expires_at: Option<Timestamp>,
}

impl Wanted {
    /// Checks it, writes the code down and answers with it: this is the only time that it is known.
    async fn give(self, store: &ControlStore, giver: CodeGiver, account_id: AccountId, act: &Act) -> Result<String, ApiError> {
        let callback = self.callback_url.as_deref().map(Callback::parse).transpose()?;
        let challenge_method = challenge_method(self.challenge.as_deref(), self.challenge_method.as_deref())?;
        let host = callback.map(|callback| callback.host);
        let key_name = self.key_name.or(host).unwrap_or_else(|| NAME_WITHOUT_HOST.to_owned());
        if key_name.trim().is_empty() || key_name.chars().count() > NAME_CHARS_MAX || key_name.chars().any(char::is_control) {
            let field = self.key_name_field;
            return Err(ApiError::bad_request(field, format!("`{field}` must have 1 to {NAME_CHARS_MAX} characters")));
        }
        if self.limit.is_some_and(NanoUsd::is_negative) {
            return Err(ApiError::bad_request("limit", "`limit` must not be negative"));
        }
        if self.key_expires_at.is_some_and(|expires_at| expires_at <= act.at) {
            return Err(ApiError::bad_request("expires_at", "`expires_at` must be in the future"));
        }
        let code = random_hex_32().map_err(ApiError::internal)?;
        let stored = AuthorizationCode {
            code_sha256: token_sha256(&code),
            account_id,
            giver,
            challenge: self.challenge,
            challenge_method,
            key_name,
            limit: self.limit,
            limit_reset: self.limit_reset,
            key_expires_at: self.key_expires_at,
            created_at: act.at,
            expires_at: act.at.plus_micros(CODE_LIFETIME_MICROS),
        };
        store.insert_authorization_code(act, &stored).await?;
        Ok(code.as_str().to_owned())
    }
}

/// Where a code goes. Only https, or http on the app's own machine: a code must not cross a network in the clear.
struct Callback {
    /// `https://app.example`: what an app is known by.
    origin: String,
    host: String,
}

impl Callback {
    fn parse(url: &str) -> Result<Self, ApiError> {
        let bad = || ApiError::bad_request("callback_url", "`callback_url` must be an https address, or http on localhost");
        let uri: Uri = if url.len() > URL_BYTES_MAX || url.contains('#') { return Err(bad()) } else { url.parse().map_err(|_| bad())? };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(bad)?;
        let host = authority.host();
        let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        match uri.scheme_str() {
            Some(scheme @ "https") if !host.is_empty() => Ok(Self::of(scheme, authority.as_str(), host)),
            Some(scheme @ "http") if is_local => Ok(Self::of(scheme, authority.as_str(), host)),
            _ => Err(bad()),
        }
    }

    fn of(scheme: &str, authority: &str, host: &str) -> Self {
        Self { origin: format!("{scheme}://{}", authority.to_ascii_lowercase()), host: host.to_owned() }
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
