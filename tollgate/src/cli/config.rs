//! `tollgate config`: what the program reads, and what is wrong with it.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Context;
use super::error::CliError;
use super::output::{self, OutputArguments};
use crate::config::{Loaded, Place, Problem, References, load};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read the configuration, follow every reference, report everything that is wrong
    Check {
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub fn run(context: &Context, command: Command) -> Result<ExitCode, CliError> {
    let Command::Check { output } = command;
    let checked = load(context.config.as_deref(), &context.environment, References::Follow);
    let (problems, warnings) = match &checked {
        Ok(loaded) => (&[][..], &loaded.warnings[..]),
        Err(problems) => (&problems.0[..], &[][..]),
    };
    if output.json {
        let report = json!({ "ok": problems.is_empty(), "problems": describe_all(problems), "warnings": describe_all(warnings) });
        output::line(&report.to_string())?;
    } else {
        for warning in warnings {
            output::line(&format!("warning: {warning}"))?;
        }
        for problem in problems {
            output::line(&problem.to_string())?;
        }
        output::line(&match &checked {
            Ok(loaded) => summary(loaded),
            Err(problems) if problems.0.len() == 1 => "1 problem".to_owned(),
            Err(problems) => format!("{} problems", problems.0.len()),
        })?;
    }
    Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(loaded: &Loaded) -> String {
    let file = loaded.file.as_ref().map_or_else(|| "defaults and environment".to_owned(), |file| file.display().to_string());
    let models: usize = loaded.config.channels.iter().map(|(_, channel)| channel.models.len()).sum();
    format!("{file}: right; {} channels, {models} models, listening on {}", loaded.config.channels.len(), loaded.config.listen.0)
}

fn describe_all(problems: &[Problem]) -> Vec<Value> {
    problems.iter().map(describe).collect()
}

fn describe(problem: &Problem) -> Value {
    let message = &problem.message;
    match &problem.place {
        Place::Line { file, line } => json!({ "file": file, "line": line, "message": message }),
        Place::File(file) => json!({ "file": file, "message": message }),
        Place::Variable(name) => json!({ "variable": name, "message": message }),
        Place::Key(key) => json!({ "key": key, "message": message }),
    }
}
