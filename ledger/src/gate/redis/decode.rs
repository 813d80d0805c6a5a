//! What the functions answer; the codes stand in `lua/call.lua`.

use schemas::{NanoUsd, Timestamp};

use super::bytes::{Reader, Truncated};
use crate::protocol::{
    Amounts, FreeLimits, GateError, LimitLevel, LimitWindow, RateLimits, Refusal, RefusalCause, ReserveCommand, Reserved,
};

/// The head of every answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub code: Code,
    pub now: Timestamp,
    pub epoch: u64,
    pub tick: u64,
    pub amounts: Amounts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Ok,
    Closed,
    WentBack,
    NeedKeys,
    Overflow,
    NoHold,
    Ended,
    Full,
    Refused,
    Superseded,
}

impl Code {
    fn read(byte: u8) -> Option<Self> {
        let codes = [
            Self::Ok,
            Self::Closed,
            Self::WentBack,
            Self::NeedKeys,
            Self::Overflow,
            Self::NoHold,
            Self::Ended,
            Self::Full,
            Self::Refused,
            Self::Superseded,
        ];
        codes.get(usize::from(byte)).copied()
    }
}

impl From<Truncated> for GateError {
    fn from(_: Truncated) -> Self {
        Self::Corrupt { reason: "an answer is too short".to_owned() }
    }
}

/// The head and what follows it.
pub(super) fn head(answer: &[u8]) -> Result<(Head, Reader<'_>), GateError> {
    let mut reader = Reader::new(answer);
    let code = reader.byte()?;
    let code = Code::read(code).ok_or_else(|| GateError::Corrupt { reason: format!("an answer has code {code}") })?;
    let now = Timestamp::from_micros(reader.micros()?);
    let (epoch, tick) = (reader.count()?.unwrap_or(0), reader.count()?.unwrap_or(0));
    let amounts = Amounts { posted: reader.amount()?, pending: reader.amount()?, held: reader.amount()? };
    Ok((Head { code, now, epoch, tick, amounts }, reader))
}

pub(super) fn held(head: &Head, reader: &mut Reader<'_>) -> Result<Reserved, GateError> {
    let (hold, worst_case) = (reader.amount()?, reader.amount()?);
    Ok(Reserved::Held { hold, worst_case, amounts: head.amounts, epoch: head.epoch })
}

/// The limits a request was asked under: they are answered as they were asked, not as Lua rounds them.
#[derive(Default)]
pub(super) struct Limits {
    by_level: [RateLimits; 2],
    free: Option<FreeLimits>,
}

impl Limits {
    pub fn of(command: &ReserveCommand) -> Self {
        let by_level = [command.account_rates, command.key.map(|policy| policy.rates).unwrap_or_default()];
        Self { by_level, free: command.free }
    }

    pub fn of_free(limits: FreeLimits) -> Self {
        Self { free: Some(limits), ..Self::default() }
    }
}

pub(super) fn refused(head: &Head, reader: &mut Reader<'_>, limits: &Limits) -> Result<Reserved, GateError> {
    let (level, cause) = (reader.byte()?, reader.byte()?);
    let (wait, remaining) = (reader.count()?, reader.count()?.unwrap_or(0));
    let (level, rates) = if level == 0 { (LimitLevel::Account, limits.by_level[0]) } else { (LimitLevel::Key, limits.by_level[1]) };
    let remaining_requests = u32::try_from(remaining).unwrap_or(u32::MAX);
    let (cause, retry_after_ms) = match cause {
        0 => (RefusalCause::NegativeBalance, None),
        1 => (RefusalCause::Balance, None),
        2 => (RefusalCause::InFlight, wait),
        3 => key_limit(head, reader, true)?,
        4 => (key_limit(head, reader, false)?.0, wait),
        5 => (RefusalCause::Requests { limit: rates.requests_per_minute.unwrap_or(0), remaining: remaining_requests }, wait),
        6 => (RefusalCause::Tokens { limit: rates.tokens_per_minute.unwrap_or(0), remaining }, wait),
        7 => (RefusalCause::Concurrency { limit: rates.concurrency.unwrap_or(0) }, wait),
        8 => {
            let limit = limits.free.map_or(0, |free| free.requests_per_day);
            (RefusalCause::FreeDay { limit, resets_at: head.now.day().plus(1).start() }, wait)
        }
        9 => {
            let limit = limits.free.map_or(0, |free| free.requests_per_minute);
            (RefusalCause::FreeMinute { limit, remaining: remaining_requests }, wait)
        }
        other => return Err(GateError::Corrupt { reason: format!("a refusal has cause {other}") }),
    };
    Ok(Reserved::Refused(Refusal { level, cause, amounts: head.amounts, retry_after_ms }))
}

fn key_limit(head: &Head, reader: &mut Reader<'_>, spent_out: bool) -> Result<(RefusalCause, Option<u64>), GateError> {
    let window = match reader.byte()? {
        1 => LimitWindow::Total,
        2 => LimitWindow::Daily,
        3 => LimitWindow::Weekly,
        4 => LimitWindow::Monthly,
        other => return Err(GateError::Corrupt { reason: format!("a limit has window {other}") }),
    };
    let day = reader.day()?;
    let (limit, spent, held): (NanoUsd, NanoUsd, NanoUsd) = (reader.amount()?, reader.amount()?, reader.amount()?);
    let resets_at = window.resets_at(day);
    if !spent_out {
        return Ok((RefusalCause::KeyInFlight { window, limit, spent, held, resets_at }, None));
    }
    let wait = resets_at.map(|reset| u64::try_from(reset.micros().saturating_sub(head.now.micros())).unwrap_or(0).div_ceil(1_000));
    Ok((RefusalCause::KeyLimit { window, limit, spent, held, resets_at }, wait))
}
