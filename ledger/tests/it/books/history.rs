//! Random histories in which everything happens: for replays, audits and the bench of batches.

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use schemas::event::Credit;
use schemas::{AccountId, Body, RequestId};

use super::fixture::{Author, account, key, nanos, request};

const ACCOUNTS: u128 = 40;
const KEYS: u128 = 60;

/// How many events histories have in tests; `TOLLGATE_TEST_EVENTS` raises it.
pub fn events_wanted(default: usize) -> usize {
    std::env::var("TOLLGATE_TEST_EVENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

struct Past {
    settled: Vec<(AccountId, RequestId, i64)>,
    unsettled: Vec<(AccountId, RequestId)>,
    grants: Vec<(AccountId, String)>,
    written: Vec<Bytes>,
}

/// A history of about so many entries: several producers, duplicates near and far, late terminals, refunds,
/// grants and their expiry, conflicts, poison, and days that pass.
pub fn history(seed: u64, events: usize) -> Vec<Bytes> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut authors: Vec<Author> = (1..=3).map(Author::new).collect();
    let mut past = Past { settled: Vec::new(), unsettled: Vec::new(), grants: Vec::new(), written: Vec::with_capacity(events) };
    for number in 0..events as u128 {
        let author = &mut authors[random.random_range(0..3)];
        if random.random_ratio(1, 200) {
            author.now = author.now.plus_micros(3_600_000_000);
        }
        let payload = next(&mut random, author, &mut past, number);
        past.written.push(payload);
    }
    past.written
}

fn next(random: &mut StdRng, author: &mut Author, past: &mut Past, number: u128) -> Bytes {
    let who = account(random.random_range(0..ACCOUNTS));
    let amount = random.random_range(1..5_000_000_000_i64);
    match random.random_range(0..100) {
        0..50 => {
            let mut record = author.record(request(number), random.random_bool(0.8).then(|| nanos(amount / 3)));
            record.api_key_id = random.random_bool(0.9).then(|| key(random.random_range(0..KEYS)));
            let charge = if random.random_bool(0.1) { 0 } else { amount };
            past.settled.push((who, request(number), charge));
            author.settled_as(who, record, charge)
        }
        50..58 => {
            past.unsettled.push((who, request(number)));
            match random.random_range(0..3) {
                0 => author.expired(who, request(number)),
                1 => author.released(who, request(number), true, random.random_bool(0.5).then_some(amount / 7)),
                _ => author.released(who, request(number), false, Some(amount / 7)),
            }
        }
        58..62 if !past.unsettled.is_empty() => {
            let (who, late) = past.unsettled[random.random_range(0..past.unsettled.len())];
            author.settled(who, late, amount)
        }
        62..65 if !past.settled.is_empty() => {
            let (who, settled, _) = past.settled[random.random_range(0..past.settled.len())];
            author.expired(who, settled)
        }
        65..72 => {
            let reason = ["a reason", "quoted \"\\/\" words", "ключ 金額 🪙", "line\r\n\ttab \u{1}\u{1f}\u{7f}\u{2028}", ""]
                [random.random_range(0..5)];
            let order = Credit { reason: Some(reason.to_owned()), ..Author::plain_order(&format!("t{number}"), nanos(amount)) };
            author.order(who, order, Body::BalanceTopup)
        }
        72..78 => {
            let expires_at = random.random_bool(0.7).then(|| author.now.plus_micros(random.random_range(2_000_000..500_000_000)));
            past.grants.push((who, format!("g{number}")));
            author.grant(who, &format!("g{number}"), amount, expires_at)
        }
        78..82 if !past.grants.is_empty() => {
            let (who, grant) = past.grants[random.random_range(0..past.grants.len())].clone();
            author.grant_expired(who, &grant)
        }
        82..86 if !past.settled.is_empty() => {
            let (who, settled, charge) = past.settled[random.random_range(0..past.settled.len())];
            author.refund(who, &format!("r{number}"), charge / 2 + 1, settled)
        }
        86..88 => author.adjust(who, &format!("a{number}"), amount - 2_500_000_000),
        88..90 => {
            // The same key for another order, or for the same one: both happen.
            let order = Credit { reference: Some("again".to_owned()), ..Author::plain_order("shared", nanos(amount % 3 + 1)) };
            author.order(who, order, Body::BalanceTopup)
        }
        90..91 => author.opened(who),
        91..92 => Bytes::from(format!("{{\"not\":\"an event {number}\"}}")),
        92..93 => {
            let record = author.record(request(number), None);
            author.settled_as(who, record, -5)
        }
        _ if past.written.is_empty() => author.opened(who),
        _ => {
            let back = random.random_range(0..past.written.len().min(400));
            past.written[past.written.len() - 1 - back].clone()
        }
    }
}
