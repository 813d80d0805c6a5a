//! Commands and whole states as the functions read them; the layouts stand in `lua/account.lua`.

use schemas::{Day, KeyId, NanoUsd, RequestId};
use uuid::Uuid;

use super::bytes::Writer;
use crate::gate::options::GateOptions;
use crate::protocol::account::image::{AccountImage, EntryImage, EntryKind};
use crate::protocol::key::KeyState;
use crate::protocol::rate::Bucket;
use crate::protocol::{AccountState, KeyLimit, LimitWindow, RateLimits, ReserveCommand};

/// `COMMAND` of `reserve.lua`.
pub(super) fn reserve(command: &ReserveCommand, options: &GateOptions) -> Vec<u8> {
    let day = command.admitted_at.day();
    let key = command.key.map(|policy| policy.key_id);
    let rules = &options.rules;
    let writer = Writer::default().flag(key.is_some()).id(key.map_or(Uuid::nil(), KeyId::uuid));
    let writer = limit(writer, command.key.and_then(|policy| policy.limit), day)
        .amount(command.hold)
        .amount(command.minimum)
        .amount(command.worst_case)
        .amount(command.overdraft_max)
        .count(command.tokens)
        .day(day)
        .id(command.owner.uuid());
    let writer = rates(writer, command.account_rates);
    rates(writer, command.key.map(|policy| policy.rates).unwrap_or_default())
        .micros(i64::from(rules.hold_ttl_ms) * 1_000)
        .count(u64::from(rules.in_flight_retry_ms))
        .count(rules.entries_max as u64)
        .count(rules.keys_max as u64)
        .limit(command.free.map(|free| u64::from(free.requests_per_minute)))
        .limit(command.free.map(|free| u64::from(free.requests_per_day)))
        .done()
}

/// Four windows, as first day and end.
pub(super) fn windows(day: Day) -> Vec<u8> {
    let windows = [LimitWindow::Daily, LimitWindow::Weekly, LimitWindow::Monthly];
    let days = windows.into_iter().filter_map(|window| window.days(day));
    days.fold(Writer::default(), |writer, (first, end)| writer.day(first).day(end)).done()
}

pub(super) fn requests(requests: &[RequestId]) -> Vec<u8> {
    requests.iter().fold(Writer::default(), |writer, request| writer.id(request.uuid())).done()
}

pub(super) fn key_totals(totals: &[(KeyId, Day, NanoUsd)]) -> Vec<u8> {
    totals.iter().fold(Writer::default(), |writer, (key, day, total)| writer.id(key.uuid()).day(*day).amount(*total)).done()
}

/// The field `a` of an account's hash.
pub(super) fn account(state: &AccountState) -> Vec<u8> {
    let AccountImage { posted, position, pending, held, exposure, live, entries, keys, requests, tokens } = state.image();
    let writer = Writer::default().amount(posted).position(position).amount(pending).amount(held).amount(exposure);
    let writer = writer.int(live).int(count(entries)).int(count(keys));
    bucket(bucket(writer, requests), tokens).done()
}

/// A field `e` of an account's hash.
pub(super) fn entry(entry: &EntryImage) -> Vec<u8> {
    let kind = match entry.kind {
        EntryKind::Held => 1,
        EntryKind::Pending => 2,
        EntryKind::Expired => 3,
    };
    let metered = u8::from(entry.account_metered) + 2 * u8::from(entry.is_free);
    let writer = Writer::default().byte(kind).flag(entry.fenced).byte(metered).flag(entry.key_metered);
    let writer = writer.flag(entry.key.is_some()).id(entry.key.map_or(Uuid::nil(), KeyId::uuid)).day(entry.day);
    let writer = writer.amount(entry.amount).amount(entry.worst_case);
    let writer = writer.id(entry.owner.map_or(Uuid::nil(), schemas::NodeId::uuid)).micros(entry.time.micros());
    let limit = entry.limit;
    let (first, end) = limit.and_then(|limit| limit.window.days(entry.day)).unwrap_or((entry.day, entry.day));
    let writer = writer.byte(limit.map_or(0, |limit| window(limit.window))).day(first).day(end);
    writer.amount(limit.map_or(NanoUsd::ZERO, |limit| limit.amount)).count(entry.tokens).done()
}

/// A field `k` of an account's hash.
pub(super) fn key(state: &KeyState) -> Vec<u8> {
    let image = state.image();
    let (pending, held) = state.in_flight();
    let writer = Writer::default().amount(image.folded).flag(image.folded_before.is_some());
    let writer = writer.day(image.folded_before.unwrap_or_default()).amount(pending).amount(held).int(image.live());
    let writer = image.buckets().into_iter().fold(writer, bucket);
    let days = image.days.iter();
    days.fold(writer, |writer, (day, posted, position, pending, held)| {
        writer.day(*day).amount(*posted).position(*position).amount(*pending).amount(*held)
    })
    .done()
}

pub(super) const fn window(window: LimitWindow) -> u8 {
    match window {
        LimitWindow::Total => 1,
        LimitWindow::Daily => 2,
        LimitWindow::Weekly => 3,
        LimitWindow::Monthly => 4,
    }
}

fn limit(writer: Writer, limit: Option<KeyLimit>, day: Day) -> Writer {
    let (first, end) = limit.and_then(|limit| limit.window.days(day)).unwrap_or((day, day));
    let amount = limit.map_or(NanoUsd::ZERO, |limit| limit.amount);
    writer.byte(limit.map_or(0, |limit| window(limit.window))).day(first).day(end).amount(amount)
}

fn rates(writer: Writer, rates: RateLimits) -> Writer {
    let writer = writer.limit(rates.requests_per_minute.map(u64::from)).limit(rates.tokens_per_minute);
    writer.limit(rates.concurrency.map(u64::from))
}

fn bucket(writer: Writer, bucket: Bucket) -> Writer {
    let (level, at, limit) = bucket.image();
    writer.count(level).micros(at.micros()).count(limit)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
