//! `tollgate secrets`: what is encrypted at rest.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::Context;
use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};
use crate::config::References;
use crate::data_dir::DataDir;
use crate::deployment::forget_lost_secrets;
use crate::serve::ServeError;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Seal every stored secret anew with the present secret_key; previous_secret_keys can be removed afterwards
    Rotate {
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Give up every stored secret that a lost secret key sealed: its channels are disabled until they are given keys again,
    /// balance alerts need new secrets. For a stopped deployment whose secret_key nobody has any more
    Forget {
        /// Really: what is given up cannot be had back
        #[arg(long, required = true)]
        yes: bool,
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<ExitCode, CliError> {
    let output = match command {
        Command::Rotate { output } => output,
        Command::Forget { output, .. } => return forget(context, output).await,
    };
    let administration = Administration::open(context, Intent::Look).await?;
    let answer = administration.post("/api/v1/admin/secrets/rotate", &json!({})).await?;
    output::object(&output::data(&answer)?, output)?;
    administration.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn forget(context: &Context, output: OutputArguments) -> Result<ExitCode, CliError> {
    let loaded = context.load(References::Follow)?;
    let locked = DataDir::new(&loaded.config.data_dir).lock()?;
    let Some(forgotten) = forget_lost_secrets(&loaded, locked.path()).await.map_err(ServeError::from)? else {
        output::line("the secret key given opens every secret: nothing is lost, and nothing was changed")?;
        return Ok(ExitCode::SUCCESS);
    };
    if output.json {
        output::line(&serde_json::to_string(&forgotten).map_err(|error| CliError::Answer(error.to_string()))?)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(&format!("secrets are sealed with key {} from now on", forgotten.secret_key_id))?;
    for channel in &forgotten.channels {
        output::line(&format!("channel {channel} has lost its keys and is disabled"))?;
    }
    output::line(&format!("{} balance alerts have new secrets: make new ones for their receivers", forgotten.balance_alerts))?;
    Ok(ExitCode::SUCCESS)
}
