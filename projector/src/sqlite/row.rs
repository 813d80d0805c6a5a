//! A [`UsageRow`] as a row of `usage_events`, there and back.

use std::fmt::Write;

use schemas::terminal::Terminal;
use schemas::usage::Usage;
use schemas::{NanoUsd, RequestId};
use serde::de::DeserializeOwned;
use sqlx::error::BoxDynError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Row};
use uuid::Uuid;

use super::text::{parse, unsigned};
use crate::error::AnalyticsError;
use crate::row::{Status, UsageRow, parse_source, parse_terminal, terminal_word};

/// The stored columns, in the order they are bound. Generated columns are not among them.
pub(super) const COLUMNS: &str = "request_id, event_id, log_position, account_id, key_id, user_id, model, model_requested, channel, provider, \
     api_type, app_url, app_title, admitted_at, ended_at, terminal, recovered, provisional, release_reason, status, http_status, error_type, \
     finish_reason, native_finish_reason, streamed, cancelled, uncached_input_tokens, cache_read_tokens, cache_write_5m_tokens, \
     cache_write_1h_tokens, image_input_tokens, audio_input_tokens, text_output_tokens, reasoning_tokens, image_output_tokens, \
     audio_output_tokens, tool_calls, usage_source, charge_nanos, provider_cost_nanos, rounding_picos, hold_nanos, ttft_ms, duration_ms, \
     ttft_bucket, throughput_bucket, price_version, upstream_id, epoch, attempts, cost_lines, session_id, external_user, user_agent";

/// `INSERT OR REPLACE` of this many rows.
pub(super) fn insert_sql(rows: usize) -> String {
    let columns = COLUMNS.split(',').count();
    let values = format!("({})", vec!["?"; columns].join(","));
    let mut sql = format!("INSERT OR REPLACE INTO usage_events ({COLUMNS}) VALUES ");
    for index in 0..rows {
        let _ = write!(sql, "{}{values}", if index == 0 { "" } else { "," });
    }
    sql
}

/// Binds one row.
pub(super) fn bind(arguments: &mut SqliteArguments, row: &UsageRow) -> Result<(), AnalyticsError> {
    try_bind(arguments, row).map_err(|error| AnalyticsError::Database(sqlx::Error::Encode(error)))
}

fn try_bind(arguments: &mut SqliteArguments, row: &UsageRow) -> Result<(), BoxDynError> {
    let recovered = matches!(row.terminal, Terminal::Released { recovered: true });
    arguments.add(id_text(row.request_id.uuid()))?;
    arguments.add(row.event_id.as_str())?;
    arguments.add(i64::try_from(row.log_position)?)?;
    arguments.add(id_text(row.account_id.uuid()))?;
    arguments.add(row.key_id.map(|key| id_text(key.uuid())))?;
    arguments.add(row.user_id.map(|user| id_text(user.uuid())))?;
    for text in [&row.model, &row.model_requested, &row.channel, &row.provider, &row.api_type] {
        arguments.add(text.as_str())?;
    }
    arguments.add(row.app_url.as_deref())?;
    arguments.add(row.app_title.as_deref())?;
    arguments.add(row.admitted_at.to_string())?;
    arguments.add(row.ended_at.to_string())?;
    arguments.add(terminal_word(row.terminal))?;
    arguments.add(recovered)?;
    arguments.add(row.provisional)?;
    arguments.add(row.release_reason.as_deref())?;
    arguments.add(row.status.as_str())?;
    arguments.add(row.http_status)?;
    for text in [&row.error_type, &row.finish_reason, &row.native_finish_reason] {
        arguments.add(text.as_deref())?;
    }
    arguments.add(row.streamed)?;
    arguments.add(row.cancelled)?;
    for tokens in row.token_counts() {
        arguments.add(i64::try_from(tokens)?)?;
    }
    arguments.add(row.usage.source.as_str())?;
    arguments.add(row.charge_nanos.nanos())?;
    arguments.add(row.provider_cost_nanos.map(NanoUsd::nanos))?;
    arguments.add(row.rounding_picos)?;
    arguments.add(row.hold_nanos.nanos())?;
    arguments.add(row.ttft_ms.map(i64::try_from).transpose()?)?;
    arguments.add(i64::try_from(row.duration_ms)?)?;
    arguments.add(row.ttft_bucket().map(i64::try_from).transpose()?)?;
    arguments.add(row.throughput_bucket().map(i64::try_from).transpose()?)?;
    arguments.add(row.price_version.as_deref())?;
    arguments.add(row.upstream_id.as_deref())?;
    arguments.add(i64::try_from(row.epoch)?)?;
    arguments.add(serde_json::to_string(&row.attempts)?)?;
    arguments.add(serde_json::to_string(&row.cost_lines)?)?;
    for text in [&row.session_id, &row.external_user, &row.user_agent] {
        arguments.add(text.as_deref())?;
    }
    Ok(())
}

/// Reads a row that has all of [`COLUMNS`].
pub(super) fn read(row: &SqliteRow) -> Result<UsageRow, AnalyticsError> {
    let status: &str = row.try_get("status")?;
    let key: Option<&str> = row.try_get("key_id")?;
    let user: Option<&str> = row.try_get("user_id")?;
    Ok(UsageRow {
        request_id: request_id(row)?,
        event_id: row.try_get("event_id")?,
        log_position: count(row, "log_position")?,
        account_id: parse("account_id", row.try_get("account_id")?)?,
        key_id: key.map(|text| parse("key_id", text)).transpose()?,
        user_id: user.map(|text| parse("user_id", text)).transpose()?,
        model: row.try_get("model")?,
        model_requested: row.try_get("model_requested")?,
        channel: row.try_get("channel")?,
        provider: row.try_get("provider")?,
        api_type: row.try_get("api_type")?,
        app_url: row.try_get("app_url")?,
        app_title: row.try_get("app_title")?,
        admitted_at: parse("admitted_at", row.try_get("admitted_at")?)?,
        ended_at: parse("ended_at", row.try_get("ended_at")?)?,
        terminal: terminal(row)?,
        provisional: row.try_get("provisional")?,
        release_reason: row.try_get("release_reason")?,
        status: Status::parse(status).ok_or(AnalyticsError::Corrupt { column: "status" })?,
        http_status: row.try_get("http_status")?,
        error_type: row.try_get("error_type")?,
        finish_reason: row.try_get("finish_reason")?,
        native_finish_reason: row.try_get("native_finish_reason")?,
        streamed: row.try_get("streamed")?,
        cancelled: row.try_get("cancelled")?,
        usage: usage(row)?,
        charge_nanos: NanoUsd::from_nanos(row.try_get("charge_nanos")?),
        provider_cost_nanos: row.try_get::<Option<i64>, _>("provider_cost_nanos")?.map(NanoUsd::from_nanos),
        rounding_picos: row.try_get("rounding_picos")?,
        hold_nanos: NanoUsd::from_nanos(row.try_get("hold_nanos")?),
        ttft_ms: row.try_get::<Option<i64>, _>("ttft_ms")?.map(|value| unsigned("ttft_ms", value)).transpose()?,
        duration_ms: count(row, "duration_ms")?,
        price_version: row.try_get("price_version")?,
        upstream_id: row.try_get("upstream_id")?,
        epoch: count(row, "epoch")?,
        attempts: json(row, "attempts")?,
        cost_lines: json(row, "cost_lines")?,
        session_id: row.try_get("session_id")?,
        external_user: row.try_get("external_user")?,
        user_agent: row.try_get("user_agent")?,
    })
}

pub(super) fn request_id(row: &SqliteRow) -> Result<RequestId, AnalyticsError> {
    parse("request_id", row.try_get("request_id")?)
}

/// From the columns `terminal` and `recovered`.
pub(super) fn terminal(row: &SqliteRow) -> Result<Terminal, AnalyticsError> {
    parse_terminal(row.try_get("terminal")?, row.try_get("recovered")?)
}

/// A column that is never negative.
pub(super) fn count(row: &SqliteRow, column: &'static str) -> Result<u64, AnalyticsError> {
    unsigned(column, row.try_get(column)?)
}

pub(super) fn json<T: DeserializeOwned>(row: &SqliteRow, column: &'static str) -> Result<T, AnalyticsError> {
    serde_json::from_str(row.try_get(column)?).map_err(|_| AnalyticsError::Corrupt { column })
}

fn usage(row: &SqliteRow) -> Result<Usage, AnalyticsError> {
    Ok(Usage {
        uncached_input: count(row, "uncached_input_tokens")?,
        cache_read: count(row, "cache_read_tokens")?,
        cache_write_5m: count(row, "cache_write_5m_tokens")?,
        cache_write_1h: count(row, "cache_write_1h_tokens")?,
        image_input: count(row, "image_input_tokens")?,
        audio_input: count(row, "audio_input_tokens")?,
        text_output: count(row, "text_output_tokens")?,
        reasoning: count(row, "reasoning_tokens")?,
        image_output: count(row, "image_output_tokens")?,
        audio_output: count(row, "audio_output_tokens")?,
        tool_calls: count(row, "tool_calls")?,
        source: parse_source(row.try_get("usage_source")?)?,
    })
}

pub(super) fn id_text(id: Uuid) -> String {
    id.hyphenated().to_string()
}
