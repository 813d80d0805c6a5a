//! The log probabilities of a choice, from chat's form, an object a token, to the legacy one, a list a member.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::http::messages::lenient::readable;

/// As chat has them.
#[derive(Default, Deserialize)]
pub(super) struct Logprobs<'a> {
    #[serde(borrow, default, deserialize_with = "readable")]
    content: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Token<'a> {
    token: String,
    #[serde(borrow)]
    logprob: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "readable")]
    top_logprobs: Vec<Alternative<'a>>,
}

#[derive(Deserialize)]
struct Alternative<'a> {
    token: String,
    #[serde(borrow)]
    logprob: &'a RawValue,
}

/// As legacy completions have them.
#[derive(Serialize)]
pub(super) struct TextLogprobs<'a> {
    tokens: Vec<String>,
    token_logprobs: Vec<Option<&'a RawValue>>,
    /// None where no alternatives were asked for.
    top_logprobs: Option<Vec<Alternatives<'a>>>,
    text_offset: Vec<usize>,
}

/// Of one token, in the provider's order: the likeliest first.
struct Alternatives<'a>(Vec<Alternative<'a>>);

impl Serialize for Alternatives<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_first = |place: usize, token: &str| !self.0[..place].iter().any(|before| before.token == token);
        let once = self.0.iter().enumerate().filter(|(place, other)| is_first(*place, &other.token));
        serializer.collect_map(once.map(|(_, other)| (&other.token, other.logprob)))
    }
}

impl<'a> Logprobs<'a> {
    /// `said` is the text of these tokens, `offset` the characters before it, and after it in the end. A token that cannot be read is
    /// left out; **those after it stand where they are in the text**.
    pub(super) fn texts<'s>(&self, said: impl FnOnce() -> Cow<'s, str>, offset: &mut usize) -> Option<TextLogprobs<'a>> {
        let read: Vec<Option<Token<'a>>> = self.content.iter().map(|raw| serde_json::from_str(raw.get()).ok()).collect();
        let said = if read.iter().all(Option::is_some) { Cow::Borrowed("") } else { said() };
        let (mut rest, mut is_lost) = (&*said, false);
        let skip = |bytes: usize, rest: &mut &str| {
            let (passed, behind) = rest.split_at_checked(bytes).unwrap_or((*rest, ""));
            *rest = behind;
            passed.chars().count()
        };
        let (mut tokens, mut text_offset) = (Vec::with_capacity(read.len()), Vec::with_capacity(read.len()));
        for token in read {
            let Some(token) = token else {
                is_lost = true;
                continue;
            };
            if std::mem::take(&mut is_lost)
                && let Some(found) = rest.find(&token.token)
            {
                *offset += skip(found, &mut rest);
            }
            text_offset.push(*offset);
            *offset += token.token.chars().count();
            skip(token.token.len(), &mut rest);
            tokens.push(token);
        }
        if is_lost {
            *offset += skip(rest.len(), &mut rest);
        }
        if tokens.is_empty() {
            return None;
        }
        let has_alternatives = tokens.iter().any(|token| !token.top_logprobs.is_empty());
        let token_logprobs = tokens.iter().map(|token| token.logprob).collect();
        let (tokens, alternatives): (Vec<_>, Vec<_>) =
            tokens.into_iter().map(|token| (token.token, Alternatives(token.top_logprobs))).unzip();
        Some(TextLogprobs { tokens, token_logprobs, top_logprobs: has_alternatives.then_some(alternatives), text_offset })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn texts(content: &Value, said: &str, offset: &mut usize) -> String {
        let content = json!({ "content": content }).to_string();
        let logprobs: Logprobs<'_> = serde_json::from_str(&content).unwrap();
        serde_json::to_string(&logprobs.texts(|| said.into(), offset)).unwrap()
    }

    #[test]
    fn alternatives_keep_the_providers_order_and_each_word_its_first_figure() {
        let other = |token: &str, logprob: f64| json!({ "token": token, "logprob": logprob });
        let content = json!([{ "token": "z", "logprob": -0.1, "top_logprobs": [other("z", -0.1), other("a", -2.5), other("z", -9.0)] }]);
        let expected = r#"{"tokens":["z"],"token_logprobs":[-0.1],"top_logprobs":[{"z":-0.1,"a":-2.5}],"text_offset":[0]}"#;
        assert_eq!(texts(&content, "z", &mut 0), expected);
    }

    #[test]
    fn a_token_that_cannot_be_read_does_not_move_those_after_it() {
        let token = |token: &str| json!({ "token": token, "logprob": -1 });
        let mut offset = 3;
        let odd = json!([token("Wö"), { "token": 7 }, "odd", token("rt"), { "token": "!" }]);
        let expected = r#"{"tokens":["Wö","rt","!"],"token_logprobs":[-1,-1,null],"top_logprobs":null,"text_offset":[3,8,10]}"#;
        assert_eq!((texts(&odd, "Wööäürt!", &mut offset).as_str(), offset), (expected, 11));
        // What a chunk ends with, and a chunk of nothing else.
        let expected = r#"{"tokens":["a"],"token_logprobs":[-1],"top_logprobs":null,"text_offset":[11]}"#;
        assert_eq!((texts(&json!([token("a"), null]), "aüü", &mut offset).as_str(), offset), (expected, 14));
        assert_eq!((texts(&json!([{}]), "äö", &mut offset).as_str(), offset), ("null", 16));
        let expected = r#"{"tokens":["z"],"token_logprobs":[-1],"top_logprobs":null,"text_offset":[16]}"#;
        assert_eq!(texts(&json!([token("z")]), "z", &mut offset), expected);
    }
}
