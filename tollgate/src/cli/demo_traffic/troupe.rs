//! Those who play: requests on their way, a bounded number at a time, and how they ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::DemoError;
use super::script::Ask;
use super::send::{self, Ending};
use super::stage::Stage;
use crate::cli::error::CliError;
use crate::cli::progress::Bar;
use crate::local_api::job::Progress;

/// Requests that run at the same time.
const AT_ONCE_MAX: usize = 32;
/// From sending a request to its answer's end.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// Until a gateway knows new keys.
const KEYS_WAIT_MAX: Duration = Duration::from_secs(10);
const KEYS_POLL: Duration = Duration::from_millis(50);

/// Sends requests, a bounded number at a time, and remembers how they ended.
pub struct Troupe<'a> {
    base: &'a str,
    stage: &'a Stage,
    client: reqwest::Client,
    places: Arc<Semaphore>,
    running: JoinSet<Result<(Ask, Ending), reqwest::Error>>,
    pub played: Vec<(Ask, Ending)>,
    bar: Bar,
    total: usize,
}

impl<'a> Troupe<'a> {
    pub fn new(base: &'a str, stage: &'a Stage, total: usize) -> Result<Self, CliError> {
        let client = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build().map_err(DemoError::from)?;
        let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
        Ok(Self { base, stage, client, places, running: JoinSet::new(), played: Vec::new(), bar: Bar::default(), total })
    }

    /// Keys are known to every gateway within a second.
    pub async fn wait_for_keys(&self) -> Result<(), CliError> {
        let deadline = Instant::now() + KEYS_WAIT_MAX;
        for key in self.stage.actors.iter().flat_map(|actor| &actor.keys) {
            loop {
                let asked = self.client.get(format!("{}/api/v1/key", self.base)).bearer_auth(key).send().await.map_err(DemoError::from)?;
                if asked.status().is_success() {
                    break;
                }
                if Instant::now() >= deadline {
                    return Err(DemoError::Keys { status: asked.status().as_u16() }.into());
                }
                tokio::time::sleep(KEYS_POLL).await;
            }
        }
        Ok(())
    }

    pub async fn send(&mut self, ask: Ask) -> Result<(), CliError> {
        while let Some(ended) = self.running.try_join_next() {
            self.note(ended)?;
        }
        let place = Arc::clone(&self.places).acquire_owned().await;
        let (client, base) = (self.client.clone(), self.base.to_owned());
        let key = self.stage.actors.get(ask.account).and_then(|actor| actor.keys.get(ask.key)).cloned().unwrap_or_default();
        let model = self.stage.models.get(ask.model).cloned().unwrap_or_default();
        self.running.spawn(async move {
            let ending = send::send(&client, &base, &key, &model, &ask).await;
            drop(place);
            Ok((ask, ending?))
        });
        Ok(())
    }

    pub async fn join_all(&mut self) -> Result<(), CliError> {
        while let Some(ended) = self.running.join_next().await {
            self.note(ended)?;
        }
        Ok(())
    }

    fn note(&mut self, ended: Result<Result<(Ask, Ending), reqwest::Error>, tokio::task::JoinError>) -> Result<(), CliError> {
        self.played.push(ended.map_err(DemoError::from)?.map_err(DemoError::from)?);
        let (done, total) = (self.played.len() as u64, Some(self.total as u64));
        self.bar.show(&Progress { stage: "requests".to_owned(), done, total });
        Ok(())
    }
}
