//! Records in segment files: the one code behind the spool and the embedded event log.
//!
//! Owns the record format, the order of records (a log sequence number, *lsn*, without gaps), group commit
//! and recovery. **A record that was reported durable is found again or the journal refuses to open**; what
//! was never durable may be cut off, whole records at a time. It must never interpret a payload.
//! Start at [`Journal`] (writing), then [`recovery`] (opening) and [`sync`] (the thread that syncs).

mod append;
mod error;
mod group;
mod record;
mod recovery;
mod scan;
mod segment;
mod sync;
mod table;
mod writer;

pub(crate) use error::JournalError;
pub(crate) use group::GroupWait;
pub(crate) use record::{OVERHEAD_BYTES, PAYLOAD_BYTES_MAX};
pub(crate) use recovery::{Found, Trust, survey};
pub(crate) use scan::{Scanner, Step};
pub(crate) use segment::{RECORDS_START, SyncMark, open_segment, read_ordinals, segment_path};
pub(crate) use table::{Place, SegmentInfo, SegmentTable};
pub(crate) use writer::{Appended, FolderLock, Journal, JournalOptions, Wait};
