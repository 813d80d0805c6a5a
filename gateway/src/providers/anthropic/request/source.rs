//! Images and files, by address or by their bytes.
//!
//! Anthropic takes two kinds of document: a PDF as base64, and a text as it reads.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Serialize;

use super::TranslationError;
use super::conversation::unreadable;

const PDF: &str = "application/pdf";
const PDF_BEGINNING: &[u8] = b"%PDF";

/// Texts whose types do not begin with `text/`.
const TEXTS: [&str; 11] = [
    "application/csv",
    "application/ecmascript",
    "application/javascript",
    "application/json",
    "application/jsonl",
    "application/sql",
    "application/toml",
    "application/x-ndjson",
    "application/x-yaml",
    "application/xml",
    "application/yaml",
];
const TEXT_SUFFIXES: [&str; 3] = ["+json", "+xml", "+yaml"];

/// Some clients leave the padding out.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::STANDARD, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Source<'a> {
    Base64 { media_type: Cow<'a, str>, data: Cow<'a, str> },
    Text { media_type: &'static str, data: String },
    Url { url: Cow<'a, str> },
}

impl<'a> Source<'a> {
    /// `data:image/png;base64,…` or an address.
    pub(super) fn of_image(url: Cow<'a, str>, place: &dyn Fn() -> String) -> Result<Self, TranslationError> {
        let Some(rest) = url.strip_prefix("data:") else { return Ok(Self::Url { url }) };
        let (media_type, data) = data_url(rest, place)?;
        // No type has this name, and many clients use it.
        let media_type = if media_type == "image/jpg" { Cow::Borrowed("image/jpeg") } else { Cow::Owned(media_type) };
        Ok(Self::Base64 { media_type, data: Cow::Owned(data.to_owned()) })
    }

    /// A data URL, an address, or the base64 of a PDF.
    pub(super) fn of_file(data: Cow<'a, str>, place: &dyn Fn() -> String) -> Result<Self, TranslationError> {
        let Some(rest) = data.strip_prefix("data:") else {
            // Every address has a colon, base64 never.
            return if data.contains(':') { Ok(Self::Url { url: data }) } else { Self::of_unnamed(&data, place) };
        };
        let (media_type, data) = data_url(rest, place)?;
        match &*media_type {
            PDF => Ok(Self::pdf(data)),
            "" | "application/octet-stream" => Self::of_unnamed(data, place),
            named if is_text(named) => {
                let bytes = BASE64.decode(data).map_err(|error| unreadable(place, format!("a file is not base64: {error}")))?;
                let data = String::from_utf8(bytes).map_err(|_| TranslationError::Unsupported("a text file that is not UTF-8"))?;
                Ok(Self::Text { media_type: "text/plain", data })
            }
            _ => Err(TranslationError::Unsupported("a file that is neither a PDF nor a text")),
        }
    }

    /// Bytes whose type nobody named.
    fn of_unnamed(data: &str, place: &dyn Fn() -> String) -> Result<Self, TranslationError> {
        match BASE64.decode(data) {
            Ok(bytes) if bytes.starts_with(PDF_BEGINNING) => Ok(Self::pdf(data)),
            _ => Err(unreadable(place, "file_data must be a data URL with its type, an address, or the base64 of a PDF")),
        }
    }

    fn pdf(data: &str) -> Self {
        Self::Base64 { media_type: Cow::Borrowed(PDF), data: Cow::Owned(data.to_owned()) }
    }
}

/// The type, in small letters and without parameters, and the base64 of what stands behind `data:`.
fn data_url<'r>(rest: &'r str, place: &dyn Fn() -> String) -> Result<(String, &'r str), TranslationError> {
    let (head, data) = rest.split_once(',').ok_or_else(|| unreadable(place, "a data URL has no comma"))?;
    let head = head.strip_suffix(";base64").ok_or_else(|| unreadable(place, "a data URL must be base64"))?;
    let media_type = head.split(';').next().unwrap_or(head);
    Ok((media_type.trim().to_ascii_lowercase(), data))
}

fn is_text(media_type: &str) -> bool {
    media_type.starts_with("text/") || TEXTS.contains(&media_type) || TEXT_SUFFIXES.iter().any(|suffix| media_type.ends_with(suffix))
}
