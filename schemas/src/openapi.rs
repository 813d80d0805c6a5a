//! How values of this vocabulary look in an OpenAPI specification.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::{AccountId, Day, RequestId, Timestamp, UsdNumber, UserId};

macro_rules! described {
    ($($name:ident, $type:expr, $format:expr, $description:literal;)+) => {$(
        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let format: Option<KnownFormat> = $format;
                let object = ObjectBuilder::new().schema_type($type).description(Some($description));
                object.format(format.map(SchemaFormat::KnownFormat)).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

described! {
    Timestamp, Type::String, Some(KnownFormat::DateTime), "A moment in UTC, with at most six fraction digits.";
    Day, Type::String, Some(KnownFormat::Date), "A day in UTC.";
    UsdNumber, Type::Number, None, "An amount in USD with at most nine fraction digits.";
    AccountId, Type::String, None, "`acct_` and a UUID.";
    UserId, Type::String, None, "`user_` and a UUID.";
    RequestId, Type::String, None, "`gen-` and a UUID.";
}
