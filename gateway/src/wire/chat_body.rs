//! Writes a whole chat answer, not streamed, as clients of OpenRouter expect it.
//!
//! As in [`super::chat_chunk`]: the provider's bytes, with our identity, our usage and normalised finish reasons.

use bytes::{Bytes, BytesMut};

use super::chat_answer::ChatAnswer;
use super::chat_chunk::{AnswerIdentity, write_members};
use super::choices::Told;

/// The body for the client. An upstream error is not for here: check [`ChatAnswer::error`] and
/// [`ChatAnswer::has_choices`] first.
pub fn rewrite_body(identity: &AnswerIdentity<'_>, answer: &ChatAnswer, hides_reasoning: bool, usage_json: &str) -> Bytes {
    let mut prefix = Vec::with_capacity(192);
    identity.write("chat.completion", &mut prefix);
    let mut out = BytesMut::with_capacity(prefix.len() + answer.bytes().len() + usage_json.len() + 128);
    out.extend_from_slice(&prefix);
    write_members(answer, None, hides_reasoning, &mut Told::new(identity.id, false), &mut out);
    for name in ["system_fingerprint", "service_tier"] {
        // OpenRouter always has them, and its SDKs refuse an answer without.
        if !answer.has_member(name) {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":null");
        }
    }
    out.extend_from_slice(b",\"usage\":");
    out.extend_from_slice(usage_json.as_bytes());
    out.extend_from_slice(b"}");
    out.freeze()
}
