//! HTTP to the local administration API: over a running deployment's socket, or straight into a router.

use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::value::RawValue;
use tokio::net::UnixStream;
use tower::ServiceExt;

use super::error::CliError;
use crate::local_api::job::{CONTENT_TYPE, Line, Progress};

/// A longer line of an answer is refused.
const LINE_BYTES_MAX: usize = 256 << 20;

/// Who is asked.
#[derive(Debug)]
pub enum Client {
    Socket { data_dir: PathBuf, socket: PathBuf },
    Router(Router),
}

/// An answer's text, which is JSON. Numbers in it keep every digit because nothing here reads them.
#[derive(Debug)]
pub struct Answer(pub Box<RawValue>);

#[derive(serde::Deserialize)]
struct Failure {
    error: FailureDetail,
}

#[derive(serde::Deserialize)]
struct FailureDetail {
    message: String,
}

impl Client {
    /// Sends a request and reads its answer; anything but a 2xx is an error with the deployment's own words.
    pub async fn call(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer, CliError> {
        self.exchange(request(method, path, body)?, &mut |_| ()).await
    }

    /// The same for a long job: tells its progress while it runs.
    pub async fn run_job(&self, path: &str, body: String, progress: &mut dyn FnMut(Progress)) -> Result<Answer, CliError> {
        self.exchange(request(Method::POST, path, Some(body))?, progress).await
    }

    async fn exchange(&self, request: Request<Body>, progress: &mut dyn FnMut(Progress)) -> Result<Answer, CliError> {
        match self {
            Self::Router(router) => {
                let Ok(response) = router.clone().oneshot(request).await;
                read(response, progress).await
            }
            Self::Socket { data_dir, socket } => {
                let no_answer = |source| CliError::NoAnswer { data_dir: data_dir.clone(), source };
                let stream = UnixStream::connect(socket).await.map_err(no_answer)?;
                let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(CliError::Connection)?;
                let exchange = async {
                    let response = sender.send_request(request).await.map_err(CliError::Connection)?;
                    read(response.map(Body::new), progress).await
                };
                // The connection moves the bytes of the exchange; it is done when the exchange is.
                tokio::pin!(exchange);
                tokio::select! {
                    answer = &mut exchange => answer,
                    closed = connection => match closed {
                        Ok(()) => exchange.await,
                        Err(error) => Err(CliError::Connection(error)),
                    },
                }
            }
        }
    }
}

fn request(method: Method, path: &str, body: Option<String>) -> Result<Request<Body>, CliError> {
    let builder = Request::builder().method(method).uri(path).header("host", "tollgate.local").header("content-type", "application/json");
    builder.body(body.map_or_else(Body::empty, Body::from)).map_err(|error| CliError::Answer(error.to_string()))
}

async fn read(response: Response<Body>, progress: &mut dyn FnMut(Progress)) -> Result<Answer, CliError> {
    let status = response.status();
    let is_job = response.headers().get("content-type").is_some_and(|value| value == CONTENT_TYPE);
    let is_table = response.headers().get("content-type").is_some_and(|value| value.as_bytes().starts_with(b"text/csv"));
    let mut body = response.into_body();
    if is_job {
        return read_job(body, progress).await;
    }
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| CliError::Answer(error.to_string()))?;
        text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        check_length(&text)?;
    }
    if !status.is_success() {
        let failure: Result<Failure, _> = serde_json::from_slice(&text);
        let message = failure.map_or_else(|_| String::from_utf8_lossy(&text).into_owned(), |failure| failure.error.message);
        return Err(CliError::Refused { status: status.as_u16(), message });
    }
    if is_table {
        let text = String::from_utf8_lossy(&text);
        return serde_json::value::to_raw_value(&text).map(Answer).map_err(|error| CliError::Answer(error.to_string()));
    }
    // 204: done, and nothing to tell.
    let text = if text.is_empty() { b"null".as_slice() } else { &text };
    serde_json::from_slice(text).map(Answer).map_err(|error| CliError::Answer(error.to_string()))
}

async fn read_job(mut body: Body, progress: &mut dyn FnMut(Progress)) -> Result<Answer, CliError> {
    let mut buffer: Vec<u8> = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| CliError::Answer(error.to_string()))?;
        buffer.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        check_length(&buffer)?;
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            match serde_json::from_slice(&line).map_err(|error| CliError::Answer(error.to_string()))? {
                Line::Progress(news) => progress(news),
                Line::Data(data) => return Ok(Answer(data)),
                Line::Error(error) => return Err(CliError::Job(error)),
            }
        }
    }
    Err(CliError::Answer("it ended before the job did".to_owned()))
}

fn check_length(buffer: &[u8]) -> Result<(), CliError> {
    if buffer.len() > LINE_BYTES_MAX { Err(CliError::Answer(format!("it is longer than {LINE_BYTES_MAX} bytes"))) } else { Ok(()) }
}
