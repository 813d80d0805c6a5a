//! When the process is told to end: SIGTERM, SIGINT and SIGHUP all ask for the same. Under `nohup` a SIGHUP stays ignored.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals from now on. Nothing is lost between two waits.
pub struct Signals(Vec<Signal>);

impl Signals {
    pub fn listen() -> Self {
        let hangup = (!is_hangup_ignored()).then(SignalKind::hangup);
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()].into_iter().chain(hangup);
        let heard = kinds.map(signal).filter_map(|heard| {
            heard.inspect_err(|error| tracing::error!(error = error as &dyn std::error::Error, "a signal cannot be listened for")).ok()
        });
        Self(heard.collect())
    }

    /// The next one.
    pub async fn next(&mut self) {
        if self.0.is_empty() {
            return std::future::pending().await;
        }
        let waits = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        futures_util::future::select_all(waits).await;
    }
}

/// Whether whoever started the process wants it to outlive their terminal.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    // The lowest bit is that of the first signal, SIGHUP.
    mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & 1 == 1)
}
