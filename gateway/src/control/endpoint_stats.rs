//! How endpoints did lately, from analytics, for everyone who looks at the catalog.
//!
//! The catalog is open to the public, so the figures are computed at most once in [`STATS_AGE_MAX`],
//! whoever asks; meanwhile others are answered with the figures before.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwapOption;
use projector::endpoint::{EndpointAttempts, EndpointSpeed};
use projector::histogram::Percentiles;
use projector::{AnalyticsError, AnalyticsStore};
use schemas::Timestamp;

const MICROS_PER_MINUTE: i64 = 60_000_000;
/// Figures older than this are computed anew.
pub const STATS_AGE_MAX_MICROS: i64 = 15 * 1_000_000;

/// A window that figures are given for, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    FiveMinutes,
    ThirtyMinutes,
    Day,
}

impl Window {
    const ALL: [Self; 3] = [Self::FiveMinutes, Self::ThirtyMinutes, Self::Day];

    const fn minutes(self) -> i64 {
        match self {
            Self::FiveMinutes => 5,
            Self::ThirtyMinutes => 30,
            Self::Day => 24 * 60,
        }
    }
}

/// Figures of every endpoint that had requests lately.
#[derive(Debug, Default)]
pub struct EndpointStats {
    computed_at: Timestamp,
    attempts: HashMap<Window, Vec<EndpointAttempts>>,
    /// Of the last half hour.
    speeds: Vec<EndpointSpeed>,
}

impl EndpointStats {
    /// Reads the figures of all windows that end now.
    pub async fn compute(analytics: &AnalyticsStore, now: Timestamp) -> Result<Self, AnalyticsError> {
        let since = |window: Window| now.plus_micros(-window.minutes() * MICROS_PER_MINUTE);
        let until = now.plus_micros(1);
        let mut attempts = HashMap::new();
        for window in Window::ALL {
            attempts.insert(window, analytics.endpoint_attempts(since(window), until).await?);
        }
        let speeds = analytics.endpoint_speed(since(Window::ThirtyMinutes), until).await?;
        Ok(Self { computed_at: now, attempts, speeds })
    }

    pub fn attempts(&self, window: Window, channel: &str, model: &str) -> Option<&EndpointAttempts> {
        let of_window = self.attempts.get(&window)?;
        of_window.iter().find(|attempts| attempts.channel == channel && attempts.model == model)
    }

    /// The attempts of a whole channel, summed.
    pub fn channel_attempts(&self, window: Window, channel: &str) -> EndpointAttempts {
        let none = EndpointAttempts { channel: channel.to_owned(), ..EndpointAttempts::default() };
        let of_window = self.attempts.get(&window).into_iter().flatten();
        of_window.filter(|attempts| attempts.channel == channel).fold(none, |sum, attempts| EndpointAttempts {
            success_count: sum.success_count + attempts.success_count,
            error_count: sum.error_count + attempts.error_count,
            rate_limited_count: sum.rate_limited_count + attempts.rate_limited_count,
            not_counted: sum.not_counted + attempts.not_counted,
            ..sum
        })
    }

    /// Uptime in percent, where there were enough attempts to say.
    pub fn uptime_percent(&self, window: Window, channel: &str, model: &str) -> Option<f64> {
        self.attempts(window, channel, model)?.uptime().map(|share| share * 100.0)
    }

    /// Milliseconds to the first token.
    pub fn latency_ms(&self, channel: &str, model: &str) -> Option<Percentiles> {
        self.speed(channel, model)?.ttft_ms()
    }

    pub fn throughput_tokens_per_second(&self, channel: &str, model: &str) -> Option<Percentiles> {
        self.speed(channel, model)?.throughput_tokens_per_second()
    }

    fn speed(&self, channel: &str, model: &str) -> Option<&EndpointSpeed> {
        self.speeds.iter().find(|speed| speed.channel == channel && speed.model == model)
    }
}

/// The figures as last computed.
#[derive(Debug, Default)]
pub struct EndpointStatsCache {
    latest: ArcSwapOption<EndpointStats>,
    computing: AtomicBool,
}

impl EndpointStatsCache {
    /// Figures of at most [`STATS_AGE_MAX_MICROS`] ago, or older ones while someone else computes.
    pub async fn recent(&self, analytics: &AnalyticsStore, now: Timestamp) -> Result<Arc<EndpointStats>, AnalyticsError> {
        let latest = self.latest.load_full();
        let oldest = now.plus_micros(-STATS_AGE_MAX_MICROS);
        if let Some(fresh) = latest.as_ref().filter(|stats| stats.computed_at >= oldest) {
            return Ok(Arc::clone(fresh));
        }
        if self.computing.swap(true, Ordering::Acquire) {
            return Ok(latest.unwrap_or_default());
        }
        let _turn = Turn(&self.computing);
        let stats = Arc::new(EndpointStats::compute(analytics, now).await?);
        self.latest.store(Some(Arc::clone(&stats)));
        Ok(stats)
    }
}

/// The right to compute; given back when dropped, also by a caller that went away.
struct Turn<'a>(&'a AtomicBool);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
