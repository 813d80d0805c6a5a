//! Telling the event log what happened here: an account was opened, a price came into force.
//!
//! Every fact was stored with its change; it is forgotten only once its event is durable in the spool. A
//! crash in between announces it again under the same event id, which the ledger knows already.

use eventlog::{Spool, SpoolError};
use schemas::partition::partition_of;
use schemas::{Event, Header};

use super::store::{ControlStore, StoreError};

/// Why facts are still due.
#[derive(Debug, thiserror::Error)]
pub enum AnnouncementError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("announcement could not be written")]
    Spool(#[from] SpoolError),
}

/// Announces everything that is due; says how many facts it was.
pub async fn announce_due(store: &ControlStore, spool: &Spool) -> Result<usize, AnnouncementError> {
    let mut count = 0;
    loop {
        let due = store.due_announcements().await?;
        if due.is_empty() {
            return Ok(count);
        }
        let mut written = Vec::with_capacity(due.len());
        for announcement in due {
            let (id, account) = (announcement.event_id.clone(), announcement.account);
            let (time, body) = (announcement.at, announcement.body());
            let (_, durable) = spool.terminal(None, partition_of(account), |producer, pseq| {
                Event { header: Header { id, account, producer, pseq, time }, body }.encode()
            })?;
            written.push((announcement.event_id, durable));
        }
        for (event_id, durable) in written {
            durable.await?;
            store.announced(&event_id).await?;
            count += 1;
        }
    }
}
