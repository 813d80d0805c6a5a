//! A bounded load generator for chat completions on this machine: what a benchmark needs to know and nothing else.
//!
//! Owns how requests are sent and timed. It refuses any address that is not loopback, and every run is bounded in
//! connections, requests and seconds. Its own cost is kept low (one thread, kept connections, prepared requests),
//! because on a small machine it runs beside what it measures. Start at [`Arguments`], then `run` or `hold`.

mod connection;
mod histogram;
mod hold;
mod process;
mod report;
mod run;
mod target;

use std::io::Write;
use std::sync::Arc;

use clap::Parser;

use crate::process::Watched;
use crate::target::Target;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Sends chat completions to a server on this machine and reports latency, throughput and the server's own cost as JSON.
#[derive(Parser)]
pub struct Arguments {
    /// Where to send requests, e.g. http://127.0.0.1:8080/v1/chat/completions; loopback only.
    #[arg(long)]
    url: String,
    /// Bearer token.
    #[arg(long, default_value = "")]
    key: String,
    /// Model name as sent.
    #[arg(long, default_value = "mock")]
    model: String,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// Requests a second over all connections, evenly spaced, whatever the answers take; by default as fast as they come.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Ends after so many measured requests.
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    requests: u64,
    /// Ends after so many seconds, whatever comes first.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Requests sent before anything is measured, over all connections.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    warmup: u64,
    /// Asks for streams.
    #[arg(long)]
    stream: bool,
    /// `max_tokens` as sent.
    #[arg(long)]
    max_tokens: Option<u32>,
    /// Least size of the request's body.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=67_108_864))]
    body_bytes: u32,
    /// A process whose CPU and memory are measured: `name=pid` or `name=pid,pid`.
    #[arg(long = "process", value_name = "NAME=PID")]
    processes: Vec<Watched>,
    /// Instead of a run: opens so many streams, holds them until memory is steady, and reports the memory a stream takes.
    #[arg(long, value_name = "STREAMS", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    hold_open: Option<u32>,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("cannot use --url")]
    Target(#[from] target::TargetError),
    #[error("cannot read what a process uses")]
    Process(#[from] process::ProcessError),
    #[error("cannot start")]
    Start(#[from] std::io::Error),
    #[error("cannot write the report")]
    Report(#[from] serde_json::Error),
}

fn main() -> std::process::ExitCode {
    let arguments = Arguments::parse();
    match measure(&arguments) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(failure) => {
            let mut line = format!("tollgate-load: {failure}");
            let mut source = std::error::Error::source(&failure);
            while let Some(cause) = source {
                line.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            drop(writeln!(std::io::stderr(), "{line}"));
            std::process::ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let target = Arc::new(Target::new(arguments)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = match arguments.hold_open {
        Some(streams) => serde_json::to_value(runtime.block_on(hold::hold(arguments, target, streams))?)?,
        None => serde_json::to_value(runtime.block_on(run::run(arguments, target))?)?,
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&report)?)?;
    Ok(())
}
