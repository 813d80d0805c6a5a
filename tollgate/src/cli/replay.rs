//! `tollgate replay`: rebuilds what the event log says, and compares it with what the stores say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Context;
use super::administration::{Administration, Intent};
use super::error::{CliError, absolute};
use super::output::{self, OutputArguments};
use crate::local_api::{REPLAY_PATH, ReplayRequest};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Rebuild the ledger [default: both]
    #[arg(long)]
    ledger: bool,
    /// Rebuild the analytics [default: both]
    #[arg(long)]
    analytics: bool,
    /// Stop after this position of the event log [default: its end]
    #[arg(long, value_name = "POSITION")]
    to_seq: Option<u64>,
    /// Compare with the live stores, bit for bit, at the position they stand at; exit code 1 on any difference
    #[arg(long)]
    verify: bool,
    /// A new or empty folder for the rebuilt stores [default with --verify: one that is removed afterwards]
    #[arg(long, value_name = "FOLDER", required_unless_present = "verify")]
    into: Option<PathBuf>,
    /// An empty PostgreSQL database for the rebuilt ledger [default: the folder, or with --verify a schema
    /// beside the live ledger that is removed afterwards]
    #[arg(long, value_name = "URL")]
    ledger_into: Option<String>,
    /// An empty ClickHouse database for the rebuilt analytics [default: the folder]
    #[arg(long, value_name = "URL")]
    analytics_into: Option<String>,
    /// An archive of this event log, which is read before the log: for a log whose beginning was archived and removed
    #[arg(long, value_name = "FOLDER")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Deserialize)]
struct Report {
    ok: bool,
    events: u64,
    #[serde(default)]
    digests: BTreeMap<String, Box<RawValue>>,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<ExitCode, CliError> {
    let both = arguments.ledger == arguments.analytics;
    let request = ReplayRequest {
        ledger: both || arguments.ledger,
        analytics: both || arguments.analytics,
        to_position: arguments.to_seq,
        verify: arguments.verify,
        into: arguments.into.as_deref().map(absolute).transpose()?,
        ledger_into: arguments.ledger_into,
        analytics_into: arguments.analytics_into,
        archive: arguments.archive.as_deref().map(absolute).transpose()?,
    };
    let administration = Administration::open(context, Intent::Look).await?;
    let answer = administration.run_job(REPLAY_PATH, &request).await?;
    administration.close().await?;
    let report: Report = output::parse(&answer.0)?;
    output::line(&if arguments.output.json { answer.0.get().to_owned() } else { describe(&report, arguments.verify) })?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(report: &Report, verify: bool) -> String {
    let mut lines = vec![format!("{} events replayed", report.events)];
    lines.extend(report.digests.iter().map(|(table, digest)| format!("{table}  {}", digest.get().trim_matches('"'))));
    lines.push(match (verify, report.ok) {
        (false, true) => "rebuilt".to_owned(),
        (true, true) => "identical with the live stores".to_owned(),
        (_, false) => "NOT identical with the live stores".to_owned(),
    });
    lines.join("\n")
}
