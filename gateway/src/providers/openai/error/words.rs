//! What an error body says, whoever wrote it: its message, its code or kind, and what they mean.

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::whole_seconds;

/// What a body says, whoever wrote it.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) message: Option<String>,
    pub(super) code: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) retry_after_seconds: Option<u64>,
}

/// `{"error":{…}}`, `{"error":"…"}`, `{"object":"error",…}`, `{"detail":…}`, `{"message":…}`, or the inside of an `error`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(borrow)]
    detail: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    code: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

/// OpenRouter's own metadata, where one stands upstream of us.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    error_type: Option<&'a RawValue>,
    #[serde(borrow)]
    retry_after_seconds: Option<&'a RawValue>,
    /// What the provider behind it said.
    #[serde(borrow)]
    raw: Option<&'a RawValue>,
}

impl Words {
    pub(super) fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        if !text.starts_with(['{', '[', '"']) {
            return Self { message: plain_message(text), ..Self::default() };
        }
        // Gemini wraps its error in an array of one.
        let object = text.strip_prefix('[').and_then(|rest| rest.trim_end().strip_suffix(']')).map_or(text, str::trim);
        Self::read_json(object, 0).unwrap_or_default()
    }

    fn read_json(json: &str, depth: u32) -> Option<Self> {
        if json.starts_with('"') {
            return Some(Self { message: serde_json::from_str(json).ok(), ..Self::default() });
        }
        let envelope: Envelope<'_> = serde_json::from_str(json).ok()?;
        if let Some(inner) = envelope.error
            && depth < 2
            && inner.get().starts_with(['{', '"'])
            && let Some(mut words) = Self::read_json(inner.get(), depth + 1)
        {
            words.code = words.code.or_else(|| envelope.code.and_then(word));
            words.message = words.message.or_else(|| envelope.message.and_then(word));
            return Some(words);
        }
        let metadata: Metadata<'_> = envelope.metadata.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        // OpenRouter's own words say nothing; those of the provider behind it do.
        let behind = metadata.raw.and_then(word).filter(|raw| !raw.trim().is_empty());
        let behind = behind.and_then(|raw| Self::read(raw.as_bytes()).message);
        Some(Self {
            message: behind.or_else(|| envelope.message.and_then(word)).or_else(|| envelope.detail.and_then(detail)),
            code: envelope.code.and_then(word),
            kind: metadata.error_type.and_then(word).or_else(|| envelope.kind.and_then(word)),
            retry_after_seconds: metadata.retry_after_seconds.and_then(word).and_then(|seconds| whole_seconds(&seconds)),
        })
    }

    /// The status an error stands for that came without one: its numeric code, else what its words mean.
    pub(super) fn status(&self) -> Option<StatusCode> {
        let number: Option<u16> = self.code.as_deref().and_then(|code| code.parse().ok());
        let numbered = number.and_then(|number| StatusCode::from_u16(number).ok());
        let numbered = numbered.filter(|status| status.is_client_error() || status.is_server_error());
        let meanings: [(&[&str], StatusCode); 6] = [
            (&["rate_limit", "rate limit", "too many requests", "insufficient_quota"], StatusCode::TOO_MANY_REQUESTS),
            (&["overloaded"], StatusCode::SERVICE_UNAVAILABLE),
            (&["timeout", "timed out"], StatusCode::GATEWAY_TIMEOUT),
            (&["invalid_request", "badrequest", "bad_request", "context_length", "content_filter"], StatusCode::BAD_REQUEST),
            (&["authentication_error", "invalid_api_key"], StatusCode::UNAUTHORIZED),
            (&["not_found"], StatusCode::NOT_FOUND),
        ];
        numbered.or_else(|| meanings.iter().find(|(words, _)| self.has(words)).map(|(_, status)| *status))
    }

    /// Whether it finds fault with our account there. By its code or kind: messages of a caller's mistake repeat what the
    /// caller wrote, and those of ordinary limits name pages about billing. A message counts by how it begins.
    pub(super) fn are_about_our_account(&self) -> bool {
        let named = [self.code.as_deref(), self.kind.as_deref()];
        let is_named = named.iter().flatten().any(|name| OUR_ACCOUNT_CODES.iter().any(|code| name.eq_ignore_ascii_case(code)));
        let message = self.message.as_deref().unwrap_or_default().trim_start().to_ascii_lowercase();
        is_named || OUR_ACCOUNT_BEGINNINGS.iter().any(|beginning| message.starts_with(beginning))
    }

    pub(super) fn has(&self, words: &[&str]) -> bool {
        let texts = [self.code.as_deref(), self.kind.as_deref(), self.message.as_deref()];
        texts.iter().flatten().any(|text| {
            let text = text.to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        })
    }
}

/// A string's contents, or a number as text.
fn word(raw: &RawValue) -> Option<String> {
    let raw = raw.get();
    match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok(),
        b'-' | b'0'..=b'9' => Some(raw.to_owned()),
        _ => None,
    }
}

/// FastAPI's `detail`: a string, or a list of what is wrong with which field.
fn detail(raw: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Wrong<'a> {
        #[serde(borrow)]
        msg: Option<&'a RawValue>,
        #[serde(default)]
        loc: Vec<serde_json::Value>,
    }
    if let Some(text) = word(raw) {
        return Some(text);
    }
    let wrong: Vec<Wrong<'_>> = serde_json::from_str(raw.get()).ok()?;
    let first = wrong.into_iter().next()?;
    let place: Vec<String> = first.loc.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned)).collect();
    Some(format!("{}: {}", place.join("."), first.msg.and_then(word)?))
}

/// Codes and kinds by which providers say that they do not take our key, or that our bill is not paid.
const OUR_ACCOUNT_CODES: [&str; 7] = [
    "insufficient_quota",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "invalid_api_key",
    "api_key_invalid",
    "account_deactivated",
];
/// Anthropic and Gemini say it in words alone.
const OUR_ACCOUNT_BEGINNINGS: [&str; 2] = ["your credit balance is too low", "api key not valid"];

/// Text as it is; of a web page only its title.
fn plain_message(text: &str) -> Option<String> {
    let lower = text.get(..text.len().min(4_096)).unwrap_or_default().to_ascii_lowercase();
    if !text.starts_with('<') {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let start = lower.find("<title>")? + "<title>".len();
    let end = start + lower[start..].find("</title>")?;
    text.get(start..end).map(str::to_owned)
}
