//! What a model thought in an earlier turn, for it to go on from: a reasoning item as chat's reasoning details.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::item::Item;
use super::part::{json_text, lines};
use crate::http::error::ApiError;
use crate::wire::sealed::{CallDetail, unseal};

/// Whose a cipher is that we did not seal and that does not say: whoever speaks this dialect from afar.
const FORMAT_DEFAULT: &str = "openai-responses-v1";

/// The thoughts of one turn.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// Each a JSON object.
    pub details: Vec<Box<RawValue>>,
    /// What goes back beside a call: its id, and a JSON object.
    pub calls: Vec<(String, Box<RawValue>)>,
    /// Texts that no family signed: they came from a provider that has plain ones.
    plain: Vec<Cow<'static, RawValue>>,
}

/// A detail in the making.
#[derive(Debug, Default, Serialize)]
struct Detail<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Cow<'static, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Cow<'a, RawValue>>,
    index: usize,
}

#[derive(Debug, Deserialize)]
struct Part<'a> {
    #[serde(borrow)]
    text: &'a RawValue,
}

/// What of a detail says whether it is plain.
#[derive(Debug, Deserialize)]
struct Read<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
}

impl Thoughts {
    pub(super) fn add(&mut self, item: &Item<'_>, place: &str) -> Result<(), ApiError> {
        let sealed = item.encrypted_content.as_deref().and_then(unseal);
        let details = match sealed {
            // As the provider told them; the words beside are the same.
            Some(details) => details,
            None => self.made_of(item, place)?,
        };
        for detail in details {
            if let Some(call) = CallDetail::read(&detail) {
                self.calls.push((call.id.into_owned(), call.extra_content.to_owned()));
                continue;
            }
            self.plain.extend(plain_text(&detail));
            self.details.push(detail);
        }
        Ok(())
    }

    /// By the name of those who take nothing but text.
    pub(super) fn plain(&self) -> Option<Cow<'static, RawValue>> {
        if self.plain.is_empty() { None } else { Some(lines(self.plain.iter().map(|text| &**text))) }
    }

    fn made_of(&self, item: &Item<'_>, place: &str) -> Result<Vec<Box<RawValue>>, ApiError> {
        let format = item.format.map(Cow::Borrowed);
        let (mut details, mut index) = (Vec::new(), self.details.len());
        let mut push = |detail: Detail<'_>| {
            let detail = Detail { index, ..detail };
            index += 1;
            details.push(serde_json::value::to_raw_value(&detail).map_err(ApiError::internal)?);
            Ok::<(), ApiError>(())
        };
        for part in texts(item.summary, &format!("{place}.summary"))? {
            push(Detail { kind: "reasoning.summary", summary: Some(part.text), format: format.clone(), ..Detail::default() })?;
        }
        for part in texts(item.content, &format!("{place}.content"))? {
            let signature = item.signature;
            push(Detail { kind: "reasoning.text", text: Some(part.text), signature, format: format.clone(), ..Detail::default() })?;
        }
        if let Some(cipher) = item.encrypted_content.as_deref().filter(|cipher| !cipher.is_empty()) {
            let format = format.clone().unwrap_or_else(|| json_text(FORMAT_DEFAULT));
            let data = Some(json_text(cipher));
            push(Detail { kind: "reasoning.encrypted", id: item.id, data, format: Some(format), ..Detail::default() })?;
        }
        Ok(details)
    }
}

fn texts<'a>(parts: Option<&'a RawValue>, place: &str) -> Result<Vec<Part<'a>>, ApiError> {
    let Some(parts) = parts else { return Ok(Vec::new()) };
    serde_json::from_str(parts.get()).map_err(|error| ApiError::bad_request(place, format!("{place} must be an array of texts: {error}")))
}

fn plain_text(detail: &RawValue) -> Option<Cow<'static, RawValue>> {
    let Read { kind, text, signature } = serde_json::from_str(detail.get()).ok()?;
    let is_plain = kind == "reasoning.text" && signature.is_none_or(|signature| signature.is_empty());
    text.filter(|text| is_plain && text.get().starts_with('"') && text.get() != "\"\"").map(|text| Cow::Owned(text.to_owned()))
}
