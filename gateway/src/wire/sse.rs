//! Cuts a byte stream into server-sent events.
//!
//! An event whose bytes lie within one network chunk is handed out as slices of that chunk; only what
//! crosses a chunk boundary is copied, once. LF, CR and CRLF end lines, a leading byte order mark is
//! skipped, comments are reported as signs of life. Every byte is looked at once, however the network
//! cuts the stream. Anything after the last blank line is no event: see [`SseFramer::finish`].

use bytes::{Buf, Bytes, BytesMut};

/// The longest event accepted, in bytes: generated images arrive as one event of base64.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// What a stream consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// An event with data; lines of data are joined with LF. `name` is empty where none was sent.
    Event { name: Bytes, data: Bytes },
    /// A line that says nothing but that the other side is alive.
    Comment,
}

/// An event longer than the bound. The stream cannot be read on from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("server-sent event is longer than {bytes_max} bytes")]
pub struct FrameTooLong {
    pub bytes_max: usize,
}

/// How a stream ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// After a complete event.
    Clean,
    /// Inside an event: it was cut off. The data is what came of it; some servers omit the last blank
    /// line, so a caller may accept `[DONE]` here, and nothing else.
    Truncated { data: Bytes },
}

/// The state between two chunks. Memory is bounded by the longest event.
#[derive(Debug)]
pub struct SseFramer {
    bytes_max: usize,
    /// What was pushed and not yet consumed.
    chunk: Bytes,
    /// The beginning of a line whose end has not come.
    line: BytesMut,
    data: Data,
    name: Bytes,
    /// Bytes of the event being read, line ends included.
    event_bytes: usize,
    /// How much of a byte order mark was seen; past its length, the stream has begun.
    mark_seen: usize,
    /// The last byte was a CR: an LF right after it belongs to the same line end.
    after_cr: bool,
    failed: bool,
    #[cfg(test)]
    work: u64,
}

#[derive(Debug)]
enum Data {
    None,
    One(Bytes),
    Joined(BytesMut),
}

impl Default for SseFramer {
    fn default() -> Self {
        Self::new(FRAME_BYTES_MAX)
    }
}

impl SseFramer {
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            chunk: Bytes::new(),
            line: BytesMut::new(),
            data: Data::None,
            name: Bytes::new(),
            event_bytes: 0,
            mark_seen: 0,
            after_cr: false,
            failed: false,
            #[cfg(test)]
            work: 0,
        }
    }

    /// Gives the framer the next bytes. Call [`Self::next_frame`] until it has none left.
    pub fn push(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            let mut both = BytesMut::with_capacity(self.chunk.len() + chunk.len());
            both.extend_from_slice(&self.chunk);
            both.extend_from_slice(&chunk);
            self.chunk = both.freeze();
        }
    }

    /// The next complete event or comment, `None` when more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameTooLong> {
        let too_long = FrameTooLong { bytes_max: self.bytes_max };
        if self.failed {
            return Err(too_long);
        }
        self.skip_byte_order_mark();
        while let Some(line) = self.next_line() {
            if self.event_bytes > self.bytes_max {
                self.failed = true;
                return Err(too_long);
            }
            if let Some(frame) = self.take_line(line) {
                return Ok(Some(frame));
            }
        }
        if self.event_bytes > self.bytes_max {
            self.failed = true;
            return Err(too_long);
        }
        // Even an empty slice would keep the whole network buffer that it was cut from.
        self.chunk = Bytes::new();
        Ok(None)
    }

    /// Says whether the stream, now at its end, stopped between events or inside one.
    pub fn finish(&mut self) -> End {
        if self.event_bytes == 0 && matches!(self.data, Data::None) {
            return End::Clean;
        }
        if !self.line.is_empty() {
            let line = self.line.split().freeze();
            self.take_line(line);
        }
        End::Truncated { data: self.take_data().unwrap_or_default() }
    }

    /// Only where the stream begins; the mark may come in pieces.
    fn skip_byte_order_mark(&mut self) {
        while self.mark_seen < BYTE_ORDER_MARK.len() && !self.chunk.is_empty() {
            if self.chunk[0] == BYTE_ORDER_MARK[self.mark_seen] {
                self.chunk.advance(1);
                self.mark_seen += 1;
            } else {
                // Not a mark after all: what looked like one is text.
                self.line.extend_from_slice(&BYTE_ORDER_MARK[..self.mark_seen]);
                self.event_bytes += self.mark_seen;
                self.mark_seen = BYTE_ORDER_MARK.len();
            }
        }
    }

    /// The next line without its end. What is left of the chunk is kept as the beginning of a line.
    fn next_line(&mut self) -> Option<Bytes> {
        if self.after_cr && !self.chunk.is_empty() {
            self.after_cr = false;
            if self.chunk[0] == b'\n' {
                self.chunk.advance(1);
            }
        }
        let end = memchr::memchr2(b'\n', b'\r', &self.chunk);
        let length = end.unwrap_or(self.chunk.len());
        self.event_bytes += length;
        #[cfg(test)]
        {
            self.work += length as u64 + 1;
        }
        let piece = self.chunk.split_to(length);
        if end.is_none() {
            // The bound is checked before the copy, so that an endless line costs no memory.
            if self.event_bytes <= self.bytes_max {
                self.keep(&piece);
            }
            return None;
        }
        self.event_bytes += 1;
        self.after_cr = self.chunk[0] == b'\r';
        self.chunk.advance(1);
        if self.line.is_empty() {
            return Some(piece);
        }
        self.keep(&piece);
        Some(self.line.split().freeze())
    }

    fn keep(&mut self, piece: &[u8]) {
        self.line.extend_from_slice(piece);
        #[cfg(test)]
        {
            self.work += piece.len() as u64;
        }
    }

    /// Takes one line into the event; a blank one completes it.
    fn take_line(&mut self, line: Bytes) -> Option<Frame> {
        if line.is_empty() {
            self.event_bytes = 0;
            let name = std::mem::take(&mut self.name);
            // An event without data is not dispatched, says the standard.
            return self.take_data().map(|data| Frame::Event { name, data });
        }
        if line[0] == b':' {
            if matches!(self.data, Data::None) && self.name.is_empty() {
                self.event_bytes = 0;
            }
            return Some(Frame::Comment);
        }
        let colon = memchr::memchr(b':', &line).unwrap_or(line.len());
        let mut value = line.slice((colon + 1).min(line.len())..);
        if value.first() == Some(&b' ') {
            value.advance(1);
        }
        match &line[..colon] {
            b"data" => self.add_data(value),
            b"event" => self.name = value,
            // `id`, `retry` and unknown fields mean nothing to a relay that never reconnects.
            _ => {}
        }
        None
    }

    fn add_data(&mut self, value: Bytes) {
        self.data = match std::mem::replace(&mut self.data, Data::None) {
            Data::None => Data::One(value),
            Data::One(first) => {
                let mut joined = BytesMut::with_capacity(first.len() + value.len() + 1);
                joined.extend_from_slice(&first);
                joined.extend_from_slice(b"\n");
                joined.extend_from_slice(&value);
                Data::Joined(joined)
            }
            Data::Joined(mut joined) => {
                joined.extend_from_slice(b"\n");
                joined.extend_from_slice(&value);
                Data::Joined(joined)
            }
        };
    }

    fn take_data(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.data, Data::None) {
            Data::None => None,
            Data::One(data) => Some(data),
            Data::Joined(data) => Some(data.freeze()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(data: &'static str) -> Frame {
        Frame::Event { name: Bytes::new(), data: Bytes::from_static(data.as_bytes()) }
    }

    fn read(chunks: &[&[u8]], bytes_max: usize) -> (Result<Vec<Frame>, FrameTooLong>, End, u64) {
        let mut framer = SseFramer::new(bytes_max);
        let mut frames = Vec::new();
        for chunk in chunks {
            framer.push(Bytes::copy_from_slice(chunk));
            loop {
                match framer.next_frame() {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => break,
                    Err(error) => return (Err(error), framer.finish(), framer.work),
                }
            }
        }
        let end = framer.finish();
        (Ok(frames), end, framer.work)
    }

    fn frames(text: &str) -> Vec<Frame> {
        read(&[text.as_bytes()], FRAME_BYTES_MAX).0.unwrap()
    }

    #[test]
    fn every_line_end_and_a_byte_order_mark_are_understood() {
        let wanted = [event("a"), event("b")];
        for text in
            ["data: a\n\ndata: b\n\n", "data: a\r\n\r\ndata: b\r\n\r\n", "data: a\r\rdata: b\r\r", "\u{feff}data: a\r\n\ndata:b\r\r\n"]
        {
            assert_eq!(frames(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        let wanted = Frame::Event { name: Bytes::from_static(b"delta"), data: Bytes::from_static(b"one\n two\n") };
        assert_eq!(frames("event: delta\nid: 7\nretry: 10\ndata: one\ndata:  two\ndata\n\n"), [wanted]);
        assert_eq!(frames("event: ping\n\ndata: x\n\n"), [event("x")], "no data, no event; its name does not stick");
        assert_eq!(frames(": OPENROUTER PROCESSING\n\ndata: x\n\n"), [Frame::Comment, event("x")]);
        assert_eq!(frames("data: x\n: inside\ndata: y\n\n"), [Frame::Comment, event("x\ny")]);
        assert_eq!(frames("\n\n\n"), []);
    }

    #[test]
    fn an_event_within_one_chunk_is_not_copied() {
        let chunk = Bytes::from_static(b"data: {\"a\":1}\n\n");
        let mut framer = SseFramer::default();
        framer.push(chunk.clone());
        let frame = framer.next_frame().unwrap();
        assert!(matches!(frame, Some(Frame::Event { data, .. }) if data.as_ptr() == chunk[6..].as_ptr()));
    }

    #[test]
    fn a_stream_that_stops_within_an_event_is_truncated() {
        let end = |text: &str| read(&[text.as_bytes()], FRAME_BYTES_MAX).1;
        let truncated = |data: &'static str| End::Truncated { data: Bytes::from_static(data.as_bytes()) };
        assert_eq!(end(""), End::Clean);
        assert_eq!(end("data: a\n\n"), End::Clean);
        assert_eq!(end("data: a\r\n\r\n: bye\n"), End::Clean);
        assert_eq!(end("data: a\n\ndata: {\"b"), truncated("{\"b"));
        assert_eq!(end("data: a\n\ndata: [DONE]\n"), truncated("[DONE]"));
        assert_eq!(end("data: a\n\ndat"), truncated(""));
    }

    #[test]
    fn an_event_beyond_the_bound_is_refused_and_stays_refused() {
        let (outcome, ..) = read(&[b"data: 0123456789\n\n"], 16);
        assert_eq!(outcome, Err(FrameTooLong { bytes_max: 16 }));
        assert_eq!(read(&[b"data: 0123\n\n".as_slice(); 9], 16).0.unwrap().len(), 9, "the bound is for one event, not for the stream");
        let mut framer = SseFramer::new(16);
        framer.push(Bytes::from_static(b"data: an endless line and nothing else"));
        assert!(framer.next_frame().is_err());
        framer.push(Bytes::from_static(b"\n\ndata: x\n\n"));
        assert!(framer.next_frame().is_err());
    }

    #[test]
    fn what_was_not_taken_yet_is_not_lost_when_more_is_pushed() {
        let mut framer = SseFramer::default();
        framer.push(Bytes::from_static(b"data: a\n\ndata: b\n\nda"));
        assert_eq!(framer.next_frame(), Ok(Some(event("a"))));
        framer.push(Bytes::from_static(b"ta: c\n\n"));
        assert_eq!(framer.next_frame(), Ok(Some(event("b"))));
        assert_eq!(framer.next_frame(), Ok(Some(event("c"))));
        assert_eq!(framer.next_frame(), Ok(None));
    }

    /// Counts work, not time: a framer that rescans its buffer would need half a million times as much.
    #[test]
    fn the_cost_of_one_large_event_is_linear_in_its_length() {
        let text = format!("data: {}\n\n", "x".repeat(1 << 20));
        for chunk_bytes in [1, 7, 1_400, 65_536] {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(chunk_bytes).collect();
            let (frames, end, work) = read(&chunks, FRAME_BYTES_MAX);
            assert_eq!((frames.unwrap().len(), end), (1, End::Clean));
            assert!(work <= 4 * text.len() as u64, "{work} steps for {} bytes in chunks of {chunk_bytes}", text.len());
        }
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_frames(
            lines in proptest::collection::vec(
                prop_oneof![
                    Just("data: {\"x\":1}".to_owned()), Just("data:".to_owned()), Just(String::new()), Just(": note".to_owned()),
                    Just("event: e".to_owned()), Just("\u{feff}data: q".to_owned()), "[a-z:ä ]{0,12}",
                ], 0..24),
            ends in proptest::collection::vec(0..3_usize, 24),
            cuts in proptest::collection::vec(0..400_usize, 0..12),
            bytes_max in prop_oneof![Just(FRAME_BYTES_MAX), 4..40_usize],
        ) {
            let text: String = lines.iter().zip(&ends).map(|(line, end)| format!("{line}{}", ["\n", "\r", "\r\n"][*end])).collect();
            let whole = read(&[text.as_bytes()], bytes_max);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            let cut = read(&pieces, bytes_max);
            prop_assert_eq!((&whole.0, whole.0.is_ok().then_some(&whole.1)), (&cut.0, cut.0.is_ok().then_some(&cut.1)));
        }

        #[test]
        fn arbitrary_bytes_never_panic(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..12)) {
            let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
            let _ = read(&chunks, 64);
        }
    }
}
