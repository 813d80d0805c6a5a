//! Reading by position: the server sends a run of events for one question.
//!
//! **An event is taken only at the position that follows the one before, and after the very event that was read there.** Any
//! server with a copy may answer, and it may be a little behind: what this process knows to be there is asked for again.

use async_nats::{Message as Received, StatusCode, Subscriber};
use futures_util::StreamExt;
use serde_json::json;

use super::api::{BROKEN, LATE, NoAnswer, UNSENDABLE};
use super::bounds::Asking;
use super::error::JetStreamError;
use super::marks::{Digest, digest};
use super::options::READ_ENTRIES_MAX;
use super::stream::MESSAGE_BYTES_MAX;
use super::{Fault, Shared};
use crate::log::{Entry, LogError, ReadLimit};

const ACTION: &str = "send events";
const NEWER_ELSEWHERE: NoAnswer = NoAnswer("the copy it reads from is behind");
const REFUSED: NoAnswer = NoAnswer("it refuses to read");

impl Shared {
    pub(super) async fn read(&self, after: u64, limit: ReadLimit) -> Result<Vec<Entry>, LogError> {
        self.check_health()?;
        let Some(position) = after.checked_add(1).filter(|_| limit.entries > 0) else { return Ok(Vec::new()) };
        let mut mark = self.marks.of(after);
        let mut behind = Asking::for_up_to(self.options.patience);
        loop {
            let answer = self.patiently(|| self.ask_for_run(position, mark, limit)).await?;
            if answer.is_rewritten {
                return Err(self.fail(Fault::Rewritten { position: after }).into());
            }
            if let Some(found) = answer.skipped_to {
                // What was read before may be archived since, and what follows it still be there.
                if mark.take().is_some() && self.bounds().await?.first > after {
                    continue;
                }
                return Err(self.nothing_at(position, found).await);
            }
            if let Some(last) = answer.entries.last() {
                self.saw(last.position);
                self.marks.note(last);
                return Ok(answer.entries);
            }
            let is_end = mark.is_none() || answer.is_confirmed;
            if self.last_seen() < position && is_end {
                return Ok(Vec::new());
            }
            if !behind.again().await {
                return Err(self.api.unanswered(ACTION, NEWER_ELSEWHERE).into());
            }
            // Tells a copy that is behind from a log that lost its end.
            self.bounds().await?;
        }
    }

    async fn ask_for_run(&self, position: u64, mark: Option<Digest>, limit: ReadLimit) -> Result<Run, JetStreamError> {
        self.run(position, mark, limit).await.map_err(|no| self.api.unanswered(ACTION, no))
    }

    /// From `position`; with a mark also what stands before it, which has to be what was read there.
    async fn run(&self, position: u64, mark: Option<Digest>, limit: ReadLimit) -> Result<Run, NoAnswer> {
        // What was read before takes no room from what is asked for.
        let (before, room) = if mark.is_some() { (1, MESSAGE_BYTES_MAX) } else { (0, 0) };
        let question = json!({
            "seq": position - before,
            // Without this a position that is missing would be "not found", like the end.
            "next_by_subj": ">",
            "batch": limit.entries.min(READ_ENTRIES_MAX) + usize::from(mark.is_some()),
            "max_bytes": limit.bytes.max(1).saturating_add(room),
        });
        let mut answers = self.api.open(format!("$JS.API.DIRECT.GET.{}", self.options.stream), &question).await?;
        let mut run = Run::new(position - before, mark, limit);
        loop {
            match self.next(&mut answers).await {
                Ok(message) if message.status.is_none() => {
                    if !run.take(message) {
                        return Ok(run);
                    }
                }
                Ok(message) => return run.end(message.status),
                // What has come is in order and complete.
                Err(_) if !run.entries.is_empty() => return Ok(run),
                Err(no) => return Err(no),
            }
        }
    }

    async fn next(&self, answers: &mut Subscriber) -> Result<Received, NoAnswer> {
        let mut link = self.api.link.clone();
        let breaks = link.borrow().breaks;
        tokio::select! {
            biased;
            message = answers.next() => message.ok_or(UNSENDABLE),
            _ = link.wait_for(|now| now.breaks != breaks) => Err(BROKEN),
            () = tokio::time::sleep(self.options.request_timeout) => Err(LATE),
        }
    }

    /// The log begins later, or it has a hole.
    async fn nothing_at(&self, position: u64, found: u64) -> LogError {
        match self.bounds().await {
            Ok(bounds) if bounds.first > position => LogError::Archived { position, first: bounds.first },
            Ok(_) => self.fail(Fault::Hole { position, found }).into(),
            Err(error) => error,
        }
    }
}

/// An answer as it comes in.
struct Run {
    entries: Vec<Entry>,
    /// Of the event that comes before them.
    mark: Option<Digest>,
    is_confirmed: bool,
    is_rewritten: bool,
    /// Set if the very first event has a higher position than the one asked for.
    skipped_to: Option<u64>,
    next: u64,
    bytes: usize,
    limit: ReadLimit,
}

impl Run {
    fn new(position: u64, mark: Option<Digest>, limit: ReadLimit) -> Self {
        Self { entries: Vec::new(), mark, is_confirmed: false, is_rewritten: false, skipped_to: None, next: position, bytes: 0, limit }
    }

    /// Takes the next event; false if this run is over. One that does not follow ends it: if it came
    /// first, nothing is at the position asked for; later, something was lost on its way.
    fn take(&mut self, message: Received) -> bool {
        let position =
            message.headers.as_ref().and_then(|headers| headers.get("Nats-Sequence")).and_then(|value| value.as_str().parse().ok());
        let is_full =
            !self.entries.is_empty() && (self.entries.len() >= self.limit.entries || self.bytes + message.payload.len() > self.limit.bytes);
        match position {
            Some(position) if position == self.next && self.mark.is_some() => {
                self.is_confirmed = self.mark.take() == Some(digest(&message.payload));
                self.is_rewritten = !self.is_confirmed;
                self.next += 1;
                self.is_confirmed
            }
            Some(position) if position == self.next && !is_full => {
                self.bytes += message.payload.len();
                self.entries.push(Entry { position, payload: message.payload });
                self.next += 1;
                true
            }
            Some(found) if self.entries.is_empty() && found > self.next => {
                self.skipped_to = Some(found);
                false
            }
            _ => false,
        }
    }

    fn end(self, status: Option<StatusCode>) -> Result<Self, NoAnswer> {
        const END_OF_BATCH: u16 = 204;
        match status.map(|status| status.as_u16()) {
            Some(END_OF_BATCH | 404) => Ok(self),
            _ if !self.entries.is_empty() => Ok(self),
            Some(503) => Err(NoAnswer("nobody has a copy of the stream now")),
            _ => Err(REFUSED),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;

    use super::*;

    fn message(position: u64) -> Received {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Sequence", position.to_string());
        Received {
            subject: "usage.v1.000".into(),
            reply: None,
            payload: bytes::Bytes::from_static(&[7; 10]),
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        }
    }

    fn run(from: u64, mark: Option<Digest>, positions: &[u64]) -> Run {
        let mut run = Run::new(from, mark, ReadLimit { entries: 4, bytes: 35 });
        for position in positions {
            if !run.take(message(*position)) {
                break;
            }
        }
        run
    }

    fn taken(from: u64, positions: &[u64]) -> (Vec<u64>, Option<u64>) {
        let run = run(from, None, positions);
        (run.entries.iter().map(|entry| entry.position).collect(), run.skipped_to)
    }

    #[test]
    fn only_positions_that_follow_are_taken() {
        assert_eq!(taken(5, &[5, 6]), (vec![5, 6], None));
        assert_eq!(taken(5, &[5, 7, 8]), (vec![5], None), "what was lost on its way is asked for again");
        assert_eq!(taken(5, &[7, 8]), (vec![], Some(7)), "a hole is told, not skipped");
        assert_eq!(taken(5, &[4, 5]), (vec![], None), "an answer to another question is not taken");
    }

    #[test]
    fn what_was_read_before_is_compared_and_not_given_out_again() {
        let confirmed = run(5, Some(digest(&[7; 10])), &[5, 6, 7]);
        assert!(confirmed.is_confirmed && !confirmed.is_rewritten);
        assert_eq!(confirmed.entries.iter().map(|entry| entry.position).collect::<Vec<_>>(), [6, 7]);
        let rewritten = run(5, Some(digest(b"another")), &[5, 6, 7]);
        assert!(rewritten.is_rewritten && rewritten.entries.is_empty());
        let archived = run(5, Some(digest(&[7; 10])), &[7]);
        assert_eq!((archived.skipped_to, archived.is_confirmed), (Some(7), false));
    }

    #[test]
    fn a_run_ends_at_the_limit_of_bytes() {
        assert_eq!(taken(1, &[1, 2, 3, 4]), (vec![1, 2, 3], None));
    }
}
