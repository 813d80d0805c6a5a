//! Who is asking: the key of a request, and whether it may ask for what it asks for.
//!
//! Owns reading credentials from headers. What a key may do stands in the catalog.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use schemas::Timestamp;

use crate::control::catalog::{Catalog, Key};
use crate::http::error::ApiError;

/// The key of a request: `Authorization: Bearer …`, or `x-api-key`.
pub fn authenticate(catalog: &Catalog, headers: &HeaderMap, now: Timestamp) -> Result<Arc<Key>, ApiError> {
    let bearer = credential(headers)?;
    let key = catalog.authenticate(bearer, now).map_err(|refusal| ApiError::unauthorized(sentence(&refusal.to_string())))?;
    key.touch(now);
    Ok(Arc::clone(key))
}

/// The key of a request that wants an answer from a model.
pub fn authenticate_inference(catalog: &Catalog, headers: &HeaderMap, now: Timestamp) -> Result<Arc<Key>, ApiError> {
    let key = authenticate(catalog, headers, now)?;
    if key.is_management() {
        return Err(ApiError::permission_denied("Management keys cannot be used for inference. Create an inference key for this account."));
    }
    Ok(key)
}

/// The credential a request carries, whichever header its client uses.
pub fn credential(headers: &HeaderMap) -> Result<&str, ApiError> {
    let missing = || ApiError::unauthorized("No API key was sent. Send `Authorization: Bearer sk-tg-v1-…` or an `x-api-key` header.");
    let unreadable = || ApiError::unauthorized("The API key holds characters that no key has.");
    if let Some(value) = headers.get(AUTHORIZATION) {
        let text = value.to_str().map_err(|_| unreadable())?;
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        let token = token.trim();
        return if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() { Ok(token) } else { Err(missing()) };
    }
    match headers.get("x-api-key") {
        Some(value) => value.to_str().map(str::trim).map_err(|_| unreadable()),
        None => Err(missing()),
    }
}

/// An error's text as a sentence for people.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
