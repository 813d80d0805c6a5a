//! The ids of tool calls, as each provider takes them.
//!
//! A conversation goes on wherever it is routed next, with the ids that another provider gave. **A call and its result have one id,
//! in every turn**: the same goes in, the same comes out, so nothing has to be kept. What a provider takes is never changed.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Bytes of a digest that tell ids apart which look the same to Anthropic.
const SUFFIX_BYTES: usize = 4;
/// The longest id that OpenAI takes, in characters.
const SHORT_CHARS_MAX: usize = 40;
/// Bytes of a digest that stand for a longer one.
const SHORT_BYTES: usize = 16;
/// The length of every id at Mistral.
const NINE: usize = 9;
const LETTERS_AND_DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Which ids a provider takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolIds {
    /// Whatever there is.
    Any,
    /// OpenAI's: up to forty characters.
    Short,
    /// Mistral's: nine letters and digits.
    Nine,
    /// Anthropic's: letters, digits, `_` and `-`.
    Plain,
}

impl ToolIds {
    pub fn takes(self, id: &str) -> bool {
        match self {
            Self::Any => true,
            // No character has fewer bytes than one.
            Self::Short => !id.is_empty() && (id.len() <= SHORT_CHARS_MAX || id.chars().count() <= SHORT_CHARS_MAX),
            Self::Nine => id.len() == NINE && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            Self::Plain => !id.is_empty() && id.bytes().all(is_plain),
        }
    }

    /// The id as it is sent. Another one is told by its digest from those that differ from it in nothing but what is lost.
    pub fn sent(self, id: Cow<'_, str>) -> Cow<'_, str> {
        if self.takes(&id) {
            return id;
        }
        let digest = Sha256::digest(id.as_bytes());
        Cow::Owned(match self {
            Self::Any => return id,
            Self::Short => format!("call_{}", hex::encode(&digest[..SHORT_BYTES])),
            Self::Nine => nine(&digest),
            Self::Plain => {
                let replaced: String = id.bytes().map(|byte| if is_plain(byte) { char::from(byte) } else { '_' }).collect();
                format!("{replaced}_{}", hex::encode(&digest[..SUFFIX_BYTES]))
            }
        })
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// 53 bits of a digest.
fn nine(digest: &[u8]) -> String {
    let mut number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut id = String::with_capacity(NINE);
    for _ in 0..NINE {
        id.push(char::from(LETTERS_AND_DIGITS[(number % 62) as usize]));
        number /= 62;
    }
    id
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [ToolIds; 4] = [ToolIds::Any, ToolIds::Short, ToolIds::Nine, ToolIds::Plain];

    fn sent(ids: ToolIds, id: &str) -> String {
        ids.sent(Cow::Borrowed(id)).into_owned()
    }

    #[test]
    fn an_id_is_sent_as_it_is_where_it_is_taken() {
        for (ids, id) in [
            (ToolIds::Any, ""),
            (ToolIds::Any, "functions.get_weather:0"),
            (ToolIds::Short, "functions.get_weather:0"),
            (ToolIds::Short, &"\u{e9}".repeat(40)),
            (ToolIds::Nine, "aB3dE6gH9"),
            (ToolIds::Plain, "toolu_01-x"),
        ] {
            assert_eq!(sent(ids, id), id, "{ids:?}");
        }
        let vllms = "chatcmpl-tool-0123456789abcdef0123456789abcdef";
        assert_eq!(sent(ToolIds::Plain, vllms), vllms);
        assert_eq!(sent(ToolIds::Short, vllms), "call_72ba1670850968c42badff902f63fdd0");
        assert_eq!(sent(ToolIds::Plain, "functions.get_weather:0"), "functions_get_weather_0_79ac1aaa");
        assert_eq!(sent(ToolIds::Nine, "call_1").len(), 9);
    }

    proptest! {
        #[test]
        fn what_is_sent_is_taken_and_tells_ids_apart(first in ".{0,60}", second in ".{0,60}") {
            for ids in ALL {
                let (one, other) = (sent(ids, &first), sent(ids, &second));
                prop_assert!(ids.takes(&one), "{one}");
                prop_assert_eq!(one == other, first == second);
                prop_assert_eq!(sent(ids, &one), one, "stable, however often it goes there");
            }
        }
    }
}
