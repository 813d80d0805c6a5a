//! Tests of the executable and of the workspace as a whole: one binary, one module a subject.

#![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

mod archives;
mod command_line;
mod configuration_page;
mod dependencies;
mod deployment;
mod documents;
mod routing;
mod running_deployment;
mod served;
mod shell;
