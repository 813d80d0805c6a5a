//! What the process around the gateway knows of the deployment: its audit and its state. The executable fills it in.

use std::future::Future;
use std::pin::Pin;

use serde_json::value::RawValue;
use tokio::sync::Mutex;

use crate::http::error::ApiError;

/// A question to the deployment.
pub type Ask = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Box<RawValue>, ApiError>> + Send>> + Send + Sync>;

/// The deployment's answers, one audit at a time.
pub struct Operations {
    audit: Ask,
    system: Ask,
    /// Also the turn: an audit reads everything there is.
    last_audit: Mutex<Option<Box<RawValue>>>,
}

impl Operations {
    pub fn new(audit: Ask, system: Ask) -> Self {
        Self { audit, system, last_audit: Mutex::default() }
    }

    /// Where there is no deployment around.
    pub fn none() -> Self {
        let nothing =
            || -> Ask { Box::new(|| Box::pin(async { Err(ApiError::unavailable("This process has no books to look at.", 60)) })) };
        Self::new(nothing(), nothing())
    }

    /// The last report; made now when there is none.
    pub async fn last_audit(&self) -> Result<Box<RawValue>, ApiError> {
        let mut last = self.last_audit.lock().await;
        if let Some(report) = &*last {
            return Ok(report.clone());
        }
        let report = (self.audit)().await?;
        *last = Some(report.clone());
        Ok(report)
    }

    pub async fn audit_now(&self) -> Result<Box<RawValue>, ApiError> {
        let mut last = self.last_audit.lock().await;
        let report = (self.audit)().await?;
        *last = Some(report.clone());
        Ok(report)
    }

    pub async fn system(&self) -> Result<Box<RawValue>, ApiError> {
        (self.system)().await
    }
}
