//! The hash chain that makes the books tamper-evident, one per partition.
//!
//! `head(n) = SHA-256(head(n−1) ‖ n as 8 bytes big-endian ‖ SHA-256(event bytes) ‖ verdict ‖ "\n" ‖
//! postings)`, over the facts a partition recorded, in order; duplicates do not extend it, so it is the
//! same after any export, import or redelivery. `docs/ledger.md` gives an auditor the same in Python.

use std::fmt::Write as _;

use schemas::{Partition, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::apply::{Posting, Verdict};

/// A chain's head: a SHA-256.
pub type Head = [u8; 32];

/// Heads are written outside the database at every multiple of this ordinal.
pub const CHECKPOINT_EVERY: u64 = 4096;

/// The head before a partition's first fact: SHA-256 of `tollgate.ledger.v1/partition/<n>`.
pub fn genesis(partition: Partition) -> Head {
    Sha256::digest(format!("tollgate.ledger.v1/partition/{partition}")).into()
}

/// The head after one more fact.
pub fn extend(previous: &Head, ordinal: u64, event_sha256: &[u8; 32], verdict: Verdict, postings: &[Posting]) -> Head {
    let mut text = String::with_capacity(32 + postings.len() * 64);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{verdict}");
    write_postings(&mut text, postings);
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(ordinal.to_be_bytes());
    hash.update(event_sha256);
    hash.update(text.as_bytes());
    hash.finalize().into()
}

/// The canonical form of a transaction's legs: `<account>:<nanos>` and a line feed each, in order.
pub fn write_postings(text: &mut String, postings: &[Posting]) {
    for posting in postings {
        let _ = writeln!(text, "{}:{}", posting.account, posting.amount.nanos());
    }
}

/// A head at one ordinal, as it is kept outside the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub partition: Partition,
    pub ordinal: u64,
    #[serde(with = "head_hex")]
    pub head: Head,
    /// Where the entry stands in this deployment's log.
    pub position: u64,
    /// Time of the event that made the head.
    pub time: Timestamp,
}

mod head_hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(head: &super::Head, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(head))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<super::Head, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut head = [0; 32];
        hex::decode_to_slice(&text, &mut head).map_err(de::Error::custom)?;
        Ok(head)
    }
}
