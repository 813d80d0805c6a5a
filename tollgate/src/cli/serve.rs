//! `tollgate serve`: takes the data folder and hands over to the wiring.

use std::process::ExitCode;

use super::Context;
use super::error::CliError;
use crate::config::References;
use crate::data_dir::DataDir;
use crate::deployment::Roles;
use crate::serve::{ServeOptions, serve};

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Print a new API key for the first account
    #[arg(long)]
    new_key: bool,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<ExitCode, CliError> {
    let loaded = context.load(References::Follow)?;
    let data_dir = DataDir::new(&loaded.config.data_dir).create_and_lock()?;
    data_dir.remove_stale_socket()?;
    serve(loaded, data_dir, Roles::ALL, ServeOptions { new_key: arguments.new_key, ..ServeOptions::default() }).await?;
    Ok(ExitCode::SUCCESS)
}
