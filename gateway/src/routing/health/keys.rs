//! The keys of a channel: they take turns; one that its provider refuses, or asks to wait, is left out for a while.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use schemas::Timestamp;
use sha2::{Digest, Sha256};

use crate::control::secrets::Secret;

/// A refused key is tried again by a request after so long, if no check found it to work before.
pub const REFUSED_MICROS: i64 = 15 * 60 * 1_000_000;
/// Bytes of a key's fingerprint.
const FINGERPRINT_BYTES: usize = 6;

/// One key of a channel.
#[derive(Debug, Clone)]
pub struct ChannelKey {
    pub secret: Secret,
    pub state: Arc<KeyState>,
}

/// How a key does. Kept across catalogs as long as the key is the same.
pub struct KeyState {
    /// Names the key without telling it.
    pub fingerprint: Box<str>,
    refused_until: AtomicI64,
    cool_until: AtomicI64,
}

impl ChannelKey {
    pub fn new(secret: Secret) -> Self {
        let fingerprint = hex::encode(&Sha256::digest(secret.expose().as_bytes())[..FINGERPRINT_BYTES]).into();
        let state = KeyState { fingerprint, refused_until: AtomicI64::new(0), cool_until: AtomicI64::new(0) };
        Self { secret, state: Arc::new(state) }
    }
}

impl KeyState {
    pub fn is_usable(&self, now: Timestamp) -> bool {
        self.refused_until.load(Ordering::Relaxed) <= now.micros() && self.cool_until.load(Ordering::Relaxed) <= now.micros()
    }

    pub fn is_refused(&self, now: Timestamp) -> bool {
        self.refused_until.load(Ordering::Relaxed) > now.micros()
    }

    pub fn refused_until(&self) -> Option<Timestamp> {
        Some(self.refused_until.load(Ordering::Relaxed)).filter(|until| *until != 0).map(Timestamp::from_micros)
    }

    pub fn cool_until(&self) -> Option<Timestamp> {
        Some(self.cool_until.load(Ordering::Relaxed)).filter(|until| *until != 0).map(Timestamp::from_micros)
    }

    /// The provider does not take it. `true` where that is news.
    pub fn refuse_until(&self, until: Timestamp, now: Timestamp) -> bool {
        self.refused_until.fetch_max(until.micros(), Ordering::AcqRel) <= now.micros()
    }

    pub fn cool(&self, until: Timestamp) {
        self.cool_until.fetch_max(until.micros(), Ordering::AcqRel);
    }

    /// The provider took it. `true` where it had been refused.
    pub fn works(&self) -> bool {
        self.refused_until.load(Ordering::Relaxed) != 0 && self.refused_until.swap(0, Ordering::AcqRel) != 0
    }
}

impl fmt::Debug for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyState({})", self.fingerprint)
    }
}
