//! An event as a line of text, and back to the same bytes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BASE64_BEGIN: &[u8] = br#"{"base64":""#;
const BASE64_END: &[u8] = br#""}"#;

/// Appends an event and a line feed.
pub(super) fn write(payload: &[u8], out: &mut Vec<u8>) {
    if is_line(payload) {
        out.extend_from_slice(payload);
    } else {
        out.extend_from_slice(BASE64_BEGIN);
        out.extend_from_slice(STANDARD.encode(payload).as_bytes());
        out.extend_from_slice(BASE64_END);
    }
    out.push(b'\n');
}

/// The event of a line, without its line feed. `None` if the line is broken.
pub(super) fn read(line: &[u8]) -> Option<Vec<u8>> {
    match line.strip_prefix(BASE64_BEGIN) {
        Some(rest) => STANDARD.decode(rest.strip_suffix(BASE64_END)?).ok(),
        None => Some(line.to_vec()),
    }
}

/// Whether the bytes can stand as they are: nothing else may look like them.
fn is_line(payload: &[u8]) -> bool {
    payload.starts_with(b"{")
        && !payload.starts_with(BASE64_BEGIN)
        && !payload.contains(&b'\n')
        && !payload.contains(&b'\r')
        && std::str::from_utf8(payload).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_come_back(payload in proptest::collection::vec(any::<u8>(), 0..64), braced in any::<bool>()) {
            let payload = if braced { [b"{".as_slice(), &payload].concat() } else { payload };
            let mut out = Vec::new();
            write(&payload, &mut out);
            prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(read(out.strip_suffix(b"\n").unwrap_or_default()), Some(payload));
        }
    }

    #[test]
    fn an_event_stands_as_it_is_and_what_looks_like_base64_does_not() {
        let mut out = Vec::new();
        write(br#"{"id":"a"}"#, &mut out);
        assert_eq!(out, b"{\"id\":\"a\"}\n");
        let sly = br#"{"base64":"aGk="}"#;
        let mut out = Vec::new();
        write(sly, &mut out);
        assert_eq!(read(&out[..out.len() - 1]).as_deref(), Some(sly.as_slice()));
    }
}
