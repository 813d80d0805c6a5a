//! `tollgate channels`: upstream accounts at providers. Those from the configuration file are changed there.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};
use super::{Context, lists};

const COLUMNS: &[(&str, &str)] = &[
    ("id", "id"),
    ("name", "name"),
    ("provider", "provider"),
    ("priority", "priority"),
    ("weight", "weight"),
    ("managed by", "managed_by"),
    ("status", "status"),
];

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a channel
    Create {
        /// The fields of one [[channels]] as TOML or JSON; - reads standard input
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// List channels
    List {
        #[command(flatten)]
        page: lists::Arguments,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Show one channel with its models and prices; never its key
    Show {
        /// Its name, or its id
        id: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Show how a channel has been doing
    Health {
        /// Its name, or its id
        id: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Send one tiny real request through a channel; exit 1 when it fails
    Test {
        /// Its name, or its id
        name: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Send no more requests to a channel
    Disable {
        /// Its name, or its id
        id: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Take a disabled channel back into use
    Enable {
        /// Its name, or its id
        id: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Remove a channel
    Delete {
        /// Its name, or its id
        id: String,
    },
}

pub async fn run(context: &Context, command: Command) -> Result<ExitCode, CliError> {
    let looks = matches!(command, Command::List { .. } | Command::Show { .. } | Command::Health { .. });
    let mut code = ExitCode::SUCCESS;
    // Read before a deployment is opened: a mistake in the file should cost nothing.
    let channel = match &command {
        Command::Create { file, .. } => Some(read_channel(file)?),
        _ => None,
    };
    let administration = Administration::open(context, if looks { Intent::Look } else { Intent::Change }).await?;
    match command {
        Command::Create { output, .. } => {
            let answer = administration.post("/api/v1/admin/channels", &channel).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::List { page, output } => {
            let channels = lists::read(&administration, "/api/v1/admin/channels", page).await?;
            output::list(&channels, COLUMNS, output)?;
        }
        Command::Show { id, output } => {
            let answer = administration.get(&path(&id_of(&administration, &id).await?)).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::Health { id, output } => {
            let answer = administration.get(&format!("{}/health", path(&id_of(&administration, &id).await?))).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::Test { name, output } => {
            if !test(&administration, &name, output).await? {
                code = ExitCode::FAILURE;
            }
        }
        Command::Disable { id, output } => set_status(&administration, &id, "disabled", output).await?,
        Command::Enable { id, output } => set_status(&administration, &id, "enabled", output).await?,
        Command::Delete { id } => {
            administration.delete(&path(&id_of(&administration, &id).await?)).await?;
            output::line("deleted")?;
        }
    }
    administration.close().await?;
    Ok(code)
}

/// The id of a channel that is called so; what looks like an id, or what no channel is called, is taken for one.
async fn id_of(administration: &Administration, name: &str) -> Result<String, CliError> {
    if name.starts_with("chan_") {
        return Ok(name.to_owned());
    }
    for channel in lists::read(administration, "/api/v1/admin/channels", lists::Arguments::all()).await? {
        let channel: output::Record = output::parse(&channel)?;
        if output::cell(&channel, "name") == name {
            return Ok(output::cell(&channel, "id"));
        }
    }
    Ok(name.to_owned())
}

/// Prints what came back; false when the channel failed.
async fn test(administration: &Administration, name: &str, output: OutputArguments) -> Result<bool, CliError> {
    let id = id_of(administration, name).await?;
    let answer = administration.post(&format!("{}/test", path(&id)), &json!({})).await?;
    let probe = output::data(&answer)?;
    output::object(&probe, output)?;
    Ok(output::cell(&output::parse(&probe)?, "ok") == "true")
}

async fn set_status(administration: &Administration, id: &str, status: &str, output: OutputArguments) -> Result<(), CliError> {
    let answer = administration.patch(&path(&id_of(administration, id).await?), &json!({ "status": status })).await?;
    output::object(&output::data(&answer)?, output)
}

fn path(id: &str) -> String {
    format!("/api/v1/admin/channels/{}", lists::escape(id))
}

/// The fields of one channel. What they mean is the deployment's to check.
fn read_channel(file: &Path) -> Result<serde_json::Value, CliError> {
    let mut text = String::new();
    let read = if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(file).map(|read| text = read)
    };
    read.map_err(|source| CliError::File { path: file.to_owned(), source })?;
    let wrong = |message: String| CliError::FileContent { path: file.to_owned(), message };
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(&text).map_err(|error| wrong(format!("not valid JSON: {error}")));
    }
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(format!("not valid TOML: {}", error.message())))?;
    let value = match table.remove("channels") {
        Some(toml::Value::Array(mut channels)) if channels.len() == 1 && table.is_empty() => channels.remove(0),
        Some(_) => return Err(wrong("write the fields of one channel".to_owned())),
        None => toml::Value::Table(table),
    };
    serde_json::to_value(value).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    fn read(text: &str) -> Result<serde_json::Value, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("channel");
        std::fs::write(&file, text).unwrap();
        read_channel(&file)
    }

    #[test]
    fn a_channel_is_read_from_toml_with_or_without_its_heading_and_from_json() {
        let expected = json!({ "name": "main", "models": [{ "id": "a/b", "price": "free" }] });
        assert_eq!(read("name = \"main\"\nmodels = [{ id = \"a/b\", price = \"free\" }]").unwrap(), expected);
        assert_eq!(read("[[channels]]\nname = \"main\"\n[[channels.models]]\nid = \"a/b\"\nprice = \"free\"").unwrap(), expected);
        assert_eq!(read(&expected.to_string()).unwrap(), expected);
    }

    #[test]
    fn two_channels_in_one_file_are_refused() {
        assert!(
            read("[[channels]]\nname = \"a\"\n[[channels]]\nname = \"b\"")
                .unwrap_err()
                .to_string()
                .ends_with("write the fields of one channel")
        );
    }
}
