//! `tollgate models`: what is on offer, and for how much.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use gateway::control::channel::ModelSpec;
use serde::Deserialize;
use serde_json::json;

use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};
use super::{Context, lists};

const COLUMNS: &[(&str, &str)] = &[
    ("id", "id"),
    ("context", "context_length"),
    ("prompt USD/token", "pricing.prompt"),
    ("completion USD/token", "pricing.completion"),
    ("name", "name"),
];

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List models with their prices
    List {
        #[command(flatten)]
        page: lists::Arguments,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Update models and prices of channels from a file in the form of the shipped one
    ///
    /// Channels from the configuration file are changed there, and left alone here.
    Import {
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArguments,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<ExitCode, CliError> {
    let (page, output) = match command {
        Command::List { page, output } => (page, output),
        Command::Import { file, output } => return import(context, &file, output).await,
    };
    let administration = Administration::open(context, Intent::Look).await?;
    let models = lists::read(&administration, "/api/v1/models?output_modalities=all", page).await?;
    output::list(&models, COLUMNS, output)?;
    administration.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// `providers` of the file: models by provider, as `[[channels.models]]` has them.
#[derive(Debug, Deserialize)]
struct ModelFile {
    providers: BTreeMap<String, Vec<ModelSpec>>,
}

/// Every model that a channel offers and the file knows becomes what the file says; the name sent upstream stays.
async fn import(context: &Context, file: &Path, output: OutputArguments) -> Result<ExitCode, CliError> {
    let text = std::fs::read_to_string(file).map_err(|source| CliError::File { path: file.to_owned(), source })?;
    let wrong = |error: serde_json::Error| CliError::FileContent { path: file.to_owned(), message: error.to_string() };
    let known: ModelFile = serde_json::from_str(&text).map_err(wrong)?;
    let administration = Administration::open(context, Intent::Change).await?;
    let mut updated = Vec::new();
    for channel in lists::read(&administration, "/api/v1/admin/channels", lists::Arguments::all()).await? {
        let channel: Channel = output::parse(&channel)?;
        let Some(models) = known.providers.get(&channel.provider).filter(|_| channel.managed_by == "api") else { continue };
        let after: Vec<ModelSpec> = channel.models.iter().map(|before| updated_model(before, models)).collect();
        if after == channel.models {
            continue;
        }
        let path = format!("/api/v1/admin/channels/{}", lists::escape(&channel.id));
        let answer = administration.patch(&path, &json!({ "models": after })).await?;
        updated.push(output::data(&answer)?);
    }
    output::list(&updated, &[("id", "id"), ("updated channel", "name"), ("provider", "provider")], output)?;
    administration.close().await?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Deserialize)]
struct Channel {
    id: String,
    provider: String,
    managed_by: String,
    models: Vec<ModelSpec>,
}

fn updated_model(before: &ModelSpec, known: &[ModelSpec]) -> ModelSpec {
    let found = known.iter().find(|model| model.id == before.id);
    found.map_or_else(
        || before.clone(),
        |model| ModelSpec { upstream: before.upstream.clone(), status: before.status, cost: before.cost.clone(), ..model.clone() },
    )
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    fn model(json: serde_json::Value) -> ModelSpec {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_known_model_gets_its_new_price_and_keeps_what_is_the_channels() {
        let price = |prompt: &str| json!({ "prompt": prompt, "completion": "1" });
        let before = model(json!({ "id": "a/b", "upstream": "b-2025", "price": price("3"), "cost": price("2"), "status": "disabled" }));
        let known = [model(json!({ "id": "a/b", "price": price("4"), "context_length": 9 }))];
        let after = updated_model(&before, &known);
        assert_eq!((&after.upstream, after.status, &after.cost), (&before.upstream, before.status, &before.cost));
        assert_eq!((&after.price, after.context_length), (&known[0].price, Some(9)));
        let unknown = model(json!({ "id": "c/d", "price": price("3") }));
        assert_eq!(updated_model(&unknown, &known), unknown);
    }
}
