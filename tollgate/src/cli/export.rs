//! `tollgate export`: copies the event log into an archive of files.

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Deserialize;

use super::Context;
use super::administration::{Administration, Intent};
use super::error::{CliError, absolute};
use super::output::{self, OutputArguments};
use crate::local_api::{EXPORT_PATH, ExportRequest};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The archive's folder: new, empty, or an archive of this log, which is continued
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    /// Stop after this position of the event log [default: its end]
    #[arg(long, value_name = "POSITION")]
    to_seq: Option<u64>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Deserialize)]
struct Report {
    added: u64,
    first: Option<u64>,
    last: u64,
    parts: usize,
    head: Option<String>,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<ExitCode, CliError> {
    let into = absolute(&arguments.into)?;
    let administration = Administration::open(context, Intent::Look).await?;
    let answer = administration.run_job(EXPORT_PATH, &ExportRequest { into: into.clone(), to_position: arguments.to_seq }).await?;
    administration.close().await?;
    let report: Report = output::parse(&answer.0)?;
    output::line(&if arguments.output.json { answer.0.get().to_owned() } else { describe(&report, &into) })?;
    Ok(ExitCode::SUCCESS)
}

fn describe(report: &Report, into: &std::path::Path) -> String {
    let Some(first) = report.first else { return "the event log is empty; nothing was archived".to_owned() };
    let head = report.head.as_deref().unwrap_or_default();
    format!(
        "{} events added; {} holds positions {first} to {} in {} parts\nhead {head}\nkeep the head elsewhere: it proves that nothing was changed",
        report.added,
        into.display(),
        report.last,
        report.parts
    )
}
