//! What clients say of themselves and is kept with their requests, for ever: names of conversations and of their users, programs.
//!
//! Events are never taken back. **So nothing is kept that holds an e-mail address or one of our keys**, and nothing longer than
//! [`CLIENT_WORD_CHARS_MAX`].

use crate::control::key::KEY_PREFIX;

/// Of a word of a client that is kept; the rest of a longer one is not.
pub const CLIENT_WORD_CHARS_MAX: usize = 256;

/// A client's word as it is kept: without white space around it and without control characters; `None` where there is nothing left, or
/// where it must not be kept.
pub fn kept_word(word: &str) -> Option<String> {
    let said: String = word.chars().filter(|character| !character.is_control()).collect();
    if said.contains(KEY_PREFIX) || holds_email(&said.replace("%40", "@")) {
        return None;
    }
    let kept: String = said.trim().chars().take(CLIENT_WORD_CHARS_MAX).collect();
    Some(kept).filter(|kept| !kept.is_empty())
}

/// Whether a text holds an e-mail address: a name, `@`, and a host with a dot in it.
fn holds_email(text: &str) -> bool {
    text.match_indices('@').any(|(at, _)| {
        let (name, host) = (&text[..at], &text[at + 1..]);
        let is_name = name.chars().next_back().is_some_and(|last| last.is_alphanumeric() || "._%+-".contains(last));
        let is_host = |c: &char| c.is_alphanumeric() || matches!(c, '.' | '-');
        let host: String = host.chars().take_while(is_host).collect();
        let is_dotted = host.split_once('.').is_some_and(|(first, rest)| !first.is_empty() && rest.starts_with(char::is_alphanumeric));
        is_name && is_dotted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_kept_as_it_was_said_up_to_its_bound() {
        for word in
            ["user-7", "conversation 1", "openai-python/2.0 (Linux; x86_64)", "@handle", "a@b", "7@tenant", "name @ host.example", "\u{e9}"]
        {
            assert_eq!(kept_word(word).as_deref(), Some(word));
        }
        assert_eq!(kept_word(&"\u{e4}".repeat(300)), Some("\u{e4}".repeat(CLIENT_WORD_CHARS_MAX)));
        assert_eq!(kept_word(" a\u{0}b\nc ").as_deref(), Some("abc"));
        for nothing in ["", "  ", "\u{0}\n"] {
            assert_eq!(kept_word(nothing), None);
        }
    }

    #[test]
    fn what_holds_an_address_or_a_key_of_ours_is_not_kept() {
        for word in [
            "ada@example.com",
            "mailto:ada.l+x@mail.example.co.uk",
            "bot/1.0 (+https://bot.example; ops@bot.example)",
            "user_\u{e9}@ex\u{e4}mple.de",
            "sk-tg-v1-0123456789abcdef",
            "Bearer sk-tg-v1-0123",
            "ada\u{0}@example.com",
            "sk-tg\u{1}-v1-0123",
            "ada%40example.com",
        ] {
            assert_eq!(kept_word(word), None, "{word}");
        }
    }
}
