//! What the process around the gateway knows of the deployment: its audit and its state. The executable fills it in.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use serde_json::value::RawValue;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use crate::http::error::ApiError;

/// A question to the deployment.
pub type Ask = Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Box<RawValue>, ApiError>> + Send>> + Send + Sync>;

/// The deployment's answers.
pub struct Operations {
    audits: Arc<Audits>,
    system: Ask,
    /// Audits under way: they go on when who asked for one has left.
    tasks: TaskTracker,
}

struct Audits {
    audit: Ask,
    last: ArcSwapOption<Box<RawValue>>,
    /// One at a time: an audit reads everything there is.
    turn: Mutex<()>,
}

impl Operations {
    pub fn new(audit: Ask, system: Ask) -> Self {
        let audits = Audits { audit, last: ArcSwapOption::empty(), turn: Mutex::default() };
        Self { audits: Arc::new(audits), system, tasks: TaskTracker::new() }
    }

    /// Where there is no deployment around.
    pub fn none() -> Self {
        let nothing =
            || -> Ask { Box::new(|| Box::pin(async { Err(ApiError::unavailable("This process has no books to look at.", 60)) })) };
        Self::new(nothing(), nothing())
    }

    /// The last report, at once; made now when there is none, once for all who ask.
    pub async fn last_audit(&self) -> Result<Box<RawValue>, ApiError> {
        match self.audits.last.load_full() {
            Some(report) => Ok(Box::clone(&report)),
            None => self.audit(Audits::first).await,
        }
    }

    pub async fn audit_now(&self) -> Result<Box<RawValue>, ApiError> {
        self.audit(Audits::anew).await
    }

    async fn audit<F>(&self, how: impl FnOnce(Arc<Audits>) -> F) -> Result<Box<RawValue>, ApiError>
    where
        F: Future<Output = Result<Box<RawValue>, ApiError>> + Send + 'static,
    {
        self.tasks.spawn(how(Arc::clone(&self.audits))).await.map_err(ApiError::internal)?
    }

    pub async fn system(&self) -> Result<Box<RawValue>, ApiError> {
        (self.system)().await
    }
}

impl Audits {
    async fn first(self: Arc<Self>) -> Result<Box<RawValue>, ApiError> {
        let _turn = self.turn.lock().await;
        match self.last.load_full() {
            Some(report) => Ok(Box::clone(&report)),
            None => self.make().await,
        }
    }

    async fn anew(self: Arc<Self>) -> Result<Box<RawValue>, ApiError> {
        let _turn = self.turn.lock().await;
        self.make().await
    }

    async fn make(&self) -> Result<Box<RawValue>, ApiError> {
        let report = (self.audit)().await?;
        self.last.store(Some(Arc::new(report.clone())));
        Ok(report)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt;
    use tokio::sync::Semaphore;

    use super::*;

    /// Counts audits; each ends when it is let.
    fn counted() -> (Operations, Arc<AtomicUsize>, Arc<Semaphore>) {
        let (count, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let of_audit = (Arc::clone(&count), Arc::clone(&gate));
        let audit: Ask = Box::new(move || {
            let (count, gate) = of_audit.clone();
            Box::pin(async move {
                let number = count.fetch_add(1, Ordering::Relaxed) + 1;
                gate.acquire().await.unwrap().forget();
                Ok(RawValue::from_string(number.to_string()).unwrap())
            })
        });
        let system: Ask = Box::new(|| Box::pin(async { Err(ApiError::unavailable("nothing", 1)) }));
        (Operations::new(audit, system), count, gate)
    }

    #[tokio::test]
    async fn an_audit_goes_on_when_its_asker_leaves_and_nobody_waits_for_one_to_read_the_last() {
        let (operations, count, gate) = counted();
        for _ in 0..3 {
            // Polled once, then left.
            assert!(operations.last_audit().now_or_never().is_none());
        }
        gate.add_permits(1);
        assert_eq!(operations.last_audit().await.unwrap().get(), "1");
        assert_eq!(count.load(Ordering::Relaxed), 1, "made once for all who asked");
        assert!(operations.audit_now().now_or_never().is_none());
        tokio::task::yield_now().await;
        assert_eq!(operations.last_audit().now_or_never().unwrap().unwrap().get(), "1", "while another one runs");
        gate.add_permits(1);
        while operations.last_audit().await.unwrap().get() != "2" {
            tokio::task::yield_now().await;
        }
    }
}
