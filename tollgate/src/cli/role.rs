//! `tollgate gateway`, `tollgate ledger`, `tollgate projector`: one role of a distributed deployment.

use std::process::ExitCode;

use super::Context;
use super::error::CliError;
use crate::config::References;
use crate::data_dir::DataDir;
use crate::deployment::Roles;
use crate::serve::{ServeOptions, serve, work};

/// Nothing: the configuration says it all.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// A role whose stores others can reach, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Gateway,
    Ledger,
    Projector,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Ledger => "ledger",
            Self::Projector => "projector",
        }
    }
}

pub async fn run(context: &Context, role: Role) -> Result<ExitCode, CliError> {
    let loaded = context.load(References::Follow)?;
    if !loaded.backends.is_distributed() {
        return Err(CliError::RoleAlone { role: role.name() });
    }
    let data_dir = DataDir::new(&loaded.config.data_dir).create_and_lock()?;
    data_dir.remove_stale_socket()?;
    match role {
        Role::Gateway => serve(loaded, data_dir, Roles::GATEWAY, ServeOptions::default()).await?,
        Role::Ledger => work(loaded, data_dir, Roles::LEDGER).await?,
        Role::Projector => work(loaded, data_dir, Roles::PROJECTOR).await?,
    }
    Ok(ExitCode::SUCCESS)
}
