//! `tollgate import`: fills an empty event log from an archive. The books follow when the deployment starts.

use std::path::PathBuf;
use std::process::ExitCode;

use eventlog::archive::{Archive, ArchiveError};
use eventlog::{Entry, EventLog, LogError, Message};
use serde::Deserialize;
use serde_json::json;

use super::Context;
use super::error::CliError;
use super::output::{self, OutputArguments};
use crate::config::References;
use crate::data_dir::DataDir;
use crate::deployment::open_log;

/// Events appended at a time.
const BATCH: usize = 1_000;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The archive's folder
    #[arg(value_name = "FOLDER")]
    from: PathBuf,
    /// The head the archive must have, as `tollgate export` printed it
    #[arg(long, value_name = "SHA256")]
    head: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Why an archive was not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("event log could not be written")]
    Log(#[from] LogError),
    #[error("the event log is not empty: it ends at position {0}; an archive is imported into a new deployment only")]
    NotEmpty(u64),
    #[error("the archive begins at position {0}: the parts before it are missing")]
    Begins(u64),
    #[error("the archive's head is {found}, not the one that was asked for")]
    AnotherHead { found: String },
    #[error("there is no folder {}", .0.display())]
    NoFolder(PathBuf),
    #[error("the archive is empty")]
    Empty,
    /// A server dropped an event as a duplicate, or somebody else wrote.
    #[error("the event log ends at position {found} where it should end at {expected}; import into a new log")]
    Moved { expected: u64, found: u64 },
}

/// Where an event belongs, without knowing its meaning.
#[derive(Deserialize)]
struct Address {
    part: u16,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<ExitCode, CliError> {
    let loaded = context.load(References::Leave)?;
    let archive = checked(&arguments).map_err(CliError::Import)?;
    // Whoever runs here would read a log that is being filled.
    let _data_dir = DataDir::new(&loaded.config.data_dir).create_and_lock()?;
    let log = open_log(&loaded, true).await.map_err(crate::serve::ServeError::from)?;
    let last = fill(&log, &archive).await.map_err(CliError::Import)?;
    let answer = json!({ "events": last, "head": archive.head() });
    let text = format!("{last} events imported; the books are made from them when the deployment starts");
    output::line(&if arguments.output.json { answer.to_string() } else { text })?;
    Ok(ExitCode::SUCCESS)
}

/// The archive, every part of it read and checked before anything is written.
fn checked(arguments: &Arguments) -> Result<Archive, ImportError> {
    if !arguments.from.is_dir() {
        return Err(ImportError::NoFolder(arguments.from.clone()));
    }
    let archive = Archive::open(&arguments.from)?;
    let (Some(first), Some(head)) = (archive.first(), archive.head()) else { return Err(ImportError::Empty) };
    if first != 1 {
        return Err(ImportError::Begins(first));
    }
    if arguments.head.as_deref().is_some_and(|wanted| !wanted.eq_ignore_ascii_case(head)) {
        return Err(ImportError::AnotherHead { found: head.to_owned() });
    }
    archive.verify()?;
    Ok(archive)
}

async fn fill(log: &EventLog, archive: &Archive) -> Result<u64, ImportError> {
    let last = log.bounds().await?.last;
    if last != 0 {
        return Err(ImportError::NotEmpty(last));
    }
    let mut position = 0;
    while position < archive.last() {
        for batch in archive.part_with(position + 1)?.chunks(BATCH) {
            log.append(batch.iter().map(message).collect()).await?;
            position += batch.len() as u64;
            let found = log.bounds().await?.last;
            if found != position {
                return Err(ImportError::Moved { expected: position, found });
            }
        }
    }
    Ok(position)
}

/// What cannot be read as an event is carried all the same: it was in the log.
fn message(entry: &Entry) -> Message {
    let address: Option<Address> = serde_json::from_slice(&entry.payload).ok();
    // By position: a log may have an event twice, and so must its copy.
    let id = format!("imported:{}", entry.position);
    Message { id, partition: address.map_or(0, |address| address.part), payload: entry.payload.clone() }
}
