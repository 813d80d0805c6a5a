//! `tollgate users`: people who sign in to the web app.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::Context;
use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Give somebody a new password, shown once, and end all their sessions
    ResetPassword {
        email: String,
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<ExitCode, CliError> {
    let Command::ResetPassword { email, output } = command;
    let administration = Administration::open(context, Intent::Look).await?;
    let answer = administration.post("/api/v1/admin/users/reset-password", &json!({ "email": email })).await?;
    output::object(&output::data(&answer)?, output)?;
    administration.close().await?;
    Ok(ExitCode::SUCCESS)
}
