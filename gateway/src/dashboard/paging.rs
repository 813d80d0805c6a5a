//! Pages of the web app's lists.

use crate::http::error::ApiError;

const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 200;

/// Rows of one page: 50 unless said, at most 200.
pub fn page_limit(asked: Option<u32>) -> u32 {
    asked.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
}

/// Where a page begins, from the page before.
pub fn offset_of(cursor: Option<&str>) -> Result<u32, ApiError> {
    let bad = || ApiError::bad_request("cursor", "`cursor` is not one that this list gave out");
    cursor.map_or(Ok(0), |text| text.parse().ok().filter(|offset| *offset <= u32::MAX / 2).ok_or_else(bad))
}
