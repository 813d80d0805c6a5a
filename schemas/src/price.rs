//! Prices: what a model's tokens cost, in pico-dollars, with long-context tiers.
//!
//! A missing price is not a free one: `prompt` and `completion` are always there, and a kind without a
//! price of its own falls back to the nearest dearer-or-equal one (cache reads to the prompt price,
//! reasoning to the completion price), never to zero. People write prices as [`PriceText`].

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::money::{MoneyError, PicoUsd};
use crate::usage::TokenKind;

/// Prices of one endpoint. All fields are pico-dollars per unit.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceTable {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<PicoUsd>,
    pub completion: PicoUsd,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PicoUsd>,
    pub prompt: PicoUsd,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<PicoUsd>,
    /// Ascending by bound.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<PriceTier>,
}

/// Prices that replace the base ones when a prompt is longer than a bound (strictly; cached tokens
/// count). Where several tiers apply, the one with the highest bound wins, key by key.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceTier {
    pub above_prompt_tokens: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<PicoUsd>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<PicoUsd>,
}

impl PriceTable {
    /// Explicitly free: every kind costs nothing.
    pub fn free() -> Self {
        Self::default()
    }

    /// Whether no request could ever cost anything under this table.
    pub fn is_free(&self) -> bool {
        let base = [Some(self.prompt), Some(self.completion), self.audio, self.cache_read, self.cache_write, self.cache_write_1h];
        let rest = [self.image, self.reasoning, self.request];
        let zero = |price: &Option<PicoUsd>| price.is_none_or(|price| price == PicoUsd::ZERO);
        base.iter().chain(&rest).all(zero)
            && self.tiers.iter().all(|tier| {
                let prices = [tier.prompt, tier.completion, tier.audio, tier.cache_read, tier.cache_write];
                let more = [tier.cache_write_1h, tier.image, tier.reasoning, tier.request];
                prices.iter().chain(&more).all(zero)
            })
    }

    /// The price of one unit for a prompt of this many tokens, fallbacks and tiers applied.
    ///
    /// A tier that overrides `prompt` also moves the kinds that fall back to it.
    pub fn price(&self, kind: TokenKind, prompt_tokens: u64) -> PicoUsd {
        let pick = |base: Option<PicoUsd>, of: fn(&PriceTier) -> Option<PicoUsd>| {
            let tiers = self.tiers.iter().filter(|tier| prompt_tokens > tier.above_prompt_tokens);
            tiers.filter(|tier| of(tier).is_some()).max_by_key(|tier| tier.above_prompt_tokens).and_then(of).or(base)
        };
        let prompt = pick(Some(self.prompt), |tier| tier.prompt).unwrap_or(self.prompt);
        let completion = pick(Some(self.completion), |tier| tier.completion).unwrap_or(self.completion);
        let cache_write = pick(self.cache_write, |tier| tier.cache_write).unwrap_or(prompt);
        match kind {
            TokenKind::UncachedInput => prompt,
            TokenKind::TextOutput => completion,
            TokenKind::CacheRead => pick(self.cache_read, |tier| tier.cache_read).unwrap_or(prompt),
            TokenKind::CacheWrite5m => cache_write,
            TokenKind::CacheWrite1h => pick(self.cache_write_1h, |tier| tier.cache_write_1h).unwrap_or(cache_write),
            TokenKind::ImageInput => pick(self.image, |tier| tier.image).unwrap_or(prompt),
            TokenKind::AudioInput => pick(self.audio, |tier| tier.audio).unwrap_or(prompt),
            TokenKind::Reasoning => pick(self.reasoning, |tier| tier.reasoning).unwrap_or(completion),
            TokenKind::ImageOutput => pick(self.image, |tier| tier.image).unwrap_or(completion),
            TokenKind::AudioOutput => pick(self.audio, |tier| tier.audio).unwrap_or(completion),
            TokenKind::Request => pick(self.request, |tier| tier.request).unwrap_or(PicoUsd::ZERO),
        }
    }
}

/// A table that was in force under a name; the name is carried by every charge made with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceVersion {
    /// Begins with `pv_`; unique for ever.
    pub id: Arc<str>,
    pub table: Arc<PriceTable>,
}

/// Prices as people write them: decimal text, dollars per million units (`request`: dollars each).
///
/// An absent field is absent, not zero. Read from the configuration file and the administration API; a
/// bare number is taken as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceText {
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<PriceTierText>,
}

/// A tier as people write it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PriceTierText {
    pub above_prompt_tokens: u64,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub completion: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub cache_read: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub cache_write_1h: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub audio: Option<String>,
    #[serde(default, deserialize_with = "decimal_text", skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

/// Why a written price was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    #[error("price key `{0}` is missing; write \"0\" for nothing, or price = \"free\" for a free model")]
    Missing(&'static str),
    #[error("price key `{key}`")]
    Amount { key: &'static str, source: MoneyError },
    #[error("price tiers must have ascending, distinct above_prompt_tokens")]
    TierOrder,
}

impl TryFrom<&PriceText> for PriceTable {
    type Error = PriceError;

    fn try_from(text: &PriceText) -> Result<Self, PriceError> {
        let tiers: Vec<PriceTier> = text.tiers.iter().map(PriceTier::try_from).collect::<Result<_, _>>()?;
        if tiers.windows(2).any(|pair| pair[0].above_prompt_tokens >= pair[1].above_prompt_tokens) {
            return Err(PriceError::TierOrder);
        }
        Ok(Self {
            prompt: per_million("prompt", &text.prompt)?.ok_or(PriceError::Missing("prompt"))?,
            completion: per_million("completion", &text.completion)?.ok_or(PriceError::Missing("completion"))?,
            cache_read: per_million("cache_read", &text.cache_read)?,
            cache_write: per_million("cache_write", &text.cache_write)?,
            cache_write_1h: per_million("cache_write_1h", &text.cache_write_1h)?,
            reasoning: per_million("reasoning", &text.reasoning)?,
            image: per_million("image", &text.image)?,
            audio: per_million("audio", &text.audio)?,
            request: per_unit("request", &text.request)?,
            tiers,
        })
    }
}

impl TryFrom<&PriceTierText> for PriceTier {
    type Error = PriceError;

    fn try_from(text: &PriceTierText) -> Result<Self, PriceError> {
        Ok(Self {
            above_prompt_tokens: text.above_prompt_tokens,
            prompt: per_million("prompt", &text.prompt)?,
            completion: per_million("completion", &text.completion)?,
            cache_read: per_million("cache_read", &text.cache_read)?,
            cache_write: per_million("cache_write", &text.cache_write)?,
            cache_write_1h: per_million("cache_write_1h", &text.cache_write_1h)?,
            reasoning: per_million("reasoning", &text.reasoning)?,
            image: per_million("image", &text.image)?,
            audio: per_million("audio", &text.audio)?,
            request: per_unit("request", &text.request)?,
        })
    }
}

impl From<&PriceTable> for PriceText {
    fn from(table: &PriceTable) -> Self {
        let million = |price: Option<PicoUsd>| price.map(PicoUsd::per_million_text);
        Self {
            prompt: million(Some(table.prompt)),
            completion: million(Some(table.completion)),
            cache_read: million(table.cache_read),
            cache_write: million(table.cache_write),
            cache_write_1h: million(table.cache_write_1h),
            reasoning: million(table.reasoning),
            image: million(table.image),
            audio: million(table.audio),
            request: table.request.map(PicoUsd::per_unit_text),
            tiers: table.tiers.iter().map(PriceTierText::from).collect(),
        }
    }
}

impl From<&PriceTier> for PriceTierText {
    fn from(tier: &PriceTier) -> Self {
        let million = |price: Option<PicoUsd>| price.map(PicoUsd::per_million_text);
        Self {
            above_prompt_tokens: tier.above_prompt_tokens,
            prompt: million(tier.prompt),
            completion: million(tier.completion),
            cache_read: million(tier.cache_read),
            cache_write: million(tier.cache_write),
            cache_write_1h: million(tier.cache_write_1h),
            reasoning: million(tier.reasoning),
            image: million(tier.image),
            audio: million(tier.audio),
            request: tier.request.map(PicoUsd::per_unit_text),
        }
    }
}

fn per_million(key: &'static str, text: &Option<String>) -> Result<Option<PicoUsd>, PriceError> {
    let price = text.as_deref().map(PicoUsd::parse_per_million).transpose();
    price.map_err(|source| PriceError::Amount { key, source })
}

fn per_unit(key: &'static str, text: &Option<String>) -> Result<Option<PicoUsd>, PriceError> {
    let price = text.as_deref().map(PicoUsd::parse_per_unit).transpose();
    price.map_err(|source| PriceError::Amount { key, source })
}

/// Decimal text, or a number of at most [`FLOAT_DIGITS_EXACT`] digits, whose written form survives a float.
fn decimal_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(DecimalText)
}

/// Every decimal of this many significant digits comes back from a double as it was written.
const FLOAT_DIGITS_EXACT: usize = 15;

struct DecimalText;

impl Visitor<'_> for DecimalText {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number of dollars, best in quotes (\"0.15\")")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Option<String>, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Option<String>, E> {
        let text = number.to_string();
        let digits = text.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
        if digits <= FLOAT_DIGITS_EXACT { Ok(Some(text)) } else { Err(E::custom("a number this long must be written in quotes")) }
    }
}
