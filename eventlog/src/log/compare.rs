//! Whether a log is the one that somebody else's rows were made of.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{EventLog, LogError, ReadLimit};

impl EventLog {
    /// The first of these positions at which the log has another event than the one with this SHA-256. What the log no longer has,
    /// or does not have yet, cannot be compared.
    pub async fn first_difference(&self, known: &BTreeMap<u64, [u8; 32]>) -> Result<Option<u64>, LogError> {
        let (first, Some((last, _))) = (self.bounds().await?.first, known.last_key_value()) else { return Ok(None) };
        let Some((start, _)) = known.range(first..).next() else { return Ok(None) };
        let mut after = start - 1;
        while after < *last {
            let entries = self.read(after, ReadLimit::default()).await?;
            let Some(end) = entries.last() else { return Ok(None) };
            after = end.position;
            let other = entries.iter().find(|entry| {
                let expected = known.get(&entry.position);
                expected.is_some_and(|expected| Sha256::digest(&entry.payload)[..] != expected[..])
            });
            if let Some(other) = other {
                return Ok(Some(other.position));
            }
        }
        Ok(None)
    }
}
