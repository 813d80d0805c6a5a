//! `tollgate route explain`: where a request would go now, and why.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::Context;
use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show which endpoints a request could go to, in which order, and what removed the others
    Explain {
        /// A model's id; more are fallbacks
        #[arg(required_unless_present = "request")]
        models: Vec<String>,
        /// The request's provider object, as JSON
        #[arg(long, value_name = "JSON")]
        provider: Option<String>,
        #[arg(long)]
        max_tokens: Option<u64>,
        /// The hash of the key whose preferences count
        #[arg(long, value_name = "HASH")]
        key: Option<String>,
        /// A whole chat request as JSON instead; - reads standard input
        #[arg(long, value_name = "FILE", conflicts_with_all = ["models", "provider", "max_tokens"])]
        request: Option<PathBuf>,
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<ExitCode, CliError> {
    let Command::Explain { models, provider, max_tokens, key, request, output } = command;
    let request = match request {
        Some(file) => read_json(&file)?,
        None => written_request(&models, provider.as_deref(), max_tokens)?,
    };
    let administration = Administration::open(context, Intent::Look).await?;
    let answer = administration.post("/api/v1/admin/route/explain", &json!({ "request": request, "key": key })).await?;
    output::object(&output::data(&answer)?, output)?;
    administration.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn written_request(models: &[String], provider: Option<&str>, max_tokens: Option<u64>) -> Result<Value, CliError> {
    let mut request = Map::new();
    if let Some((first, rest)) = models.split_first() {
        request.insert("model".to_owned(), json!(first));
        if !rest.is_empty() {
            request.insert("models".to_owned(), json!(rest));
        }
    }
    if let Some(text) = provider {
        request.insert(
            "provider".to_owned(),
            serde_json::from_str(text)
                .map_err(|error| CliError::Argument { name: "--provider", message: format!("not valid JSON: {error}") })?,
        );
    }
    if let Some(cap) = max_tokens {
        request.insert("max_tokens".to_owned(), json!(cap));
    }
    Ok(Value::Object(request))
}

fn read_json(file: &Path) -> Result<Value, CliError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|source| CliError::File { path: file.to_owned(), source })?;
    serde_json::from_str(&text)
        .map_err(|error| CliError::FileContent { path: file.to_owned(), message: format!("not valid JSON: {error}") })
}
