//! `tollgate audit`: are the books right? Exit code 1 on any difference.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Deserialize;

use super::Context;
use super::administration::{Administration, Intent};
use super::error::{CliError, absolute};
use super::output::{self, OutputArguments};
use crate::local_api::{AUDIT_PATH, AuditRequest};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// An archive of this event log, which is read before the log: for a log whose beginning was archived and removed
    #[arg(long, value_name = "FOLDER")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArguments,
}

/// What the audit answers. Counts by what was counted.
#[derive(Debug, Deserialize)]
struct Report {
    ok: bool,
    checked: BTreeMap<String, u64>,
    differences: Vec<Difference>,
}

#[derive(Debug, Deserialize)]
struct Difference {
    kind: String,
    subject: String,
    expected: String,
    found: String,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<ExitCode, CliError> {
    let request = AuditRequest { archive: arguments.archive.as_deref().map(absolute).transpose()? };
    let administration = Administration::open(context, Intent::Look).await?;
    let answer = administration.run_job(AUDIT_PATH, &request).await?;
    administration.close().await?;
    let report: Report = output::parse(&answer.0)?;
    output::line(&if arguments.output.json { answer.0.get().to_owned() } else { describe(&report) })?;
    Ok(if report.ok && report.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn describe(report: &Report) -> String {
    let mut lines: Vec<String> = report.checked.iter().map(|(what, count)| format!("{count:>12}  {}", what.replace('_', " "))).collect();
    for difference in &report.differences {
        let Difference { kind, subject, expected, found } = difference;
        lines.push(format!("difference: {kind} of {subject}: expected {expected}, found {found}"));
    }
    lines.push(match report.differences.len() {
        0 => "the books are right".to_owned(),
        1 => "the books are NOT right: 1 difference".to_owned(),
        count => format!("the books are NOT right: {count} differences"),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_in_words() {
        let difference = Difference { kind: "balance".into(), subject: "acct_1".into(), expected: "1.5".into(), found: "1.4".into() };
        let report = Report { ok: false, checked: BTreeMap::from([("postings".into(), 12)]), differences: vec![difference] };
        let expected = "          12  postings\ndifference: balance of acct_1: expected 1.5, found 1.4\n\
                        the books are NOT right: 1 difference";
        assert_eq!(describe(&report), expected);
    }
}
