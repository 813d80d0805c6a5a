//! The log: text for a person at a terminal, JSON lines otherwise, always on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::Environment;

const FILTER_VARIABLE: &str = "TOLLGATE_LOG";

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("TOLLGATE_LOG is not a filter such as `info` or `tollgate=debug,warn`: {0}")]
pub struct FilterError(String);

/// Starts logging for the rest of the process. `default_filter` holds when `TOLLGATE_LOG` is not set.
pub fn start(environment: &Environment, default_filter: &str) -> Result<(), FilterError> {
    let filter = environment.get(FILTER_VARIABLE).filter(|filter| !filter.is_empty()).unwrap_or(default_filter);
    let filter = EnvFilter::try_new(filter).map_err(|error| FilterError(error.to_string()))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start, as tests do, keeps the first.
    let _ = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    };
    Ok(())
}
