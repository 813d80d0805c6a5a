//! The forms our own routes answer in and are asked in: `{"data": …}`, checked JSON bodies, checked queries.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rust_decimal::Decimal;
use schemas::{MoneyError, NanoUsd};
use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::error::ApiError;

/// A body of administration is at most this long: a channel with thousands of models.
const ADMIN_BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// `{"data": …}`
#[derive(Debug, Serialize, ToSchema)]
pub struct Data<T> {
    pub data: T,
}

/// `{"data": […], "next_cursor": …}`
#[derive(Debug, Serialize, ToSchema)]
pub struct DataPage<T> {
    pub data: Vec<T>,
    pub next_cursor: Option<String>,
}

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<T: Serialize> IntoResponse for DataPage<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// 201 with `{"data": …}`.
pub fn created<T: Serialize>(data: T) -> Response {
    (StatusCode::CREATED, Data { data }).into_response()
}

/// A JSON body. What is wrong with it is told with the path of the field.
#[derive(Debug)]
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body = read_admin_body(request).await?;
        // An array would be taken for a structure's fields in the order of its source.
        if body.trim_ascii_start().first() == Some(&b'[') {
            return Err(ApiError::invalid("request body: a JSON object is needed, not an array"));
        }
        parse_json(&body).map(Self)
    }
}

/// Reads a body within the bound for administration.
async fn read_admin_body(request: Request) -> Result<Bytes, ApiError> {
    let limited = Limited::new(request.into_body(), ADMIN_BODY_BYTES_MAX);
    let collected = limited.collect().await.map_err(|error| {
        let too_long = error.downcast_ref::<LengthLimitError>().is_some();
        if too_long {
            ApiError::too_large(ADMIN_BODY_BYTES_MAX)
        } else {
            ApiError::invalid("the request body broke off").with_source(error)
        }
    })?;
    Ok(collected.to_bytes())
}

/// Reads JSON and names the field that is wrong.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    if bytes.is_empty() {
        return Err(ApiError::invalid("a JSON body is needed and none was sent"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(&mut deserializer).map_err(|error| field_error(&error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| ApiError::invalid(format!("the body goes on after its JSON: {error}")))?;
    Ok(value)
}

/// 400 that names a field by its path; `.` is the body itself, `?` somewhere in it.
pub fn field_error(path: &str, problem: &dyn std::fmt::Display) -> ApiError {
    if matches!(path, "." | "?") {
        let problem = problem.to_string();
        let error = ApiError::invalid(format!("request body: {problem}"));
        match named_field(&problem) {
            Some(name) => error.with_param(name),
            None => error,
        }
    } else {
        ApiError::bad_request(path, format!("`{path}`: {problem}"))
    }
}

/// The field that serde says is missing or unknown.
fn named_field(problem: &str) -> Option<&str> {
    let rest = ["missing field `", "unknown field `", "duplicate field `"].into_iter().find_map(|words| problem.strip_prefix(words))?;
    rest.split_once('`').map(|(name, _)| name)
}

/// The query of a URL; an unreadable value is told with its name.
#[derive(Debug)]
pub struct UrlQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for UrlQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|query| Self(query.0)).map_err(|error| query_error(&error.body_text()))
    }
}

/// 400 that names a parameter; what axum says is `Failed …: name: problem`.
fn query_error(text: &str) -> ApiError {
    let problem = text.split_once(": ").map_or(text, |(_, problem)| problem);
    match problem.split_once(": ") {
        Some((name, problem)) if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
            ApiError::bad_request(name, format!("`{name}`: {}", in_plain_words(problem)))
        }
        _ => match named_field(problem) {
            Some(name) => ApiError::invalid(format!("query: {problem}")).with_param(name),
            None => ApiError::invalid(format!("query: {problem}")),
        },
    }
}

/// What the parser of numbers says, for people.
fn in_plain_words(problem: &str) -> &str {
    match problem {
        "invalid digit found in string" | "cannot parse integer from empty string" => "a whole number is needed",
        "number too large to fit in target type" => "that number is too large",
        "invalid float literal" | "cannot parse float from empty string" => "a number is needed",
        "provided string was not `true` or `false`" => "true or false is needed",
        problem => problem,
    }
}

/// The variables of a URL's path.
#[derive(Debug)]
pub struct UrlPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for UrlPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|error| ApiError::invalid(format!("path: {}", error.body_text())))
    }
}

/// Fraction digits of a nano-dollar.
const USD_DIGITS: u32 = 9;
/// So many digits has a number that a program computed in floating point: `0.1 + 0.2` is 0.30000000000000004.
const FLOAT_DIGITS: usize = 16;

/// An amount in dollars as clients write it: a number or decimal text, at most nine fraction digits, taken
/// digit by digit. What floating point left behind a number's ninth digit is rounded away; text is taken at its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsdAmount(pub NanoUsd);

impl<'de> Deserialize<'de> for UsdAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let text = raw.get();
        let quoted: Option<String> =
            if text.starts_with('"') { Some(serde_json::from_str(text).map_err(de::Error::custom)?) } else { None };
        let rounded = if quoted.is_none() { without_float_noise(text) } else { None };
        let amount = NanoUsd::parse_usd(quoted.as_deref().or(rounded.as_deref()).unwrap_or(text));
        amount.map(Self).map_err(|error| match error {
            MoneyError::NotDecimal(_) => de::Error::custom("expected an amount in USD such as 12.5 or \"12.50\""),
            other => de::Error::custom(other),
        })
    }
}

/// A computed number to nine fraction digits, where that changes it by less than floating point is exact to.
fn without_float_noise(number: &str) -> Option<String> {
    let digits = number.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
    if digits < FLOAT_DIGITS || number.contains(['e', 'E']) {
        return None;
    }
    let exact: Decimal = number.parse().ok()?;
    let rounded = exact.round_dp(USD_DIGITS);
    ((exact - rounded).abs() < Decimal::new(1, 12)).then(|| rounded.to_string())
}

/// For a field of a change: absent stays absent, `null` becomes `Some(None)`.
pub fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Order {
        amount: UsdAmount,
        #[serde(default, deserialize_with = "given")]
        limit: Option<Option<UsdAmount>>,
    }

    fn order(json: &str) -> Result<Order, ApiError> {
        parse_json(json.as_bytes())
    }

    #[test]
    fn amounts_are_read_digit_by_digit_as_numbers_and_as_text() {
        for json in [r#"{"amount":12345678.123456781}"#, r#"{"amount":"12345678.123456781"}"#] {
            assert_eq!(order(json).unwrap().amount.0.nanos(), 12_345_678_123_456_781);
        }
        assert_eq!(order(r#"{"amount":1e2}"#).unwrap().amount.0.nanos(), 100_000_000_000);
    }

    #[test]
    fn unreadable_amounts_name_their_field() {
        for json in [r#"{"amount":"ten"}"#, r#"{"amount":[1]}"#, r#"{"amount":null}"#, r#"{"amount":0.1234567891}"#, r#"{"amount":1e40}"#] {
            let error = order(json).unwrap_err();
            assert_eq!(error.status(), StatusCode::BAD_REQUEST);
            assert!(error.message().starts_with("`amount`: "), "{json}: {}", error.message());
        }
    }

    #[test]
    fn what_floating_point_left_behind_is_rounded_away() {
        let amount = |json: &str| order(&format!(r#"{{"amount":{json}}}"#)).map(|order| order.amount.0.nanos());
        assert_eq!(amount("0.30000000000000004").unwrap(), 300_000_000);
        assert_eq!(amount("0.7999999999999999").unwrap(), 800_000_000);
        assert_eq!(amount("-1.1000000000000001").unwrap(), -1_100_000_000);
        for fine in [r#""0.30000000000000004""#, "0.0000000001", "0.1234567891234567", "1e-10"] {
            assert!(amount(fine).is_err(), "{fine} is finer than a nano-dollar on purpose");
        }
    }

    #[test]
    fn null_is_told_apart_from_absent() {
        assert_eq!(order(r#"{"amount":1}"#).unwrap().limit, None);
        assert_eq!(order(r#"{"amount":1,"limit":null}"#).unwrap().limit, Some(None));
        assert_eq!(order(r#"{"amount":1,"limit":2}"#).unwrap().limit, Some(Some(UsdAmount(NanoUsd::from_usd(2)))));
    }

    #[test]
    fn unknown_fields_and_broken_bodies_are_refused() {
        assert!(order(r#"{"amount":1,"limt":2}"#).unwrap_err().message().contains("unknown field `limt`"));
        for json in ["", "{", "[]", r#"{"amount":1} x"#, "\u{0}"] {
            assert_eq!(order(json).unwrap_err().status(), StatusCode::BAD_REQUEST, "{json:?}");
        }
    }
}
