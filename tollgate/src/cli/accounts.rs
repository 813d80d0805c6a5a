//! `tollgate accounts`: wallets and what is paid into them.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use schemas::{AccountId, NanoUsd};
use serde_json::json;

use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};
use super::{Context, lists};

const COLUMNS: &[(&str, &str)] = &[
    ("id", "id"),
    ("name", "name"),
    ("balance", "balance"),
    ("pending", "pending"),
    ("held", "held"),
    ("available", "available"),
    ("status", "status"),
];
const TRANSACTION_COLUMNS: &[(&str, &str)] = &[
    ("created", "created_at"),
    ("kind", "kind"),
    ("amount", "amount"),
    ("balance after", "balance_after"),
    ("generation", "generation_id"),
    ("reason", "reason"),
];

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open an account
    Create {
        #[arg(long)]
        name: String,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// List accounts with their balances in US dollars
    List {
        #[command(flatten)]
        page: lists::Arguments,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Show one account
    Show {
        account: AccountId,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Change an account's balance
    Credit {
        account: AccountId,
        /// US dollars, such as 10.00; negative amounts only for an adjustment
        #[arg(allow_negative_numbers = true, value_parser = amount)]
        amount: NanoUsd,
        /// Why; kept in the books for ever
        #[arg(long)]
        reason: String,
        #[arg(long, value_enum, default_value_t = CreditKind::Topup)]
        kind: CreditKind,
        /// Repeating a credit under the same key changes nothing more [default: a new key]
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Refuse an account's requests for now; its balance stays
    Suspend {
        account: AccountId,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Serve a suspended or closed account again
    Activate {
        account: AccountId,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Refuse an account's requests for good; its balance and its records stay
    Close {
        account: AccountId,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// Limit what all keys of an account together may ask; what is not named stays as it is
    #[command(group = clap::ArgGroup::new("limits").required(true).multiple(true))]
    Limit {
        account: AccountId,
        /// At most so many requests a minute, or `none`
        #[arg(long, value_name = "COUNT", value_parser = limit, group = "limits")]
        requests_per_minute: Option<Limit>,
        /// At most so many tokens a minute, or `none`
        #[arg(long, value_name = "COUNT", value_parser = limit, group = "limits")]
        tokens_per_minute: Option<Limit>,
        /// At most so many requests in flight, or `none`
        #[arg(long, value_name = "COUNT", value_parser = limit, group = "limits")]
        concurrency: Option<Limit>,
        #[command(flatten)]
        output: OutputArguments,
    },
    /// List an account's transactions, newest first
    Transactions {
        account: AccountId,
        #[command(flatten)]
        page: lists::Arguments,
        #[command(flatten)]
        output: OutputArguments,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CreditKind {
    Topup,
    Grant,
    Refund,
    Adjustment,
}

/// A limit or none.
#[derive(Debug, Clone, Copy)]
pub struct Limit(Option<u64>);

fn limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    text.parse().map(|limit| Limit(Some(limit))).map_err(|_| "a whole number or `none` is needed".to_owned())
}

fn amount(text: &str) -> Result<NanoUsd, schemas::MoneyError> {
    NanoUsd::parse_usd(text)
}

pub async fn run(context: &Context, command: Command) -> Result<ExitCode, CliError> {
    let intent = match command {
        Command::List { .. } | Command::Show { .. } | Command::Transactions { .. } => Intent::Look,
        _ => Intent::Change,
    };
    let administration = Administration::open(context, intent).await?;
    match command {
        Command::Create { name, output } => {
            let answer = administration.post("/api/v1/admin/accounts", &json!({ "name": name })).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::List { page, output } => {
            let accounts = lists::read(&administration, "/api/v1/admin/accounts", page).await?;
            output::list(&accounts, COLUMNS, output)?;
        }
        Command::Show { account, output } => {
            let answer = administration.get(&format!("/api/v1/admin/accounts/{account}")).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::Credit { account, amount, reason, kind, idempotency_key, output } => {
            let key = idempotency_key.unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
            let body = json!({ "amount": amount.to_string(), "reason": reason, "kind": kind, "idempotency_key": key });
            let answer = administration.post(&format!("/api/v1/admin/accounts/{account}/credits"), &body).await;
            let answer = answer
                .map_err(|error| if error.is_refusal() { error } else { CliError::CreditUnknown { key, source: Box::new(error) } })?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::Suspend { account, output } => set_status(&administration, account, "suspended", output).await?,
        Command::Activate { account, output } => set_status(&administration, account, "active", output).await?,
        Command::Close { account, output } => set_status(&administration, account, "closed", output).await?,
        Command::Limit { account, requests_per_minute, tokens_per_minute, concurrency, output } => {
            let limits =
                [("requests_per_minute", requests_per_minute), ("tokens_per_minute", tokens_per_minute), ("concurrency", concurrency)];
            let named = limits.into_iter().filter_map(|(field, limit)| Some((field.to_owned(), json!(limit?.0))));
            let body = serde_json::Value::Object(named.collect());
            let answer = administration.patch(&format!("/api/v1/admin/accounts/{account}"), &body).await?;
            output::object(&output::data(&answer)?, output)?;
        }
        Command::Transactions { account, page, output } => {
            let transactions = lists::read(&administration, &format!("/api/v1/admin/accounts/{account}/transactions"), page).await?;
            output::list(&transactions, TRANSACTION_COLUMNS, output)?;
        }
    }
    administration.close().await?;
    Ok(ExitCode::SUCCESS)
}

async fn set_status(
    administration: &Administration,
    account: AccountId,
    status: &'static str,
    output: OutputArguments,
) -> Result<(), CliError> {
    let answer = administration.patch(&format!("/api/v1/admin/accounts/{account}"), &json!({ "status": status })).await?;
    output::object(&output::data(&answer)?, output)
}
