//! The URL of the log: servers, and the credentials that must never be printed.

use async_nats::ServerAddr;

use super::error::JetStreamError;

/// Where the servers are and who we are to them. Not printable, on purpose.
pub(super) struct Address {
    pub servers: Vec<ServerAddr>,
    /// Host and port of each, for people.
    pub hosts: String,
    pub credentials: Option<Credentials>,
}

#[derive(PartialEq, Eq)]
pub(super) enum Credentials {
    User { name: String, password: String },
    Token(String),
}

impl Address {
    /// `nats://` or `tls://`, several servers separated by commas: the first one's scheme and credentials are
    /// those of all that have none of their own.
    pub(super) fn parse(url: &str) -> Result<Self, JetStreamError> {
        let scheme = url.split_once("://").map_or("nats", |(scheme, _)| scheme);
        let (mut servers, mut credentials): (_, Option<Credentials>) = (Vec::new(), None);
        for part in url.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let whole = if part.contains("://") { part.to_owned() } else { format!("{scheme}://{part}") };
            let (server, own) = parse_one(&whole)?;
            if own.is_some() && credentials.is_some() && own != credentials {
                return Err(JetStreamError::Url { reason: "has different credentials for its servers" });
            }
            credentials = credentials.or(own);
            servers.push(server);
        }
        if servers.is_empty() {
            return Err(JetStreamError::Url { reason: "names no server" });
        }
        let hosts = servers.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect::<Vec<_>>().join(", ");
        Ok(Self { servers, hosts, credentials })
    }
}

/// The client prints addresses when it logs: it gets them without credentials.
fn parse_one(url: &str) -> Result<(ServerAddr, Option<Credentials>), JetStreamError> {
    let parsed: ServerAddr =
        url.parse().map_err(|_| JetStreamError::Url { reason: "cannot be read: write nats://user:password@host:4222" })?;
    if !matches!(parsed.scheme(), "nats" | "tls") || parsed.host().is_empty() {
        return Err(JetStreamError::Url { reason: "must begin with nats:// or tls:// and name a host" });
    }
    let undecodable = || JetStreamError::Url { reason: "has credentials that are not percent-encoded UTF-8" };
    let credentials = match (parsed.username(), parsed.password()) {
        (None, None) => None,
        (Some(token), None) => Some(Credentials::Token(percent_decoded(token).ok_or_else(undecodable)?)),
        (name, Some(password)) => Some(Credentials::User {
            name: percent_decoded(name.unwrap_or_default()).ok_or_else(undecodable)?,
            password: percent_decoded(password).ok_or_else(undecodable)?,
        }),
    };
    let mut bare = parsed.into_inner();
    let removed = bare.set_username("").and_then(|()| bare.set_password(None));
    let server = removed.ok().and_then(|()| ServerAddr::from_url(bare).ok());
    Ok((server.ok_or(JetStreamError::Url { reason: "has no host" })?, credentials))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = after.get(2..)?;
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::panic, reason = "tests assert by panicking")]

    use super::*;

    #[test]
    fn several_servers_share_scheme_and_credentials_and_show_neither() {
        let address = Address::parse("tls://tollgate:p%40ss%2F@a.example:4333,b.example").unwrap();
        assert_eq!(address.hosts, "a.example:4333, b.example:4222");
        assert!(address.servers.iter().all(ServerAddr::tls_required));
        assert!(address.servers.iter().all(|server| !server.as_url_str().contains("ss")), "the client could print them");
        let Some(Credentials::User { name, password }) = address.credentials else { panic!("no credentials") };
        assert_eq!((name.as_str(), password.as_str()), ("tollgate", "p@ss/"));
    }

    #[test]
    fn a_name_alone_is_a_token() {
        let address = Address::parse("nats://s3cret@a:1").unwrap();
        assert!(matches!(address.credentials, Some(Credentials::Token(token)) if token == "s3cret"));
    }

    #[test]
    fn what_is_no_such_url_is_refused_without_repeating_it() {
        for url in ["", "http://a", "nats://u:p@", "nats://u:hunter2@a,nats://v:hunter2@b", "nats://a:hunter2:x"] {
            let error = Address::parse(url).err().unwrap_or_else(|| panic!("{url} was taken"));
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }
}
