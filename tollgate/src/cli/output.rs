//! What a command prints: tables for people, the answer's own JSON for scripts.
//!
//! **Amounts are printed digit by digit as they came**, never read as floats.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::Answer;
use super::error::CliError;
use crate::local_api::job::with_causes;

/// Shared by every command that answers something.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct OutputArguments {
    /// Print JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// One object of an answer: its fields as they were written.
pub type Record = BTreeMap<String, Box<RawValue>>;

#[derive(Deserialize)]
struct Envelope {
    data: Box<RawValue>,
    /// Where the next page of a list begins.
    #[serde(default)]
    next_cursor: Option<String>,
    /// A new key's text, which stands beside its data and is told only once.
    #[serde(default)]
    key: Option<String>,
}

/// An answer's `data`; a new key's text is put into it under `key`.
pub fn data(answer: &Answer) -> Result<Box<RawValue>, CliError> {
    let envelope = envelope(answer)?;
    let Some(key) = envelope.key else { return Ok(envelope.data) };
    let mut record: Record = parse(&envelope.data)?;
    record.insert("key".to_owned(), raw(&key)?);
    raw(&record)
}

/// A page of a list and the cursor of the next.
pub fn page(answer: &Answer) -> Result<(Vec<Box<RawValue>>, Option<String>), CliError> {
    let envelope = envelope(answer)?;
    Ok((parse(&envelope.data)?, envelope.next_cursor))
}

fn envelope(answer: &Answer) -> Result<Envelope, CliError> {
    parse(&answer.0)
}

pub fn parse<'a, T: Deserialize<'a>>(text: &'a RawValue) -> Result<T, CliError> {
    serde_json::from_str(text.get()).map_err(|error| CliError::Answer(error.to_string()))
}

fn raw(value: &impl serde::Serialize) -> Result<Box<RawValue>, CliError> {
    serde_json::value::to_raw_value(value).map_err(|error| CliError::Answer(error.to_string()))
}

/// Prints a list as a table of some of its fields, or whole as JSON.
pub fn list(items: &[Box<RawValue>], columns: &[(&str, &str)], output: OutputArguments) -> Result<(), CliError> {
    if output.json {
        return line(raw(&items)?.get());
    }
    let records: Vec<Record> = items.iter().map(|item| parse(item)).collect::<Result<_, _>>()?;
    let rows: Vec<Vec<String>> = records.iter().map(|record| columns.iter().map(|(_, path)| cell(record, path)).collect()).collect();
    if rows.is_empty() {
        return line("none");
    }
    line(table(columns, &rows).trim_end())
}

/// Prints one object, a field a line without those that have no value, or whole as JSON.
pub fn object(item: &RawValue, output: OutputArguments) -> Result<(), CliError> {
    if output.json {
        return line(item.get());
    }
    let record: Record = parse(item)?;
    let fields: Vec<(&String, String)> =
        record.keys().map(|key| (key, cell(&record, key))).filter(|(_, value)| !value.is_empty()).collect();
    let width = fields.iter().map(|(key, _)| key.chars().count()).max().unwrap_or(0);
    let fields = fields.iter().map(|(key, value)| format!("{key:width$}  {value}"));
    line(&fields.collect::<Vec<_>>().join("\n"))
}

/// The text of a field; `a.b` looks into an object. Absent and null are empty.
pub fn cell(record: &Record, path: &str) -> String {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let Some(value) = record.get(key) else { return String::new() };
    match rest {
        Some(rest) => parse::<Record>(value).map_or_else(|_| String::new(), |inner| cell(&inner, rest)),
        None if value.get() == "null" => String::new(),
        None => serde_json::from_str::<String>(value.get()).unwrap_or_else(|_| value.get().to_owned()),
    }
}

fn table(columns: &[(&str, &str)], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(place, (title, _))| {
            let cells = rows.iter().filter_map(|row| row.get(place)).map(|cell| cell.chars().count());
            cells.chain([title.chars().count()]).max().unwrap_or(0)
        })
        .collect();
    let titles: Vec<String> = columns.iter().map(|(title, _)| title.to_uppercase()).collect();
    let mut text = String::new();
    for row in std::iter::once(&titles).chain(rows) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// Prints an answer that is text.
pub fn text(answer: &Answer) -> Result<(), CliError> {
    line(parse::<String>(&answer.0)?.trim_end())
}

/// Prints to standard output.
pub fn line(text: &str) -> Result<(), CliError> {
    writeln!(io::stdout().lock(), "{text}").map_err(CliError::Output)
}

/// Prints why a command failed to standard error.
pub fn error(error: &CliError) {
    // Where standard error is closed there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "error: {}", with_causes(error));
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    fn answer(text: &str) -> Answer {
        Answer(RawValue::from_string(text.to_owned()).unwrap())
    }

    #[test]
    fn amounts_keep_every_digit() {
        let answer = answer(r#"{"data":{"id":"acct_1","balance":9000000000.123456789,"price":{"prompt":"0.1"}}}"#);
        let record: Record = parse(&data(&answer).unwrap()).unwrap();
        assert_eq!(cell(&record, "balance"), "9000000000.123456789");
        assert_eq!(cell(&record, "price.prompt"), "0.1");
        assert_eq!(cell(&record, "absent"), "");
    }

    #[test]
    fn a_new_key_is_told_with_its_data() {
        let answer = answer(r#"{"data":{"name":"laptop"},"key":"sk-tg-v1-00"}"#);
        assert_eq!(data(&answer).unwrap().get(), r#"{"key":"sk-tg-v1-00","name":"laptop"}"#);
    }

    #[test]
    fn columns_line_up() {
        let rows = vec![vec!["a".to_owned(), "10".to_owned()], vec!["longer".to_owned(), String::new()]];
        assert_eq!(table(&[("name", "name"), ("n", "n")], &rows), "NAME    N\na       10\nlonger\n");
    }
}
