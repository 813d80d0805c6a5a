//! What attempts and checks tell, put where it belongs: one call when an endpoint begins to answer, one at its end.

use metrics::counter;
use rand::Rng;
use schemas::Timestamp;

use super::breaker::Breaker;
use super::keys::REFUSED_MICROS;
use super::outcome::{Blame, Ending, blame};
use crate::control::catalog::Endpoint;
use crate::metrics::{BREAKERS_OPENED_TOTAL, KEYS_REFUSED_TOTAL};
use crate::providers::AttemptError;

/// A provider that asks to wait without saying how long is left alone so long, and half as much again by chance.
const COOL_MICROS: i64 = 2_000_000;
/// A model the provider does not have is not asked for again at once.
const MISSING_THRESHOLD: u32 = 2;

/// An endpoint began to answer, after so many milliseconds where it streams.
pub fn began(endpoint: &Endpoint, key: usize, ttft_ms: Option<u64>, now: Timestamp) {
    let channel = &endpoint.channel;
    if channel.state.breaker.began() {
        tracing::info!(channel.name = %channel.name, "channel answers again; its breaker is closed");
    }
    endpoint.state.breaker.began();
    endpoint.state.began(ttft_ms, now);
    channel.state.succeeded_at(now);
    if channel.keys.get(key).is_some_and(|key| key.state.works()) {
        tracing::info!(channel.name = %channel.name, "provider takes the channel's key again");
    }
}

/// An operator's own test was answered: whatever was held against the channel and this key is over.
pub fn proved(endpoint: &Endpoint, key: usize, now: Timestamp) {
    let channel = &endpoint.channel;
    for breaker in [&channel.state.breaker, &endpoint.state.breaker] {
        breaker.began();
        breaker.succeeded();
    }
    channel.state.checked_at(now);
    channel.state.succeeded_at(now);
    if let Some(key) = channel.keys.get(key) {
        key.state.works();
    }
}

/// An answer came to its end as it should.
pub fn succeeded(endpoint: &Endpoint, ending: Ending, ttft_ms: Option<u64>, now: Timestamp) {
    endpoint.channel.state.breaker.succeeded();
    endpoint.state.breaker.succeeded();
    endpoint.channel.state.succeeded_at(now);
    endpoint.state.ended(ending, ttft_ms, now);
}

/// An attempt ended without being anybody's failure: its client left, or the gateway stops.
pub fn abandoned(endpoint: &Endpoint, now: Timestamp) {
    endpoint.state.ended(Ending::Failed(Blame::Nobody), None, now);
}

/// An attempt was hung up on because another one was faster: nobody's failure, but slower than this it will be expected to be.
pub fn outrun(endpoint: &Endpoint, waited_ms: u64, now: Timestamp) {
    endpoint.state.waited(waited_ms, now);
    endpoint.state.ended(Ending::Failed(Blame::Nobody), None, now);
}

/// An attempt failed, with the key at this place. Says whom it tells of.
pub fn failed(endpoint: &Endpoint, key: usize, error: &AttemptError, now: Timestamp) -> Blame {
    let channel = &endpoint.channel;
    let blame = blame(error);
    endpoint.state.ended(Ending::Failed(blame), None, now);
    let stated = error.retry_after_seconds.map(|seconds| i64::try_from(seconds).unwrap_or(i64::MAX / 4_000_000).saturating_mul(1_000_000));
    match blame {
        Blame::Nobody => {}
        Blame::RateLimited => {
            let wait = stated.unwrap_or_else(|| COOL_MICROS + rand::rng().random_range(0..COOL_MICROS / 2));
            channel.state.cool(&channel.keys, key, now.plus_micros(wait), false);
        }
        Blame::Key => refuse_key(endpoint, key, error, now),
        Blame::Endpoint => note_failure(endpoint, &endpoint.state.breaker, MISSING_THRESHOLD, now),
        Blame::Channel => {
            note_failure(endpoint, &channel.state.breaker, channel.health_check.failure_threshold, now);
            if let Some(wait) = stated {
                channel.state.cool(&channel.keys, key, now.plus_micros(wait), true);
            }
        }
    }
    blame
}

fn note_failure(endpoint: &Endpoint, breaker: &Breaker, threshold: u32, now: Timestamp) {
    let channel = &endpoint.channel;
    channel.state.failed_at(now);
    if breaker.failed(threshold, now, &mut rand::rng()) {
        counter!(BREAKERS_OPENED_TOTAL, "channel" => channel.name.to_string()).increment(1);
        tracing::warn!(
            channel.name = %channel.name,
            model.id = %endpoint.model,
            breaker.failures = breaker.consecutive_failures(),
            "breaker opened: the endpoint failed again and again"
        );
    }
}

/// The operator has to see to it: a new key, or money at the provider.
fn refuse_key(endpoint: &Endpoint, key: usize, error: &AttemptError, now: Timestamp) {
    let channel = &endpoint.channel;
    channel.state.failed_at(now);
    let Some(key) = channel.keys.get(key) else {
        return note_failure(endpoint, &channel.state.breaker, channel.health_check.failure_threshold, now);
    };
    if key.state.refuse_until(now.plus_micros(REFUSED_MICROS), now) {
        counter!(KEYS_REFUSED_TOTAL, "channel" => channel.name.to_string()).increment(1);
        tracing::error!(
            channel.name = %channel.name,
            key.fingerprint = %key.state.fingerprint,
            http.status = error.upstream_status,
            "provider refuses the channel's key; it is not used until a check finds it to work"
        );
    }
}
