//! Ids: UUIDv7 inside, a prefix when printed to people.
//!
//! Machines (events, ledgers, logs on disk) write the plain UUID; the API and the command line print
//! `acct_…`, `key_…`, `gen-…`. Parsing accepts both, so an id can be pasted from anywhere.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {wanted}")]
pub struct IdError {
    text: String,
    wanted: &'static str,
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id that sorts after every earlier one.
            pub fn mint() -> Self {
                Self(crate::clock::new_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let bare = text.strip_prefix($prefix).unwrap_or(text);
                Uuid::parse_str(bare).map(Self).map_err(|_| IdError { text: text.to_owned(), wanted: $wanted })
            }
        }

        uuid_serde!($name, $wanted);
    };
}

/// Serialized as the plain hyphenated UUID.
macro_rules! uuid_serde {
    ($name:ident, $wanted:literal) => {
        impl $name {
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(&self.0.hyphenated())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "format": "uuid", "description": $wanted })
            }
        }
    };
}

prefixed_id!(/** A wallet: who is charged. */ AccountId, "acct_", "an account id");
prefixed_id!(/** An API key. */ KeyId, "key_", "a key id");
prefixed_id!(/** A person. */ UserId, "user_", "a user id");
prefixed_id!(/** One upstream account at one provider. */ ChannelId, "chan_", "a channel id");
prefixed_id!(/** A gateway's stable identity: it stays with the spool's folder. */ NodeId, "node_", "a node id");
prefixed_id!(/** One start of one process. */ BootId, "boot_", "a boot id");

impl AccountId {
    /// The platform itself: prices, health probes. It holds no customer balance.
    pub const SYSTEM: Self = Self(Uuid::nil());
}

/// The server-minted id of one request: the only key its charge is booked under.
///
/// Printed in OpenRouter's form, `gen-<unix seconds>-<20 letters and digits>`, which is a lossless
/// writing of the UUIDv7: seconds in front, then milliseconds and random bits in base 62.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Uuid);

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const GENERATION_DIGITS: usize = 20;
/// The random bits of a UUIDv7: 12 before the variant, 62 after.
const RANDOM_BITS: u32 = 74;

impl RequestId {
    pub fn mint() -> Self {
        Self(crate::clock::new_uuid())
    }

    /// Milliseconds since 1970 at which the id was minted.
    pub const fn minted_millis(self) -> u64 {
        (self.0.as_u128() >> 80) as u64
    }
}

uuid_serde!(RequestId, "a generation id");

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.as_u128();
        let millis = bits >> 80;
        let random = ((bits >> 64) & 0xfff) << 62 | (bits & ((1 << 62) - 1));
        let mut rest = (millis % 1_000) << RANDOM_BITS | random;
        let mut digits = [b'0'; GENERATION_DIGITS];
        for digit in digits.iter_mut().rev() {
            *digit = BASE62[(rest % 62) as usize];
            rest /= 62;
        }
        write!(f, "gen-{}-", millis / 1_000)?;
        digits.iter().try_for_each(|digit| write!(f, "{}", char::from(*digit)))
    }
}

impl FromStr for RequestId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bad = || IdError { text: text.to_owned(), wanted: "a generation id" };
        let Some(printed) = text.strip_prefix("gen-") else {
            return Uuid::parse_str(text).map(Self).map_err(|_| bad());
        };
        let (seconds, digits) = printed.split_once('-').ok_or_else(bad)?;
        if digits.len() != GENERATION_DIGITS {
            return Err(bad());
        }
        let mut rest: u128 = 0;
        for byte in digits.bytes() {
            let value = BASE62.iter().position(|digit| *digit == byte).ok_or_else(bad)?;
            rest = rest * 62 + value as u128;
        }
        let seconds: u128 = seconds.parse().map_err(|_| bad())?;
        let sub_millis = rest >> RANDOM_BITS;
        let millis = seconds.checked_mul(1_000).and_then(|whole| whole.checked_add(sub_millis)).ok_or_else(bad)?;
        if sub_millis >= 1_000 || millis >> 48 != 0 {
            return Err(bad());
        }
        let random = rest & ((1 << RANDOM_BITS) - 1);
        let bits = millis << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & ((1 << 62) - 1);
        Ok(Self(Uuid::from_u128(bits)))
    }
}
