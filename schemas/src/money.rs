//! Amounts. [`NanoUsd`] is what accounts hold, [`PicoUsd`] is what a token costs; nothing else is money.
//!
//! Both are integers with checked operations only. Decimal text is read through `rust_decimal` at the
//! edge and never rounded: an amount finer than its unit is refused. No float ever touches either type.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Nano-dollars in one dollar.
pub const NANOS_PER_USD: i64 = 1_000_000_000;
/// Pico-dollars in one nano-dollar.
pub const PICOS_PER_NANO: i64 = 1_000;

/// Why an amount could not be read or computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    #[error("`{0}` is not a decimal number")]
    NotDecimal(String),
    #[error("`{text}` has more than {digits} fraction digits")]
    TooFine { text: String, digits: u32 },
    #[error("amount is out of range")]
    OutOfRange,
}

/// An amount in nano-dollars (10⁻⁹ USD), ± $9.2 billion. Serialized as a string of an integer, so that
/// no JSON reader can round it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NanoUsd(i64);

impl NanoUsd {
    pub const ZERO: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Whole dollars; for limits and defaults written in code.
    pub const fn from_usd(usd: i32) -> Self {
        Self(usd as i64 * NANOS_PER_USD)
    }

    pub const fn nanos(self) -> i64 {
        self.0
    }

    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError::OutOfRange)
    }

    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_sub(other.0).map(Self).ok_or(MoneyError::OutOfRange)
    }

    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        self.0.checked_neg().map(Self).ok_or(MoneyError::OutOfRange)
    }

    /// Adds and stays at the bound. Only for limits and displays, where a bound is as good as the truth.
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Subtracts and stays at the bound. Only for limits and displays.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Sums with overflow checked at every step.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// Reads decimal text in dollars (`12.5`, `-0.000000001`), at most nine fraction digits.
    pub fn parse_usd(text: &str) -> Result<Self, MoneyError> {
        parse_scaled(text, 9).map(Self)
    }

    /// Reads a string of an integer number of nano-dollars, as events and ledgers hold it.
    pub fn parse_nanos(text: &str) -> Result<Self, MoneyError> {
        text.parse().map(Self).map_err(|_| MoneyError::NotDecimal(text.to_owned()))
    }

    /// Pico-dollars rounded half to even; the remainder (pico − 1000 × nano) is returned beside it.
    pub fn from_picos_half_even(picos: i128) -> Result<(Self, i64), MoneyError> {
        let unit = i128::from(PICOS_PER_NANO);
        let floor = picos.div_euclid(unit);
        let remainder = picos.rem_euclid(unit);
        let round_up = remainder * 2 > unit || (remainder * 2 == unit && floor % 2 != 0);
        let nanos = i64::try_from(if round_up { floor + 1 } else { floor }).map_err(|_| MoneyError::OutOfRange)?;
        let rounding = i64::try_from(picos - i128::from(nanos) * unit).map_err(|_| MoneyError::OutOfRange)?;
        Ok((Self(nanos), rounding))
    }
}

/// Dollars with as many of the nine fraction digits as are needed: `1.234567891`, `-0.5`, `3`.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&scaled_text(self.0, 9))
    }
}

impl FromStr for NanoUsd {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Self::parse_usd(text)
    }
}

impl Serialize for NanoUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for NanoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(IntegerText).map(Self)
    }
}

impl JsonSchema for NanoUsd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NanoUsd".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^-?[0-9]{1,19}$",
            "description": "nano-dollars (10^-9 USD) as the text of an integer"
        })
    }
}

/// A price in pico-dollars (10⁻¹² USD) for one unit: a token, an image, a request. Never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PicoUsd(i64);

impl PicoUsd {
    pub const ZERO: Self = Self(0);

    pub fn from_picos(picos: i64) -> Result<Self, MoneyError> {
        if picos < 0 { Err(MoneyError::OutOfRange) } else { Ok(Self(picos)) }
    }

    pub const fn picos(self) -> i64 {
        self.0
    }

    /// Reads dollars for one unit, at most twelve fraction digits: `0.00000015`.
    pub fn parse_per_unit(text: &str) -> Result<Self, MoneyError> {
        parse_scaled(text, 12).and_then(Self::from_picos)
    }

    /// Reads dollars for a million units, at most six fraction digits: `0.15`.
    pub fn parse_per_million(text: &str) -> Result<Self, MoneyError> {
        parse_scaled(text, 6).and_then(Self::from_picos)
    }

    /// Dollars for one unit: `0.00000015`.
    pub fn per_unit_text(self) -> String {
        scaled_text(self.0, 12)
    }

    /// Dollars for a million units: `0.15`.
    pub fn per_million_text(self) -> String {
        scaled_text(self.0, 6)
    }
}

impl Serialize for PicoUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PicoUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let picos = deserializer.deserialize_str(IntegerText)?;
        Self::from_picos(picos).map_err(de::Error::custom)
    }
}

impl JsonSchema for PicoUsd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PicoUsd".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[0-9]{1,19}$",
            "description": "pico-dollars (10^-12 USD) per unit as the text of an integer"
        })
    }
}

/// Writes an amount as a JSON **number** in dollars with at most nine decimals, digit by digit from the
/// integer; the form `/api/v1` answers with. Works with `serde_json` writers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsdNumber(pub NanoUsd);

impl Serialize for UsdNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

struct IntegerText;

impl Visitor<'_> for IntegerText {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string of an integer")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<i64, E> {
        text.parse().map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

fn parse_scaled(text: &str, digits: u32) -> Result<i64, MoneyError> {
    let not_decimal = || MoneyError::NotDecimal(text.to_owned());
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'e' | b'E' | b'+'));
    if !plain {
        return Err(not_decimal());
    }
    let decimal = if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { Decimal::from_str_exact(text) };
    let decimal = decimal.map_err(|_| not_decimal())?.normalize();
    if decimal.scale() > digits {
        return Err(MoneyError::TooFine { text: text.to_owned(), digits });
    }
    let scaled = decimal.checked_mul(Decimal::from(10_i64.pow(digits))).ok_or(MoneyError::OutOfRange)?;
    scaled.to_i64().ok_or(MoneyError::OutOfRange)
}

fn scaled_text(value: i64, digits: usize) -> String {
    let magnitude = value.unsigned_abs();
    let unit = 10_u64.pow(u32::try_from(digits).unwrap_or(0));
    let sign = if value < 0 { "-" } else { "" };
    let fraction = format!("{:0digits$}", magnitude % unit);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{}", magnitude / unit) } else { format!("{sign}{}.{fraction}", magnitude / unit) }
}
