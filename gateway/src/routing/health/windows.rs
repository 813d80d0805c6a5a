//! Counts of attempts over the last five minutes, half hour and day, in a fixed number of buckets.

use std::collections::VecDeque;

use projector::histogram::{Histogram, Percentiles, bucket_floor};
use schemas::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::{Blame, Ending};

const MICROS_PER_MINUTE: i64 = 60_000_000;
/// Buckets of a minute: half an hour.
const MINUTES: u32 = 30;
/// Buckets of half an hour: a day.
const HALF_HOURS: u32 = 48;
/// Percentiles are of so many minutes.
const SPEED_MINUTES: u32 = 5;

/// A window that figures are given for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    FiveMinutes,
    ThirtyMinutes,
    Day,
}

/// Attempts by how they ended, and what the successful ones took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    #[serde(rename = "s", skip_serializing_if = "is_zero")]
    pub success: u64,
    #[serde(rename = "e", skip_serializing_if = "is_zero")]
    pub error: u64,
    #[serde(rename = "r", skip_serializing_if = "is_zero")]
    pub rate_limited: u64,
    /// The caller's fault or choice.
    #[serde(rename = "n", skip_serializing_if = "is_zero")]
    pub not_counted: u64,
    #[serde(rename = "l", skip_serializing_if = "is_zero")]
    pub latency_ms: u64,
    #[serde(rename = "t", skip_serializing_if = "is_zero")]
    pub ttft_ms: u64,
    /// Successes that told a time to their first token.
    #[serde(rename = "c", skip_serializing_if = "is_zero")]
    pub ttft_count: u64,
    #[serde(rename = "o", skip_serializing_if = "is_zero")]
    pub output_tokens: u64,
    #[serde(rename = "g", skip_serializing_if = "is_zero")]
    pub generation_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Counts {
    pub fn add(&mut self, other: &Self) {
        self.success += other.success;
        self.error += other.error;
        self.rate_limited += other.rate_limited;
        self.not_counted += other.not_counted;
        self.latency_ms += other.latency_ms;
        self.ttft_ms += other.ttft_ms;
        self.ttft_count += other.ttft_count;
        self.output_tokens += other.output_tokens;
        self.generation_ms += other.generation_ms;
    }

    pub const fn counted(&self) -> u64 {
        self.success + self.error
    }

    /// Successes of a thousand that counted.
    pub fn success_permille(&self) -> Option<u64> {
        (self.success * 1_000).checked_div(self.counted())
    }
}

/// One bucket; `index` counts minutes or half hours since 1970.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Bucket {
    #[serde(rename = "i")]
    index: u32,
    #[serde(flatten)]
    counts: Counts,
}

/// Speed of one minute.
#[derive(Debug, Clone, Default)]
struct Speed {
    index: u32,
    ttft_ms: Histogram,
    /// Tokens a second, times ten.
    throughput: Histogram,
}

/// The counts of one endpoint, newest bucket last.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Windows {
    minutes: VecDeque<Bucket>,
    half_hours: VecDeque<Bucket>,
    #[serde(skip)]
    speeds: VecDeque<Speed>,
}

fn minute(now: Timestamp) -> u32 {
    u32::try_from(now.micros().div_euclid(MICROS_PER_MINUTE)).unwrap_or_default()
}

fn newest(buckets: &mut VecDeque<Bucket>, index: u32, buckets_max: u32) -> &mut Counts {
    if buckets.back().is_none_or(|last| last.index < index) {
        buckets.push_back(Bucket { index, counts: Counts::default() });
        while buckets.front().is_some_and(|first| first.index + buckets_max <= index) {
            buckets.pop_front();
        }
    }
    let last = buckets.len() - 1;
    &mut buckets[last].counts
}

impl Windows {
    /// Counts how an attempt ended.
    pub fn count(&mut self, ending: Ending, ttft_ms: Option<u64>, now: Timestamp) {
        let minute = minute(now);
        let mut one = Counts::default();
        match ending {
            Ending::Succeeded { latency_ms, output_tokens, generation_ms } => {
                one.success = 1;
                (one.latency_ms, one.output_tokens, one.generation_ms) = (latency_ms, output_tokens, generation_ms);
                (one.ttft_ms, one.ttft_count) = (ttft_ms.unwrap_or_default(), u64::from(ttft_ms.is_some()));
                let speed = self.speed(minute);
                if let Some(ttft_ms) = ttft_ms {
                    speed.ttft_ms.add(bucket_floor(ttft_ms), 1);
                }
                if let Some(tenths) = (output_tokens * 10_000).checked_div(generation_ms).filter(|_| output_tokens > 0) {
                    speed.throughput.add(bucket_floor(tenths), 1);
                }
            }
            Ending::Failed(Blame::Nobody) => one.not_counted = 1,
            Ending::Failed(Blame::RateLimited) => one.rate_limited = 1,
            Ending::Failed(Blame::Key | Blame::Endpoint | Blame::Channel) => one.error = 1,
        }
        newest(&mut self.minutes, minute, MINUTES).add(&one);
        newest(&mut self.half_hours, minute / MINUTES, HALF_HOURS).add(&one);
    }

    fn speed(&mut self, minute: u32) -> &mut Speed {
        if self.speeds.back().is_none_or(|last| last.index < minute) {
            self.speeds.push_back(Speed { index: minute, ..Speed::default() });
            while self.speeds.front().is_some_and(|first| first.index + SPEED_MINUTES <= minute) {
                self.speeds.pop_front();
            }
        }
        let last = self.speeds.len() - 1;
        &mut self.speeds[last]
    }

    /// The counts of a window that ends now. The current minute is the window's last.
    pub fn counts(&self, window: Window, now: Timestamp) -> Counts {
        let minute = minute(now);
        let (buckets, index, length) = match window {
            Window::FiveMinutes => (&self.minutes, minute, 5),
            Window::ThirtyMinutes => (&self.minutes, minute, MINUTES),
            Window::Day => (&self.half_hours, minute / MINUTES, HALF_HOURS),
        };
        let mut sum = Counts::default();
        buckets.iter().filter(|bucket| bucket.index + length > index && bucket.index <= index).for_each(|bucket| sum.add(&bucket.counts));
        sum
    }

    /// Milliseconds to the first token, of the last five minutes.
    pub fn ttft_ms(&self, now: Timestamp) -> Option<Percentiles> {
        self.percentiles(|speed| &speed.ttft_ms, 1.0, now)
    }

    /// Tokens a second, of the last five minutes.
    pub fn throughput(&self, now: Timestamp) -> Option<Percentiles> {
        self.percentiles(|speed| &speed.throughput, 0.1, now)
    }

    fn percentiles(&self, of: impl Fn(&Speed) -> &Histogram, scale: f64, now: Timestamp) -> Option<Percentiles> {
        let minute = minute(now);
        let mut all = Histogram::default();
        self.speeds.iter().filter(|speed| speed.index + SPEED_MINUTES > minute).for_each(|speed| all.merge(of(speed)));
        all.percentiles(scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Ending = Ending::Succeeded { latency_ms: 900, output_tokens: 50, generation_ms: 1_000 };

    #[test]
    fn each_window_forgets_in_its_own_time() {
        let (mut windows, start) = (Windows::default(), 29_000_000 * MICROS_PER_MINUTE);
        let at = |minutes: i64| Timestamp::from_micros(start + minutes * MICROS_PER_MINUTE);
        windows.count(OK, Some(120), at(0));
        windows.count(Ending::Failed(Blame::Channel), None, at(0));
        windows.count(Ending::Failed(Blame::Nobody), None, at(0));
        windows.count(Ending::Failed(Blame::RateLimited), None, at(0));
        for (minutes, window, expected) in [
            (4, Window::FiveMinutes, 2),
            (5, Window::FiveMinutes, 0),
            (29, Window::ThirtyMinutes, 2),
            (30, Window::ThirtyMinutes, 0),
            (23 * 60, Window::Day, 2),
            (25 * 60, Window::Day, 0),
        ] {
            assert_eq!(windows.counts(window, at(minutes)).counted(), expected, "{window:?} after {minutes} min");
        }
        let counts = windows.counts(Window::FiveMinutes, at(0));
        assert_eq!((counts.success_permille(), counts.rate_limited, counts.not_counted), (Some(500), 1, 1));
        assert!(windows.throughput(at(0)).is_some_and(|speed| (speed.p50 - 50.0).abs() < 2.0));
        assert!(windows.ttft_ms(at(6)).is_none());
    }

    #[test]
    fn counts_survive_being_written_down() {
        let (mut windows, now) = (Windows::default(), Timestamp::from_micros(29_000_000 * MICROS_PER_MINUTE));
        windows.count(OK, Some(120), now);
        let read: Windows = serde_json::from_value(serde_json::to_value(&windows).unwrap_or_default()).unwrap_or_default();
        assert_eq!(read.counts(Window::Day, now), windows.counts(Window::Day, now));
        assert_eq!(read.counts(Window::Day, now).success, 1);
    }
}
