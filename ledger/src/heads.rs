//! `heads.log`: chain heads kept outside the database, so that whoever rewrites the books leaves a trace.
//!
//! One JSON line a [`Checkpoint`], appended after the batch that made it due was committed, and synced.
//! Copy the file to where the database's administrators cannot write. A crash between commit and append
//! leaves lines out, and so does a disk that is full; [`Due`] finds them again at the next start, or before
//! the next batch: **no batch is booked while lines are missing.**

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use schemas::{Day, Partition};

use crate::chain::{CHECKPOINT_EVERY, Checkpoint};
use crate::metrics::LEDGER_RETRIES_TOTAL;
use crate::store::{Access, BatchOutcome, LedgerError};

pub const HEADS_FILE: &str = "heads.log";

/// The file of checkpointed heads. Cheap to clone.
#[derive(Clone)]
pub struct HeadsLog {
    path: Arc<PathBuf>,
    /// Absent when opened for reading.
    writer: Option<Arc<Mutex<Writer>>>,
}

struct Writer {
    file: File,
    /// Where the file ended before lines that may not be in it, or not as a whole.
    broken_at: Option<u64>,
}

impl HeadsLog {
    /// Opens `heads.log` in a folder; created when opened for writing. A line torn by a crash is cut off.
    pub fn open(dir: &Path, access: Access) -> Result<Self, LedgerError> {
        let path = dir.join(HEADS_FILE);
        let writer = match access {
            Access::ReadOnly => None,
            Access::ReadWrite => {
                let open = || {
                    let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
                    cut_torn_line(&mut file)?;
                    Ok(file)
                };
                let file = open().map_err(|source| LedgerError::Io { action: "open", file: path.clone(), source })?;
                Some(Arc::new(Mutex::new(Writer { file, broken_at: None })))
            }
        };
        Ok(Self { path: Arc::new(path), writer })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every line, oldest first. No file is no lines.
    pub fn read(&self) -> Result<Vec<Checkpoint>, LedgerError> {
        let text = match std::fs::read_to_string(self.path()) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(LedgerError::Io { action: "read", file: self.path().to_owned(), source }),
        };
        // What follows the last line feed is being written just now, or was torn.
        let complete = text.rfind('\n').map_or("", |end| &text[..end]);
        let damaged = |line: usize| LedgerError::CheckpointFile { file: self.path().to_owned(), line: line + 1 };
        let lines = complete.lines().enumerate();
        lines.map(|(number, line)| serde_json::from_str(line).map_err(|_| damaged(number))).collect()
    }

    /// Appends and syncs. Blocks on the disk.
    pub fn append(&self, checkpoints: &[Checkpoint]) -> Result<(), LedgerError> {
        let writer = self.writer.as_ref().ok_or(LedgerError::ReadOnly)?;
        let failed = |source| self.not_written(source);
        let mut text = Vec::new();
        for checkpoint in checkpoints {
            serde_json::to_writer(&mut text, checkpoint).map_err(|error| failed(error.into()))?;
            text.push(b'\n');
        }
        writer.lock().append(&text).map_err(failed)
    }

    /// Whether lines are missing that could not be appended.
    pub(crate) fn is_behind(&self) -> bool {
        self.writer.as_ref().is_some_and(|writer| writer.lock().broken_at.is_some())
    }

    /// Cuts off what an append that failed has left, so that what is read are whole lines that are on the disk.
    pub(crate) fn cut_broken(&self) -> Result<(), LedgerError> {
        let cut = self.writer.as_ref().map_or(Ok(()), |writer| writer.lock().cut());
        cut.map_err(|source| self.not_written(source))
    }

    fn not_written(&self, source: std::io::Error) -> LedgerError {
        LedgerError::Io { action: "append to", file: self.path().to_owned(), source }
    }
}

impl Writer {
    fn append(&mut self, text: &[u8]) -> std::io::Result<()> {
        self.cut()?;
        if self.broken_at.is_none() {
            self.broken_at = Some(self.file.metadata()?.len());
        }
        self.file.write_all(text)?;
        self.file.sync_data()?;
        self.broken_at = None;
        Ok(())
    }

    fn cut(&mut self) -> std::io::Result<()> {
        match self.broken_at {
            Some(end) if self.file.metadata()?.len() > end => self.file.set_len(end),
            _ => Ok(()),
        }
    }
}

/// Writes what a committed batch made due, where there is a file for it. **The batch is in the books whatever becomes of this**: lines that
/// cannot be written are missing until [`LedgerStore::verify_heads`](crate::LedgerStore::verify_heads) writes them.
pub(crate) async fn append(heads: Option<&HeadsLog>, outcome: &BatchOutcome) {
    let Some(heads) = heads.cloned().filter(|_| !outcome.checkpoints.is_empty()) else { return };
    let checkpoints = outcome.checkpoints.clone();
    let written = tokio::task::spawn_blocking(move || heads.append(&checkpoints)).await;
    if let Ok(Err(error)) = written {
        metrics::counter!(LEDGER_RETRIES_TOTAL, "step" => "heads").increment(1);
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "chain heads of a booked batch could not be written; they are before the next batch");
    }
}

fn cut_torn_line(file: &mut File) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    if whole < bytes.len() { file.set_len(whole as u64) } else { Ok(()) }
}

/// Which heads are due, given the lines there are: the first of a later UTC day, and every so many.
pub(crate) struct Due {
    latest_days: HashMap<Partition, Day>,
}

impl Due {
    pub(crate) fn after(lines: &[Checkpoint]) -> Self {
        let mut due = Self { latest_days: HashMap::new() };
        for line in lines {
            due.is_due(line);
        }
        due
    }

    /// Heads are asked about in log order.
    pub(crate) fn is_due(&mut self, head: &Checkpoint) -> bool {
        let day = head.time.day();
        let new_day = self.latest_days.get(&head.partition).is_none_or(|latest| day > *latest);
        if new_day {
            self.latest_days.insert(head.partition, day);
        }
        new_day || head.ordinal.is_multiple_of(CHECKPOINT_EVERY)
    }
}

/// `/dev/full` is a disk without room.
#[cfg(all(test, target_os = "linux"))]
#[expect(clippy::unwrap_used, reason = "tests assert by panicking")]
mod tests {
    use schemas::AccountId;

    use crate::store::LedgerStore;
    use crate::topups::topups;

    use super::*;

    #[tokio::test]
    async fn a_batch_stays_booked_where_its_heads_find_no_room_and_the_next_one_waits_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let heads = HeadsLog::open(folder.path(), Access::ReadWrite).unwrap();
        let url = format!("sqlite://{}", folder.path().join("ledger.db").display());
        let store = LedgerStore::open(&url, Access::ReadWrite).await.unwrap().with_heads(heads.clone());
        store.migrate().await.unwrap();
        let account = AccountId::mint();
        // Of one account and day: only the first makes a head due.
        let [first, second] = topups([account, account]);
        let writer = heads.writer.clone().unwrap();
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let disk = std::mem::replace(&mut writer.lock().file, full);

        let booked = store.apply_batch(std::slice::from_ref(&first)).await.unwrap();
        assert_eq!((booked.applied, booked.posted.len(), booked.checkpoints.len()), (1, 1, 1));
        let refused = store.apply_batch(std::slice::from_ref(&second)).await.unwrap_err();
        assert!(refused.is_outage() && refused.is_transient(), "{refused:?}");
        assert_eq!(store.position().await.unwrap(), 1, "nothing is booked while a head is missing");

        // There is room again, and a part of the line is there.
        writer.lock().file = disk;
        std::fs::write(heads.path(), r#"{"partition":"#).unwrap();
        assert_eq!(store.apply_batch(std::slice::from_ref(&second)).await.unwrap().applied, 1);
        assert_eq!(heads.read().unwrap(), booked.checkpoints);
        store.verify_heads().await.unwrap();
        assert!(!heads.is_behind());
    }
}
