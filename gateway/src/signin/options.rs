//! What signing in is told at start.

use std::time::Duration;

use super::oidc::ProviderOptions;

/// Switches and bounds of signing in.
#[derive(Debug, Clone)]
pub struct SignInOptions {
    /// Where browsers reach us; `https` makes cookies secure and binds them to the host.
    pub public_url: String,
    /// Whether strangers may make themselves an account.
    pub sign_up: bool,
    /// How long a session lasts without signing in again.
    pub session: Duration,
    /// Identity providers that can be signed in at, in the order they show.
    pub providers: Vec<ProviderOptions>,
}

impl Default for SignInOptions {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            sign_up: false,
            session: Duration::from_secs(30 * 24 * 3600),
            providers: Vec::new(),
        }
    }
}

impl SignInOptions {
    pub fn is_https(&self) -> bool {
        self.public_url.starts_with("https://")
    }
}
