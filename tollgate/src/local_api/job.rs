//! Long jobs over HTTP: lines of JSON, `{"progress": …}` as often as there is news, then one `{"data": …}` or `{"error": …}`.
//!
//! The job runs inside the answer: when the asker goes away, it stops. Progress is conflated to the latest, so that a
//! slow reader holds nothing up.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::watch;

pub const CONTENT_TYPE: &str = "application/x-ndjson";
/// Between two lines of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done, in a word or two: `postings`, `replaying ledger`.
    pub stage: String,
    pub done: u64,
    /// How many there are, once that is known.
    pub total: Option<u64>,
}

/// One line of a job's answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Line {
    Progress(Progress),
    Data(Box<RawValue>),
    Error(JobError),
}

/// Why a job ended without a result.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct JobError {
    pub message: String,
}

/// Where a job says how far it is. Never blocks.
#[derive(Debug, Clone)]
pub struct ProgressSender(watch::Sender<Progress>);

impl ProgressSender {
    /// For a job whose progress nobody looks at.
    pub fn nobody() -> Self {
        Self(watch::Sender::new(Progress::default()))
    }

    pub fn send(&self, progress: Progress) {
        self.0.send_replace(progress);
    }
}

type Job = Pin<Box<dyn Future<Output = Line> + Send>>;

/// Answers with what a job says while it runs and with its result. Errors are told with their whole chain.
pub fn respond<T, E, F>(job: impl FnOnce(ProgressSender) -> F) -> Response
where
    T: Serialize,
    E: std::error::Error,
    F: Future<Output = Result<T, E>> + Send + 'static,
{
    let (sender, progress) = watch::channel(Progress::default());
    let running = job(ProgressSender(sender));
    let job: Job = Box::pin(async move {
        match running.await {
            Ok(result) => serde_json::value::to_raw_value(&result).map_or_else(|error| failure(&error), Line::Data),
            Err(error) => failure(&error),
        }
    });
    let lines = stream::unfold(Some((job, progress)), |running| async {
        let (mut job, mut progress) = running?;
        let line = next_line(&mut job, &mut progress).await;
        let running = matches!(line, Line::Progress(_)).then_some((job, progress));
        Some((Ok::<_, Infallible>(encode(&line)), running))
    });
    ([(axum::http::header::CONTENT_TYPE, CONTENT_TYPE)], Body::from_stream(lines)).into_response()
}

/// The job's end, or its progress when there was some and it is time to tell.
async fn next_line(job: &mut Job, progress: &mut watch::Receiver<Progress>) -> Line {
    let news = async {
        tokio::time::sleep(PROGRESS_INTERVAL).await;
        match progress.changed().await {
            Ok(()) => progress.borrow_and_update().clone(),
            // The job dropped its sender and is about to end.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        line = job => line,
        news = news => Line::Progress(news),
    }
}

fn encode(line: &Line) -> Bytes {
    let mut bytes = serde_json::to_vec(line).unwrap_or_default();
    bytes.push(b'\n');
    bytes.into()
}

fn failure(error: &dyn std::error::Error) -> Line {
    Line::Error(JobError { message: with_causes(error) })
}

/// An error and everything below it, as one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    async fn lines(response: Response) -> Vec<String> {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap().lines().map(str::to_owned).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn progress_comes_before_the_result_and_only_the_latest_is_told() {
        let response = respond(|sender| async move {
            for done in 1..=1000 {
                sender.send(Progress { stage: "events".into(), done, total: Some(1000) });
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, JobError>(serde_json::json!({ "ok": true }))
        });
        let expected = [r#"{"progress":{"stage":"events","done":1000,"total":1000}}"#, r#"{"data":{"ok":true}}"#];
        assert_eq!(lines(response).await, expected);
    }

    #[tokio::test]
    async fn a_failure_is_told_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("books cannot be read")]
        struct Outer(#[source] std::io::Error);
        let response = respond(|_| async { Err::<(), _>(Outer(std::io::Error::other("disk is gone"))) });
        assert_eq!(lines(response).await, [r#"{"error":{"message":"books cannot be read: disk is gone"}}"#]);
    }
}
