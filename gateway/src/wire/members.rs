//! Finds the members of a JSON object, or the elements of an array, without building it.
//!
//! Each comes as a span of the text, found by a [`Scanner`] that checks the grammar on its way. Start at [`members`].

use super::scanner::{JsonError, Scanner, Span, StringSpan};

/// One member of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    pub key: StringSpan,
    pub value: Span,
}

/// The members of one object, in order, repeated names included. Ends after the first error.
pub fn members(text: &str) -> Members<'_> {
    Members { scanner: Scanner::new(text.as_bytes()), state: MembersState::Before }
}

/// See [`members`].
#[derive(Debug)]
pub struct Members<'a> {
    scanner: Scanner<'a>,
    state: MembersState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MembersState {
    Before,
    Within,
    Done,
}

impl Members<'_> {
    fn advance(&mut self) -> Result<Option<Member>, JsonError> {
        let is_first = self.state == MembersState::Before;
        if is_first {
            self.scanner.open_object()?;
            self.state = MembersState::Within;
        }
        match self.scanner.next_key(is_first)? {
            Some(key) => Ok(Some(Member { key, value: self.scanner.value()? })),
            None => self.scanner.finish().map(|()| None),
        }
    }
}

impl Iterator for Members<'_> {
    type Item = Result<Member, JsonError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == MembersState::Done {
            return None;
        }
        let member = self.advance().transpose();
        if !matches!(member, Some(Ok(_))) {
            self.state = MembersState::Done;
        }
        member
    }
}

/// The elements of an array, in order. Ends after the first error.
pub fn elements(text: &str) -> impl Iterator<Item = Result<Span, JsonError>> {
    let mut scanner = Scanner::new(text.as_bytes());
    let mut state = MembersState::Before;
    std::iter::from_fn(move || {
        if state == MembersState::Done {
            return None;
        }
        let element = next_element(&mut scanner, &mut state).transpose();
        if !matches!(element, Some(Ok(_))) {
            state = MembersState::Done;
        }
        element
    })
}

fn next_element(scanner: &mut Scanner<'_>, state: &mut MembersState) -> Result<Option<Span>, JsonError> {
    let is_first = *state == MembersState::Before;
    if is_first {
        scanner.open_array()?;
        *state = MembersState::Within;
    }
    if scanner.next_element(is_first)? { scanner.value().map(Some) } else { scanner.finish().map(|()| None) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;
    use crate::wire::scanner::DEPTH_MAX;

    fn read(text: &str) -> Result<Vec<(String, &str)>, JsonError> {
        members(text)
            .map(|member| member.map(|Member { key, value }| (key.resolve(text.as_bytes()).into_owned(), value.of_str(text))))
            .collect()
    }

    #[test]
    fn members_come_in_order_with_their_raw_values() {
        let text = r#" { "a" : 1.50 , "b\u0041" : "x\"}" , "c":{"d":[{},[]]} ,"a":null} "#;
        let wanted = [("a", "1.50"), ("bA", r#""x\"}""#), ("c", r#"{"d":[{},[]]}"#), ("a", "null")];
        assert_eq!(read(text).unwrap(), wanted.map(|(key, value)| (key.to_owned(), value)));
        assert_eq!(read("{}").unwrap(), []);
    }

    #[test]
    fn malformed_text_is_refused() {
        for text in [
            "",
            "[1]",
            "1",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{,}",
            "{a:1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":+1}",
            "{\"a\":-}",
            "{\"a\":1e}",
            "{\"a\":NaN}",
            "{\"a\":tru}",
            "{\"a\":[1,]}",
            "{\"a\":[1}}",
            "{\"a\":{]}",
            "{\"a\":\"\t\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"\\",
            "{}{}",
            "{\"a\":1 2}",
            "{\"a\" 1}",
            "{\"a\":[1 2]}",
            "{\"a\":[,1]}",
        ] {
            assert!(read(text).is_err(), "{text}");
            assert!(serde_json::from_str::<BTreeMap<String, &RawValue>>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(DEPTH_MAX as usize)).is_ok());
        assert!(matches!(read(&nested(DEPTH_MAX as usize + 1)), Err(JsonError::TooDeep { .. })));
        assert!(matches!(read(&nested(2_000_000)), Err(JsonError::TooDeep { .. })));
    }

    #[test]
    fn elements_come_in_order() {
        let text = r#"[1, {"a":[2]} ,"x"]"#;
        let found: Vec<&str> = elements(text).map(|element| element.unwrap().of_str(text)).collect();
        assert_eq!(found, ["1", r#"{"a":[2]}"#, "\"x\""]);
        assert_eq!(elements("[]").count(), 0);
        assert!(elements("[1,").any(|element| element.is_err()));
    }

    fn json(depth: u32) -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(depth, 48, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                proptest::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn spans_hold_what_serde_json_reads(value in json(5), is_pretty in any::<bool>()) {
            let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            match (read(&text), &value) {
                (Ok(found), serde_json::Value::Object(map)) => {
                    let reread: serde_json::Map<String, serde_json::Value> =
                        found.into_iter().map(|(key, value)| (key, serde_json::from_str(value).unwrap())).collect();
                    // What was written is what both read back, floats included, which text may round.
                    let wanted: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
                    prop_assert_eq!(reread.len(), map.len());
                    prop_assert_eq!(reread, wanted);
                }
                (Ok(_), _) => prop_assert!(false, "only objects have members"),
                (Err(_), value) => prop_assert!(!value.is_object()),
            }
        }

        /// Damaged JSON: accepted exactly where `serde_json` accepts it.
        #[test]
        fn validity_is_serde_jsons(value in json(4), edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4)) {
            let mut text = format!("{{\"k\":{value}}}").into_bytes();
            for (place, byte, how) in edits {
                let at = place.index(text.len());
                const SIGNS: &[u8] = b"{}[]\",:\\u0e.-+tn \n1";
                let byte = if byte < 128 { SIGNS[usize::from(byte) % SIGNS.len()] } else { byte % 128 };
                match how { 0 => text[at] = byte, 1 => text.insert(at, byte), _ => { text.remove(at); } }
                if text.is_empty() { text.push(b'{'); }
            }
            if let Ok(text) = std::str::from_utf8(&text) {
                let theirs = serde_json::from_str::<&RawValue>(text).map(|raw| raw.get().starts_with('{'));
                let ours: Result<Vec<Member>, JsonError> = members(text).collect();
                prop_assert_eq!(ours.is_ok(), theirs.as_ref().is_ok_and(|is_object| *is_object), "{:?} {:?} {}", ours, theirs, text);
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text in ".{0,64}") {
            let _ = read(&text);
            let _ = elements(&text).count();
        }
    }
}
