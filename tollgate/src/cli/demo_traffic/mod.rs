//! `tollgate demo-traffic`: plays believable traffic through the real request path, so that pages and benchmarks have
//! something to show.
//!
//! Owns the script, its cast and the clock while it plays. Requests go over HTTP to a running deployment, or to one this
//! command runs for itself; only models that nobody is paid for are asked. Start at [`run`]; [`script`] says what is played.

mod bodies;
mod cast;
mod script;
mod send;
mod stage;
mod tally;
mod troupe;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use gateway::control::channel::{ChannelSpec, ProviderKind};
use gateway::providers::demo::Pace;
use hyper::Uri;
use schemas::{Timestamp, clock};
use tokio::net::TcpListener;
use tokio::time::Instant;

use self::script::Ask;
use self::send::Ending;
use self::stage::Stage;
use self::tally::Summary;
use self::troupe::Troupe;
use super::Context;
use super::client::Client;
use super::error::CliError;
use super::output::{self, OutputArguments};
use crate::config::{Loaded, References};
use crate::data_dir::{DataDir, DataDirError, LockedDataDir};
use crate::deployment::{Roles, Stores, offered_channels};
use crate::serve::{Running, ServeOptions};

const DAY_MICROS: i64 = 24 * 3_600_000_000;
const DAYS_MAX: i64 = 31;
const REQUESTS_MAX: i64 = 200_000;
const REQUESTS_DEFAULT: u32 = 300;
const REQUESTS_DEFAULT_A_DAY: u32 = 400;
const OVER_DEFAULT: Duration = Duration::from_secs(60);
const OVER_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);
/// Past days are played with streams twice as fast as the demo's, or a week would take minutes.
const PAST_PACE: Pace = Pace { first_token: Duration::from_millis(120), between_tokens: Duration::from_millis(3) };

#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Play so many days that end now, on a data folder in which nothing has happened yet: requests carry the times of
    /// those days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=DAYS_MAX), conflicts_with_all = ["over", "url"])]
    days: Option<u32>,
    /// Spread the traffic over so long, from now on [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    over: Option<Duration>,
    /// Requests in all [default: 300, or 400 for each of --days]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=REQUESTS_MAX))]
    requests: Option<u32>,
    /// The same seed plays the same script
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the running deployment answers [default: its `listen` on this machine]
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    output: OutputArguments,
}

/// Why nothing was played.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(
        "past days are played on a data folder in which nothing has happened yet, and {} has been used; \
         choose another with TOLLGATE_DATA_DIR, or leave --days out to play now", .path.display()
    )]
    Used { path: std::path::PathBuf },
    #[error("past days are played in one process on files; these stores are shared with others. Leave --days out to play now")]
    Shared,
    #[error(
        "demo traffic is sent only to models that nobody is paid for, of the demo provider or one on this machine, \
         and there is none beside the channels {channels}"
    )]
    NothingToPlayWith { channels: String },
    #[error("past days are played with demo channels only; leave the channel `{channel}` out, or --days")]
    Earnest { channel: String },
    #[error("`--url` must be an http address of this machine")]
    Url,
    #[error("`--over` is longer than seven days")]
    Over,
    #[error("requests could not be sent")]
    Send(#[from] reqwest::Error),
    #[error("the gateway does not take the keys that were just made ({status})")]
    Keys { status: u16 },
    #[error("a request's task failed")]
    Task(#[from] tokio::task::JoinError),
    #[error("no address to listen on")]
    Listen(#[source] std::io::Error),
    #[error("the event log cannot be read")]
    Log(#[from] eventlog::LogError),
}

pub async fn run(context: &Context, arguments: Arguments) -> Result<ExitCode, CliError> {
    let loaded = context.load(References::Follow)?;
    if arguments.over.is_some_and(|over| over > OVER_MAX) {
        return Err(DemoError::Over.into());
    }
    let data_dir = DataDir::new(&loaded.config.data_dir);
    let summary = match data_dir.create_and_lock() {
        Ok(locked) => play_own(&loaded, locked, &arguments).await?,
        Err(DataDirError::InUse { path, .. }) if arguments.days.is_some() => return Err(DemoError::Used { path }.into()),
        Err(DataDirError::InUse { path, .. }) => {
            let base = match &arguments.url {
                Some(url) if is_loopback_url(url) => url.trim_end_matches('/').to_owned(),
                Some(_) => return Err(DemoError::Url.into()),
                None => format!("http://{}", reachable(loaded.config.listen.0)),
            };
            let client = Client::Socket { data_dir: path, socket: data_dir.socket() };
            let from = Timestamp::now();
            let stage = Stage::set(&client, false, &from.micros().to_string()).await?;
            let played = play_now(&arguments, &base, &stage).await;
            stage.strike(&client).await?;
            Summary::of(arguments.seed, (from, Timestamp::now()), &stage, &played?)
        }
        Err(error) => return Err(error.into()),
    };
    let text = if arguments.output.json {
        serde_json::to_string(&summary).map_err(|error| CliError::Answer(error.to_string()))?
    } else {
        summary.describe()
    };
    output::line(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs the deployment of a folder that nobody has, and ends it.
async fn play_own(loaded: &Loaded, locked: LockedDataDir, arguments: &Arguments) -> Result<Summary, CliError> {
    crate::measuring::recorder().map_err(crate::serve::ServeError::from)?;
    locked.remove_stale_socket()?;
    let path = locked.path().to_owned();
    if arguments.days.is_some() && loaded.backends.is_distributed() {
        return Err(DemoError::Shared.into());
    }
    let stores = Stores::open(loaded, locked.path(), Roles::ALL).await.map_err(crate::serve::ServeError::from)?;
    if let Some(days) = arguments.days {
        let is_log_empty = stores.log.bounds().await.map_err(DemoError::from)?.last == 0;
        if !is_log_empty || stores.control.catalog_full().accounts().next().is_some() {
            return Err(DemoError::Used { path }.into());
        }
        check_channels(&offered_channels(&loaded.config, &stores.control))?;
        set_clock_back(days);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(DemoError::Listen)?;
    let options = ServeOptions { demo_pace: if arguments.days.is_some() { PAST_PACE } else { Pace::default() }, ..ServeOptions::default() };
    let running = Running::start(loaded, stores, locked, Roles::ALL, options, listener).await?;
    let client = Client::Router(running.router());
    let played = play_running(&running, &client, arguments).await;
    drop(client);
    // What was played is kept, whether all of it was or not.
    let credentials = running.welcome.credentials();
    running.stop(std::future::pending()).await;
    let mut summary = played?;
    summary.credentials = credentials;
    Ok(summary)
}

async fn play_running(running: &Running, client: &Client, arguments: &Arguments) -> Result<Summary, CliError> {
    let (from, base) = (Timestamp::now(), format!("http://{}", running.address()));
    if arguments.days.is_some() {
        stage::add_channels(client).await?;
    }
    let stage = Stage::set(client, arguments.days.is_some(), &from.micros().to_string()).await?;
    let played = match arguments.days {
        Some(days) => play_past(arguments, days, from, running, &base, &stage).await?,
        None => play_now(arguments, &base, &stage).await?,
    };
    stage.strike(client).await?;
    running.quiet().await;
    running.projected().await.map_err(DemoError::from)?;
    Ok(Summary::of(arguments.seed, (from, Timestamp::now()), &stage, &played))
}

/// Hour by hour: the clock is moved on while nothing runs, and by seconds between the requests of an hour.
async fn play_past(
    arguments: &Arguments,
    days: u32,
    from: Timestamp,
    running: &Running,
    base: &str,
    stage: &Stage,
) -> Result<Vec<(Ask, Ending)>, CliError> {
    let requests = arguments.requests.unwrap_or(days * REQUESTS_DEFAULT_A_DAY);
    let script = script::over_days(days, requests, stage.models.len(), arguments.seed);
    let mut troupe = Troupe::new(base, stage, script.len())?;
    troupe.wait_for_keys().await?;
    let mut hour = None;
    for ask in script {
        if hour != Some(script::slot(&ask)) {
            troupe.join_all().await?;
            running.quiet().await;
            hour = Some(script::slot(&ask));
        }
        move_clock_to(from.plus_micros(ask.at));
        troupe.send(ask).await?;
    }
    troupe.join_all().await?;
    running.quiet().await;
    // To the present, whatever the real time was when this began.
    move_clock_to(Timestamp::from_micros(i64::MAX));
    Ok(troupe.played)
}

async fn play_now(arguments: &Arguments, base: &str, stage: &Stage) -> Result<Vec<(Ask, Ending)>, CliError> {
    let length = i64::try_from(arguments.over.unwrap_or(OVER_DEFAULT).as_micros()).unwrap_or(i64::MAX);
    let script = script::over_micros(length, arguments.requests.unwrap_or(REQUESTS_DEFAULT), stage.models.len(), arguments.seed);
    let mut troupe = Troupe::new(base, stage, script.len())?;
    troupe.wait_for_keys().await?;
    let begin = Instant::now();
    for ask in script {
        tokio::time::sleep_until(begin + Duration::from_micros(ask.at.unsigned_abs())).await;
        troupe.send(ask).await?;
    }
    troupe.join_all().await?;
    Ok(troupe.played)
}

/// A played past is for demo channels alone: nobody is to be paid for it, and nothing real stands beside it.
fn check_channels(channels: &[ChannelSpec]) -> Result<(), DemoError> {
    let is_play = |spec: &ChannelSpec| spec.provider == ProviderKind::Demo || spec.base_url.as_deref().is_some_and(is_loopback_url);
    match channels.iter().find(|spec| !is_play(spec)) {
        Some(spec) => Err(DemoError::Earnest { channel: spec.name.clone() }),
        None => Ok(()),
    }
}

/// Whether an address is one of this machine's, where nobody bills.
fn is_loopback_url(url: &str) -> bool {
    let uri = url.parse::<Uri>().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[expect(clippy::disallowed_methods, reason = "this is the command that plays the past")]
fn set_clock_back(days: u32) {
    clock::set_back(i64::from(days) * DAY_MICROS);
}

#[expect(clippy::disallowed_methods, reason = "this is the command that plays the past")]
fn move_clock_to(at: Timestamp) {
    clock::advance_to(at);
}

/// From this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    if !listen.ip().is_unspecified() {
        return listen;
    }
    let host = if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(host, listen.port())
}
