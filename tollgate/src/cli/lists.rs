//! Reading lists page by page, as far as was asked for.

use serde_json::value::RawValue;

use super::administration::Administration;
use super::error::CliError;
use super::output;

#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Arguments {
    /// How many at most
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: usize,
}

impl Arguments {
    /// However many there are.
    pub const fn all() -> Self {
        Self { limit: usize::MAX }
    }
}

/// All items, page after page, until there are no more or as many as were asked for.
pub async fn read(administration: &Administration, path: &str, arguments: Arguments) -> Result<Vec<Box<RawValue>>, CliError> {
    let mut items = Vec::new();
    let mut next = path.to_owned();
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let (page, cursor) = output::page(&administration.get(&next).await?)?;
        items.extend(page);
        match cursor {
            Some(cursor) if items.len() < arguments.limit => next = format!("{path}{joint}cursor={}", escape(&cursor)),
            _ => break,
        }
    }
    items.truncate(arguments.limit);
    Ok(items)
}

/// Percent-encodes what may not stand in a query.
pub fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
