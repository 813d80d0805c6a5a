//! What a provider wants back of a turn, in one text that a client hands back as it got it: `encrypted_content` of a reasoning item in
//! OpenAI's Responses, `data` of a `redacted_thinking` block in Anthropic's Messages.
//!
//! Clients of these dialects keep of a thought what the dialect has, and some of them nothing but this text. So what a
//! provider wants back unchanged (signatures, ciphers, and the words they belong to) travels in it. It is no secret and
//! proves nothing: whoever writes one could as well send `reasoning_details` in a chat request.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Tells ours from a provider's own.
pub const PREFIX: &str = "tollgate-1.";

/// The signature of thoughts that nobody signed: nothing, sealed. Many clients keep no thought without a signature.
pub const UNSIGNED: &str = "tollgate-1.W10";

/// The type of a [`CallDetail`], beside those of reasoning details.
const CALL: &str = "tool_call";

/// What a provider wants back beside a call of a tool, for which neither dialect has a place: Gemini's signature of the thought that
/// led to the call stands in its `extra_content`.
#[derive(Debug, Serialize, Deserialize)]
pub struct CallDetail<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    /// The call's.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub extra_content: &'a RawValue,
}

impl<'a> CallDetail<'a> {
    /// None where there is nothing to be kept.
    pub fn of(id: &'a str, extra_content: Option<&'a RawValue>) -> Option<Self> {
        let extra_content = extra_content.filter(|extra| extra.get().starts_with('{'))?;
        Some(Self { kind: Cow::Borrowed(CALL), id: Cow::Borrowed(id), extra_content })
    }

    /// A sealed detail, if it is of a call.
    pub fn read(detail: &'a RawValue) -> Option<Self> {
        serde_json::from_str::<Self>(detail.get()).ok().filter(|detail| detail.kind == CALL)
    }

    /// A JSON object.
    pub fn json(&self) -> String {
        // Only maps with keys that are no text fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// `details` is a JSON array.
pub fn seal(details: &str) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(details))
}

/// The details, each as JSON; `None` where the text was not sealed here.
pub fn unseal(text: &str) -> Option<Vec<Box<RawValue>>> {
    let json = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    #[test]
    fn what_is_sealed_comes_back_byte_for_byte() {
        let detail = r#"{"type":"reasoning.text","text":"h\u00ef","signature":"c2ln","index":0, "new":1.50}"#;
        let details = unseal(&seal(&format!("[{detail}]"))).unwrap();
        assert_eq!(details.iter().map(|detail| detail.get()).collect::<Vec<_>>(), [detail]);
    }

    #[test]
    fn an_unsigned_thoughts_signature_seals_nothing() {
        assert_eq!((seal("[]").as_str(), unseal(UNSIGNED).unwrap().len()), (UNSIGNED, 0));
    }

    #[test]
    fn anything_else_is_not_ours() {
        for text in ["", "gAAAAABo", "tollgate-1.", "tollgate-1.!!", "tollgate-1.e30"] {
            assert!(unseal(text).is_none(), "{text}");
        }
    }
}
