//! The cookies of a session: what they are called, what they carry along, how they are read.
//!
//! Over https they have the `__Host-` prefix, so that no other host and no plain connection can set them; over http,
//! which is for one's own machine, browsers refuse that prefix.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

/// What a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieName {
    /// The short token.
    Session,
    /// The opaque one that renews it.
    Refresh,
    /// Binds a sign-in at an identity provider to the browser that began it.
    State,
}

impl CookieName {
    pub const fn as_str(self, is_https: bool) -> &'static str {
        match (self, is_https) {
            (Self::Session, true) => "__Host-tollgate_session",
            (Self::Session, false) => "tollgate_session",
            (Self::Refresh, true) => "__Host-tollgate_refresh",
            (Self::Refresh, false) => "tollgate_refresh",
            (Self::State, true) => "__Host-tollgate_state",
            (Self::State, false) => "tollgate_state",
        }
    }
}

/// `Set-Cookie`: not for scripts, not sent by other sites' forms. `None` where the value cannot be one.
pub fn set(name: CookieName, value: &str, max_age_seconds: u64, is_https: bool) -> Option<HeaderValue> {
    let secure = if is_https { "; Secure" } else { "" };
    let name = name.as_str(is_https);
    HeaderValue::try_from(format!("{name}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Lax{secure}")).ok()
}

/// `Set-Cookie` that takes a cookie away.
pub fn clear(name: CookieName, is_https: bool) -> Option<HeaderValue> {
    set(name, "", 0, is_https)
}

/// The value of a cookie, as it was sent first.
pub fn read(headers: &HeaderMap, name: CookieName, is_https: bool) -> Option<&str> {
    let wanted = name.as_str(is_https);
    let texts = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(name, _)| *name == wanted))
        .map(|(_, value)| value)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn over_https_a_cookie_belongs_to_the_host_alone() {
        let cookie = set(CookieName::Session, "abc", 60, true).unwrap();
        assert_eq!(cookie, "__Host-tollgate_session=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(clear(CookieName::Refresh, false).unwrap(), "tollgate_refresh=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
        assert!(set(CookieName::Session, "a\r\nb", 60, true).is_none());
    }

    #[test]
    fn the_first_cookie_of_a_name_is_read_wherever_it_stands() {
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_static("a=1; tollgate_session=first; tollgate_session=second"))]);
        assert_eq!(read(&headers, CookieName::Session, false), Some("first"));
        assert_eq!(read(&headers, CookieName::Session, true), None);
        assert_eq!(read(&headers, CookieName::Refresh, false), None);
    }
}
