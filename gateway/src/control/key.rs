//! API keys: what they are made of, what they may do, how they are recognised.
//!
//! A key is `sk-tg-v1-` and 256 random bits in hex. Only its SHA-256 is kept: with that much randomness a
//! plain hash cannot be turned back. Inference keys cannot administer and management keys cannot infer.

use std::fmt;
use std::str::FromStr;

use ledger::gate::RateLimits;
use schemas::{AccountId, KeyId, NanoUsd, Timestamp, UserId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};

use super::account::invalid_rate;
use super::secrets::{Secret, SecretError, random_hex_32};
use crate::routing::RoutingPreferences;

/// What every key of ours begins with.
pub const KEY_PREFIX: &str = "sk-tg-v1-";
/// A longer bearer is no key of ours and is not hashed.
pub const KEY_BYTES_MAX: usize = 512;
const KEY_NAME_CHARS_MAX: usize = 200;
const ALLOWED_MODELS_MAX: usize = 1_000;
const ALLOWED_MODEL_BYTES_MAX: usize = 256;
/// A fixed key from the configuration must not be guessable.
pub const FIXED_KEY_CHARS_MIN: usize = 24;

/// SHA-256 of a whole key: its identity in the API, in the store and on the hot path.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }
}

/// 64 lowercase hex digits.
impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({self})")
    }
}

impl FromStr for KeyHash {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("a key's hash is 64 hex digits"))
    }
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    Inference,
    Management,
}

impl KeyKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inference => "inference",
            Self::Management => "management",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Inference, Self::Management].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How far a management key reaches. Inference keys always have the scope of their account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyScope {
    Account,
    Platform,
}

impl KeyScope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Platform => "platform",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Account, Self::Platform].into_iter().find(|scope| scope.as_str() == text)
    }
}

/// When a key's limit begins anew, at 00:00 UTC; weeks begin on Monday.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimitReset {
    Daily,
    Weekly,
    Monthly,
}

impl LimitReset {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Daily, Self::Weekly, Self::Monthly].into_iter().find(|reset| reset.as_str() == text)
    }
}

/// A key as it is stored: everything but the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApiKey {
    pub id: KeyId,
    pub account_id: AccountId,
    pub hash: KeyHash,
    /// `sk-tg-v1-abc...123`
    pub label: String,
    pub name: String,
    pub kind: KeyKind,
    pub scope: KeyScope,
    pub disabled: bool,
    /// Spending limit; `None` is unlimited.
    pub limit_nanos: Option<NanoUsd>,
    /// `None`: the limit is for the key's whole life.
    pub limit_reset: Option<LimitReset>,
    pub include_byok_in_limit: bool,
    pub requests_per_minute: Option<u32>,
    pub tokens_per_minute: Option<u64>,
    pub concurrency: Option<u32>,
    /// Public model ids; `None` allows all.
    pub allowed_models: Option<Vec<String>>,
    pub creator_user_id: Option<UserId>,
    /// What requests with it prefer; absent, its creator's and its account's apply alone.
    pub preferences: Option<RoutingPreferences>,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
}

impl ApiKey {
    /// An unlimited key that never expires.
    pub fn new(secret: &Secret, account_id: AccountId, name: impl Into<String>, kind: KeyKind, scope: KeyScope, now: Timestamp) -> Self {
        Self {
            id: KeyId::mint(),
            account_id,
            hash: KeyHash::of(secret.expose()),
            label: label(secret.expose()),
            name: name.into(),
            kind,
            scope,
            disabled: false,
            limit_nanos: None,
            limit_reset: None,
            include_byok_in_limit: false,
            requests_per_minute: None,
            tokens_per_minute: None,
            concurrency: None,
            allowed_models: None,
            creator_user_id: None,
            preferences: None,
            expires_at: None,
            created_at: now,
            updated_at: None,
            last_used_at: None,
            deleted_at: None,
        }
    }
}

/// A field of a key or an account that cannot be so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("field `{field}` {message}")]
pub struct InvalidField {
    pub field: &'static str,
    pub message: String,
}

impl ApiKey {
    pub const fn rates(&self) -> RateLimits {
        RateLimits {
            requests_per_minute: self.requests_per_minute,
            tokens_per_minute: self.tokens_per_minute,
            concurrency: self.concurrency,
        }
    }

    /// Checks every rule. `now` is what an expiry must be after.
    pub fn check(&self, now: Timestamp) -> Result<(), InvalidField> {
        let invalid = |field, message: &str| Err(InvalidField { field, message: message.to_owned() });
        if self.name.trim().is_empty() || self.name.chars().count() > KEY_NAME_CHARS_MAX || self.name.chars().any(char::is_control) {
            return invalid("name", &format!("must have 1 to {KEY_NAME_CHARS_MAX} characters, none of them a control character"));
        }
        if self.limit_nanos.is_some_and(NanoUsd::is_negative) {
            return invalid("limit", "must not be negative");
        }
        if self.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return invalid("expires_at", "must be in the future");
        }
        if self.scope == KeyScope::Platform && self.kind != KeyKind::Management {
            return invalid("scope", "is for management keys only");
        }
        if let Some((field, message)) = invalid_rate(self.rates()) {
            return invalid(field, &format!("{message}; disable the key to let nothing through"));
        }
        match &self.allowed_models {
            Some(models) if models.is_empty() || models.len() > ALLOWED_MODELS_MAX => {
                invalid("allowed_models", &format!("must name 1 to {ALLOWED_MODELS_MAX} models, or be null to allow all"))
            }
            Some(models) if models.iter().any(|model| model.is_empty() || model.len() > ALLOWED_MODEL_BYTES_MAX) => {
                invalid("allowed_models", "must be model ids such as \"openai/gpt-4o-mini\"")
            }
            _ => Ok(()),
        }
    }
}

/// Makes a key. It is shown once, to whoever asked for it.
pub fn mint_key() -> Result<Secret, SecretError> {
    Ok(Secret::new(format!("{KEY_PREFIX}{}", random_hex_32()?.as_str())))
}

/// The masked form people recognise a key by: a few characters of either end.
fn label(key: &str) -> String {
    let shown = if key.len() >= FIXED_KEY_CHARS_MIN { 3 } else { 0 };
    let front = if key.starts_with(KEY_PREFIX) { KEY_PREFIX.len() + shown } else { shown };
    let head: String = key.chars().take(front).collect();
    let tail: Vec<char> = key.chars().rev().take(shown).collect();
    format!("{head}...{}", tail.iter().rev().collect::<String>())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_has_256_bits_and_a_label_that_hides_them() {
        let key = mint_key().unwrap();
        assert_eq!(key.expose().len(), KEY_PREFIX.len() + 64);
        assert_ne!(key.expose(), mint_key().unwrap().expose());
        let label = label("sk-tg-v1-abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456123");
        assert_eq!(label, "sk-tg-v1-abc...123");
    }

    #[test]
    fn a_hash_is_written_and_read_as_64_hex_digits() {
        let hash = KeyHash::of("abc");
        assert_eq!(hash.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash.to_string().parse::<KeyHash>().unwrap(), hash);
        assert!("ba78".parse::<KeyHash>().is_err());
    }
}
