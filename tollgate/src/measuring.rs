//! What the process measures of itself: one recorder, there before anything is measured, and its upkeep.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

/// Histograms collect what was recorded until somebody asks, or this has passed: a process that is never asked must not grow.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

static RECORDER: Mutex<Option<PrometheusHandle>> = Mutex::new(None);

/// The process's recorder, installed by the first who asks. **Ask before the stores are opened**: handles made earlier
/// measure into nothing.
pub fn recorder() -> Result<PrometheusHandle, BuildError> {
    let mut installed = RECORDER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(recorder) = &*installed {
        return Ok(recorder.clone());
    }
    let recorder = PrometheusBuilder::new().install_recorder()?;
    gateway::metrics::describe();
    ledger::metrics::describe();
    projector::metrics::describe();
    eventlog::metrics::describe();
    let kept = recorder.clone();
    #[expect(clippy::disallowed_methods, reason = "it has nothing to bring to an end, and lives as long as the process")]
    tokio::spawn(async move {
        let mut due = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            due.tick().await;
            kept.run_upkeep();
        }
    });
    *installed = Some(recorder.clone());
    Ok(recorder)
}
