//! Reading a request's body, bounded in bytes and time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;

use super::error::{ApiError, ErrorType};

/// Of a body that is too large, this much is read and thrown away, for at most this long.
const DISCARD_BYTES_MAX: usize = 256 * 1024 * 1024;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(10);

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
async fn discard(mut body: Body) {
    let read = async {
        let mut bytes = 0;
        while bytes < DISCARD_BYTES_MAX
            && let Ok(Some(piece)) = next_piece(&mut body).await
        {
            bytes += piece.len();
        }
    };
    // Whatever is left is cut off with the connection.
    let _ = tokio::time::timeout(DISCARD_TIMEOUT, read).await;
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
