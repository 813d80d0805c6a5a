//! OpenRouter as an upstream: OpenAI's dialect with its own headers.
//!
//! Its comments count as signs of life like anyone's; the raw message of the provider behind it, in an error's
//! metadata, is read by [`crate::providers::openai::error`], what it says an answer cost by `metering`.

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// How OpenRouter's activity page names what we send.
const TITLE: HeaderValue = HeaderValue::from_static("Tollgate");
const TITLE_HEADER: HeaderName = HeaderName::from_static("x-openrouter-title");

/// What goes with every request.
pub fn headers() -> HeaderMap {
    HeaderMap::from_iter([(TITLE_HEADER, TITLE)])
}
