//! How long, how often and where to messages are sent.

use std::time::Duration;

use http::Uri;

use crate::providers::addresses::{Reach, check_host};

/// An address longer than this is refused.
const URL_BYTES_MAX: usize = 2_048;

/// `[webhooks]` of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebhookOptions {
    /// From connecting to the end of the answer.
    pub timeout: Duration,
    /// Then a message is given up.
    pub attempts_max: u32,
    /// Before the second attempt; each pause is three times the one before.
    pub retry_first: Duration,
    /// No pause is longer.
    pub retry_max: Duration,
    /// Receivers may be at private, link-local and loopback addresses, and be spoken to without TLS.
    pub allow_private: bool,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(15),
            attempts_max: 12,
            retry_first: Duration::from_secs(5),
            retry_max: Duration::from_secs(4 * 3600),
            allow_private: false,
        }
    }
}

/// Why an address is not sent to.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    #[error("must be a URL such as \"https://hooks.example.com/tollgate\", with at most {URL_BYTES_MAX} bytes and without a password")]
    NotUrl,
    #[error("must begin with https://")]
    NotHttps,
    #[error("{0} is a private, link-local or loopback address, which [webhooks] allow_private = false forbids")]
    Private(String),
}

impl WebhookOptions {
    pub const fn reach(&self) -> Reach {
        if self.allow_private { Reach::Anywhere } else { Reach::Public }
    }

    /// The pause after so many attempts.
    pub fn pause_after(&self, attempts: u32) -> Duration {
        let factor = 3_u32.saturating_pow(attempts.saturating_sub(1));
        self.retry_first.saturating_mul(factor).min(self.retry_max)
    }

    /// Checks an address as it is written; what a name resolves to is checked whenever it is sent to.
    pub fn check_url(&self, text: &str) -> Result<Uri, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError::NotUrl)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(AddressError::NotUrl) };
        if text.len() > URL_BYTES_MAX || authority.as_str().contains('@') || authority.host().is_empty() || text.contains('#') {
            return Err(AddressError::NotUrl);
        }
        match scheme {
            "https" => {}
            "http" if self.allow_private => {}
            "http" => return Err(AddressError::NotHttps),
            _ => return Err(AddressError::NotUrl),
        }
        if !self.allow_private && check_host(authority.host()).is_err() {
            return Err(AddressError::Private(authority.host().to_owned()));
        }
        Ok(uri)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_threefold_up_to_the_longest() {
        let options = WebhookOptions::default();
        let pauses: Vec<u64> = (1..=options.attempts_max).map(|attempts| options.pause_after(attempts).as_secs()).collect();
        assert_eq!(pauses[..6], [5, 15, 45, 135, 405, 1_215]);
        assert_eq!(*pauses.last().unwrap(), 4 * 3600);
        assert_eq!(options.pause_after(u32::MAX), options.retry_max);
    }

    #[test]
    fn only_public_https_addresses_are_taken_unless_private_ones_are_allowed() {
        let (public, private) = (WebhookOptions::default(), WebhookOptions { allow_private: true, ..WebhookOptions::default() });
        assert!(public.check_url("https://hooks.example.com/a?b=c").is_ok());
        for refused in [
            "http://hooks.example.com/",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://10.1.2.3:8443/x",
            "https://[::1]/",
            "https://user:secret@hooks.example.com/",
            "https://hooks.example.com/#part",
            "ftp://hooks.example.com/",
            "hooks.example.com",
            "/path",
            "",
        ] {
            assert!(public.check_url(refused).is_err(), "{refused}");
        }
        assert!(public.check_url(&format!("https://hooks.example.com/{}", "x".repeat(URL_BYTES_MAX))).is_err());
        assert!(private.check_url("http://127.0.0.1:9000/hook").is_ok());
        assert!(private.check_url("ftp://127.0.0.1/").is_err());
    }
}
