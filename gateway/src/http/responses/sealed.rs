//! `encrypted_content` of a reasoning item: the reasoning details of a turn in one text that a client hands back as it got it.
//!
//! Clients of this dialect keep of a reasoning item what OpenAI's has, and some of them nothing but this text. So what a
//! provider wants back unchanged (signatures, ciphers, and the words they belong to) travels in it. It is no secret and
//! proves nothing: whoever writes one could as well send `reasoning_details` in a chat request.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::value::RawValue;

/// Tells ours from a provider's own.
const PREFIX: &str = "tollgate-1.";

/// `details` is a JSON array.
pub(super) fn seal(details: &str) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(details))
}

/// The details, each as JSON; `None` where the text was not sealed here.
pub(super) fn unseal(text: &str) -> Option<Vec<Box<RawValue>>> {
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
    fn anything_else_is_not_ours() {
        for text in ["", "gAAAAABo", "tollgate-1.", "tollgate-1.!!", "tollgate-1.e30"] {
            assert!(unseal(text).is_none(), "{text}");
        }
    }
}
