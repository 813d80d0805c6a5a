//! A gateway with its doors open, and the roles beside it: from open stores to the last request's end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use gateway::app::AppState;
use gateway::checks::Checks;
use gateway::control::ControlError;
use gateway::control::board::HealthBoard;
use gateway::control::store::Act;
use gateway::dashboard::Dashboard;
use gateway::http::entrance::Entrance;
use gateway::http::lanes::{LaneWork, Lanes};
use gateway::http::operators::MetricsText;
use gateway::signin::SignIn;
use gateway::webhooks::Webhooks;
use schemas::Timestamp;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{SHUTTING_DOWN, ServeError, ServeOptions, app, lanes_wanted, live_feed, serve_socket, start, stop};
use crate::config::Loaded;
use crate::data_dir::LockedDataDir;
use crate::deployment::{Core, Roles, Stores, local_router, offered_channels, operations};
use crate::measuring;
use crate::welcome::Welcome;

/// How long analytics are waited for.
const PROJECTED_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether the last request has ended.
const QUIET_POLL: Duration = Duration::from_millis(2);

/// What runs. It ends in order by [`Running::stop`] only.
pub struct Running {
    pub welcome: Welcome,
    core: Arc<Core>,
    app: AppState,
    address: SocketAddr,
    stop_serving: CancellationToken,
    background: TaskTracker,
    abandon: CancellationToken,
    serving: JoinHandle<()>,
    _data_dir: LockedDataDir,
}

impl Running {
    /// Makes what a first start needs and opens the doors on a listener.
    pub async fn start(
        loaded: &Loaded,
        stores: Stores,
        data_dir: LockedDataDir,
        roles: Roles,
        options: ServeOptions,
        listener: TcpListener,
    ) -> Result<Self, ServeError> {
        let recorder = measuring::recorder()?;
        let (config, address) = (&loaded.config, listener.local_addr().map_err(ServeError::Serve)?);
        // One gateway at a time: of several that start together, one makes what a first start needs.
        let alone = stores.control.alone().await?;
        stores.control.apply_file_channels(&Act::new("file", Timestamp::now()), &offered_channels(config, &stores.control)).await?;
        let core = Arc::new(start(config, stores, roles).await?);
        let board = HealthBoard::new(core.services.control.clone(), core.stores.spool.producer().node);
        board.restore().await.map_err(ControlError::from)?;
        let (app, stop_serving) = (app(config, &core, options.demo_pace), CancellationToken::new());
        let live = live_feed(config, &core, &app, &stop_serving);
        let dashboard = Arc::new(Dashboard {
            services: Arc::clone(&core.services),
            sign_in: SignIn::new(&core.services.control, config.sign_in_options()?)?,
            trusted_proxies: config.trusted_proxies(),
            operations: operations(&core, &loaded.backends),
            live: live.clone(),
            public_statistics: config.stats.public,
        });
        let welcome = Welcome::prepare(config, &dashboard, options.new_key).await?;
        drop(alone);
        let background = TaskTracker::new();
        let metrics_text: MetricsText = Arc::new(move || recorder.render());
        let works = (0..lanes_wanted()).map(|_| {
            let app = app.with_own_connections();
            let router = gateway::http::router(app.clone(), Arc::clone(&dashboard), Arc::clone(&metrics_text));
            LaneWork { requests: app.tasks.clone(), entrance: Entrance::new(app, router) }
        });
        let lanes = Lanes::start(works.collect(), stop_serving.clone()).map_err(ServeError::Serve)?;
        serve_socket(&background, &core, &data_dir, &stop_serving);
        let (checks, watching) = (Checks::new(app.clone()), stop_serving.clone());
        let webhooks = Webhooks::new(Arc::clone(&core.services), app.node(), config.webhook_options())?;
        background.spawn(checks.run(watching.clone()));
        background.spawn(webhooks.run(watching.clone()));
        background.spawn(async move { board.run(watching).await });
        background.spawn(live.run());
        let abandon = lanes.abandoned();
        let serving = background.spawn(async move {
            lanes.accept_from(listener).await;
            // A lane that panicked has said so; its requests ended themselves.
            let _ = tokio::task::spawn_blocking(move || lanes.join()).await;
        });
        Ok(Self { welcome, core, app, address, stop_serving, background, abandon, serving, _data_dir: data_dir })
    }

    /// Tells whoever started it where to go.
    pub fn print_welcome(&self) {
        self.welcome.print(&self.app.options.public_url, &self.core.services.control.catalog());
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The local administration API. It must be gone before [`Self::stop`].
    pub fn router(&self) -> Router {
        local_router(&self.core)
    }

    /// Waits until no request runs, whether its client waits for it or has left.
    pub async fn quiet(&self) {
        while !self.app.tasks.is_empty() || self.core.settlement.in_flight.count() > 0 {
            tokio::time::sleep(QUIET_POLL).await;
        }
    }

    /// Waits until analytics have seen everything that is in the event log now, or have had their time: they go on at the
    /// next start.
    pub async fn projected(&self) -> Result<(), eventlog::LogError> {
        tokio::time::timeout(PROJECTED_WAIT_MAX, self.catch_up()).await.unwrap_or(Ok(()))
    }

    async fn catch_up(&self) -> Result<(), eventlog::LogError> {
        while self.core.stores.spool.usage().unapplied_events > 0 {
            tokio::time::sleep(QUIET_POLL).await;
        }
        let last = self.core.stores.log.bounds().await?.last;
        let mut projector = self.core.progress.projector.subscribe();
        // Its sender is in the core, which is ours.
        let _ = projector.wait_for(|position| *position >= last).await;
        Ok(())
    }

    /// Ends running requests within their grace, or when somebody is `impatient`, then the roles.
    pub async fn stop(self, impatient: impl Future<Output = ()>) {
        tracing::info!("stopping: running requests are finished first");
        self.core.readiness.lost(SHUTTING_DOWN);
        self.stop_serving.cancel();
        end_requests(&self.app, impatient).await;
        self.background.close();
        if tokio::time::timeout(self.app.options.shutdown_grace, self.background.wait()).await.is_err() {
            tracing::warn!("connections were still open; they are closed");
            self.abandon.cancel();
        }
        let _ = self.serving.await;
        drop(self.app);
        stop(self.core).await;
    }
}

/// Running requests have the grace period; then they are ended and settled for what was delivered.
async fn end_requests(app: &AppState, impatient: impl Future<Output = ()>) {
    app.tasks.close();
    tokio::select! {
        () = app.tasks.wait() => return,
        () = tokio::time::sleep(app.options.shutdown_grace) => {}
        () = impatient => {}
    }
    tracing::warn!(requests = app.settlement.in_flight.count(), "running requests are ended");
    app.settlement.in_flight.abort_all();
    app.tasks.wait().await;
}
