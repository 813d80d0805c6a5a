//! One walk over an answer of embeddings, and the same bytes written for the client.
//!
//! The vectors are megabytes and stay what they are: they are walked over, counted and copied, not read into numbers.
//! Only where a provider sent them in another form than the client asked for are they turned into that one: there are
//! services that know numbers alone, and SDKs that ask for base64 and take nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use schemas::RequestId;

use super::chat_answer::AnswerError;
use super::scanner::{Scanner, Span, StringSpan};

/// Members at the top level that are kept.
const MEMBERS_MAX: usize = 64;
/// Of one element of `data`.
const EMBEDDING: &str = "embedding";
/// What we say ourselves.
const OURS: [&str; 5] = ["object", "id", "model", "provider", "usage"];

/// The form an embedding is wanted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// A list of numbers.
    #[default]
    Float,
    /// Their 32-bit floats, little-endian, in base64.
    Base64,
}

/// The notes about one answer.
#[derive(Debug)]
pub struct EmbeddingsAnswer {
    body: Bytes,
    /// Every top-level member, the last one of a name counting.
    members: Vec<(StringSpan, Span)>,
    data: Span,
    /// Where each vector stands within `data`.
    vectors: Vec<Span>,
}

/// Who answers, as the client is told.
#[derive(Debug, Clone, Copy)]
pub struct EmbeddingsIdentity<'a> {
    pub id: RequestId,
    /// The public id of the model that serves.
    pub model: &'a str,
    /// The display name of the provider.
    pub provider: &'a str,
}

impl EmbeddingsAnswer {
    /// Walks a body.
    pub fn scan(body: Bytes) -> Result<Self, AnswerError> {
        std::str::from_utf8(&body).map_err(|_| AnswerError::NotUtf8)?;
        let mut answer = Self { body: Bytes::new(), members: Vec::with_capacity(8), data: Span::default(), vectors: Vec::new() };
        let mut scanner = Scanner::new(&body);
        scanner.open_object()?;
        let mut is_first = true;
        while let Some(key) = scanner.next_key(is_first)? {
            is_first = false;
            let is_data = key.is(&body, "data");
            if is_data && scanner.peek()? == b'[' {
                let start = scanner.position();
                answer.vectors.clear();
                answer.walk_data(&mut scanner, &body)?;
                answer.data = scanner.span_since(start);
                continue;
            }
            let value = scanner.value()?;
            if answer.members.len() == MEMBERS_MAX {
                return Err(AnswerError::TooMany { what: "members", max: MEMBERS_MAX });
            }
            if is_data {
                answer.vectors.clear();
                answer.data = Span::default();
            } else {
                answer.members.push((key, value));
            }
        }
        scanner.finish()?;
        answer.body = body;
        Ok(answer)
    }

    fn walk_data(&mut self, scanner: &mut Scanner<'_>, body: &[u8]) -> Result<(), AnswerError> {
        scanner.open_array()?;
        let mut is_first_element = true;
        while scanner.next_element(is_first_element)? {
            is_first_element = false;
            if scanner.peek()? != b'{' {
                scanner.value()?;
                continue;
            }
            let (mut vector, mut is_first) = (None, true);
            scanner.open_object()?;
            while let Some(key) = scanner.next_key(is_first)? {
                is_first = false;
                let is_vector = matches!(scanner.peek()?, b'[' | b'"') && key.is(body, EMBEDDING);
                let value = scanner.value()?;
                vector = if is_vector && value.len() > 2 { Some(value) } else { vector };
            }
            self.vectors.extend(vector);
        }
        Ok(())
    }

    /// The length of the whole answer.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// How many embeddings there are.
    pub const fn count(&self) -> u64 {
        self.vectors.len() as u64
    }

    /// The raw usage object.
    pub fn usage(&self) -> Option<&str> {
        self.value("usage").filter(|usage| usage.starts_with('{'))
    }

    /// The raw `error`, where it is not null; the whole answer where it is marked as one by `"object":"error"`.
    pub fn error(&self) -> Option<&str> {
        let is_error = self.value("object") == Some("\"error\"");
        self.value("error").or_else(|| is_error.then(|| std::str::from_utf8(&self.body).unwrap_or_default()))
    }

    /// The id the provider gave.
    pub fn upstream_id(&self) -> Option<String> {
        self.value("id").and_then(|id| serde_json::from_str(id).ok()).filter(|id: &String| !id.is_empty())
    }

    /// The length of the first vector, where it can be told.
    pub fn dimensions(&self) -> Option<usize> {
        let first = self.vectors.first()?.of(&self.body);
        match first.first() {
            Some(b'[') => Some(memchr::memchr_iter(b',', first).count() + 1),
            _ => STANDARD.decode(inside(first)).ok().map(|bytes| bytes.len() / 4),
        }
    }

    /// The client's form of it: our identity, our usage, every vector in the form that was asked for.
    pub fn rewrite(&self, identity: &EmbeddingsIdentity<'_>, encoding: Encoding, usage_json: &str) -> Bytes {
        let body = &*self.body;
        let mut out = BytesMut::with_capacity(body.len() + usage_json.len() + 256);
        let text = |text: &str| serde_json::Value::from(text).to_string();
        out.extend_from_slice(b"{\"object\":\"list\",\"data\":");
        let mut copied = self.data.start;
        for vector in &self.vectors {
            if let Some(turned) = turned(vector.of(body), encoding) {
                out.extend_from_slice(Span { start: copied, end: vector.start }.of(body));
                out.extend_from_slice(turned.as_bytes());
                copied = vector.end;
            }
        }
        out.extend_from_slice(Span { start: copied, end: self.data.end }.of(body));
        out.extend_from_slice(format!(",\"model\":{},\"id\":\"{}\"", text(identity.model), identity.id).as_bytes());
        out.extend_from_slice(format!(",\"provider\":{}", text(identity.provider)).as_bytes());
        for (place, (key, value)) in self.members.iter().enumerate() {
            let name = key.resolve(body);
            let is_repeated = self.members[place + 1..].iter().any(|(later, _)| later.resolve(body) == name);
            if !is_repeated && !OURS.contains(&&*name) {
                out.extend_from_slice(b",");
                out.extend_from_slice(key.quoted().of(body));
                out.extend_from_slice(b":");
                out.extend_from_slice(value.of(body));
            }
        }
        out.extend_from_slice(b",\"usage\":");
        out.extend_from_slice(usage_json.as_bytes());
        out.extend_from_slice(b"}");
        out.freeze()
    }

    /// The last member of a name, where it is not null: the one a client would see.
    fn value(&self, name: &str) -> Option<&str> {
        let last = self.members.iter().rev().find(|(key, _)| key.is(&self.body, name))?;
        std::str::from_utf8(last.1.of(&self.body)).ok().filter(|value| *value != "null")
    }
}

/// A vector in the other form, where it is not in the one that is wanted. What is no list of floats stays as it is.
fn turned(vector: &[u8], wanted: Encoding) -> Option<String> {
    match (vector.first()?, wanted) {
        (b'[', Encoding::Base64) => {
            let numbers: Vec<f32> = serde_json::from_slice(vector).ok()?;
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            Some(format!("\"{}\"", STANDARD.encode(bytes)))
        }
        (b'"', Encoding::Float) => {
            let bytes = STANDARD.decode(inside(vector)).ok()?;
            let (numbers, rest) = bytes.as_chunks::<4>();
            let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            if !rest.is_empty() || !numbers.iter().all(|number| number.is_finite()) {
                return None;
            }
            serde_json::to_string(&numbers).ok()
        }
        _ => None,
    }
}

/// A string without its quotes.
fn inside(value: &[u8]) -> &[u8] {
    value.get(1..value.len().saturating_sub(1)).unwrap_or_default()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    const USAGE: &str = r#"{"prompt_tokens":8}"#;

    fn scan(body: &str) -> EmbeddingsAnswer {
        EmbeddingsAnswer::scan(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    fn rewritten(body: &str, encoding: Encoding) -> String {
        let identity = EmbeddingsIdentity { id: RequestId::mint(), model: "a/b", provider: "Some \"one\"" };
        let text = String::from_utf8(scan(body).rewrite(&identity, encoding, USAGE).to_vec()).unwrap();
        text.replace(&identity.id.to_string(), "gen-1")
    }

    #[test]
    fn vectors_are_relayed_digit_by_digit() {
        let body = r#"{"object":"list","data":[ {"object":"embedding","index":0,"embedding":[0.10,-1.0e-3, 1]},{"embedding":[2],"index":1} ],
            "model":"m","usage":{"prompt_tokens":8,"total_tokens":8},"id":"up-1","system":"x"}"#;
        assert_eq!(
            rewritten(body, Encoding::Float),
            concat!(
                r#"{"object":"list","data":[ {"object":"embedding","index":0,"embedding":[0.10,-1.0e-3, 1]},{"embedding":[2],"index":1} ],"#,
                r#""model":"a/b","id":"gen-1","provider":"Some \"one\"","system":"x","usage":{"prompt_tokens":8}}"#
            )
        );
        let answer = scan(body);
        assert_eq!((answer.count(), answer.dimensions(), answer.upstream_id().as_deref()), (2, Some(3), Some("up-1")));
        assert_eq!(answer.usage(), Some(r#"{"prompt_tokens":8,"total_tokens":8}"#));
        assert_eq!(answer.error(), None);
    }

    #[test]
    fn a_vector_comes_in_the_form_that_was_asked_for() {
        let floats = r#"{"data":[{"embedding":[1.5,-0.25],"index":0}]}"#;
        let base64 = r#"{"data":[{"embedding":"AADAPwAAgL4=","index":0}]}"#;
        assert!(rewritten(floats, Encoding::Base64).contains(r#"[{"embedding":"AADAPwAAgL4=","index":0}]"#));
        assert!(rewritten(base64, Encoding::Float).contains(r#"[{"embedding":[1.5,-0.25],"index":0}]"#));
        assert!(rewritten(base64, Encoding::Base64).contains(r#""AADAPwAAgL4=""#));
        assert_eq!(scan(base64).dimensions(), Some(2));
        // Bits, or what else a provider may mean by it.
        for odd in ["[[1,2],[3]]", r#"["a"]"#, r#""AAA=""#, r#""!!""#, r#""AADAfw==""#] {
            for encoding in [Encoding::Float, Encoding::Base64] {
                let body = format!(r#"{{"data":[{{"embedding":{odd}}}]}}"#);
                assert!(rewritten(&body, encoding).contains(&format!(r#"[{{"embedding":{odd}}}]"#)), "{odd}");
            }
        }
    }

    #[test]
    fn what_holds_no_embeddings_has_none() {
        for body in [
            r#"{"data":[]}"#,
            r#"{"data":null}"#,
            "{}",
            r#"{"data":[{"embedding":[]},{"embedding":null},7]}"#,
            r#"{"data":[{"embedding":[1]}],"data":[]}"#,
        ] {
            assert_eq!(scan(body).count(), 0, "{body}");
        }
        assert_eq!(scan(r#"{"error":{"message":"no"}}"#).error(), Some(r#"{"message":"no"}"#));
        assert_eq!(scan(r#"{"object":"error","message":"no"}"#).error(), Some(r#"{"object":"error","message":"no"}"#));
        for body in ["", "[]", r#"{"data":[}"#, r#"{"data":[{"embedding":[1]}]"#, "{}{}"] {
            assert!(EmbeddingsAnswer::scan(Bytes::copy_from_slice(body.as_bytes())).is_err(), "{body}");
        }
    }
}
