//! Members of a provider's answer, read as far as they can be: what is odd counts as absent. The answer is paid for, so what
//! can be read of it goes to its client.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A member, or its default.
pub(in crate::http) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or_default())
}

/// The elements of an array that can be read; of anything else, none.
pub(in crate::http) fn readable<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?;
    let elements: Vec<&'de RawValue> = serde_json::from_str(raw.get()).unwrap_or_default();
    Ok(elements.into_iter().filter_map(|element| serde_json::from_str(element.get()).ok()).collect())
}
