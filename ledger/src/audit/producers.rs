//! Numbers missing from producers' sequences: lost events.

use std::time::Duration;

use eventlog::EventLog;

use crate::apply::{Sequence, State};
use crate::feed::Feed;

use super::AuditError;
use super::report::AuditReport;

/// An event that overtook another is not lost: the log's tail is given this long to bring it.
const LATE_TRIES: u32 = 20;
const LATE_PAUSE: Duration = Duration::from_millis(50);

/// Reports every gap that the log's tail does not fill.
pub(super) async fn check(mut state: State, log: &EventLog, report: &mut AuditReport) -> Result<(), AuditError> {
    report.count("producer_sequences", state.sequences.len() as u64);
    let gaps = |state: &State| state.sequences.values().any(|known| !known.sequence.gaps().is_empty());
    let mut tail = Feed::new(log.clone(), state.position, None);
    for try_number in 0..LATE_TRIES {
        if !gaps(&state) {
            return Ok(());
        }
        if try_number > 0 {
            tokio::time::sleep(LATE_PAUSE).await;
        }
        loop {
            let batch = tail.next(super::BATCH).await?;
            for (producer, partition, number) in batch.iter().filter_map(|prepared| prepared.source) {
                let known: Option<&mut Sequence> = state.sequences.get_mut(&(producer, partition)).map(|known| &mut known.sequence);
                // A number too far ahead to be noted cannot fill a gap.
                let _ = known.map(|sequence| sequence.note(number));
            }
            if batch.is_empty() {
                break;
            }
        }
    }
    for ((producer, partition), known) in &state.sequences {
        for (first, last) in known.sequence.gaps() {
            let subject = format!("{producer} partition {partition}");
            report.differ("producer_gap", &subject, &format!("events {first} to {last}"), "no such events in the log");
        }
    }
    Ok(())
}
