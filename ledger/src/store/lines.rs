//! Rows as JSON lines: how whole tables leave a database, for the audit and for digests.
//!
//! **The bytes of a line are the same in every database**: a JSON array of the columns in the order of
//! the row type's fields, without blanks, ids and hashes in lower-case hex. So equal books have equal
//! digests, whichever engine keeps them.

use sha2::{Digest as _, Sha256};

use super::LedgerError;
use super::rows::Row;

/// Positions whose rows travel in one value: one value a column would cost more than recomputing them.
const RANGE_POSITIONS: u64 = 1_000;

pub(super) fn read<R: Row>(line: &str) -> Result<R, LedgerError> {
    serde_json::from_str(line).map_err(|_| LedgerError::Row { table: R::TABLE, column: "any column", value: line.to_owned() })
}

/// SHA-256 of a table's lines, a line feed after each, without holding them.
#[derive(Default)]
pub(super) struct TableDigest(Sha256);

impl TableDigest {
    /// One line, or several with line feeds between them; nothing for an empty text.
    pub(super) fn add(&mut self, lines: &str) {
        if !lines.is_empty() {
            self.0.update(lines.as_bytes());
            self.0.update(b"\n");
        }
    }

    pub(super) fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The ranges `after < position <= to` in which a long table is read. The last one is open: a row beyond
/// the position must show.
pub(super) fn ranges(position: u64) -> impl Iterator<Item = (u64, u64)> {
    let starts = (0..=position).step_by(usize::try_from(RANGE_POSITIONS).unwrap_or(usize::MAX));
    starts.map(move |after| if after + RANGE_POSITIONS > position { (after, u64::MAX) } else { (after, after + RANGE_POSITIONS) })
}
