//! People: who they are, how they prove it, which accounts they belong to and what they prefer.
//!
//! Owns passwords (Argon2id), roles, sessions' records, preferences and invitations as facts. It knows no
//! cookie and no route: signing in over HTTP is [`crate::signin`]. It must never keep anything that could be
//! turned back into a password, a session or an invitation. Start at [`User`] and [`Role`].

mod invitation;
mod password;
mod preferences;
mod role;
mod session;
mod user;

pub use invitation::{INVITATION_LIFETIME, Invitation};
pub use password::{PASSWORD_CHARS_MIN, PasswordError, Passwords, mint_password};
pub use preferences::{Language, MODEL_BYTES_MAX, Theme, UserPreferences};
pub use role::Role;
pub use session::SessionRecord;
pub use user::{Membership, User, UserStatus, normal_email};

/// SHA-256 of a token, as the store keeps it: 64 hex digits.
pub fn token_sha256(token: &str) -> String {
    use sha2::Digest;
    hex::encode(sha2::Sha256::digest(token.as_bytes()))
}

/// A kind of word that the store and the API write alike. The words are token trees: as literals of a macro the specification would not see them.
macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:tt),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),+
        }

        // The derived one cannot read words that come out of a macro, and names the variants.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                let text = utoipa::openapi::schema::ObjectBuilder::new().schema_type(utoipa::openapi::schema::Type::String);
                text.enum_values(Some([$($word),+])).into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                std::borrow::Cow::Borrowed(stringify!($name))
            }
        }

        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            pub fn parse(text: &str) -> Option<Self> {
                [$(Self::$variant),+].into_iter().find(|word| word.as_str() == text)
            }
        }
    };
}
pub(crate) use word_enum;
