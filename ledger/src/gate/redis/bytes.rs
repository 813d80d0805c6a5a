//! Fixed layouts between Rust and Lua's `struct`: big-endian, no padding.
//!
//! Amounts and positions are eight bytes of two's complement, so that no number passes through a double.
//! Times, counts and tokens are whole numbers below 2⁵³ and travel as doubles.

use schemas::{AccountId, Day, KeyId, NanoUsd, RequestId};
use uuid::Uuid;

/// The largest whole number that a double holds exactly, with all before it.
const EXACT_MAX: u64 = (1 << 53) - 1;

#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub fn byte(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub fn flag(self, value: bool) -> Self {
        self.byte(u8::from(value))
    }

    pub fn amount(mut self, value: NanoUsd) -> Self {
        self.0.extend(value.nanos().to_be_bytes());
        self
    }

    pub fn position(mut self, value: u64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Larger counts are as good as the largest exact one: no limit comes near it.
    pub fn count(self, value: u64) -> Self {
        self.number(value.min(EXACT_MAX) as f64)
    }

    pub fn micros(self, value: i64) -> Self {
        self.number(value as f64)
    }

    /// −1 stands for none.
    pub fn limit(self, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.count(value),
            None => self.number(-1.0),
        }
    }

    pub fn day(mut self, value: Day) -> Self {
        self.0.extend(value.number().to_be_bytes());
        self
    }

    pub fn int(mut self, value: u32) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }

    pub fn id(mut self, value: Uuid) -> Self {
        self.0.extend(value.as_bytes());
        self
    }

    pub fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend(value);
        self
    }

    pub fn done(self) -> Vec<u8> {
        self.0
    }

    fn number(mut self, value: f64) -> Self {
        self.0.extend(value.to_be_bytes());
        self
    }
}

/// The bytes end before what they should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Truncated;

pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    pub fn byte(&mut self) -> Result<u8, Truncated> {
        Ok(self.take::<1>()?[0])
    }

    pub fn amount(&mut self) -> Result<NanoUsd, Truncated> {
        Ok(NanoUsd::from_nanos(i64::from_be_bytes(self.take()?)))
    }

    pub fn position(&mut self) -> Result<u64, Truncated> {
        Ok(u64::from_be_bytes(self.take()?))
    }

    /// A whole number that Lua computed; negative is none.
    pub fn count(&mut self) -> Result<Option<u64>, Truncated> {
        let number = f64::from_be_bytes(self.take()?);
        Ok((number >= 0.0).then_some(number as u64))
    }

    pub fn micros(&mut self) -> Result<i64, Truncated> {
        Ok(f64::from_be_bytes(self.take()?) as i64)
    }

    pub fn day(&mut self) -> Result<Day, Truncated> {
        Ok(Day::from_number(i32::from_be_bytes(self.take()?)))
    }

    pub fn int(&mut self) -> Result<u32, Truncated> {
        Ok(u32::from_be_bytes(self.take()?))
    }

    pub fn id(&mut self) -> Result<Uuid, Truncated> {
        Ok(Uuid::from_bytes(self.take()?))
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Truncated> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }
}

/// What the sorted sets hold: account, then request.
pub(super) fn member(account_id: AccountId, request_id: RequestId) -> Vec<u8> {
    Writer::default().id(account_id.uuid()).id(request_id.uuid()).done()
}

/// A field of an account's hash.
pub(super) fn field(kind: u8, id: Uuid) -> Vec<u8> {
    Writer::default().byte(kind).id(id).done()
}

pub(super) fn key_id(bytes: Uuid) -> KeyId {
    KeyId::from_uuid(bytes)
}
