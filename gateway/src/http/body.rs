//! Reading a request's body, bounded in bytes and time.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, EXPECT, HeaderValue};
use http::{HeaderMap, Request, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use parking_lot::Mutex;

use super::error::{ApiError, ErrorType};

/// Of a body that is too large, this much is read and thrown away, for at most this long.
const DISCARD_BYTES_MAX: usize = 256 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

/// Of a body that an answer did not wait for, likewise.
const LEFT_OVER_BYTES_MAX: usize = 1024 * 1024;
const LEFT_OVER_TIMEOUT: Duration = Duration::from_secs(2);

/// A body up to this long is copied out of the connection's buffer.
const COPIED_BYTES_MAX: usize = 4 * 1024;

/// Reads the whole body. A long body in one piece is not copied.
pub async fn read_body(headers: &HeaderMap, body: Body, bytes_max: usize, timeout: Duration) -> Result<Bytes, ApiError> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| length > bytes_max) {
        // Whoever asked first, or has more than is ever read, is told at once.
        if !headers.contains_key(EXPECT) && announced.is_some_and(|length| length <= DISCARD_BYTES_MAX) {
            discard(body).await;
        }
        return Err(ApiError::too_large(bytes_max));
    }
    if let Some(coding) = headers.get(CONTENT_ENCODING).filter(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        discard(body).await;
        return Err(coded(&String::from_utf8_lossy(coding.as_bytes())));
    }
    let slow = || ApiError::new(ErrorType::Timeout, "the request body did not arrive in time").with_status(StatusCode::REQUEST_TIMEOUT);
    tokio::time::timeout(timeout, collect(body, bytes_max, announced)).await.map_err(|_| slow())?
}

/// Compressed bodies are refused: what they grow to is nothing a client's length announces.
fn coded(coding: &str) -> ApiError {
    let message = format!("the request body is sent with Content-Encoding {coding}; send it as it is, without that header");
    ApiError::invalid(message).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// Reads what is not wanted, within bounds: a client that is still sending would not read the refusal.
async fn discard(body: Body) {
    // Whatever is left is cut off with the connection.
    discard_within(body, DISCARD_BYTES_MAX, DISCARD_TIMEOUT).await;
}

/// Whether its end was reached.
async fn discard_within(mut body: Body, bytes_max: usize, timeout: Duration) -> bool {
    let read = async {
        let mut bytes = 0;
        while bytes <= bytes_max {
            match next_piece(&mut body).await {
                Ok(Some(piece)) => bytes += piece.len(),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        false
    };
    tokio::time::timeout(timeout, read).await.unwrap_or(false)
}

/// Reads what is left of a body when its answer is there: a connection can serve the next request only from there on. Where
/// more is left than that, the answer says that the connection ends.
pub async fn read_left_over<A: Future<Output = Response>>(request: Request<Body>, answer: impl FnOnce(Request<Body>) -> A) -> Response {
    // Who asks before it sends is told by the answer not to.
    if request.body().is_end_stream() || request.headers().contains_key(EXPECT) {
        return answer(request).await;
    }
    let left = Arc::new(Mutex::new(None));
    let request = request.map(|body| Body::new(GivenBack { body: Some(body), left: Arc::clone(&left) }));
    let mut response = answer(request).await;
    let body = left.lock().take();
    if let Some(body) = body.filter(|body: &Body| !body.is_end_stream())
        && !discard_within(body, LEFT_OVER_BYTES_MAX, LEFT_OVER_TIMEOUT).await
    {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A body that is kept when whoever was to read it lets go of it.
struct GivenBack {
    body: Option<Body>,
    left: Arc<Mutex<Option<Body>>>,
}

impl Drop for GivenBack {
    fn drop(&mut self) {
        *self.left.lock() = self.body.take();
    }
}

impl HttpBody for GivenBack {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.body.as_mut().map_or(Poll::Ready(None), |body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

async fn collect(mut body: Body, bytes_max: usize, announced: Option<usize>) -> Result<Bytes, ApiError> {
    let Some(first) = next_piece(&mut body).await? else { return Ok(Bytes::new()) };
    if first.len() > bytes_max {
        discard(body).await;
        return Err(ApiError::too_large(bytes_max));
    }
    let Some(second) = next_piece(&mut body).await? else { return Ok(owned_if_short(first)) };
    let mut whole = BytesMut::with_capacity(announced.unwrap_or(0).max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(piece) = next {
        if whole.len() + piece.len() > bytes_max {
            discard(body).await;
            return Err(ApiError::too_large(bytes_max));
        }
        whole.extend_from_slice(&piece);
        next = next_piece(&mut body).await?;
    }
    Ok(whole.freeze())
}

/// A short body is taken out of the connection's read buffer, which would otherwise be kept as long as the request.
fn owned_if_short(body: Bytes) -> Bytes {
    if body.len() <= COPIED_BYTES_MAX { Bytes::copy_from_slice(&body) } else { body }
}

async fn next_piece(body: &mut Body) -> Result<Option<Bytes>, ApiError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::invalid("the request body could not be read to its end").with_source(error))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
