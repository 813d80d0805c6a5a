//! Why a command failed, in words for a person at a shell.

use std::path::{Path, PathBuf};

use super::demo_traffic::DemoError;
use super::import::ImportError;
use crate::config::Problems;
use crate::data_dir::DataDirError;
use crate::local_api::job::JobError;
use crate::serve::ServeError;
use crate::telemetry::FilterError;

/// Everything that ends a command with exit code 1.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    // The problems are the message; as a source they would be told twice.
    #[error("the configuration cannot be used\n{0}")]
    Config(Problems),
    #[error(transparent)]
    Log(#[from] FilterError),
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("archive was not imported")]
    Import(#[source] ImportError),
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    DemoTraffic(#[from] DemoError),
    #[error(
        "`{role}` alone needs stores that the other roles can reach: set events_url (nats://…), database_url (postgres://…), \
         balance_url (redis://…) and analytics_url (clickhouse://…), or run `tollgate serve`"
    )]
    RoleAlone { role: &'static str },
    #[error("{message} ({status})")]
    Refused { status: u16, message: String },
    #[error(
        "a deployment holds {data_dir} but does not answer on its socket; it may be starting or stopping, or belong to another user",
        data_dir = .data_dir.display()
    )]
    NoAnswer { data_dir: PathBuf, source: std::io::Error },
    /// A key of our own making: without it, a repeated credit would be another one.
    #[error("the credit may have been ordered; to be sure of it, repeat the command with --idempotency-key {key}")]
    CreditUnknown { key: String, source: Box<CliError> },
    #[error("the connection to the deployment broke")]
    Connection(#[source] hyper::Error),
    #[error("the deployment's answer could not be read: {0}")]
    Answer(String),
    #[error("`{}` cannot be read", .path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("`{}`: {message}", .path.display())]
    FileContent { path: PathBuf, message: String },
    #[error("{name}: {message}")]
    Argument { name: &'static str, message: String },
    #[error("the runtime could not start")]
    Runtime(#[source] std::io::Error),
    #[error("standard output is closed")]
    Output(#[source] std::io::Error),
}

impl CliError {
    /// Whether the deployment said no: what was asked for has not happened.
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { status: 400..=499, .. } | Self::NoAnswer { .. })
    }
}

impl From<Problems> for CliError {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

/// The deployment that does the work may have another working folder.
pub fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(|source| CliError::File { path: path.to_owned(), source })
}
