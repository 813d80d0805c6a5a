//! What a request may ask of the mock: one flat list of keys, written `key=value&key=value`, percent-encoded.
//!
//! Owns the list of keys and their defaults. An unknown key or a value of the wrong type is an error, so that a
//! misspelt script fails the test that uses it instead of passing by accident. Start at [`Script`].

use std::str::FromStr;

/// Everything that can be scripted. Counts are per answer, times in milliseconds, `*_after` in frames sent before it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Delay before the status line.
    pub first_byte_ms: u64,
    /// Delay between the headers and the first frame (or the body).
    pub first_chunk_ms: u64,
    /// Comment lines so far apart while the first frame is waited for; 0: none.
    pub comment_ms: u64,
    /// Delay before every further frame.
    pub delay_ms: u64,

    /// Content chunks, one token each, unless `text` is given.
    pub chunks: u32,
    /// Bytes of text in a chunk.
    pub chunk_bytes: usize,
    /// Exact text of every content chunk, in place of filler.
    pub chunk_text: Option<String>,
    /// Exact text of the answer, cut into pieces of `chunk_bytes`.
    pub text: Option<String>,
    /// Whether the role comes in a chunk of its own, as OpenAI does, or with the first content.
    pub role_chunk: bool,
    /// Chunks of `reasoning_content` before the content, one token each.
    pub reasoning: u32,
    /// Tool calls instead of content; the arguments stream in pieces of `chunk_bytes`.
    pub tools: u32,
    pub tool_name: String,
    pub tool_arguments: String,
    /// The finish reason; `null` leaves it null to the end.
    pub finish: String,
    pub logprobs: bool,
    pub id: String,
    /// Answers with the request body, or with its headers as JSON, as the text.
    pub echo: Echo,
    /// Stops at the request's `max_tokens` with finish reason `length`, as real upstreams do.
    pub honour_max_tokens: bool,

    pub status: u16,
    pub retry_after: Option<String>,
    pub message: String,
    /// Only the first so many requests with this script fail as scripted; 0 means all of them.
    pub fail_first: u32,
    /// The whole body as it is sent, in place of what the script would give.
    pub body: Option<String>,
    /// A named kind of wrong body.
    pub fault: Fault,
    pub content_type: Option<String>,

    /// Never answers, before or after the headers. In mid-stream: `cut=hang`.
    pub hang: Hang,
    pub cut: Cut,
    pub cut_after: u32,
    /// Bytes of the frame after `cut_after` frames that are still sent: a cut inside a frame.
    pub cut_bytes: usize,
    /// An error frame after so many frames, then the end.
    pub error_after: Option<u32>,
    pub error_status: u16,
    /// A frame that is not JSON after so many frames.
    pub bad_frame_after: Option<u32>,

    pub newline: Newline,
    /// A comment line before every frame.
    pub comments: bool,
    /// `event:` and `id:` fields beside `data:`.
    pub event_fields: bool,
    /// The JSON of a frame spread over several `data:` lines.
    pub split_data: bool,
    pub bom: bool,
    /// Splits everything into writes of so many bytes; 0 writes a frame at a time.
    pub write_bytes: usize,
    /// Whether every frame is written by itself; otherwise the socket decides.
    pub flush: bool,
    /// Whether `[DONE]` is sent.
    pub done: bool,
    /// Whether the last frame ends with its blank line.
    pub last_newline: bool,

    /// Embeddings in place of one an input.
    pub vectors: Option<u32>,
    /// Their length, where the request names none.
    pub dimensions: u32,
    /// Their form, whatever was asked for.
    pub encoding: Encoding,

    pub usage: UsageMode,
    pub usage_at: UsageAt,
    /// Whether the usage chunk repeats the finish reason in a choice instead of having none.
    pub usage_choices: bool,
    /// Raw JSON in place of the usage object.
    pub usage_json: Option<String>,
    /// Numbers as written, so that they may be negative, fractional or beyond 64 bits. Empty: what was given.
    pub prompt_tokens: String,
    pub completion_tokens: String,
    pub total_tokens: String,
    pub cached_tokens: String,
    pub cache_write_tokens: String,
    pub prompt_audio_tokens: String,
    pub reasoning_tokens: String,
    pub audio_tokens: String,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            first_byte_ms: 0,
            first_chunk_ms: 0,
            comment_ms: 0,
            delay_ms: 0,
            chunks: 8,
            chunk_bytes: 5,
            chunk_text: None,
            text: None,
            role_chunk: true,
            reasoning: 0,
            tools: 0,
            tool_name: "get_weather".into(),
            tool_arguments: r#"{"city":"Paris","unit":"celsius"}"#.into(),
            finish: String::new(),
            logprobs: false,
            id: "chatcmpl-mock".into(),
            echo: Echo::Nothing,
            honour_max_tokens: true,
            status: 200,
            retry_after: None,
            message: "the mock was told to fail".into(),
            fail_first: 0,
            body: None,
            fault: Fault::None,
            content_type: None,
            hang: Hang::Never,
            cut: Cut::None,
            cut_after: 0,
            cut_bytes: 0,
            error_after: None,
            error_status: 502,
            bad_frame_after: None,
            newline: Newline::Lf,
            comments: false,
            event_fields: false,
            split_data: false,
            bom: false,
            write_bytes: 0,
            flush: true,
            done: true,
            last_newline: true,
            vectors: None,
            dimensions: 4,
            encoding: Encoding::Asked,
            usage: UsageMode::Asked,
            usage_at: UsageAt::AfterFinish,
            usage_choices: false,
            usage_json: None,
            prompt_tokens: "10".into(),
            completion_tokens: String::new(),
            total_tokens: String::new(),
            cached_tokens: "0".into(),
            cache_write_tokens: String::new(),
            prompt_audio_tokens: "0".into(),
            reasoning_tokens: String::new(),
            audio_tokens: "0".into(),
        }
    }
}

/// Declares an enum whose variants are read from the words beside them.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$of])* $variant),+ }

        impl FromStr for $name {
            type Err = ();
            fn from_str(word: &str) -> Result<Self, ()> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }
    };
}

words! { Echo { Nothing = "none", Body = "body", Headers = "headers" } }
words! { Hang { Never = "never", BeforeHeaders = "before_headers", AfterHeaders = "after_headers" } }
words! {
    /// How an answer ends that is cut short: with a proper end of the body, by closing, by a reset, or never.
    Cut { None = "none", Clean = "clean", Close = "close", Reset = "reset", Hang = "hang" }
}
words! { Fault { None = "none", Html = "html", BadJson = "bad_json", Empty = "empty" } }
words! { Encoding { Asked = "asked", Float = "float", Base64 = "base64" } }
words! { Newline { Lf = "lf", CrLf = "crlf", Cr = "cr" } }
words! {
    /// Whether usage is sent, and how wrong it is. `asked` sends it in streams only when `stream_options` asks for it.
    UsageMode { Asked = "asked", Always = "always", Absent = "absent", Null = "null", Negative = "negative", Absurd = "absurd", Garbage = "garbage" }
}
words! {
    UsageAt {
        AfterFinish = "after_finish", BeforeFinish = "before_finish", WithFinish = "with_finish", First = "first",
        /// Growing in every chunk; the last one is the true one.
        Every = "every",
        AfterDone = "after_done"
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    #[error("the mock knows no script key `{0}`")]
    UnknownKey(String),
    #[error("the script key `{key}` cannot be `{value}`")]
    BadValue { key: String, value: String },
    #[error("a percent sign in the script is not followed by two hex digits")]
    BadEscape,
}

impl Script {
    /// Applies `key=value&key=value` on top of what is set already.
    pub fn apply(&mut self, list: &str) -> Result<(), ScriptError> {
        for pair in list.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, "1"));
            self.set(key, &percent_decode(value)?)?;
        }
        Ok(())
    }

    /// The same answer without what fails: what is sent once `fail_first` requests have failed.
    pub fn recovered(&self) -> Self {
        let good = Self::default();
        Self {
            status: good.status,
            retry_after: None,
            body: None,
            fault: good.fault,
            hang: good.hang,
            cut: good.cut,
            error_after: None,
            bad_frame_after: None,
            ..self.clone()
        }
    }

    /// Sets one key. Switches take `1`/`true` and `0`/`false`.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ScriptError> {
        let bad = || ScriptError::BadValue { key: key.into(), value: value.into() };
        macro_rules! parsed {
            () => {
                value.parse().map_err(|_| bad())?
            };
        }
        let switch = || match value {
            "1" | "true" => Ok(true),
            "0" | "false" => Ok(false),
            _ => Err(bad()),
        };
        match key {
            "first_byte_ms" => self.first_byte_ms = parsed!(),
            "first_chunk_ms" => self.first_chunk_ms = parsed!(),
            "comment_ms" => self.comment_ms = parsed!(),
            "delay_ms" => self.delay_ms = parsed!(),
            "chunks" => self.chunks = parsed!(),
            "chunk_bytes" => self.chunk_bytes = parsed!(),
            "chunk_text" => self.chunk_text = Some(value.into()),
            "text" => self.text = Some(value.into()),
            "role_chunk" => self.role_chunk = switch()?,
            "reasoning" => self.reasoning = parsed!(),
            "tools" => self.tools = parsed!(),
            "tool_name" => self.tool_name = value.into(),
            "tool_arguments" => self.tool_arguments = value.into(),
            "finish" => self.finish = value.into(),
            "logprobs" => self.logprobs = switch()?,
            "id" => self.id = value.into(),
            "echo" => self.echo = parsed!(),
            "honour_max_tokens" => self.honour_max_tokens = switch()?,
            "status" => self.status = value.parse().ok().filter(|status| (200..=599).contains(status)).ok_or_else(bad)?,
            "retry_after" => self.retry_after = Some(value.into()),
            "message" => self.message = value.into(),
            "fail_first" => self.fail_first = parsed!(),
            "body" => self.body = Some(value.into()),
            "fault" => self.fault = parsed!(),
            "content_type" => self.content_type = Some(value.into()),
            "hang" => self.hang = parsed!(),
            "cut" => self.cut = parsed!(),
            "cut_after" => self.cut_after = parsed!(),
            "cut_bytes" => self.cut_bytes = parsed!(),
            "error_after" => self.error_after = Some(parsed!()),
            "error_status" => self.error_status = parsed!(),
            "bad_frame_after" => self.bad_frame_after = Some(parsed!()),
            "newline" => self.newline = parsed!(),
            "comments" => self.comments = switch()?,
            "event_fields" => self.event_fields = switch()?,
            "split_data" => self.split_data = switch()?,
            "bom" => self.bom = switch()?,
            "write_bytes" => self.write_bytes = parsed!(),
            "flush" => self.flush = switch()?,
            "done" => self.done = switch()?,
            "last_newline" => self.last_newline = switch()?,
            "vectors" => self.vectors = Some(parsed!()),
            "dimensions" => self.dimensions = parsed!(),
            "encoding" => self.encoding = parsed!(),
            "usage" => self.usage = parsed!(),
            "usage_at" => self.usage_at = parsed!(),
            "usage_choices" => self.usage_choices = switch()?,
            "usage_json" => self.usage_json = Some(value.into()),
            "prompt_tokens" => self.prompt_tokens = value.into(),
            "completion_tokens" => self.completion_tokens = value.into(),
            "total_tokens" => self.total_tokens = value.into(),
            "cached_tokens" => self.cached_tokens = value.into(),
            "cache_write_tokens" => self.cache_write_tokens = value.into(),
            "prompt_audio_tokens" => self.prompt_audio_tokens = value.into(),
            "reasoning_tokens" => self.reasoning_tokens = value.into(),
            "audio_tokens" => self.audio_tokens = value.into(),
            _ => return Err(ScriptError::UnknownKey(key.into())),
        }
        Ok(())
    }
}

fn percent_decode(text: &str) -> Result<String, ScriptError> {
    if !text.contains(['%', '+']) {
        return Ok(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [bytes.next().ok_or(ScriptError::BadEscape)?, bytes.next().ok_or(ScriptError::BadEscape)?];
                let digits = std::str::from_utf8(&pair).map_err(|_| ScriptError::BadEscape)?;
                u8::from_str_radix(digits, 16).map_err(|_| ScriptError::BadEscape)?
            }
            other => other,
        });
    }
    String::from_utf8(out).map_err(|_| ScriptError::BadEscape)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]
    use super::*;

    #[test]
    fn a_list_sets_what_it_names_and_leaves_the_rest() {
        let mut script = Script::default();
        script.apply("chunks=64&text=a%20b%26c&usage=absent&bom").unwrap();
        assert_eq!((script.chunks, script.text.as_deref(), script.usage, script.bom), (64, Some("a b&c"), UsageMode::Absent, true));
        assert_eq!(script.delay_ms, Script::default().delay_ms);
    }

    #[test]
    fn a_misspelt_script_is_an_error() {
        let mut script = Script::default();
        assert_eq!(script.apply("chunk=1"), Err(ScriptError::UnknownKey("chunk".into())));
        assert!(matches!(script.apply("chunks=many"), Err(ScriptError::BadValue { .. })));
        assert!(matches!(script.apply("status=700"), Err(ScriptError::BadValue { .. })));
        assert_eq!(script.apply("text=%2"), Err(ScriptError::BadEscape));
        assert_eq!(script.apply("text=%ff"), Err(ScriptError::BadEscape));
    }
}
