//! Sends one message: bounded in time, no redirects, to addresses that may be reached only.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use schemas::Timestamp;

use super::options::WebhookOptions;
use super::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, signature};
use crate::control::secrets::Secret;
use crate::providers::addresses::CheckedResolver;

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("certificates of this machine cannot be used")]
    Certificates(#[from] rustls::Error),
    #[error("message could not be signed")]
    Signature,
    #[error("message could not be written")]
    Request(#[from] http::Error),
    #[error("receiver could not be reached")]
    Connect(#[from] hyper_util::client::legacy::Error),
    #[error("receiver did not answer in time")]
    Timeout,
}

/// Each message has a connection of its own: there are few.
#[derive(Clone)]
pub struct Sender {
    tls: Arc<rustls::ClientConfig>,
    options: WebhookOptions,
}

/// A message as it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub id: &'a str,
    pub body: &'a str,
    pub secret: &'a Secret,
}

impl Sender {
    pub fn new(options: WebhookOptions) -> Result<Self, SendError> {
        let tls = rustls::ClientConfig::builder().try_with_platform_verifier()?.with_no_client_auth();
        Ok(Self { tls: Arc::new(tls), options })
    }

    /// The status of the receiver's answer.
    pub async fn send(&self, uri: Uri, message: Message<'_>, now: Timestamp) -> Result<StatusCode, SendError> {
        let signed = signature(message.secret, message.id, now, message.body).ok_or(SendError::Signature)?;
        let request = Request::post(uri)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, HeaderValue::from_static(concat!("tollgate/", env!("CARGO_PKG_VERSION"))))
            .header(ID_HEADER, message.id)
            .header(TIMESTAMP_HEADER, now.unix_seconds())
            .header(SIGNATURE_HEADER, signed)
            .body(Full::new(Bytes::from(message.body.to_owned())))?;
        let mut plain = HttpConnector::new_with_resolver(CheckedResolver(self.options.reach()));
        plain.enforce_http(false);
        plain.set_connect_timeout(Some(self.options.timeout));
        let https = HttpsConnectorBuilder::new().with_tls_config(rustls::ClientConfig::clone(&self.tls)).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(https.wrap_connector(plain));
        // The status says all: nothing of the body is read.
        let answer = tokio::time::timeout(self.options.timeout, client.request(request)).await.map_err(|_| SendError::Timeout)??;
        Ok(answer.status())
    }
}
