//! The desk of signing in: what its routes share, and how a session begins.

use std::net::IpAddr;
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue};
use schemas::{AccountId, Timestamp};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::cookies::{self, CookieName};
use super::guesses::{Guesses, counted_address};
use super::oidc::{CallError, Provider};
use super::options::SignInOptions;
use super::tokens::{SESSION_TOKEN_SECONDS, Tokens};
use crate::control::Control;
use crate::control::people::{PasswordError, Passwords, SessionRecord, User, token_sha256};
use crate::control::secrets::{SecretError, random_hex_32};
use crate::http::error::{ApiError, ErrorType};

/// Sign-ins one address may try in [`GUESS_PERIOD`].
const GUESSES_BY_ADDRESS: u32 = 30;
/// Wrong passwords for one e-mail address in [`GUESS_PERIOD`], whoever tries.
const GUESSES_BY_EMAIL: u32 = 10;
const GUESS_PERIOD: Duration = Duration::from_secs(10 * 60);
/// Longest description of a browser that is kept.
const USER_AGENT_CHARS_MAX: usize = 300;

/// Why the desk could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error("keys of sessions could not be derived")]
    Key(#[from] SecretError),
    #[error("passwords cannot be hashed")]
    Password(#[from] PasswordError),
    #[error("identity provider cannot be used")]
    Provider(#[from] CallError),
}

/// What signing in works with.
pub struct SignIn {
    pub options: SignInOptions,
    pub tokens: Tokens,
    pub passwords: Passwords,
    pub providers: Vec<Provider>,
    by_address: Guesses<IpAddr>,
    by_email: Guesses<[u8; 32]>,
    redemptions: Guesses<AccountId>,
}

impl SignIn {
    pub fn new(control: &Control, options: SignInOptions) -> Result<Self, SignInError> {
        let providers = options.providers.iter().cloned().map(|provider| Provider::new(provider, &options.public_url));
        Ok(Self {
            providers: providers.collect::<Result<_, _>>()?,
            options,
            tokens: Tokens::new(control.secret_key())?,
            passwords: Passwords::new()?,
            by_address: Guesses::new(GUESSES_BY_ADDRESS, GUESS_PERIOD),
            by_email: Guesses::new(GUESSES_BY_EMAIL, GUESS_PERIOD),
            redemptions: Guesses::new(GUESSES_BY_ADDRESS, GUESS_PERIOD),
        })
    }

    /// Takes one of an address's tries; 429 when there are none.
    pub fn take_address(&self, address: IpAddr) -> Result<(), ApiError> {
        self.by_address.take(counted_address(address)).map_err(|many| too_many(many.retry_after_seconds))
    }

    /// Takes one of an e-mail address's tries, whether anybody has it or not; 429 when there are none.
    pub fn take_email(&self, email: &str) -> Result<(), ApiError> {
        self.by_email.take(email_key(email)).map_err(|many| too_many(many.retry_after_seconds))
    }

    /// Takes one of an account's tries at redemption codes; 429 when there are none.
    pub fn take_redemption(&self, account: AccountId) -> Result<(), ApiError> {
        self.redemptions.take(account).map_err(|many| too_many(many.retry_after_seconds))
    }

    /// It was a code: no guess.
    pub fn redemption_was_right(&self, account: AccountId, address: IpAddr) {
        self.redemptions.give_back(&account);
        self.by_address.give_back(&counted_address(address));
    }

    /// It was the right password: no guess.
    pub fn was_right(&self, address: IpAddr, email: &str) {
        self.by_address.give_back(&counted_address(address));
        self.by_email.give_back(&email_key(email));
    }

    /// Somebody came back from an identity provider as who they are: neither going there nor coming back was a guess.
    pub fn identity_was_right(&self, address: IpAddr) {
        for _ in 0..2 {
            self.by_address.give_back(&counted_address(address));
        }
    }

    /// Begins a session for somebody who proved who they are: its row, and the cookies of the browser.
    pub async fn begin(
        &self,
        control: &Control,
        user: &User,
        headers: &HeaderMap,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<(SessionRecord, Vec<HeaderValue>), ApiError> {
        let refresh = random_hex_32().map_err(ApiError::internal)?;
        let lifetime = self.options.session;
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let session = SessionRecord {
            id: Uuid::now_v7(),
            user_id: user.id,
            refresh_sha256: token_sha256(&refresh),
            user_agent: agent.chars().take(USER_AGENT_CHARS_MAX).collect(),
            address: address.to_string(),
            created_at: now,
            last_seen_at: now,
            expires_at: now.plus_micros(i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX / 4)),
            revoked_at: None,
        };
        control.store().insert_session(&session).await?;
        control.store().note_sign_in(user.id, now).await?;
        let mut set: Vec<HeaderValue> = self.session_cookie(&session, now)?.into_iter().collect();
        set.extend(cookies::set(CookieName::Refresh, &refresh, lifetime.as_secs(), self.options.is_https()));
        Ok((session, set))
    }

    /// The cookie a browser shows with each request.
    pub fn session_cookie(&self, session: &SessionRecord, now: Timestamp) -> Result<Option<HeaderValue>, ApiError> {
        let token = self.tokens.session(session.user_id, session.id, now).map_err(ApiError::internal)?;
        let seconds = u64::try_from(SESSION_TOKEN_SECONDS).unwrap_or_default();
        Ok(cookies::set(CookieName::Session, &token, seconds, self.options.is_https()))
    }

    /// The headers that take the cookies of a session away.
    pub fn no_cookies(&self) -> Vec<HeaderValue> {
        let names = [CookieName::Session, CookieName::Refresh];
        names.into_iter().filter_map(|name| cookies::clear(name, self.options.is_https())).collect()
    }
}

fn email_key(email: &str) -> [u8; 32] {
    Sha256::digest(email.as_bytes()).into()
}

fn too_many(retry_after_seconds: u64) -> ApiError {
    ApiError::rate_limited("Too many attempts. Please wait before you try again.", retry_after_seconds)
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Length => Self::bad_request("password", format!("`password` {error}")),
            PasswordError::Busy => {
                Self::new(ErrorType::Unavailable, "Too many people are signing in right now. Please retry.").with_retry_after(1)
            }
            other => Self::internal(other),
        }
    }
}
