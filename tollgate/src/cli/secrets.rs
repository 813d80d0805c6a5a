//! `tollgate secrets`: what is encrypted at rest.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::Context;
use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Seal every stored secret anew with the present secret_key; previous_secret_keys can be removed afterwards
    Rotate {
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<ExitCode, CliError> {
    let Command::Rotate { output } = command;
    let administration = Administration::open(context, Intent::Change).await?;
    let answer = administration.post("/api/v1/admin/secrets/rotate", &json!({})).await?;
    output::object(&output::data(&answer)?, output)?;
    administration.close().await?;
    Ok(ExitCode::SUCCESS)
}
