//! Redemption codes as people type them: `TG-` and twenty letters and digits that are hard to mistake.

use rand::TryRngCore;
use rand::rngs::OsRng;

use super::secrets::SecretError;

/// Crockford's: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// A hundred bits.
const SYMBOLS: usize = 20;
const GROUP: usize = 5;
const PREFIX: &str = "TG";
/// Characters of a code that administrators see later.
const LABEL_CHARS: usize = 4;
/// Longer texts are no codes.
const TYPED_BYTES_MAX: usize = 64;

/// A new code: `TG-7K2PM-…`.
pub fn mint_code() -> Result<String, SecretError> {
    let mut bytes = [0_u8; SYMBOLS];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| SecretError::Cryptography)?;
    let symbols: Vec<u8> = bytes.iter().map(|byte| ALPHABET[usize::from(byte & 31)]).collect();
    let groups: Vec<String> = symbols.chunks(GROUP).map(|group| group.iter().map(|symbol| char::from(*symbol)).collect()).collect();
    Ok(format!("{PREFIX}-{}", groups.join("-")))
}

/// The one form a code is hashed in, whatever case and dashes it was typed with; `None` for what is no code.
pub fn normal_code(typed: &str) -> Option<String> {
    if typed.len() > TYPED_BYTES_MAX {
        return None;
    }
    let bare: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    let symbols = bare.strip_prefix(PREFIX)?;
    let symbols: String = symbols
        .chars()
        .map(|c| match c {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    let is_code = symbols.len() == SYMBOLS && symbols.bytes().all(|byte| ALPHABET.contains(&byte));
    is_code.then(|| format!("{PREFIX}{symbols}"))
}

/// What administrators recognise a code by.
pub fn code_label(normal: &str) -> String {
    normal.chars().skip(normal.len().saturating_sub(LABEL_CHARS)).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_however_it_was_typed() {
        let code = mint_code().unwrap();
        assert_eq!(code.len(), 2 + 4 * 6, "{code}");
        let normal = normal_code(&code).unwrap();
        assert_eq!(normal_code(&format!("  {} ", code.to_lowercase().replace('-', " "))).unwrap(), normal);
        assert_eq!(normal_code("tg-oil00-00000-00000-00000").unwrap(), "TG01100000000000000000");
        assert_ne!(mint_code().unwrap(), code);
        for wrong in ["", "TG", "XX-00000-00000-00000-00000", "TG-00000-00000-00000-0000", "TG-UUUUU-00000-00000-00000", &"TG".repeat(99)] {
            assert_eq!(normal_code(wrong), None, "{wrong}");
        }
        assert_eq!(code_label(&normal).len(), 4);
    }
}
