//! Instants and UTC days, as events carry them.
//!
//! A [`Timestamp`] has microseconds and one written form, so that an event's bytes are canonical. A
//! [`Day`] is the unit of key limits and statistics; weeks begin on Monday, months on the first.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Text that is not an instant or a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UTC time")]
pub struct TimeError(String);

/// Microseconds since 1970-01-01 UTC; written `2026-11-23T01:40:11.123456Z`, always with six digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    pub const fn micros(self) -> i64 {
        self.0
    }

    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The wall clock ([`crate::clock`]). Never called where events are applied: `apply` sees only event bytes.
    pub fn now() -> Self {
        Self(crate::clock::now_micros())
    }

    pub fn day(self) -> Day {
        Day(i32::try_from(self.0.div_euclid(MICROS_PER_DAY)).unwrap_or(i32::MAX))
    }

    /// The start of this instant's UTC hour.
    pub const fn hour(self) -> Self {
        Self(self.0.div_euclid(3_600_000_000) * 3_600_000_000)
    }

    pub const fn plus_micros(self, micros: i64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.day().calendar();
        let micros = self.0.rem_euclid(MICROS_PER_DAY);
        let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimeError(text.to_owned()))?;
        i64::try_from(parsed.unix_timestamp_nanos() / 1_000).map(Self).map_err(|_| TimeError(text.to_owned()))
    }
}

/// Days since 1970-01-01 UTC; written `2026-11-23`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Day(i32);

impl Day {
    pub const fn from_number(days: i32) -> Self {
        Self(days)
    }

    pub const fn number(self) -> i32 {
        self.0
    }

    pub fn start(self) -> Timestamp {
        Timestamp(i64::from(self.0) * MICROS_PER_DAY)
    }

    pub const fn plus(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The Monday of this day's week. 1970-01-01 was a Thursday.
    pub const fn week_start(self) -> Self {
        Self(self.0 - (self.0 + 3).rem_euclid(7))
    }

    pub fn month_start(self) -> Self {
        let (_, _, day) = self.calendar();
        Self(self.0 - i32::from(day) + 1)
    }

    /// The first day of the next month.
    pub fn next_month_start(self) -> Self {
        self.month_start().plus(31).month_start()
    }

    fn calendar(self) -> (i32, u8, u8) {
        match Date::from_julian_day(self.0.saturating_add(UNIX_EPOCH_JULIAN_DAY)) {
            Ok(date) => (date.year(), u8::from(date.month()), date.day()),
            Err(_) => (9999, 12, 31),
        }
    }
}

const UNIX_EPOCH_JULIAN_DAY: i32 = 2_440_588;

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.calendar();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let bad = || TimeError(text.to_owned());
        let mut parts = text.splitn(3, '-');
        let year: i32 = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
        let month: u8 = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
        let day: u8 = parts.next().and_then(|part| part.parse().ok()).ok_or_else(bad)?;
        let month = Month::try_from(month).map_err(|_| bad())?;
        let date = Date::from_calendar_date(year, month, day).map_err(|_| bad())?;
        Ok(Self(date.to_julian_day() - UNIX_EPOCH_JULIAN_DAY))
    }
}

macro_rules! text_serde {
    ($type:ty, $name:literal, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

text_serde!(Timestamp, "Timestamp", "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z$");
text_serde!(Day, "Day", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$");
