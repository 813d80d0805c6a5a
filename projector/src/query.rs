//! What can be asked of analytics, and the shapes of the answers. Amounts are exact; no shape has a float of money.

use std::fmt;

use schemas::{AccountId, Day, KeyId, NanoUsd, RequestId, Timestamp};
use uuid::Uuid;

use crate::error::AnalyticsError;
use crate::histogram::Histogram;
use crate::row::Status;

/// Rows of one page at most, whatever is asked for.
pub const PAGE_ROWS_MAX: u32 = 1_000;
/// Rows a ranking keeps per period and kind.
pub const RANKING_ROWS_MAX: u32 = 1_000;

/// A list, newest first, and how to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Opaque; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// Requests, newest admission first. Every filter is optional.
#[derive(Debug, Clone, Default)]
pub struct GenerationQuery {
    pub account: Option<AccountId>,
    pub key: Option<KeyId>,
    pub model: Option<String>,
    pub status: Option<Status>,
    /// The calling app's address, else its title.
    pub app: Option<String>,
    /// Admitted at or after.
    pub from: Option<Timestamp>,
    /// Admitted before.
    pub to: Option<Timestamp>,
    pub cursor: Option<String>,
    /// 1 to [`PAGE_ROWS_MAX`]; clamped.
    pub limit: u32,
}

/// Usage by day, model and endpoint; both days included.
#[derive(Debug, Clone, Copy)]
pub struct ActivityQuery {
    /// `None`: of all customers; the platform's own health probes are left out.
    pub account: Option<AccountId>,
    pub key: Option<KeyId>,
    pub from: Day,
    pub to: Day,
}

/// One row of `GET /activity`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityRow {
    pub date: Day,
    pub model: String,
    /// The endpoint's channel; empty when none served.
    pub channel: String,
    pub provider_name: String,
    pub usage: NanoUsd,
    pub requests: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub reasoning_tokens: u64,
}

/// One model's usage over a range of days, most tokens first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelUsageRow {
    pub model: String,
    pub usage: NanoUsd,
    pub requests: u64,
    pub error_count: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub reasoning_tokens: u64,
    pub cached_tokens: u64,
}

/// One row of `model_stats`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelStatsRow {
    pub model: String,
    pub date: Day,
    pub request_count: u64,
    pub token_count: u64,
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
    pub reasoning_tokens: u64,
    pub cached_tokens: u64,
    pub tool_calls: u64,
    pub total_cost_nanos: NanoUsd,
    pub provider_cost_nanos: NanoUsd,
    pub provider_cost_unknown_count: u64,
    pub ok_count: u64,
    pub error_count: u64,
    pub cancelled_count: u64,
    pub released_count: u64,
    pub avg_latency_ms: f64,
    pub avg_ttft_ms: Option<f64>,
    /// Milliseconds.
    pub ttft: Histogram,
    /// Completion tokens per 1,000 s.
    pub throughput: Histogram,
}

/// What an account was charged for the requests admitted on a UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChargeTotal {
    pub account_id: AccountId,
    pub day: Day,
    pub charged: NanoUsd,
    /// Requests with a charge; those that cost nothing have no transaction in the ledger either.
    pub requests: u64,
}

/// A day, an ISO week (Monday to Sunday) or a calendar month, by any day in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankingPeriod {
    Day(Day),
    Week(Day),
    Month(Day),
}

/// Who is ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankingKind {
    Model,
    Author,
    App,
}

/// One row of `rankings`.
#[derive(Debug, Clone, PartialEq)]
pub struct RankingRow {
    pub rank: u64,
    pub subject: String,
    pub tokens: u64,
    pub requests: u64,
    /// Of all tokens of this kind in the period, 0 to 1.
    pub share: f64,
    pub previous_tokens: u64,
    /// (tokens − previous) ÷ previous; `None` for a newcomer.
    pub change: Option<f64>,
}

impl RankingKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Author => "author",
            Self::App => "app",
        }
    }
}

impl RankingPeriod {
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Day(_) => "day",
            Self::Week(_) => "week",
            Self::Month(_) => "month",
        }
    }

    /// First day.
    pub fn start(self) -> Day {
        match self {
            Self::Day(day) => day,
            Self::Week(day) => day.week_start(),
            Self::Month(day) => day.month_start(),
        }
    }

    /// The day after the last.
    pub fn end(self) -> Day {
        self.next().start()
    }

    pub fn next(self) -> Self {
        match self {
            Self::Day(day) => Self::Day(day.plus(1)),
            Self::Week(day) => Self::Week(day.week_start().plus(7)),
            Self::Month(day) => Self::Month(day.next_month_start()),
        }
    }

    pub fn previous(self) -> Self {
        let before = self.start().plus(-1);
        match self {
            Self::Day(_) => Self::Day(before),
            Self::Week(_) => Self::Week(before),
            Self::Month(_) => Self::Month(before),
        }
    }
}

/// ISO 8601: `2026-11-23`, `2026-W48`, `2026-11`.
impl fmt::Display for RankingPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.start();
        match self {
            Self::Day(_) => write!(f, "{start}"),
            Self::Week(_) => {
                // An ISO week belongs to the year its Thursday is in.
                let thursday = start.plus(3).to_string();
                let year = thursday.split('-').next().unwrap_or_default();
                let new_year: Day = format!("{year}-01-01").parse().map_err(|_| fmt::Error)?;
                write!(f, "{year}-W{:02}", (start.number() + 3 - new_year.number()) / 7 + 1)
            }
            Self::Month(_) => write!(f, "{}", start.to_string().rsplit_once('-').map_or("", |(month, _)| month)),
        }
    }
}

/// Where a page ended: the admission and id of its last request, in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub admitted_at: Timestamp,
    pub request_id: RequestId,
}

impl Cursor {
    pub fn write(self) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.admitted_at.micros().to_be_bytes());
        bytes[8..].copy_from_slice(self.request_id.uuid().as_bytes());
        hex::encode(bytes)
    }

    pub fn read(text: &str) -> Result<Self, AnalyticsError> {
        let mut bytes = [0; 24];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| AnalyticsError::Cursor)?;
        let (micros, id) = bytes.split_first_chunk::<8>().ok_or(AnalyticsError::Cursor)?;
        let request_id = Uuid::from_slice(id).map_err(|_| AnalyticsError::Cursor)?;
        Ok(Self { admitted_at: Timestamp::from_micros(i64::from_be_bytes(*micros)), request_id: RequestId::from_uuid(request_id) })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    #[test]
    fn periods_are_written_in_iso_8601() {
        assert_eq!(RankingPeriod::Day(day("2026-11-23")).to_string(), "2026-11-23");
        assert_eq!(RankingPeriod::Week(day("2026-11-23")).to_string(), "2026-W48");
        assert_eq!(RankingPeriod::Month(day("2026-11-23")).to_string(), "2026-11");
    }

    #[test]
    fn iso_weeks_around_new_year_belong_to_the_year_of_their_thursday() {
        for (text, week) in [("2027-01-01", "2026-W53"), ("2024-12-30", "2025-W01"), ("2026-01-01", "2026-W01"), ("2023-01-01", "2022-W52")]
        {
            assert_eq!(RankingPeriod::Week(day(text)).to_string(), week, "{text}");
        }
    }

    #[test]
    fn periods_follow_each_other_without_gap() {
        for start in (20_000..20_800).map(Day::from_number) {
            for period in [RankingPeriod::Day(start), RankingPeriod::Week(start), RankingPeriod::Month(start)] {
                assert!(period.start() <= start && start < period.end());
                assert_eq!(period.next().start(), period.end());
                assert_eq!(period.previous().end(), period.start());
            }
        }
    }

    #[test]
    fn a_cursor_survives_its_text_and_foreign_text_is_refused() {
        let cursor = Cursor { admitted_at: Timestamp::from_micros(1_764_000_000_123_456), request_id: RequestId::mint() };
        assert_eq!(Cursor::read(&cursor.write()).unwrap(), cursor);
        for text in ["", "zz", "00", &"0".repeat(50)] {
            assert!(matches!(Cursor::read(text), Err(AnalyticsError::Cursor)), "{text}");
        }
    }
}
