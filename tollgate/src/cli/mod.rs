//! The command line: what can be typed, and which room does it.
//!
//! Every command is a module with its arguments and what it does. Commands that administer a deployment know nothing of
//! stores: they send requests to [`administration`], which finds the running deployment or opens a stopped one.
//! Exit codes: 0 done, 1 failed, 2 usage.

mod accounts;
mod administration;
mod audit;
mod channels;
mod client;
mod config;
mod demo_traffic;
mod error;
mod export;
mod import;
mod keys;
mod lists;
mod migrate;
mod models;
mod output;
mod progress;
mod provider_costs;
mod replay;
mod role;
mod route;
mod secrets;
mod serve;
mod users;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Environment, References};
use crate::telemetry;

use role::Role;

pub use error::CliError;

/// A self-hosted LLM gateway that bills to the nano-dollar.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, arg_required_else_help = true, propagate_version = true)]
pub struct Cli {
    /// The configuration file [default: ./tollgate.toml when it is there]
    #[arg(long, global = true, value_name = "FILE", env = "TOLLGATE_CONFIG")]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run all roles in one process
    Serve(serve::Arguments),
    /// Run a gateway against shared stores: answers requests
    Gateway(role::Arguments),
    /// Run the ledger against shared stores: books what the event log says
    Ledger(role::Arguments),
    /// Run the projector against shared stores: keeps analytics
    Projector(role::Arguments),
    /// Verify the books: hash chain, double entry, ledger = events = analytics = balance gate
    Audit(audit::Arguments),
    /// Rebuild ledger and analytics from the event log
    Replay(replay::Arguments),
    /// Copy the event log into an archive of files, with a manifest of hashes
    Export(export::Arguments),
    /// Fill an empty event log from an archive
    Import(import::Arguments),
    /// Create, list and disable API keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Create, list and credit accounts
    #[command(subcommand)]
    Accounts(accounts::Command),
    /// Create, list and disable channels to providers
    #[command(subcommand)]
    Channels(channels::Command),
    /// List the models on offer
    #[command(subcommand)]
    Models(models::Command),
    /// Tell what providers should have invoiced, by channel and model
    ProviderCosts(provider_costs::Arguments),
    /// Ask where requests would go, and why
    #[command(subcommand)]
    Route(route::Command),
    /// Rotate the key that encrypts secrets at rest
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Reset passwords of people
    #[command(subcommand)]
    Users(users::Command),
    /// Look at the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Play believable traffic with the demo provider, so that there is something to look at
    DemoTraffic(demo_traffic::Arguments),
    /// Apply the schema migrations of every store
    Migrate(migrate::Arguments),
}

impl Command {
    /// What is logged unless `TOLLGATE_LOG` says otherwise: a server tells what it does, a command only what is wrong.
    const fn default_log_filter(&self) -> &'static str {
        match self {
            Self::Serve(_) | Self::Gateway(_) | Self::Ledger(_) | Self::Projector(_) => "info,sqlx::postgres::notice=warn",
            // What an operator should mend at the brokers is said by every server's start.
            _ => "warn,eventlog::log::jetstream::connect=error",
        }
    }
}

/// What every command starts from.
struct Context {
    config: Option<PathBuf>,
    environment: Environment,
}

impl Context {
    fn load(&self, references: References) -> Result<crate::config::Loaded, CliError> {
        let loaded = crate::config::load(self.config.as_deref(), &self.environment, references)?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        Ok(loaded)
    }
}

/// Reads the arguments of this process, does what they say, and answers how it went.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = Environment::of_process();
    let started = telemetry::start(&environment, cli.command.default_log_filter()).map_err(CliError::from);
    let ran = started.and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("roles").enable_all().build().map_err(CliError::Runtime)?;
        runtime.block_on(run(cli, environment))
    });
    match ran {
        Ok(code) => code,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli, environment: Environment) -> Result<ExitCode, CliError> {
    let context = Context { config: cli.config, environment };
    match cli.command {
        Command::Serve(arguments) => serve::run(&context, arguments).await,
        Command::Gateway(_) => role::run(&context, Role::Gateway).await,
        Command::Ledger(_) => role::run(&context, Role::Ledger).await,
        Command::Projector(_) => role::run(&context, Role::Projector).await,
        Command::Audit(arguments) => audit::run(&context, arguments).await,
        Command::Replay(arguments) => replay::run(&context, arguments).await,
        Command::Export(arguments) => export::run(&context, arguments).await,
        Command::Import(arguments) => import::run(&context, arguments).await,
        Command::Keys(command) => keys::run(&context, command).await,
        Command::Accounts(command) => accounts::run(&context, command).await,
        Command::Channels(command) => channels::run(&context, command).await,
        Command::Models(command) => models::run(&context, command).await,
        Command::ProviderCosts(arguments) => provider_costs::run(&context, arguments).await,
        Command::Route(command) => route::run(&context, command).await,
        Command::Secrets(command) => secrets::run(&context, command).await,
        Command::Users(command) => users::run(&context, command).await,
        Command::Config(command) => config::run(&context, command),
        Command::DemoTraffic(arguments) => demo_traffic::run(&context, arguments).await,
        Command::Migrate(arguments) => migrate::run(&context, arguments).await,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_valid() {
        super::Cli::command().debug_assert();
    }
}
