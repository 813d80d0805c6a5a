//! How endpoints, that is models on channels, did in a window of time: uptime and speed.
//!
//! The classes are OpenRouter's: an error is anything the endpoint could have spared the client; bad requests
//! and rate limits are not its fault and count apart.

use std::ops::Range;

use schemas::Timestamp;
use serde::Serialize;

use crate::histogram::{Histogram, Percentiles};

/// Below this many counted attempts an uptime says nothing.
pub const UPTIME_ATTEMPTS_MIN: u64 = 100;
const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// What one attempt says about its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptClass {
    Success,
    Error,
    /// 429 and 403: counted apart.
    RateLimited,
    /// The request was at fault, or its client left: says nothing.
    NotCounted,
}

impl AttemptClass {
    /// `outcome` is `ok` or the stable error type; `status` the upstream's, absent when none came.
    pub fn of(outcome: &str, status: Option<u16>) -> Self {
        match (outcome, status) {
            ("ok", _) => Self::Success,
            ("client_left" | "cancelled" | "hedge_lost" | "hold_refused" | "free_refused", _) => Self::NotCounted,
            (_, Some(400 | 413 | 422)) => Self::NotCounted,
            (_, Some(403 | 429)) => Self::RateLimited,
            _ => Self::Error,
        }
    }
}

/// Attempts of one endpoint in a window.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct EndpointAttempts {
    pub channel: String,
    pub model: String,
    pub success_count: u64,
    pub error_count: u64,
    pub rate_limited_count: u64,
    pub not_counted: u64,
}

impl EndpointAttempts {
    pub(crate) const fn add(&mut self, class: AttemptClass, count: u64) {
        match class {
            AttemptClass::Success => self.success_count += count,
            AttemptClass::Error => self.error_count += count,
            AttemptClass::RateLimited => self.rate_limited_count += count,
            AttemptClass::NotCounted => self.not_counted += count,
        }
    }

    /// Success ÷ (success + error), 0 to 1; `None` below [`UPTIME_ATTEMPTS_MIN`].
    pub fn uptime(&self) -> Option<f64> {
        let counted = self.success_count + self.error_count;
        (counted >= UPTIME_ATTEMPTS_MIN).then(|| self.success_count as f64 / counted as f64)
    }
}

/// Speed of one endpoint in a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EndpointSpeed {
    pub channel: String,
    pub model: String,
    /// Time to the first token, ms.
    pub ttft: Histogram,
    /// Completion tokens per 1,000 s.
    pub throughput: Histogram,
}

impl EndpointSpeed {
    /// Milliseconds.
    pub fn ttft_ms(&self) -> Option<Percentiles> {
        self.ttft.percentiles(1.0)
    }

    /// Tokens per second.
    pub fn throughput_tokens_per_second(&self) -> Option<Percentiles> {
        self.throughput.percentiles(0.001)
    }
}

/// The whole hours in a window, if there are any.
pub(crate) fn whole_hours(from: Timestamp, to: Timestamp) -> Option<Range<Timestamp>> {
    let hours = from.plus_micros(MICROS_PER_HOUR - 1).hour()..to.hour();
    (hours.start < hours.end).then_some(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_counts_what_the_endpoint_is_to_blame_for() {
        let class = AttemptClass::of;
        assert_eq!(class("ok", Some(200)), AttemptClass::Success);
        for status in [401, 402, 404, 500, 503, 529] {
            assert_eq!(class("upstream_error", Some(status)), AttemptClass::Error, "{status}");
        }
        assert_eq!(class("upstream_error", Some(200)), AttemptClass::Error, "an error in the middle of a stream");
        assert_eq!(class("timeout", None), AttemptClass::Error);
        for outcome in ["client_left", "hedge_lost", "hold_refused", "free_refused"] {
            assert_eq!(class(outcome, None), AttemptClass::NotCounted, "{outcome}");
        }
        assert_eq!(class("rate_limit_exceeded", Some(429)), AttemptClass::RateLimited);
        assert_eq!(class("invalid_request", Some(400)), AttemptClass::NotCounted);
        assert_eq!(class("client_left", Some(200)), AttemptClass::NotCounted);
    }

    #[test]
    fn uptime_is_unknown_below_a_hundred_attempts() {
        let mut attempts = EndpointAttempts::default();
        attempts.add(AttemptClass::Success, 99);
        attempts.add(AttemptClass::RateLimited, 50);
        assert_eq!(attempts.uptime(), None);
        attempts.add(AttemptClass::Error, 1);
        assert_eq!(attempts.uptime(), Some(0.99));
    }
}
