//! Tables for spreadsheets.

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

/// Of a table that is downloaded under a name.
pub fn headers(file_name: &'static str) -> [(http::HeaderName, HeaderValue); 2] {
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{file_name}\""));
    [
        (CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8")),
        (CONTENT_DISPOSITION, disposition.unwrap_or_else(|_| HeaderValue::from_static("attachment"))),
    ]
}

/// A table whose first line names its columns.
pub fn table(file_name: &'static str, columns: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Response {
    let mut text = columns.join(",") + "\r\n";
    for row in rows {
        text += &row.iter().map(|value| field(value)).collect::<Vec<_>>().join(",");
        text += "\r\n";
    }
    (headers(file_name), text).into_response()
}

/// Text for one field: quoted where it must be, and never a formula to the program that opens it.
pub fn field(text: &str) -> String {
    let guarded = if text.starts_with(['=', '+', '-', '@', '\t']) { format!("'{text}") } else { text.to_owned() };
    if guarded.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn fields_are_quoted_and_are_no_formulas() {
        assert_eq!(field("plain"), "plain");
        assert_eq!(field("a \"b\", c"), "\"a \"\"b\"\", c\"");
        assert_eq!(field("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
    }
}
