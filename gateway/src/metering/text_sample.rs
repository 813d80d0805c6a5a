//! Generated text, kept as far as a bounded buffer goes, so that it can be counted if no usage comes.

use super::count::{count_text, unescape};
use super::estimate::text_tokens_about;

/// Text kept of one stream, of each kind. Longer answers are counted this far and extrapolated.
pub const STREAM_SAMPLE_BYTES_MAX: usize = 16 * 1024;
/// Text kept of an answer that came in one piece and is in memory anyway.
pub const BODY_SAMPLE_BYTES_MAX: usize = 1024 * 1024;

/// The beginning of a text and the length of all of it.
#[derive(Debug, Clone, Default)]
pub(super) struct TextSample {
    /// As it stands in JSON strings, escapes unresolved.
    kept: String,
    is_full: bool,
    ascii_bytes: u64,
    other_bytes: u64,
}

impl TextSample {
    /// Adds the contents of a JSON string, keeping at most `bytes_max` in all.
    pub fn add(&mut self, raw: &str, bytes_max: usize) {
        let ascii = raw.bytes().filter(u8::is_ascii).count();
        self.ascii_bytes += ascii as u64;
        self.other_bytes += (raw.len() - ascii) as u64;
        if self.is_full {
            return;
        }
        let room = bytes_max.saturating_sub(self.kept.len());
        self.is_full = raw.len() > room;
        self.kept.push_str(if self.is_full { beginning(raw, room) } else { raw });
    }

    pub const fn bytes(&self) -> u64 {
        self.ascii_bytes + self.other_bytes
    }

    /// From the lengths alone.
    pub fn tokens_about(&self) -> u64 {
        text_tokens_about(self.ascii_bytes, self.other_bytes)
    }

    /// Counts what was kept and extrapolates to the whole. CPU-bound.
    pub fn count(&self) -> u64 {
        let counted = count_text(&unescape(&self.kept));
        if !self.is_full || self.kept.is_empty() {
            return if self.kept.is_empty() { self.tokens_about() } else { counted };
        }
        let whole = u128::from(counted) * u128::from(self.bytes());
        u64::try_from(whole.div_ceil(self.kept.len() as u128)).unwrap_or(u64::MAX)
    }
}

/// At most `bytes_max` of a JSON string's contents, cut neither within a character nor within an escape.
fn beginning(raw: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(raw.len());
    while !raw.is_char_boundary(end) {
        end -= 1;
    }
    let mut safe = 0;
    while let Some(offset) = memchr::memchr(b'\\', &raw.as_bytes()[safe..end]) {
        let escape = safe + offset;
        let length = if raw.as_bytes().get(escape + 1) == Some(&b'u') { 6 } else { 2 };
        if escape + length > end {
            return &raw[..escape];
        }
        safe = escape + length;
    }
    &raw[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_text_is_counted_exactly_however_it_was_cut() {
        let mut sample = TextSample::default();
        for piece in ["Zürich: ", "\\u00fc", "\\ud83d", "\\ude00", " and \\\"quoted\\\"\\n"] {
            sample.add(piece, 1_000);
        }
        assert_eq!(sample.count(), count_text("Zürich: ü😀 and \"quoted\"\n"));
    }

    #[test]
    fn a_long_text_is_extrapolated_from_a_bounded_beginning() {
        let mut sample = TextSample::default();
        let sentence = "The ledger is a fold of the log. ";
        for _ in 0..10_000 {
            sample.add(sentence, 1_024);
        }
        assert!(sample.kept.len() <= 1_024);
        let (counted, truth) = (sample.count(), count_text(&sentence.repeat(10_000)));
        assert!(counted.abs_diff(truth) * 100 <= truth * 3, "{counted} for {truth}");
        assert!(sample.tokens_about() > truth / 2 && sample.tokens_about() < truth * 2);
    }

    proptest! {
        #[test]
        fn what_is_kept_is_bounded_and_whole(text in any::<String>(), bytes_max in 0..40_usize) {
            let raw = serde_json::Value::from(text).to_string();
            let inside = &raw[1..raw.len() - 1];
            let mut sample = TextSample::default();
            sample.add(inside, bytes_max);
            sample.add(inside, bytes_max);
            prop_assert!(sample.kept.len() <= bytes_max);
            prop_assert!(serde_json::from_str::<String>(&format!("\"{}\"", sample.kept)).is_ok(), "{}", sample.kept);
            prop_assert_eq!(sample.bytes(), 2 * inside.len() as u64);
        }
    }
}
