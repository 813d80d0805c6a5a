//! A person, and the accounts they belong to.

use schemas::{AccountId, Timestamp, UserId};
use serde::Serialize;

use super::{Role, word_enum};

/// Longest name of a person.
pub const USER_NAME_CHARS_MAX: usize = 200;
/// RFC 5321's bound of a path.
const EMAIL_BYTES_MAX: usize = 254;

word_enum! {
    /// Whether somebody may sign in.
    UserStatus {
        Active = "active",
        Disabled = "disabled",
    }
}

/// A person as the store knows them. What goes into an audit record says whether there is a password, never its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    pub id: UserId,
    /// The account they came with.
    pub account_id: AccountId,
    /// In lower case; unique.
    pub email: String,
    pub name: String,
    pub is_platform_admin: bool,
    pub status: UserStatus,
    /// Argon2id in PHC form. Without one they sign in at an identity provider only.
    #[serde(serialize_with = "is_there", rename = "has_password")]
    pub password_hash: Option<String>,
    /// Google's subject of them, when they are linked.
    pub google_id: Option<String>,
    pub created_at: Timestamp,
    #[serde(skip)]
    pub last_sign_in_at: Option<Timestamp>,
}

#[expect(clippy::ref_option, reason = "serde passes a field by reference")]
fn is_there<S: serde::Serializer>(hash: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(hash.is_some())
}

impl User {
    pub fn new(account_id: AccountId, email: String, name: String, now: Timestamp) -> Self {
        Self {
            id: UserId::mint(),
            account_id,
            email,
            name,
            is_platform_admin: false,
            status: UserStatus::Active,
            password_hash: None,
            google_id: None,
            created_at: now,
            last_sign_in_at: None,
        }
    }

    /// Whether a text can be somebody's name.
    pub fn is_name(text: &str) -> bool {
        !text.trim().is_empty() && text.chars().count() <= USER_NAME_CHARS_MAX && !text.chars().any(char::is_control)
    }
}

/// Somebody's place in an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Membership {
    pub account_id: AccountId,
    pub user_id: UserId,
    pub role: Role,
    pub created_at: Timestamp,
}

/// The one form an address is kept and compared in; `None` for what is no address.
pub fn normal_email(text: &str) -> Option<String> {
    let text = text.trim();
    let (name, host) = text.rsplit_once('@')?;
    let visible = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    let is_address = text.len() <= EMAIL_BYTES_MAX && visible(name) && visible(host) && !name.contains('@');
    is_address.then(|| text.to_lowercase())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        assert_eq!(normal_email(" Ada@Example.COM ").unwrap(), "ada@example.com");
        for wrong in ["", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "ada@exa mple.com"] {
            assert_eq!(normal_email(wrong), None, "{wrong}");
        }
        assert_eq!(normal_email(&format!("{}@example.com", "a".repeat(250))), None);
    }

    #[test]
    fn a_record_of_a_person_says_that_there_is_a_password_and_not_which() {
        let mut user = User::new(AccountId::mint(), "ada@example.com".to_owned(), "Ada".to_owned(), Timestamp::now());
        user.password_hash = Some("$argon2id$secret".to_owned());
        let text = serde_json::to_string(&user).unwrap();
        assert!(text.contains(r#""has_password":true"#) && !text.contains("argon2"), "{text}");
    }
}
