//! Values with a unit, as people write them: `30s`, `32MiB`, `"1.00"` dollars.
//!
//! Each reads from text only, so that a bare `30` asks which unit was meant instead of guessing.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use gateway::http::peer::Network;
use schemas::NanoUsd;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

/// A length of time: `250ms`, `30s`, `5m`, `24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text { wanted: "a duration such as \"30s\"", read: parse_span }).map(Self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

/// A number of bytes: `512KiB`, `32MiB`, `4GiB`, or `1000000B`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Size {
    /// As a length in memory.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text { wanted: "a size such as \"32MiB\"", read: parse_size }).map(Self)
    }
}

/// An address and port to listen on: `127.0.0.1:8080`, `[::]:8080`, `localhost:8080`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text { wanted: "an address such as \"127.0.0.1:8080\"", read: parse_listen }).map(Self)
    }
}

/// A proxy whose word counts about where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy(pub Network);

impl<'de> Deserialize<'de> for TrustedProxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |text: &str| text.parse::<Network>().map_err(|error| error.to_string());
        deserializer.deserialize_any(Text { wanted: "an address or a network such as \"10.0.0.0/8\"", read }).map(Self)
    }
}

/// The URL that chooses a store. It may hold a password, which `Debug` leaves out.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct StoreUrl(pub String);

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.rsplit_once('@') {
            Some((_, host)) => write!(f, "{}://…@{host}", self.0.split(':').next().unwrap_or_default()),
            None => f.write_str(&self.0),
        }
    }
}

/// US dollars as decimal text: `"1.00"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(pub NanoUsd);

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |text: &str| NanoUsd::parse_usd(text).map_err(|error| format!("{error}; write US dollars such as \"1.00\""));
        deserializer.deserialize_any(Text { wanted: "US dollars in quotes, such as \"1.00\"", read }).map(Self)
    }
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| format!("`{text}` is not an address; write address and port, such as \"127.0.0.1:8080\""))
}

fn parse_span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| format!("`{text}` is not a duration; write a number and a unit, such as \"250ms\", \"30s\" or \"5m\""))
}

fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = match text[digits.len()..].trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => 0_u64,
    };
    let size = digits.replace('_', "").parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    size.filter(|_| unit > 0)
        .ok_or_else(|| format!("`{text}` is not a size; write a whole number and B, KiB, MiB, GiB or TiB, such as \"32MiB\""))
}

/// Reads text with a function; anything else is a type error that says what was wanted.
struct Text<F> {
    wanted: &'static str,
    read: F,
}

impl<T, F: Fn(&str) -> Result<T, String>> Visitor<'_> for Text<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.wanted)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    #[test]
    fn sizes_are_read_exactly() {
        for (text, bytes) in [("0B", 0), ("1_000B", 1000), ("512KiB", 524_288), ("32 MiB", 33_554_432), ("4GiB", 4_294_967_296)] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn sizes_that_could_mean_two_things_are_refused() {
        for text in ["", "32", "32MB", "-1MiB", "1.5MiB", "99999999TiB", "MiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_span("90s").unwrap(), Duration::from_secs(90));
        assert!(parse_span("90").unwrap_err().contains("such as"));
    }
}
