//! A cursor over JSON text.
//!
//! A [`Scanner`] walks the text once and yields byte spans; nothing is allocated. It checks the whole
//! grammar (what it accepts, `serde_json` accepts, and the other way round, up to [`DEPTH_MAX`]), so a
//! span can be copied into other JSON text and the result is valid JSON. It never interprets a value:
//! escapes stay as they are.

use std::borrow::Cow;

/// Containers within containers, in one value.
pub const DEPTH_MAX: u32 = 128;
/// Longer text is refused: spans are 32 bits wide.
pub const TEXT_BYTES_MAX: usize = u32::MAX as usize;

/// Why text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("unexpected character at byte {at}")]
    Unexpected { at: u32 },
    #[error("text ends inside a value")]
    Unfinished,
    #[error("nested deeper than {DEPTH_MAX} at byte {at}")]
    TooDeep { at: u32 },
    #[error("text is longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
}

/// Bytes `start..end` of the text that was scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// The spanned bytes; empty when `text` is not the text that was scanned.
    pub fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// The spanned text; empty when `text` is not the text that was scanned.
    pub fn of_str(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }
}

/// A string's contents without its quotes, escapes as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StringSpan {
    pub span: Span,
    pub has_escapes: bool,
}

impl StringSpan {
    /// With the quotes.
    pub const fn quoted(self) -> Span {
        Span { start: self.span.start - 1, end: self.span.end + 1 }
    }

    /// Whether the string, escapes resolved, is this text.
    pub fn is(self, text: &[u8], wanted: &str) -> bool {
        if self.has_escapes { self.resolve(text) == wanted } else { self.span.of(text) == wanted.as_bytes() }
    }

    /// Like [`Self::resolve`], and cheaper: the text is not checked to be UTF-8 again.
    pub fn resolve_bytes(self, text: &[u8]) -> Cow<'_, [u8]> {
        if self.has_escapes { Cow::Owned(self.resolve(text).into_owned().into_bytes()) } else { Cow::Borrowed(self.span.of(text)) }
    }

    /// The string with its escapes resolved. A lone surrogate makes it empty: no text could stand for it.
    pub fn resolve(self, text: &[u8]) -> Cow<'_, str> {
        if self.has_escapes {
            Cow::Owned(serde_json::from_slice(self.quoted().of(text)).unwrap_or_default())
        } else {
            Cow::Borrowed(std::str::from_utf8(self.span.of(text)).unwrap_or_default())
        }
    }
}

/// A cursor over JSON text. The text must be UTF-8; this is the caller's to know, only the grammar is checked.
#[derive(Debug)]
pub struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// The first byte of the next value, not consumed.
    pub fn peek(&mut self) -> Result<u8, JsonError> {
        self.skip_space();
        self.text.get(self.at).copied().ok_or(JsonError::Unfinished)
    }

    pub fn open_object(&mut self) -> Result<(), JsonError> {
        self.expect(b'{')
    }

    pub fn open_array(&mut self) -> Result<(), JsonError> {
        self.expect(b'[')
    }

    /// The next key of an open object, its colon consumed; `None` when the object has ended.
    pub fn next_key(&mut self, is_first: bool) -> Result<Option<StringSpan>, JsonError> {
        if !self.continues(b'}', is_first)? {
            return Ok(None);
        }
        self.skip_space();
        let key = self.string()?;
        self.expect(b':')?;
        Ok(Some(key))
    }

    /// Whether an open array has another element; when not, it has ended.
    pub fn next_element(&mut self, is_first: bool) -> Result<bool, JsonError> {
        self.continues(b']', is_first)
    }

    /// Only white space may follow.
    pub fn finish(&mut self) -> Result<(), JsonError> {
        self.skip_space();
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(JsonError::TooLong);
        }
        if self.at == self.text.len() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Skips one value of any kind.
    pub fn value(&mut self) -> Result<Span, JsonError> {
        let first = self.peek()?;
        let start = self.at;
        match first {
            b'{' | b'[' => self.container()?,
            _ => self.scalar(first)?,
        }
        Ok(self.span_from(start))
    }

    /// A string value, or `None` after skipping a value of another kind.
    pub fn string_value(&mut self) -> Result<Option<StringSpan>, JsonError> {
        if self.peek()? == b'"' { self.string().map(Some) } else { self.value().map(|_| None) }
    }

    /// Where the cursor is.
    pub const fn position(&self) -> u32 {
        position(self.at)
    }

    /// From an earlier position to the cursor.
    pub const fn span_since(&self, start: u32) -> Span {
        Span { start, end: position(self.at) }
    }

    const fn span_from(&self, start: usize) -> Span {
        Span { start: position(start), end: position(self.at) }
    }

    fn continues(&mut self, close: u8, is_first: bool) -> Result<bool, JsonError> {
        let next = self.peek()?;
        if next == close {
            self.at += 1;
            return Ok(false);
        }
        if is_first {
            return Ok(true);
        }
        if next != b',' {
            return Err(self.unexpected());
        }
        self.at += 1;
        // What follows a comma is an element, never the end.
        if self.peek()? == close { Err(self.unexpected()) } else { Ok(true) }
    }

    /// Skips an array or object without recursion: one bit a level says which of the two it is.
    fn container(&mut self) -> Result<(), JsonError> {
        let mut objects: u128 = 0;
        let mut depth: u32 = 0;
        loop {
            let first = self.peek()?;
            let mut closed = true;
            if first == b'{' || first == b'[' {
                if depth == DEPTH_MAX {
                    return Err(JsonError::TooDeep { at: self.position() });
                }
                depth += 1;
                objects = objects << 1 | u128::from(first == b'{');
                self.at += 1;
                closed = !self.step(objects & 1 == 1, true)?;
                if closed {
                    depth -= 1;
                    objects >>= 1;
                }
            } else {
                self.scalar(first)?;
            }
            while closed && depth > 0 {
                closed = !self.step(objects & 1 == 1, false)?;
                if closed {
                    depth -= 1;
                    objects >>= 1;
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// Moves to the next value of the open container; false when it has ended.
    fn step(&mut self, is_object: bool, is_first: bool) -> Result<bool, JsonError> {
        if is_object { self.next_key(is_first).map(|key| key.is_some()) } else { self.next_element(is_first) }
    }

    fn scalar(&mut self, first: u8) -> Result<(), JsonError> {
        match first {
            b'"' => self.string().map(|_| ()),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), JsonError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn number(&mut self) -> Result<(), JsonError> {
        self.at += usize::from(self.byte() == Some(b'-'));
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return Err(self.unexpected()),
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let count = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { Err(self.unexpected()) } else { Ok(()) }
    }

    /// At an opening quote: the contents, the closing quote consumed.
    fn string(&mut self) -> Result<StringSpan, JsonError> {
        if self.byte() != Some(b'"') {
            return Err(self.unexpected());
        }
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.skip_plain();
            match self.byte() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                // A raw control character.
                _ => return Err(self.unexpected()),
            }
        }
        let span = self.span_from(start);
        self.at += 1;
        Ok(StringSpan { span, has_escapes })
    }

    /// Skips to the next quote, backslash or control character, eight bytes at a time.
    fn skip_plain(&mut self) {
        while let Some(chunk) = self.text.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let special = special_bytes(u64::from_le_bytes(*chunk));
            if special != 0 {
                self.at += special.trailing_zeros() as usize / 8;
                return;
            }
            self.at += 8;
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                for _ in 0..4 {
                    self.at += 1;
                    if !self.byte().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(self.unexpected());
                    }
                }
                self.at += 1;
            }
            _ => return Err(self.unexpected()),
        }
        Ok(())
    }

    fn expect(&mut self, wanted: u8) -> Result<(), JsonError> {
        if self.peek()? != wanted {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> JsonError {
        if self.at >= self.text.len() { JsonError::Unfinished } else { JsonError::Unexpected { at: self.position() } }
    }
}

/// Texts beyond 4 GiB end as [`JsonError::TooLong`] in [`Scanner::finish`]; until then positions stay at the bound.
const fn position(at: usize) -> u32 {
    if at > TEXT_BYTES_MAX { u32::MAX } else { at as u32 }
}

/// The high bit of every byte that is a quote, a backslash or below 0x20; exact for the lowest such byte.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let is_quote = quote.wrapping_sub(ONES) & !quote;
    let is_backslash = backslash.wrapping_sub(ONES) & !backslash;
    let is_control = word.wrapping_sub(ONES * 0x20) & !word;
    (is_quote | is_backslash | is_control) & HIGHS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_special_byte_is_found_wherever_it_stands(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let mut scanner = Scanner::new(&bytes);
            scanner.skip_plain();
            let wanted = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(bytes.len());
            prop_assert_eq!(scanner.at, wanted);
        }
    }
}
