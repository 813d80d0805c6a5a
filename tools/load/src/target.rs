//! Where requests go and the one request that is sent again and again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;
use serde_json::json;

use crate::Arguments;

#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    #[error("it is not a URL: {0}")]
    NotAUrl(#[from] http::uri::InvalidUri),
    #[error("only http:// is spoken")]
    NotHttp,
    #[error("{0} is not a loopback address: load is for this machine only")]
    NotLoopback(String),
    #[error("the key or host cannot stand in a header")]
    BadHeader(#[from] http::header::InvalidHeaderValue),
}

pub struct Target {
    pub address: SocketAddr,
    pub stream: bool,
    path: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Target {
    pub fn new(arguments: &Arguments) -> Result<Self, TargetError> {
        let uri: Uri = arguments.url.parse()?;
        if uri.scheme_str() != Some("http") {
            return Err(TargetError::NotHttp);
        }
        let host = uri.host().unwrap_or_default();
        let ip = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(ip) => ip,
            Err(_) if host == "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            Err(_) => return Err(TargetError::NotLoopback(host.to_owned())),
        };
        if !ip.is_loopback() {
            return Err(TargetError::NotLoopback(host.to_owned()));
        }
        let address = SocketAddr::new(ip, uri.port_u16().unwrap_or(80));
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(&address.to_string())?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if !arguments.key.is_empty() {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", arguments.key))?);
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
        let stream = arguments.stream || arguments.hold_open.is_some();
        Ok(Self { address, stream, path, headers, body: body(arguments, stream) })
    }

    pub fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// A chat request of at least `body_bytes`, filled up in the message.
fn body(arguments: &Arguments, stream: bool) -> Bytes {
    let write = |message: String| {
        let mut body = json!({ "model": arguments.model, "messages": [{ "role": "user", "content": message }], "stream": stream });
        if let Some(max_tokens) = arguments.max_tokens {
            body["max_tokens"] = json!(max_tokens);
        }
        body.to_string()
    };
    let least = write("Say hello.".into());
    let missing = (arguments.body_bytes as usize).saturating_sub(least.len());
    Bytes::from(if missing == 0 { least } else { write(format!("Say hello.{}", " x".repeat(missing.div_ceil(2)))) })
}
