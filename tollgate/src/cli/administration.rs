//! Finds the deployment a command is about: the running one through its socket, a stopped one by opening its stores.

use hyper::Method;
use serde::Serialize;

use super::client::{Answer, Client};
use super::error::CliError;
use super::{Context, progress};
use crate::config::References;
use crate::data_dir::{DataDir, DataDirError};
use crate::serve::StoppedDeployment;

/// Whether a command may be the first thing that ever happens to a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    Look,
    Change,
}

/// A deployment, ready to be asked.
#[derive(Debug)]
pub struct Administration {
    client: Client,
    stopped: Option<StoppedDeployment>,
}

impl Administration {
    pub async fn open(context: &Context, intent: Intent) -> Result<Self, CliError> {
        let loaded = context.load(References::Leave)?;
        let data_dir = DataDir::new(&loaded.config.data_dir);
        let locked = match intent {
            Intent::Look => data_dir.lock(),
            Intent::Change => data_dir.create_and_lock(),
        };
        match locked {
            Ok(locked) => {
                let stopped = StoppedDeployment::open(&loaded, locked).await?;
                Ok(Self { client: Client::Router(stopped.router()), stopped: Some(stopped) })
            }
            Err(DataDirError::InUse { path, .. }) => {
                Ok(Self { client: Client::Socket { data_dir: path, socket: data_dir.socket() }, stopped: None })
            }
            Err(error) => Err(error.into()),
        }
    }

    pub async fn get(&self, path: &str) -> Result<Answer, CliError> {
        self.client.call(Method::GET, path, None).await
    }

    pub async fn delete(&self, path: &str) -> Result<Answer, CliError> {
        self.client.call(Method::DELETE, path, None).await
    }

    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<Answer, CliError> {
        self.client.call(Method::POST, path, Some(json(body)?)).await
    }

    pub async fn patch(&self, path: &str, body: &impl Serialize) -> Result<Answer, CliError> {
        self.client.call(Method::PATCH, path, Some(json(body)?)).await
    }

    /// Runs a long job with a progress bar, where there is a terminal to draw it on.
    pub async fn run_job(&self, path: &str, body: &impl Serialize) -> Result<Answer, CliError> {
        let mut bar = progress::Bar::default();
        let answer = self.client.run_job(path, json(body)?, &mut |news| bar.show(&news)).await;
        bar.clear();
        answer
    }

    /// Closes a deployment that was opened for this.
    pub async fn close(self) -> Result<(), CliError> {
        let Self { client, stopped } = self;
        // Its router is a hand on the deployment.
        drop(client);
        match stopped {
            Some(stopped) => Ok(stopped.close().await?),
            None => Ok(()),
        }
    }
}

fn json(body: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string(body).map_err(|error| CliError::Answer(error.to_string()))
}
