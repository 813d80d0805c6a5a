//! Where a server is: `clickhouse://user:password@host:port/database`, or the same with `http` or `https`.
//!
//! A password never leaves this room but into the client: nothing here prints an address as it was given.

use url::Url;

use super::failure::ClickHouseError;

const PORT: u16 = 8123;
const PORT_TLS: u16 = 8443;
const DATABASE: &str = "default";

/// An address, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Scheme, host and port.
    pub server: String,
    pub user: Option<String>,
    pub password: Option<String>,
    pub database: String,
}

/// Whether an address is for this engine.
pub(crate) fn is_clickhouse(url: &str) -> bool {
    ["clickhouse:", "http:", "https:"].iter().any(|scheme| url.starts_with(scheme))
}

/// An address without what stands before the `@`, for messages.
pub(crate) fn redacted(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}://…{}", &url[..scheme], &url[at..]),
        _ => url.to_owned(),
    }
}

impl Address {
    pub fn parse(text: &str) -> Result<Self, ClickHouseError> {
        // Only http and https addresses are taken apart as `scheme://host`, whatever follows.
        let plain = text.strip_prefix("clickhouse:").map(|rest| format!("http:{rest}"));
        let url = Url::parse(plain.as_deref().unwrap_or(text)).map_err(|_| ClickHouseError::Address("it is not a URL"))?;
        let host = url.host_str().ok_or(ClickHouseError::Address("it names no host"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(ClickHouseError::Address("it has more than a database after the host"));
        }
        let tls = url.scheme() == "https";
        let port = explicit_port(text).unwrap_or(if tls { PORT_TLS } else { PORT });
        let database = decoded(url.path().trim_matches('/'))?;
        if database.contains('/') {
            return Err(ClickHouseError::Address("it has more than a database after the host"));
        }
        let user = Some(decoded(url.username())?).filter(|user| !user.is_empty());
        Ok(Self {
            server: format!("{}://{host}:{port}", url.scheme()),
            user,
            password: url.password().map(decoded).transpose()?,
            database: if database.is_empty() { DATABASE.to_owned() } else { database },
        })
    }
}

/// The port as written: `Url` drops 80 and 443, which are not ClickHouse's defaults.
fn explicit_port(text: &str) -> Option<u16> {
    let (_, rest) = text.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = authority.rsplit('@').next()?;
    let (host, port) = host.rsplit_once(':')?;
    // In an IPv6 address without a port, the last colon stands inside the brackets.
    if host.starts_with('[') && !host.ends_with(']') { None } else { port.parse().ok() }
}

fn decoded(text: &str) -> Result<String, ClickHouseError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap_or_default(), rest.next().unwrap_or_default()];
        let decoded = hex::decode(digits).map_err(|_| ClickHouseError::Address("a `%` in it is not followed by two hex digits"))?;
        bytes.extend(decoded);
    }
    String::from_utf8(bytes).map_err(|_| ClickHouseError::Address("a part of it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = Address::parse("clickhouse://tollgate:p%40ss%2Fword@db.example:9123/analytics").unwrap();
        assert_eq!(address.server, "http://db.example:9123");
        assert_eq!((address.user.as_deref(), address.password.as_deref()), (Some("tollgate"), Some("p@ss/word")));
        assert_eq!(address.database, "analytics");
    }

    #[test]
    fn what_is_missing_has_clickhouses_defaults() {
        for (text, server) in [
            ("clickhouse://db", "http://db:8123"),
            ("http://db/", "http://db:8123"),
            ("https://db", "https://db:8443"),
            ("http://db:80", "http://db:80"),
            ("https://user@db:443/x", "https://db:443"),
            ("http://[::1]", "http://[::1]:8123"),
            ("http://[::1]:9", "http://[::1]:9"),
        ] {
            assert_eq!(Address::parse(text).unwrap().server, server, "{text}");
        }
        assert_eq!(Address::parse("http://db").unwrap().database, "default");
    }

    #[test]
    fn a_malformed_address_is_refused_without_its_password() {
        for text in ["clickhouse://u:secret@/x", "http://u:secret@db/a/b", "http://u:secret@db/a?b=c", "http://u:secret%zz@db", "http:"] {
            let error = Address::parse(text).err().unwrap();
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_redacted_address_keeps_its_host() {
        assert_eq!(redacted("mysql://u:se@cret@host/x"), "mysql://…@host/x");
        assert_eq!(redacted("nowhere"), "nowhere");
    }
}
