//! One attempt at one channel: send a body, get an answer's head or an error that says what to do next.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::addresses::{CheckedResolver, PrivateAddress, Reach, check_host};
use super::answer::{UpstreamAnswer, UpstreamBody};
use super::anthropic::{AnthropicChannel, MessagesCall, OutputLimits};
use super::attempt_error::AttemptError;
use super::demo;
use super::openai::error::{BODY_BYTES_MAX, UpstreamError};
use crate::wire::{ChatAnswer, Scanned};

/// An error body that does not come within this is done without.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// Idle connections kept per channel.
const IDLE_CONNECTIONS_MAX: usize = 1024;
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(55);
/// For calls that name no cap and are no client's.
const OUTPUT_TOKENS_DEFAULT: u64 = 4096;

/// How one channel is reached. Made once per channel and catalog, shared by all its requests.
pub enum ChannelClient {
    OpenAi(Box<HttpChannel>),
    Anthropic(Box<AnthropicChannel>),
    Demo { pace: demo::Pace },
}

/// Where requests are sent over HTTP, and what goes with each.
///
/// On hyper's own client: this is every request's way, and what a general client does for each (redirects, proxies,
/// decompression, a URL of its own) is never wanted here.
pub struct HttpChannel {
    client: Client<HttpsConnector<HttpConnector<CheckedResolver>>, Full<Bytes>>,
    url: Uri,
    /// Where embeddings are asked for; where there is no such place, none.
    embeddings_url: Option<Uri>,
    document_headers: HeaderMap,
    stream_headers: HeaderMap,
}

/// Why a channel cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum ChannelClientError {
    #[error("base_url `{0}` is not an http(s) address")]
    BaseUrl(String),
    #[error("api_key holds characters a header cannot carry")]
    ApiKey,
    #[error(transparent)]
    Private(#[from] PrivateAddress),
    #[error("certificates of this machine cannot be used")]
    Certificates(#[from] rustls::Error),
}

/// How long an attempt may take until its head is there.
#[derive(Debug, Clone, Copy)]
pub struct AttemptLimits {
    pub first_byte_timeout: Duration,
}

impl HttpChannel {
    /// `base_url` is used as written: `…/v1` for OpenAI's dialect.
    pub fn new(base_url: &str, api_key: Option<&str>, connect: (Duration, Reach)) -> Result<Self, ChannelClientError> {
        let bad_url = || ChannelClientError::BaseUrl(base_url.to_owned());
        let at = |path: &str| format!("{}/{path}", base_url.trim_end_matches('/')).parse::<Uri>().map_err(|_| bad_url());
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let mut value = HeaderValue::try_from(format!("Bearer {key}")).map_err(|_| ChannelClientError::ApiKey)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let embeddings_url = Some(at("embeddings")?);
        Ok(Self { embeddings_url, ..Self::at(at("chat/completions")?, headers, connect)? })
    }

    /// Posts JSON to one address with these headers.
    pub(super) fn at(url: Uri, mut headers: HeaderMap, (connect_timeout, reach): (Duration, Reach)) -> Result<Self, ChannelClientError> {
        let host = url.host().filter(|host| !host.is_empty() && matches!(url.scheme_str(), Some("http" | "https")));
        let host = host.ok_or_else(|| ChannelClientError::BaseUrl(url.to_string()))?;
        if reach == Reach::Public {
            check_host(host)?;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION"))));
        // Without it a proxy may compress an answer as it likes.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        // Addresses are checked where they are resolved, and connected to as they were checked.
        let mut connector = HttpConnector::new_with_resolver(CheckedResolver(reach));
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(connect_timeout));
        connector.enforce_http(false);
        let tls = rustls::ClientConfig::builder().try_with_platform_verifier()?.with_no_client_auth();
        // One HTTP/2 connection queues silently beyond the server's stream limit; sockets are cheap.
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(connector);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .build(connector);
        let accepting = |kind| {
            let mut headers = headers.clone();
            headers.insert(ACCEPT, HeaderValue::from_static(kind));
            headers
        };
        let embeddings_url = None;
        Ok(Self {
            client,
            url,
            embeddings_url,
            document_headers: accepting("application/json"),
            stream_headers: accepting("text/event-stream"),
        })
    }

    /// The same, with more headers.
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        self.document_headers.extend(headers.clone());
        self.stream_headers.extend(headers);
        self
    }

    #[cfg(test)]
    pub(super) const fn url(&self) -> &Uri {
        &self.url
    }
}

impl ChannelClient {
    /// Sends a chat body. Dropping the future or the answer aborts the upstream call.
    pub async fn chat(&self, body: Bytes, stream: bool, limits: AttemptLimits) -> Result<UpstreamAnswer, AttemptError> {
        match self {
            Self::OpenAi(channel) => channel.send(body, stream, limits, HeaderMap::new()).await,
            Self::Anthropic(channel) => {
                let output = OutputLimits { tokens_default: OUTPUT_TOKENS_DEFAULT, tokens_max: None };
                channel.send(MessagesCall { body, stream, native: None, model: "", output_tokens_cap: None, limits: output }, limits).await
            }
            Self::Demo { pace } => demo_answer(demo::respond(body, *pace), stream).await,
        }
    }

    /// Sends a body that asks for embeddings.
    pub async fn embed(&self, body: Bytes, limits: AttemptLimits) -> Result<UpstreamAnswer, AttemptError> {
        match self {
            Self::OpenAi(channel) => match &channel.embeddings_url {
                Some(url) => channel.post(url, body, false, limits, HeaderMap::new()).await,
                None => Err(no_embeddings()),
            },
            Self::Anthropic(_) => Err(no_embeddings()),
            Self::Demo { pace } => demo_answer(demo::embed(body, *pace), false).await,
        }
    }
}

impl HttpChannel {
    /// `more` headers are this request's own.
    pub(super) async fn send(
        &self,
        body: Bytes,
        stream: bool,
        limits: AttemptLimits,
        more: HeaderMap,
    ) -> Result<UpstreamAnswer, AttemptError> {
        self.post(&self.url, body, stream, limits, more).await
    }

    async fn post(
        &self,
        url: &Uri,
        body: Bytes,
        stream: bool,
        limits: AttemptLimits,
        more: HeaderMap,
    ) -> Result<UpstreamAnswer, AttemptError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = url.clone();
        *request.headers_mut() = if stream { self.stream_headers.clone() } else { self.document_headers.clone() };
        request.headers_mut().extend(more);
        let response = match tokio::time::timeout(limits.first_byte_timeout, self.client.request(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(connection_error(&error)),
            Err(_) => return Err(AttemptError::timeout("the provider did not answer in time")),
        };
        let status = response.status();
        let (head, body) = response.into_parts();
        if !status.is_success() {
            let body = read_error_body(body).await;
            return Err(UpstreamError::from_response(status, &head.headers, &body).into());
        }
        let content_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        if let Err(error) = check_content_type(status, content_type, stream) {
            return Err(if content_type.contains("json") { told_in(body, error).await } else { error });
        }
        Ok(UpstreamAnswer { is_stream: stream, body: UpstreamBody::Http(body) })
    }
}

fn no_embeddings() -> AttemptError {
    AttemptError::not_possible("Making embeddings")
}

/// A success must carry what was asked for: a login page with status 200 is a failure.
fn check_content_type(status: StatusCode, content_type: &str, stream: bool) -> Result<(), AttemptError> {
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let wrong = match &*essence {
        "text/html" | "application/xhtml+xml" => true,
        "text/event-stream" => !stream,
        _ => stream && essence.ends_with("json"),
    };
    if !wrong {
        return Ok(());
    }
    let wanted = if stream { "a stream" } else { "JSON" };
    let message = format!("the provider answered with `{essence}` where {wanted} was expected");
    Err(AttemptError::broken(message).after_status(status))
}

/// Some providers tell of an error in a document with status 200 where a stream was asked for.
async fn told_in(body: Incoming, otherwise: AttemptError) -> AttemptError {
    let mut answer = ChatAnswer::default();
    match answer.scan(Bytes::from(read_error_body(body).await)) {
        Ok(Scanned::Object) => answer.error().map_or(otherwise, |error| UpstreamError::from_answer(error).into()),
        Ok(Scanned::Done) | Err(_) => otherwise,
    }
}

async fn demo_answer(answer: demo::DemoResponse, stream: bool) -> Result<UpstreamAnswer, AttemptError> {
    let mut body = UpstreamBody::InProcess(Box::pin(answer.body));
    if answer.status.is_success() {
        return Ok(UpstreamAnswer { is_stream: stream, body });
    }
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = body.chunk().await {
        bytes.extend_from_slice(&chunk);
    }
    Err(UpstreamError::from_response(answer.status, &HeaderMap::new(), &bytes).into())
}

fn connection_error(error: &legacy::Error) -> AttemptError {
    if !error.is_connect() {
        return AttemptError::broken("the connection to the provider broke");
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
            return AttemptError::timeout("the provider could not be reached in time");
        }
        cause = error.source();
    }
    AttemptError::broken("the provider could not be reached")
}

async fn read_error_body(mut body: Incoming) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            let Some(chunk) = frame.data_ref() else { continue };
            let room = BODY_BYTES_MAX.saturating_sub(read.len());
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if read.len() >= BODY_BYTES_MAX {
                break;
            }
        }
    };
    // What has come until then is used.
    let _ = tokio::time::timeout(ERROR_BODY_TIMEOUT, reading).await;
    read
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_asked_for_as_it_is_and_not_compressed() {
        let channel = HttpChannel::new("https://api.example.com/v1", Some("k"), (Duration::from_secs(1), Reach::Public)).unwrap();
        assert!([&channel.document_headers, &channel.stream_headers].iter().all(|headers| headers[ACCEPT_ENCODING] == "identity"));
    }
}
