//! `tollgate provider-costs`: what providers should have invoiced.

use std::process::ExitCode;

use clap::ValueEnum;
use schemas::{Day, NanoUsd};

use super::administration::{Administration, Intent};
use super::error::CliError;
use super::output::{self, OutputArguments};
use super::{Context, lists};

const COLUMNS: &[(&str, &str)] = &[
    ("period", "period"),
    ("channel", "channel"),
    ("provider", "provider"),
    ("model", "model"),
    ("requests", "requests"),
    ("cost", "cost"),
    ("estimated", "estimated_cost"),
    ("unknown requests", "unknown_requests"),
];

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// First UTC day, such as 2026-11-01 [default: the first of the month]
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
    /// Last UTC day, included [default: today]
    #[arg(long, value_name = "DAY")]
    to: Option<Day>,
    /// What a row is of
    #[arg(long, value_enum, default_value_t = Period::Month)]
    by: Period,
    /// Only this channel
    #[arg(long)]
    channel: Option<String>,
    /// Only this provider, by its name
    #[arg(long)]
    provider: Option<String>,
    /// What was invoiced for it, in US dollars: told beside what was booked
    #[arg(long, value_name = "USD", value_parser = NanoUsd::parse_usd)]
    invoiced: Option<NanoUsd>,
    /// Print the rows as CSV, with tokens by kind
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Period {
    Day,
    Month,
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<ExitCode, CliError> {
    let administration = Administration::open(context, Intent::Look).await?;
    let answer = administration.get(&path(&arguments)).await?;
    administration.close().await?;
    if arguments.csv {
        return output::text(&answer).map(|()| ExitCode::SUCCESS);
    }
    let data = output::data(&answer)?;
    if arguments.output.json {
        output::object(&data, arguments.output)?;
        return Ok(ExitCode::SUCCESS);
    }
    let report: output::Record = output::parse(&data)?;
    let rows: Vec<_> = report.get("rows").map(|rows| output::parse(rows)).transpose()?.unwrap_or_default();
    output::list(&rows, COLUMNS, arguments.output)?;
    let told = |path: &str| output::cell(&report, path);
    output::line(&format!(
        "\ntotal {}, of it estimated {}; requests of unknown cost: {}",
        told("total.cost"),
        told("total.estimated_cost"),
        told("total.unknown_requests")
    ))?;
    output::line(&format!("ledger, all channels {}, difference {}", told("books.provider_cost"), told("books.difference")))?;
    if arguments.invoiced.is_some() {
        output::line(&format!("invoiced {}, difference {}", told("invoice.invoiced"), told("invoice.difference")))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn path(arguments: &Arguments) -> String {
    let by = match arguments.by {
        Period::Day => "day",
        Period::Month => "month",
    };
    let asked = [
        ("from", arguments.from.map(|day| day.to_string())),
        ("to", arguments.to.map(|day| day.to_string())),
        ("channel", arguments.channel.clone()),
        ("provider", arguments.provider.clone()),
        ("invoiced", arguments.invoiced.map(|amount| amount.to_string())),
        ("format", arguments.csv.then(|| "csv".to_owned())),
    ];
    let asked = asked.into_iter().filter_map(|(name, value)| Some(format!("&{name}={}", lists::escape(&value?))));
    format!("/api/v1/admin/provider-costs?by={by}{}", asked.collect::<String>())
}
