//! Why ClickHouse could not do what it was asked, and whether asking again may help.

use clickhouse::error::Error;

use crate::error::Retry;

/// ClickHouse's codes that have a meaning here.
mod code {
    pub const UNKNOWN_TABLE: u32 = 60;
    pub const UNKNOWN_DATABASE: u32 = 81;
    pub const UNKNOWN_USER: u32 = 192;
    pub const WRONG_PASSWORD: u32 = 193;
    pub const REQUIRED_PASSWORD: u32 = 194;
    pub const AUTHENTICATION_FAILED: u32 = 516;
    /// Of an overloaded, a starting or a stopping server: they pass.
    pub const PASSING: [u32; 15] = [159, 202, 203, 209, 210, 236, 241, 242, 243, 252, 279, 285, 319, 394, 999];
}

/// Errors of the ClickHouse engine.
#[derive(Debug, thiserror::Error)]
pub enum ClickHouseError {
    #[error("the address of the ClickHouse server cannot be used: {0}")]
    Address(&'static str),
    #[error("ClickHouse at {server} cannot be reached")]
    Unreachable { server: String, source: Error },
    #[error("ClickHouse at {server} did not answer in time")]
    TimedOut { server: String },
    #[error("ClickHouse at {server} refuses the user or the password")]
    Credentials { server: String },
    #[error("ClickHouse at {server} has no database `{database}`: create it there first")]
    NoDatabase { server: String, database: String },
    #[error("database `{database}` has no analytics tables yet: run `tollgate migrate`")]
    NotMigrated { database: String },
    #[error("database `{database}` was migrated to version {found} by a newer Tollgate; this one knows {known}")]
    NewerSchema { database: String, found: u32, known: u32 },
    #[error("migration {version} of database `{database}` is not the one this Tollgate has")]
    OtherMigration { database: String, version: u32 },
    #[error("ClickHouse {found} is too old: {wanted} or newer is needed")]
    TooOld { found: String, wanted: &'static str },
    #[error("ClickHouse does not let us set `{name}` to {wanted}: it is {found}")]
    Setting { name: &'static str, wanted: &'static str, found: String },
    #[error("ClickHouse refused a query with code {code}")]
    Refused { code: u32, source: Error },
    #[error("ClickHouse gave an answer that cannot be read")]
    Answer { source: Error },
}

impl ClickHouseError {
    /// What the client's error means; `server` and `database` are those asked.
    pub(super) fn of(source: Error, server: &str, database: &str) -> Self {
        let (server, database) = (server.to_owned(), database.to_owned());
        match &source {
            Error::TimedOut => Self::TimedOut { server },
            Error::Network(_) => Self::Unreachable { server, source },
            Error::BadResponse(text) => match exception_code(text) {
                Some(code::UNKNOWN_USER | code::WRONG_PASSWORD | code::REQUIRED_PASSWORD | code::AUTHENTICATION_FAILED) => {
                    Self::Credentials { server }
                }
                Some(code::UNKNOWN_DATABASE) => Self::NoDatabase { server, database },
                Some(code::UNKNOWN_TABLE) => Self::NotMigrated { database },
                Some(code) => Self::Refused { code, source },
                // A proxy's or a load balancer's word, not the server's.
                None => Self::Unreachable { server, source },
            },
            _ => Self::Answer { source },
        }
    }

    /// **A server that is away is waited for as long as it takes**: the log keeps what it misses.
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => Retry::Always,
            Self::Refused { code, .. } if code::PASSING.contains(code) => Retry::Always,
            Self::Refused { .. } | Self::Answer { .. } => Retry::Some,
            _ => Retry::Never,
        }
    }
}

/// From `Code: 60. DB::Exception: …`.
fn exception_code(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("Code: ")?;
    rest.split(|digit: char| !digit.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clickhouse_exception_is_told_by_its_code() {
        let of = |text: &str| ClickHouseError::of(Error::BadResponse(text.to_owned()), "http://db:8123", "analytics");
        assert!(matches!(of("Code: 516. DB::Exception: x: Authentication failed"), ClickHouseError::Credentials { .. }));
        assert!(matches!(of("Code: 60. DB::Exception: no table"), ClickHouseError::NotMigrated { .. }));
        assert!(matches!(of("Code: 241. DB::Exception: memory"), ClickHouseError::Refused { code: 241, .. }));
        assert_eq!(of("Code: 241. DB::Exception: memory").retry(), Retry::Always);
        assert_eq!(of("Code: 62. DB::Exception: syntax").retry(), Retry::Some);
        assert_eq!(of("502 Bad Gateway").retry(), Retry::Always);
        assert_eq!(of("Code: 81").retry(), Retry::Never);
    }
}
