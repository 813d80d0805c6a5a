//! `tollgate migrate`: brings every store's schema up to this program's.

use std::process::ExitCode;

use serde_json::json;

use super::Context;
use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};
use crate::local_api::MIGRATE_PATH;

#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    output: OutputArguments,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<ExitCode, CliError> {
    let administration = Administration::open(context, Intent::Change).await?;
    let answer = administration.post(MIGRATE_PATH, &json!({})).await?;
    administration.close().await?;
    output::object(&output::data(&answer)?, arguments.output)?;
    Ok(ExitCode::SUCCESS)
}
