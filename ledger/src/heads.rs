//! `heads.log`: chain heads kept outside the database, so that whoever rewrites the books leaves a trace.
//!
//! One JSON line a [`Checkpoint`], appended after the batch that made it due was committed, and synced.
//! Copy the file to where the database's administrators cannot write. A crash between commit and append
//! leaves lines out; [`Due`] finds them again at the next start.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use schemas::{Day, Partition};

use crate::chain::{CHECKPOINT_EVERY, Checkpoint};
use crate::store::{Access, BatchOutcome, LedgerError};

pub const HEADS_FILE: &str = "heads.log";

/// The file of checkpointed heads. Cheap to clone.
#[derive(Clone)]
pub struct HeadsLog {
    path: Arc<PathBuf>,
    /// Absent when opened for reading.
    file: Option<Arc<Mutex<File>>>,
}

impl HeadsLog {
    /// Opens `heads.log` in a folder; created when opened for writing. A line torn by a crash is cut off.
    pub fn open(dir: &Path, access: Access) -> Result<Self, LedgerError> {
        let path = dir.join(HEADS_FILE);
        let file = match access {
            Access::ReadOnly => None,
            Access::ReadWrite => {
                let open = || {
                    let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path)?;
                    cut_torn_line(&mut file)?;
                    Ok(file)
                };
                let file = open().map_err(|source| LedgerError::Io { action: "open", file: path.clone(), source })?;
                Some(Arc::new(Mutex::new(file)))
            }
        };
        Ok(Self { path: Arc::new(path), file })
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
        let file = self.file.as_ref().ok_or(LedgerError::ReadOnly)?;
        let failed = |source| LedgerError::Io { action: "append to", file: self.path().to_owned(), source };
        let mut text = Vec::new();
        for checkpoint in checkpoints {
            serde_json::to_writer(&mut text, checkpoint).map_err(|error| failed(error.into()))?;
            text.push(b'\n');
        }
        let mut file = file.lock();
        file.write_all(&text).and_then(|()| file.sync_data()).map_err(failed)
    }
}

/// Writes what a committed batch made due, where there is a file for it.
pub(crate) async fn append(heads: Option<&HeadsLog>, outcome: &BatchOutcome) -> Result<(), LedgerError> {
    let Some(heads) = heads.cloned().filter(|_| !outcome.checkpoints.is_empty()) else { return Ok(()) };
    let checkpoints = outcome.checkpoints.clone();
    let file = heads.path().to_owned();
    let written = tokio::task::spawn_blocking(move || heads.append(&checkpoints)).await;
    written.map_err(|error| LedgerError::Io { action: "append to", file, source: error.into() })?
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
