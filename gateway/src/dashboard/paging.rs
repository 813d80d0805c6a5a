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

/// A page of rows of which one more than `limit` was read, and where the next one begins: after its last row, **not after so many
/// rows**, so that none is skipped or told twice when others come and go between two pages.
pub fn page_of<T>(mut rows: Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let limit = limit as usize;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| more).map(cursor);
    (rows, next_cursor)
}
