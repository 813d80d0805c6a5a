//! Pages of the web app's lists.

use crate::http::error::ApiError;

const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 200;

/// Rows of one page: 50 unless said, 1 to 200.
pub fn page_limit(asked: Option<u32>) -> Result<u32, ApiError> {
    let limit = asked.unwrap_or(PAGE_DEFAULT);
    if (1..=PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request("limit", format!("`limit` must be from 1 to {PAGE_MAX}")))
}

/// Where a page begins, from the page before.
pub fn offset_of(cursor: Option<&str>) -> Result<u32, ApiError> {
    let bad = || ApiError::bad_request("cursor", "`cursor` is not one that this list gave out");
    cursor.map_or(Ok(0), |text| text.parse().ok().filter(|offset| *offset <= u32::MAX / 2).ok_or_else(bad))
}
