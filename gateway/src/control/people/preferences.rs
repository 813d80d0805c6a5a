//! What people prefer; what an account or a key prefers is [`RoutingPreferences`] alone. Absent is not set: the next
//! one's applies.

use serde::Serialize;

use super::word_enum;
use crate::routing::RoutingPreferences;

/// Longest name of a default model.
pub const MODEL_BYTES_MAX: usize = 256;

word_enum! {
    /// The colours of the web app.
    Theme { System = "system", Light = "light", Dark = "dark" }
}
word_enum! {
    /// The language of the web app.
    Language { Chinese = "zh-CN", English = "en" }
}

/// What a person set.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct UserPreferences {
    pub theme: Option<Theme>,
    pub language: Option<Language>,
    #[serde(flatten)]
    pub routing: RoutingPreferences,
}
