//! Anthropic's Messages API as an upstream of the internal chat form.
//!
//! Owns both translations: a chat request into a Messages request ([`request`]), and what comes back, streamed
//! ([`stream`]) or whole ([`response`]), into the frames every other upstream sends, so that relay, metering and
//! settlement are one path. **Usage objects are handed on as Anthropic wrote them**: `metering` knows their names
//! and that their input excludes the cache. A request that came in Anthropic's own dialect is sent as its client
//! wrote it, and the events that answer it travel inside the frames ([`native`]). It must never know prices.

pub mod body;
mod call_loop;
pub mod error;
mod foreign;
pub mod native;
pub mod request;
pub mod response;
pub mod stream;

use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use self::body::{TranslatedBody, Translator};
use self::native::NativeRequest;
use super::addresses::Reach;
use super::answer::{UpstreamAnswer, UpstreamBody};
use super::attempt_error::AttemptError;
use super::call::{AttemptLimits, ChannelClientError, HttpChannel};

/// The version of the API that is spoken here.
const VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
const VERSION_HEADER: HeaderName = HeaderName::from_static("anthropic-version");
const BETA_HEADER: HeaderName = HeaderName::from_static("anthropic-beta");
const KEY_HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// A channel at Anthropic.
pub struct AnthropicChannel {
    http: HttpChannel,
}

/// One request to it.
#[derive(Debug, Clone)]
pub struct MessagesCall<'a> {
    /// The request in the internal form, its model already the upstream's.
    pub body: Bytes,
    pub stream: bool,
    /// The same request as an Anthropic client wrote it.
    pub native: Option<&'a NativeRequest>,
    /// The name sent upstream.
    pub model: &'a str,
    /// Replaces the client's cap: what a small balance pays for.
    pub output_tokens_cap: Option<u64>,
    pub limits: OutputLimits,
}

/// Anthropic wants a cap with every request, and refuses one above the model's own.
#[derive(Debug, Clone, Copy)]
pub struct OutputLimits {
    /// Sent where the client named none.
    pub tokens_default: u64,
    /// The model's own.
    pub tokens_max: Option<u64>,
}

impl OutputLimits {
    /// The cap to be sent for what the client asked.
    pub(crate) fn cap(self, wanted: Option<u64>) -> u64 {
        wanted.unwrap_or(self.tokens_default).min(self.tokens_max.unwrap_or(u64::MAX)).max(1)
    }
}

impl AnthropicChannel {
    /// `base_url` may end in `/v1` or not.
    pub fn new(base_url: &str, api_key: Option<&str>, connect: (Duration, Reach)) -> Result<Self, ChannelClientError> {
        let root = base_url.trim_end_matches('/');
        let root = root.strip_suffix("/v1").unwrap_or(root);
        let url: Uri = format!("{root}/v1/messages").parse().map_err(|_| ChannelClientError::BaseUrl(base_url.to_owned()))?;
        let mut headers = HeaderMap::new();
        headers.insert(VERSION_HEADER, VERSION);
        if let Some(key) = api_key {
            let mut value = HeaderValue::try_from(key).map_err(|_| ChannelClientError::ApiKey)?;
            value.set_sensitive(true);
            headers.insert(KEY_HEADER, value);
        }
        Ok(Self { http: HttpChannel::at(url, headers, connect)? })
    }

    /// Sends a request. Dropping the future or the answer aborts the upstream call.
    pub async fn send(&self, call: MessagesCall<'_>, limits: AttemptLimits) -> Result<UpstreamAnswer, AttemptError> {
        let body = match call.native {
            Some(native) => native.upstream_body(call.model, call.output_tokens_cap, call.limits),
            None => request::messages_body(&call.body, call.limits)?,
        };
        let mut more = HeaderMap::new();
        if let Some(beta) = call.native.and_then(|native| native.beta.clone()) {
            more.insert(BETA_HEADER, beta);
        }
        let answer = self.http.send(body, call.stream, limits, more).await?;
        let UpstreamBody::Http(body) = answer.body else { return Ok(answer) };
        let translator = Translator::new(call.stream, call.native.is_some());
        Ok(UpstreamAnswer { is_stream: answer.is_stream, body: UpstreamBody::Translated(Box::new(TranslatedBody::new(body, translator))) })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_may_end_in_v1_or_not() {
        for url in
            ["https://api.anthropic.com", "https://api.anthropic.com/", "https://api.anthropic.com/v1", "https://api.anthropic.com/v1/"]
        {
            let channel = AnthropicChannel::new(url, Some("sk-ant-1"), (Duration::from_secs(1), Reach::Public)).unwrap();
            assert_eq!(channel.http.url(), "https://api.anthropic.com/v1/messages", "{url}");
        }
        assert!(AnthropicChannel::new("ftp://x", None, (Duration::from_secs(1), Reach::Public)).is_err());
    }

    #[test]
    fn there_is_always_a_cap_and_never_one_above_the_models() {
        let limits = OutputLimits { tokens_default: 4096, tokens_max: Some(8192) };
        assert_eq!([limits.cap(None), limits.cap(Some(10)), limits.cap(Some(64_000)), limits.cap(Some(0))], [4096, 10, 8192, 1]);
    }
}
