//! `tollgate keys`: who may call. A key's text is shown once, when it is made.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use schemas::{AccountId, NanoUsd};
use serde_json::json;

use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};
use super::{Context, lists};

const COLUMNS: &[(&str, &str)] = &[
    ("hash", "hash"),
    ("label", "label"),
    ("name", "name"),
    ("kind", "kind"),
    ("usage", "usage"),
    ("limit", "limit"),
    ("reset", "limit_reset"),
    ("disabled", "disabled"),
];

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a key; its text is printed once
    Create {
        #[arg(long)]
        name: String,
        /// Whose balance pays [default: the first account]
        #[arg(long)]
        account: Option<AccountId>,
        /// US dollars the key may spend in all, or in each window of --limit-reset
        #[arg(long, value_name = "USD", value_parser = NanoUsd::parse_usd)]
        limit: Option<NanoUsd>,
        #[arg(long, value_enum, requires = "limit")]
        limit_reset: Option<LimitReset>,
        /// When the key ends, such as 2030-01-31T00:00:00Z
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// A key that administers and cannot call models; with --account for that account only
        #[arg(long, conflicts_with_all = ["limit", "limit_reset"])]
        management: bool,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// List keys; their text is not kept anywhere
    List {
        #[arg(long)]
        account: Option<AccountId>,
        #[command(flatten)]
        page: lists::Arguments,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Show one key
    Show {
        /// The key's hash, from `keys list`
        hash: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Refuse a key's requests from now on
    Disable {
        hash: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Take a disabled key back into use
    Enable {
        hash: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Remove a key for good; what it spent stays in the books
    Delete { hash: String },
}

#[derive(Debug, Clone, Copy, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LimitReset {
    Daily,
    Weekly,
    Monthly,
}

pub async fn run(context: &Context, command: Command) -> Result<ExitCode, CliError> {
    let intent = if matches!(command, Command::List { .. } | Command::Show { .. }) { Intent::Look } else { Intent::Change };
    let administration = Administration::open(context, intent).await?;
    match command {
        Command::Create { name, account, limit, limit_reset, expires_at, management, output } => {
            let mut body = json!({ "name": name });
            let fields = [
                ("account_id", account.map(|account| json!(account.to_string()))),
                ("limit", limit.map(|limit| json!(limit.to_string()))),
                ("limit_reset", limit_reset.map(|reset| json!(reset))),
                ("expires_at", expires_at.map(|time| json!(time))),
                ("kind", management.then_some(json!("management"))),
                ("scope", (management && account.is_none()).then_some(json!("platform"))),
            ];
            for (field, value) in fields.into_iter().filter_map(|(field, value)| Some((field, value?))) {
                body[field] = value;
            }
            let answer = administration.post("/api/v1/keys", &body).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::List { account, page, output } => {
            let account = account.map_or_else(String::new, |account| format!("&account_id={account}"));
            let keys = lists::read(&administration, &format!("/api/v1/keys?include_disabled=true{account}"), page).await?;
            output::list(&keys, COLUMNS, output)?;
        }
        Command::Show { hash, output } => {
            let answer = administration.get(&path(&hash)).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::Disable { hash, output } => {
            let answer = administration.patch(&path(&hash), &json!({ "disabled": true })).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::Enable { hash, output } => {
            let answer = administration.patch(&path(&hash), &json!({ "disabled": false })).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::Delete { hash } => {
            administration.delete(&path(&hash)).await?;
            output::line("deleted")?;
        }
    }
    administration.close().await?;
    Ok(ExitCode::SUCCESS)
}

fn path(hash: &str) -> String {
    format!("/api/v1/keys/{}", lists::escape(hash))
}
