//! Chance without chance: the same request draws the same numbers.

use sha2::{Digest, Sha256};

/// A small generator (SplitMix64) seeded by a request's bytes.
#[derive(Debug, Clone)]
pub struct Seed(u64);

impl Seed {
    pub fn of(body: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(body).into();
        Self(digest.first_chunk::<8>().map_or(0, |first| u64::from_le_bytes(*first)))
    }

    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Another sequence, for one of several choices.
    pub fn fork(&self, index: u32) -> Self {
        Self(self.0 ^ u64::from(index).wrapping_mul(0xA24B_AED4_963E_E407))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn pick<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        let index = self.next() as usize % list.len().max(1);
        list.get(index).copied()
    }

    /// Letters and digits, as ids have them.
    pub fn word(&mut self, length: usize) -> String {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        (0..length).map(|_| char::from(DIGITS[self.next() as usize % DIGITS.len()])).collect()
    }
}
