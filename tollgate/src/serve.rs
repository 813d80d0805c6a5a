//! `serve` and its parts: processes that answer requests, book them and keep what is known of them.
//!
//! All roles in one process, or one role a process against shared stores; the doors differ, the inside is the same
//! ([`Core`]).

mod running;

use std::sync::Arc;

use axum::Router;
use gateway::admission::FreeTier;
use gateway::app::{App, AppState, Places};
use gateway::control::ControlError;
use gateway::control::board::HealthBoard;
use gateway::control::credits::CreditError;
use gateway::dashboard::LiveFeed;
use gateway::http::lanes::{LaneWork, Lanes};
use gateway::providers::ChannelClients;
use gateway::providers::demo::Pace;
use gateway::routing::Routing;
use gateway::signin::SignInError;
use gateway::webhooks::WebhookError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Loaded};
use crate::data_dir::LockedDataDir;
use crate::deployment::{Core, OpenError, Roles, StartError, Stores, local_router};
use crate::local_api::socket;
use crate::measuring;
use crate::signals::Signals;

pub use running::Running;

/// What `/readyz` says while the process is ending.
const SHUTTING_DOWN: &str = "its own shutdown";

/// What the command line adds to the configuration.
#[derive(Debug, Clone, Copy, Default)]
pub struct ServeOptions {
    /// Print a new API key for the first account.
    pub new_key: bool,
    /// How fast the demo provider answers.
    pub demo_pace: Pace,
}

/// Why a deployment did not start, or did not stop in order.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("roles cannot be started")]
    Start(#[from] StartError),
    #[error("administration failed")]
    Control(#[from] ControlError),
    #[error("first account could not be credited")]
    Credit(#[from] CreditError),
    #[error("cannot listen on {address}; another program may use it (listen, TOLLGATE_LISTEN)")]
    Listen { address: std::net::SocketAddr, source: std::io::Error },
    #[error("client of an identity provider cannot be had")]
    Client(#[from] gateway::control::secrets::SecretError),
    #[error("signing in cannot be offered")]
    SignIn(#[from] SignInError),
    #[error("webhooks cannot be sent")]
    Webhooks(#[from] WebhookError),
    #[error("metrics cannot be recorded")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
    #[error("connections could not be served")]
    Serve(#[source] std::io::Error),
}

/// A deployment whose roles run for one command of the shell. Holds the data folder's lock.
pub struct StoppedDeployment {
    core: Arc<Core>,
    _data_dir: LockedDataDir,
}

impl std::fmt::Debug for StoppedDeployment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoppedDeployment").finish_non_exhaustive()
    }
}

impl StoppedDeployment {
    /// Opens the stores, migrated, without taking requests from outside.
    pub async fn open(loaded: &Loaded, data_dir: LockedDataDir) -> Result<Self, ServeError> {
        let roles = Roles::of_command(loaded.backends.is_distributed());
        let stores = Stores::open(loaded, data_dir.path(), roles).await?;
        let core = start(&loaded.config, stores, roles).await?;
        // Commands tell of channels what was last known of them.
        let board = HealthBoard::new(core.services.control.clone(), core.stores.spool.producer().node);
        board.restore().await.map_err(ControlError::from)?;
        Ok(Self { core: Arc::new(core), _data_dir: data_dir })
    }

    /// The local administration API, see [`crate::local_api`].
    pub fn router(&self) -> Router {
        local_router(&self.core)
    }

    /// Brings everything that was begun to its end and lets go of the folder.
    pub async fn close(self) -> Result<(), ServeError> {
        stop(self.core).await;
        Ok(())
    }
}

/// Runs a gateway, and the roles beside it that are asked for, until the process is told to stop.
pub async fn serve(loaded: Loaded, data_dir: LockedDataDir, roles: Roles, options: ServeOptions) -> Result<(), ServeError> {
    measuring::recorder()?;
    let listener = listen(&loaded.config).await?;
    let stores = Stores::open(&loaded, data_dir.path(), roles).await?;
    let running = Running::start(&loaded, stores, data_dir, roles, options, listener).await?;
    running.print_welcome();
    let mut signals = Signals::listen();
    signals.next().await;
    running.stop(async move { signals.next().await }).await;
    Ok(())
}

/// One lane for every core there is.
fn lanes_wanted() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Runs a role that answers nobody but operators, until the process is told to stop.
pub async fn work(loaded: Loaded, data_dir: LockedDataDir, roles: Roles) -> Result<(), ServeError> {
    let recorder = measuring::recorder()?;
    let config = &loaded.config;
    let listener = listen(config).await?;
    let stores = Stores::open(&loaded, data_dir.path(), roles).await?;
    let core = Arc::new(start(config, stores, roles).await?);
    let app = app(config, &core, Pace::default());
    let stop_serving = CancellationToken::new();
    let background = TaskTracker::new();
    serve_socket(&background, &core, &data_dir, &stop_serving);
    let router = gateway::http::operators_router(app.clone(), Arc::new(move || recorder.render()));
    let lanes = Lanes::start(vec![LaneWork { entrance: router.into(), requests: app.tasks.clone() }], stop_serving.clone())
        .map_err(ServeError::Serve)?;
    let abandon = lanes.abandoned();
    let serving = background.spawn(async move {
        lanes.accept_from(listener).await;
        tokio::task::spawn_blocking(move || lanes.join()).await
    });
    tracing::info!(roles.ledger = roles.ledger, roles.projector = roles.projector, "ready");
    Signals::listen().next().await;
    core.readiness.lost(SHUTTING_DOWN);
    stop_serving.cancel();
    abandon.cancel();
    let _ = serving.await;
    drop(app);
    background.close();
    background.wait().await;
    stop(core).await;
    drop(data_dir);
    Ok(())
}

/// Answers administration from this machine.
fn serve_socket(background: &TaskTracker, core: &Arc<Core>, data_dir: &LockedDataDir, stop: &CancellationToken) {
    let (local, socket, stop) = (local_router(core), data_dir.dir().socket(), stop.clone());
    background.spawn(async move {
        if let Err(error) = socket::serve(local, &socket, stop).await {
            tracing::error!(error = %error, "local administration is not available");
        }
    });
}

async fn listen(config: &Config) -> Result<TcpListener, ServeError> {
    let address = config.listen.0;
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

async fn stop(core: Arc<Core>) {
    match Arc::try_unwrap(core) {
        Ok(core) => core.stop().await,
        // A job on the socket still runs; what is in the spool is shipped at the next start.
        Err(_) => tracing::warn!("a job was still running at the end"),
    }
}

/// Starts the roles. Every process administers by the configured rules, also those that route nothing.
async fn start(config: &Config, stores: Stores, roles: Roles) -> Result<Core, ServeError> {
    let core = Core::start(stores, roles, config.into()).await?;
    let options = config.gateway_options();
    core.services.share_routing(Routing::new(options.routing, options.allow_private_upstreams));
    core.services.share_free_tier(FreeTier::new(options.free_tier));
    core.services.share_webhooks(config.webhook_options());
    Ok(core)
}

fn app(config: &Config, core: &Core, demo_pace: Pace) -> AppState {
    let options = config.gateway_options();
    AppState(Arc::new(App {
        clients: ChannelClients::new(options.connect_timeout, demo_pace).with_private(options.allow_private_upstreams),
        routing: Arc::clone(core.services.routing()),
        free_tier: Arc::clone(core.services.free_tier()),
        control: core.stores.control.clone(),
        ledger: core.stores.ledger.clone(),
        settlement: Arc::clone(&core.settlement),
        readiness: Arc::clone(&core.readiness),
        places: Places::new(options.requests_max),
        tasks: TaskTracker::new(),
        options,
    }))
}

/// Its clients are closed when the gateway stops serving, and awaited with its requests.
fn live_feed(config: &Config, core: &Core, app: &AppState, stop: &CancellationToken) -> LiveFeed {
    let (stores, tasks) = (&core.stores, app.tasks.clone());
    LiveFeed::new(config.live_options(), stores.control.clone(), stores.gate.clone(), stores.log.clone(), tasks, stop.clone())
}
