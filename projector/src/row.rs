//! What analytics keep of one request: the terminal event in effect, flattened.
//!
//! Pure: a row is a function of event bytes and log position alone. The gateway answers `/generation` from
//! the same type, whether the event comes from the gate, from the log or from the store.

use std::ops::Range;

use schemas::cost::CostLine;
use schemas::event::{Attempt, Body, Event, HoldExpired, RequestRecord};
use schemas::money::PICOS_PER_NANO;
use schemas::terminal::Terminal;
use schemas::usage::{TOKENS_MAX, UsageSource};
use schemas::{AccountId, KeyId, NanoUsd, RequestId, Timestamp, Usage, UserId};

use crate::error::AnalyticsError;
use crate::histogram::bucket_floor;

/// More than one request can cost. It keeps every sum of a bucket far from the end of its integer.
pub const AMOUNT_MAX: NanoUsd = NanoUsd::from_usd(10_000_000);
/// More than a request can last: some 34 years.
pub const DURATION_MS_MAX: u64 = 1 << 40;
/// When a request can be: 1970 to 2099. Days and hours of it fit the types of every engine.
pub const TIMES: Range<Timestamp> = Timestamp::from_micros(0)..Timestamp::from_micros(4_102_444_800_000_000);

/// How a request ended, as its caller saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Answered.
    Ok,
    /// Answered with an error, or broken off by one.
    Error,
    /// The client left first.
    Cancelled,
    /// Ended without a charge and without an error: a zero completion, a request lost in a crash.
    Released,
    /// Its owner died and the hold was ended by the reaper.
    Expired,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Error, Self::Cancelled, Self::Released, Self::Expired].into_iter().find(|status| status.as_str() == text)
    }

    fn of(request: &RequestRecord, otherwise: Self) -> Self {
        if request.cancelled {
            Self::Cancelled
        } else if request.error_type.is_some() || request.http_status >= 400 {
            Self::Error
        } else {
            otherwise
        }
    }
}

/// One request. Empty text where an expired hold knows no better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRow {
    pub request_id: RequestId,
    pub event_id: String,
    pub log_position: u64,
    pub account_id: AccountId,
    pub key_id: Option<KeyId>,
    pub user_id: Option<UserId>,
    pub model: String,
    pub model_requested: String,
    pub channel: String,
    pub provider: String,
    pub api_type: String,
    pub app_url: Option<String>,
    pub app_title: Option<String>,
    /// Its hour and day are the buckets the request counts in.
    pub admitted_at: Timestamp,
    pub ended_at: Timestamp,
    pub terminal: Terminal,
    pub provisional: bool,
    pub release_reason: Option<String>,
    pub status: Status,
    /// What the client was answered with; unknown for an expired hold.
    pub http_status: Option<u16>,
    pub error_type: Option<String>,
    pub finish_reason: Option<String>,
    pub native_finish_reason: Option<String>,
    pub streamed: bool,
    pub cancelled: bool,
    pub usage: Usage,
    /// Charged to the account.
    pub charge_nanos: NanoUsd,
    /// What the provider charges us; absent when it cannot be known.
    pub provider_cost_nanos: Option<NanoUsd>,
    pub rounding_picos: i64,
    pub hold_nanos: NanoUsd,
    pub ttft_ms: Option<u64>,
    pub duration_ms: u64,
    pub price_version: Option<String>,
    pub upstream_id: Option<String>,
    pub epoch: u64,
    pub attempts: Vec<Attempt>,
    pub cost_lines: Vec<CostLine>,
    /// The client's names for the conversation and for whoever it asked for, and its program.
    pub session_id: Option<String>,
    pub external_user: Option<String>,
    pub user_agent: Option<String>,
}

/// Why a readable event cannot become a row. The ledger does not book it either, but for the size of an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("`{field}` is out of range")]
    OutOfRange { field: &'static str },
    #[error("the charge's lines do not add up to it")]
    Lines,
    #[error("the platform's own account is charged")]
    SystemCharged,
}

impl RowError {
    /// A stable word.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::OutOfRange { .. } => "out_of_range",
            Self::Lines => "lines_do_not_add_up",
            Self::SystemCharged => "system_charged",
        }
    }
}

impl UsageRow {
    /// The row of a terminal event; `None` for every other event.
    pub fn from_event(log_position: u64, event: Event) -> Result<Option<Self>, RowError> {
        let Some(terminal) = Terminal::of(&event.body) else { return Ok(None) };
        let header = event.header;
        let mut row = match event.body {
            Body::UsageSettled(settled) => Self {
                status: Status::of(&settled.request, Status::Ok),
                provisional: settled.provisional,
                charge_nanos: settled.charge_nanos,
                rounding_picos: settled.rounding_picos,
                cost_lines: settled.lines,
                ..Self::of_request(settled.request, terminal)
            },
            Body::UsageReleased(released) => Self {
                status: Status::of(&released.request, Status::Released),
                release_reason: Some(released.reason),
                ..Self::of_request(released.request, terminal)
            },
            Body::HoldExpired(expired) => Self::of_expired(&expired),
            _ => return Ok(None),
        };
        row.event_id = header.id;
        row.log_position = log_position;
        row.account_id = header.account;
        row.ended_at = header.time;
        row.check().map(|()| Some(row))
    }

    fn of_request(request: RequestRecord, terminal: Terminal) -> Self {
        Self {
            request_id: request.request_id,
            event_id: String::new(),
            log_position: 0,
            account_id: AccountId::SYSTEM,
            key_id: request.api_key_id,
            user_id: request.user_id,
            model: request.model,
            model_requested: request.model_requested,
            channel: request.channel,
            provider: request.provider,
            api_type: request.api_type,
            app_url: request.app_url,
            app_title: request.app_title,
            admitted_at: request.admitted_at,
            ended_at: request.admitted_at,
            terminal,
            provisional: false,
            release_reason: None,
            status: Status::Released,
            http_status: Some(request.http_status),
            error_type: request.error_type,
            finish_reason: request.finish_reason,
            native_finish_reason: request.native_finish_reason,
            streamed: request.streamed,
            cancelled: request.cancelled,
            usage: request.usage,
            charge_nanos: NanoUsd::ZERO,
            provider_cost_nanos: request.provider_cost_nanos,
            rounding_picos: 0,
            hold_nanos: request.hold_nanos,
            ttft_ms: request.ttft_ms,
            duration_ms: request.duration_ms,
            price_version: request.price_version,
            upstream_id: request.upstream_id,
            epoch: request.epoch,
            attempts: request.attempts,
            cost_lines: Vec::new(),
            session_id: request.session_id,
            external_user: request.external_user,
            user_agent: request.user_agent,
        }
    }

    /// Nobody but its dead owner knew more; the moment of admission is in the id.
    fn of_expired(expired: &HoldExpired) -> Self {
        let admitted_at = minted_at(expired.request_id);
        Self {
            request_id: expired.request_id,
            event_id: String::new(),
            log_position: 0,
            account_id: AccountId::SYSTEM,
            key_id: expired.api_key_id,
            user_id: None,
            model: String::new(),
            model_requested: String::new(),
            channel: String::new(),
            provider: String::new(),
            api_type: String::new(),
            app_url: None,
            app_title: None,
            admitted_at,
            ended_at: admitted_at,
            terminal: Terminal::Expired,
            provisional: false,
            release_reason: None,
            status: Status::Expired,
            http_status: None,
            error_type: None,
            finish_reason: None,
            native_finish_reason: None,
            streamed: false,
            cancelled: false,
            usage: Usage::default(),
            charge_nanos: NanoUsd::ZERO,
            provider_cost_nanos: None,
            rounding_picos: 0,
            hold_nanos: expired.hold_nanos,
            ttft_ms: None,
            duration_ms: 0,
            price_version: None,
            upstream_id: None,
            epoch: expired.epoch,
            attempts: Vec::new(),
            cost_lines: Vec::new(),
            session_id: None,
            external_user: None,
            user_agent: None,
        }
    }

    /// Numbers no request can have would poison every sum of their bucket, for ever.
    fn check(&self) -> Result<(), RowError> {
        let amount_fits = |amount: NanoUsd| (NanoUsd::ZERO..=AMOUNT_MAX).contains(&amount);
        let field = if !self.token_counts().iter().all(|tokens| *tokens <= TOKENS_MAX) {
            "usage"
        } else if !amount_fits(self.charge_nanos) {
            "charge_nanos"
        } else if !self.provider_cost_nanos.is_none_or(amount_fits) {
            "provider_cost_nanos"
        } else if self.duration_ms > DURATION_MS_MAX {
            "duration_ms"
        } else if self.ttft_ms.is_some_and(|ttft_ms| ttft_ms > DURATION_MS_MAX) {
            "ttft_ms"
        } else if i64::try_from(self.epoch).is_err() {
            "epoch"
        } else if !TIMES.contains(&self.admitted_at) {
            "admitted_at"
        } else if !TIMES.contains(&self.ended_at) {
            "time"
        } else {
            return self.check_charge();
        };
        Err(RowError::OutOfRange { field })
    }

    /// Where a charge is itemised, its lines explain it to the last pico-dollar.
    fn check_charge(&self) -> Result<(), RowError> {
        if self.account_id == AccountId::SYSTEM && !self.charge_nanos.is_zero() {
            return Err(RowError::SystemCharged);
        }
        if self.cost_lines.is_empty() {
            return Ok(());
        }
        let product = |line: &CostLine| i128::from(line.quantity) * i128::from(line.price_picos.picos());
        let picos = self.cost_lines.iter().map(product).try_fold(0_i128, i128::checked_add);
        let booked = i128::from(self.charge_nanos.nanos()) * i128::from(PICOS_PER_NANO) + i128::from(self.rounding_picos);
        let amounts = NanoUsd::checked_sum(self.cost_lines.iter().map(|line| line.amount_nanos));
        if picos == Some(booked) && amounts == Ok(self.charge_nanos) { Ok(()) } else { Err(RowError::Lines) }
    }

    /// The token columns, in their order in the table.
    pub(crate) const fn token_counts(&self) -> [u64; 11] {
        let usage = &self.usage;
        [
            usage.uncached_input,
            usage.cache_read,
            usage.cache_write_5m,
            usage.cache_write_1h,
            usage.image_input,
            usage.audio_input,
            usage.text_output,
            usage.reasoning,
            usage.image_output,
            usage.audio_output,
            usage.tool_calls,
        ]
    }

    /// Histogram bucket of the time to the first token, in ms.
    pub fn ttft_bucket(&self) -> Option<u64> {
        self.ttft_ms.map(bucket_floor)
    }

    /// Histogram bucket of the throughput in completion tokens per 1,000 s; answered requests only.
    pub fn throughput_bucket(&self) -> Option<u64> {
        let tokens = self.usage.completion_tokens();
        let counts = self.status == Status::Ok && tokens > 0 && self.duration_ms > 0;
        counts.then(|| bucket_floor(tokens.saturating_mul(1_000_000) / self.duration_ms))
    }
}

/// The moment an id was minted. No later than any request can be, whatever the id.
pub(crate) fn minted_at(request: RequestId) -> Timestamp {
    let micros = i64::try_from(request.minted_millis()).unwrap_or(i64::MAX).saturating_mul(1_000);
    Timestamp::from_micros(micros.min(TIMES.end.micros()))
}

/// The nearest time there is. **No question goes beyond them**: what engines write and order ends somewhere, too.
pub(crate) fn within_times(at: Timestamp) -> Timestamp {
    at.clamp(TIMES.start, TIMES.end)
}

/// As the column `terminal` has it.
pub(crate) const fn terminal_word(terminal: Terminal) -> &'static str {
    match terminal {
        Terminal::Settled => "settled",
        Terminal::Released { .. } => "released",
        Terminal::Expired => "expired",
    }
}

/// From the columns `terminal` and `recovered`.
pub(crate) fn parse_terminal(word: &str, recovered: bool) -> Result<Terminal, AnalyticsError> {
    match word {
        "settled" => Ok(Terminal::Settled),
        "released" => Ok(Terminal::Released { recovered }),
        "expired" => Ok(Terminal::Expired),
        _ => Err(AnalyticsError::Corrupt { column: "terminal" }),
    }
}

pub(crate) fn parse_source(word: &str) -> Result<UsageSource, AnalyticsError> {
    let sources = [UsageSource::Provider, UsageSource::Partial, UsageSource::Estimate, UsageSource::Recovered];
    sources.into_iter().find(|source| source.as_str() == word).ok_or(AnalyticsError::Corrupt { column: "usage_source" })
}
