//! Small calls to identity providers, on the HTTP client the gateway has: bounded in size and time, no redirects.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;

/// From connecting to the last byte.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Metadata, key sets and tokens are far shorter.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// Why a provider gave no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("`{0}` is not an http(s) address")]
    Address(String),
    #[error("certificates of this machine cannot be used")]
    Certificates(#[from] rustls::Error),
    #[error("provider could not be reached")]
    Connect(#[from] hyper_util::client::legacy::Error),
    #[error("provider did not answer in time")]
    Timeout,
    #[error("provider's answer broke off or is too long")]
    Body,
    #[error("provider answered with status {0}")]
    Status(u16),
    #[error("provider's answer is not what it should be")]
    Json(#[from] serde_json::Error),
    #[error("request could not be made")]
    Request(#[from] http::Error),
}

/// The client. Each call has a connection of its own: there are few, and threads that serve do not wait for others'.
#[derive(Clone)]
pub struct Calls(Arc<rustls::ClientConfig>);

impl Calls {
    pub fn new() -> Result<Self, CallError> {
        Ok(Self(Arc::new(rustls::ClientConfig::builder().try_with_platform_verifier()?.with_no_client_auth())))
    }

    fn client(&self) -> Client<HttpsConnector<HttpConnector>, Full<Bytes>> {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_connect_timeout(Some(TIMEOUT));
        let connector = HttpsConnectorBuilder::new().with_tls_config(rustls::ClientConfig::clone(&self.0)).https_or_http().enable_http1();
        Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector.wrap_connector(plain))
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, CallError> {
        let (mut parts, body) = request.into_parts();
        parts.headers.insert(USER_AGENT, HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION"))));
        let request = Request::from_parts(parts, Full::new(Bytes::from(body)));
        let call = async {
            let response = self.client().request(request).await?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|_| CallError::Body)?;
            Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
        };
        tokio::time::timeout(TIMEOUT, call).await.map_err(|_| CallError::Timeout)?
    }

    /// Reads a JSON document.
    pub async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, CallError> {
        let uri: Uri = url.parse().map_err(|_| CallError::Address(url.to_owned()))?;
        let request = Request::builder().method(Method::GET).uri(uri).header(ACCEPT, "application/json").body(Vec::new())?;
        let response = self.send(request).await?;
        if !response.status().is_success() {
            return Err(CallError::Status(response.status().as_u16()));
        }
        Ok(serde_json::from_slice(response.body())?)
    }
}
