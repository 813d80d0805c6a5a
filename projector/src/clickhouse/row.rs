//! A [`UsageRow`] as a row of `stored_usage_events`, there and back.

use clickhouse::Row;
use schemas::terminal::Terminal;
use schemas::usage::Usage;
use schemas::{AccountId, Day, KeyId, NanoUsd, RequestId, Timestamp, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::buckets::seconds;
use crate::error::AnalyticsError;
use crate::row::{Status, TIMES, UsageRow, minted_at, parse_source, parse_terminal, terminal_word, within_times};

/// The stored columns, those that follow from others left out.
#[derive(Debug, Clone, Row, Serialize, Deserialize)]
pub(super) struct StoredRow {
    pub minted_hour: u32,
    #[serde(with = "clickhouse::serde::uuid")]
    pub request_id: Uuid,
    pub event_id: String,
    pub log_position: u64,
    #[serde(with = "clickhouse::serde::uuid")]
    pub account_id: Uuid,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub key_id: Option<Uuid>,
    #[serde(with = "clickhouse::serde::uuid::option")]
    pub user_id: Option<Uuid>,
    pub model: String,
    pub model_requested: String,
    pub channel: String,
    pub provider: String,
    pub api_type: String,
    pub app_url: Option<String>,
    pub app_title: Option<String>,
    pub admitted_at: i64,
    pub ended_at: i64,
    pub terminal: String,
    pub recovered: bool,
    pub provisional: bool,
    pub release_reason: Option<String>,
    pub status: String,
    pub http_status: Option<u16>,
    pub error_type: Option<String>,
    pub finish_reason: Option<String>,
    pub native_finish_reason: Option<String>,
    pub streamed: bool,
    pub cancelled: bool,
    pub uncached_input_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_5m_tokens: u64,
    pub cache_write_1h_tokens: u64,
    pub image_input_tokens: u64,
    pub audio_input_tokens: u64,
    pub text_output_tokens: u64,
    pub reasoning_tokens: u64,
    pub image_output_tokens: u64,
    pub audio_output_tokens: u64,
    pub tool_calls: u64,
    pub usage_source: String,
    pub charge_nanos: i64,
    pub provider_cost_nanos: Option<i64>,
    pub rounding_picos: i64,
    pub hold_nanos: i64,
    pub ttft_ms: Option<u64>,
    pub duration_ms: u64,
    pub ttft_bucket: Option<u64>,
    pub throughput_bucket: Option<u64>,
    pub price_version: Option<String>,
    pub upstream_id: Option<String>,
    pub epoch: u64,
    pub attempts: String,
    pub cost_lines: String,
    pub session_id: Option<String>,
    pub external_user: Option<String>,
    pub user_agent: Option<String>,
}

/// Microseconds of a bound of a question, as `admitted_at` is stored.
pub(super) fn micros(at: Timestamp) -> i64 {
    within_times(at).micros()
}

/// A day of a question, likewise.
pub(super) fn day_text(day: Day) -> String {
    day.clamp(TIMES.start.day(), TIMES.end.day()).to_string()
}

/// The part of the key that says where in the table a request's rows are. **A function of the id alone.**
pub(super) fn minted_hour(request: RequestId) -> u32 {
    seconds(minted_at(request).hour())
}

impl StoredRow {
    pub fn of(row: &UsageRow) -> Result<Self, AnalyticsError> {
        let unwritable = |column| move |_| AnalyticsError::OutOfRange(column);
        let usage = row.usage;
        Ok(Self {
            minted_hour: minted_hour(row.request_id),
            request_id: row.request_id.uuid(),
            event_id: row.event_id.clone(),
            log_position: row.log_position,
            account_id: row.account_id.uuid(),
            key_id: row.key_id.map(KeyId::uuid),
            user_id: row.user_id.map(UserId::uuid),
            model: row.model.clone(),
            model_requested: row.model_requested.clone(),
            channel: row.channel.clone(),
            provider: row.provider.clone(),
            api_type: row.api_type.clone(),
            app_url: row.app_url.clone(),
            app_title: row.app_title.clone(),
            admitted_at: row.admitted_at.micros(),
            ended_at: row.ended_at.micros(),
            terminal: terminal_word(row.terminal).to_owned(),
            recovered: row.terminal == Terminal::Released { recovered: true },
            provisional: row.provisional,
            release_reason: row.release_reason.clone(),
            status: row.status.as_str().to_owned(),
            http_status: row.http_status,
            error_type: row.error_type.clone(),
            finish_reason: row.finish_reason.clone(),
            native_finish_reason: row.native_finish_reason.clone(),
            streamed: row.streamed,
            cancelled: row.cancelled,
            uncached_input_tokens: usage.uncached_input,
            cache_read_tokens: usage.cache_read,
            cache_write_5m_tokens: usage.cache_write_5m,
            cache_write_1h_tokens: usage.cache_write_1h,
            image_input_tokens: usage.image_input,
            audio_input_tokens: usage.audio_input,
            text_output_tokens: usage.text_output,
            reasoning_tokens: usage.reasoning,
            image_output_tokens: usage.image_output,
            audio_output_tokens: usage.audio_output,
            tool_calls: usage.tool_calls,
            usage_source: usage.source.as_str().to_owned(),
            charge_nanos: row.charge_nanos.nanos(),
            provider_cost_nanos: row.provider_cost_nanos.map(NanoUsd::nanos),
            rounding_picos: row.rounding_picos,
            hold_nanos: row.hold_nanos.nanos(),
            ttft_ms: row.ttft_ms,
            duration_ms: row.duration_ms,
            ttft_bucket: row.ttft_bucket(),
            throughput_bucket: row.throughput_bucket(),
            price_version: row.price_version.clone(),
            upstream_id: row.upstream_id.clone(),
            epoch: row.epoch,
            attempts: serde_json::to_string(&row.attempts).map_err(unwritable("attempts"))?,
            cost_lines: serde_json::to_string(&row.cost_lines).map_err(unwritable("cost_lines"))?,
            session_id: row.session_id.clone(),
            external_user: row.external_user.clone(),
            user_agent: row.user_agent.clone(),
        })
    }

    pub fn read(self) -> Result<UsageRow, AnalyticsError> {
        Ok(UsageRow {
            request_id: RequestId::from_uuid(self.request_id),
            event_id: self.event_id,
            log_position: self.log_position,
            account_id: AccountId::from_uuid(self.account_id),
            key_id: self.key_id.map(KeyId::from_uuid),
            user_id: self.user_id.map(UserId::from_uuid),
            model: self.model,
            model_requested: self.model_requested,
            channel: self.channel,
            provider: self.provider,
            api_type: self.api_type,
            app_url: self.app_url,
            app_title: self.app_title,
            admitted_at: Timestamp::from_micros(self.admitted_at),
            ended_at: Timestamp::from_micros(self.ended_at),
            terminal: parse_terminal(&self.terminal, self.recovered)?,
            provisional: self.provisional,
            release_reason: self.release_reason,
            status: Status::parse(&self.status).ok_or(AnalyticsError::Corrupt { column: "status" })?,
            http_status: self.http_status,
            error_type: self.error_type,
            finish_reason: self.finish_reason,
            native_finish_reason: self.native_finish_reason,
            streamed: self.streamed,
            cancelled: self.cancelled,
            usage: Usage {
                uncached_input: self.uncached_input_tokens,
                cache_read: self.cache_read_tokens,
                cache_write_5m: self.cache_write_5m_tokens,
                cache_write_1h: self.cache_write_1h_tokens,
                image_input: self.image_input_tokens,
                audio_input: self.audio_input_tokens,
                text_output: self.text_output_tokens,
                reasoning: self.reasoning_tokens,
                image_output: self.image_output_tokens,
                audio_output: self.audio_output_tokens,
                tool_calls: self.tool_calls,
                source: parse_source(&self.usage_source)?,
            },
            charge_nanos: NanoUsd::from_nanos(self.charge_nanos),
            provider_cost_nanos: self.provider_cost_nanos.map(NanoUsd::from_nanos),
            rounding_picos: self.rounding_picos,
            hold_nanos: NanoUsd::from_nanos(self.hold_nanos),
            ttft_ms: self.ttft_ms,
            duration_ms: self.duration_ms,
            price_version: self.price_version,
            upstream_id: self.upstream_id,
            epoch: self.epoch,
            attempts: json("attempts", &self.attempts)?,
            cost_lines: json("cost_lines", &self.cost_lines)?,
            session_id: self.session_id,
            external_user: self.external_user,
            user_agent: self.user_agent,
        })
    }
}

pub(super) fn json<T: DeserializeOwned>(column: &'static str, text: &str) -> Result<T, AnalyticsError> {
    serde_json::from_str(text).map_err(|_| AnalyticsError::Corrupt { column })
}
