//! How ids, times and counts are written into SQLite and read back.

use std::fmt::Display;
use std::str::FromStr;

use schemas::Timestamp;

use crate::error::AnalyticsError;

/// `2026-11-23T01:00:00Z`, as the `hour` columns hold it.
pub(super) fn hour_text(hour: Timestamp) -> String {
    format!("{}:00:00Z", hour_prefix(hour))
}

/// `2026-11-23T01`: what every admission in the hour begins with.
fn hour_prefix(hour: Timestamp) -> String {
    hour.to_string().chars().take(13).collect()
}

/// The first text past everything that begins with `prefix` and goes on with `T`, `:` or a digit.
pub(super) fn past(prefix: &str) -> String {
    format!("{prefix}~")
}

/// Parses a column that we wrote.
pub(super) fn parse<T: FromStr>(column: &'static str, text: &str) -> Result<T, AnalyticsError> {
    text.parse().map_err(|_| AnalyticsError::Corrupt { column })
}

pub(super) fn unsigned<T: TryFrom<i64>>(column: &'static str, value: i64) -> Result<T, AnalyticsError> {
    T::try_from(value).map_err(|_| AnalyticsError::Corrupt { column })
}

pub(super) fn signed<T: TryInto<i64>>(column: &'static str, value: T) -> Result<i64, AnalyticsError> {
    value.try_into().map_err(|_| AnalyticsError::OutOfRange(column))
}

/// A JSON array of texts, for `json_each`.
pub(super) fn json_texts<T: Display>(texts: impl Iterator<Item = T>) -> String {
    let mut json = String::from("[");
    for text in texts {
        if json.len() > 1 {
            json.push(',');
        }
        json.push('"');
        json.push_str(&text.to_string());
        json.push('"');
    }
    json.push(']');
    json
}
