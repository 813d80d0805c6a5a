//! Sends one request and reads what came back, or leaves.

use futures_util::StreamExt;
use schemas::NanoUsd;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::bodies;
use super::cast::{APPS, App};
use super::script::{Ask, Manner};

/// Bytes of one answer at most; scripts ask for far less.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// A client that leaves has read so much.
const LEFT_AFTER_BYTES: usize = 600;

/// How a request ended for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Answered; what it was said to cost.
    Answered(NanoUsd),
    /// The client left, and does not know.
    Left,
    /// Refused before a provider was asked.
    Refused,
    /// No provider answered, or an answer broke off.
    Failed,
}

#[derive(Deserialize)]
struct Piece<'a> {
    #[serde(borrow)]
    usage: Option<Usage<'a>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow)]
    cost: Option<&'a RawValue>,
}

/// One request by one key. A gateway that cannot be reached is an error; all else is how it ended.
pub async fn send(client: &reqwest::Client, base: &str, key: &str, model: &str, ask: &Ask) -> Result<Ending, reqwest::Error> {
    let (path, body) = bodies::request(ask, model);
    let App { url, title, .. } = APPS[ask.app];
    let mut request = client.post(format!("{base}{path}")).bearer_auth(key).json(&body);
    if let Some(url) = url {
        request = request.header("http-referer", url);
    }
    if let Some(title) = title {
        request = request.header("x-title", title);
    }
    let response = request.send().await?;
    let status = response.status().as_u16();
    let mut text = Vec::new();
    let mut pieces = response.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let Ok(piece) = piece else { return Ok(Ending::Failed) };
        text.extend_from_slice(&piece);
        if ask.manner == Manner::Left && status == 200 && text.len() >= LEFT_AFTER_BYTES {
            return Ok(Ending::Left);
        }
        if text.len() > ANSWER_BYTES_MAX {
            return Ok(Ending::Failed);
        }
    }
    Ok(match status {
        200 => cost_of(&text).map_or(Ending::Failed, Ending::Answered),
        400..=499 => Ending::Refused,
        _ => Ending::Failed,
    })
}

/// What an answer, whole or streamed, says it cost; `None` where it tells of an error.
fn cost_of(text: &[u8]) -> Option<NanoUsd> {
    let text = std::str::from_utf8(text).ok()?;
    let pieces =
        if text.trim_start().starts_with('{') { vec![text] } else { text.lines().filter_map(|line| line.strip_prefix("data: ")).collect() };
    let mut cost = None;
    for piece in pieces.iter().filter_map(|piece| serde_json::from_str::<Piece<'_>>(piece).ok()) {
        if piece.error.is_some() {
            return None;
        }
        if let Some(told) = piece.usage.and_then(|usage| usage.cost) {
            cost = NanoUsd::parse_usd(told.get()).ok();
        }
    }
    cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_read_digit_by_digit_and_the_last_word_counts() {
        let whole = br#"{"id":"gen-1","usage":{"prompt_tokens":3,"cost":0.000012345}}"#;
        assert_eq!(cost_of(whole), Some(NanoUsd::from_nanos(12_345)));
        let stream = b"data: {\"usage\":null}\n\ndata: {\"usage\":{\"cost\":0.0000001}}\n\ndata: [DONE]\n\n";
        assert_eq!(cost_of(stream), Some(NanoUsd::from_nanos(100)));
        let broken = b"data: {\"error\":{\"code\":502},\"choices\":[]}\n\ndata: {\"usage\":{\"cost\":0}}\n\ndata: [DONE]\n\n";
        assert_eq!(cost_of(broken), None);
    }
}
