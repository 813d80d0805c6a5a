//! Amounts as the web app reads them: decimal text, digit by digit.

use schemas::NanoUsd;
use serde::{Serialize, Serializer};

/// US dollars with at most nine decimals: `"12.5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsdText(pub NanoUsd);

impl Serialize for UsdText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}
