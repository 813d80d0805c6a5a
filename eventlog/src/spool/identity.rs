//! The node id: it stays with the spool's folder, so that a moved disk keeps its producer.

use std::path::Path;

use schemas::NodeId;

use super::error::SpoolError;
use crate::disk::{Disk, OpenMode, read_full};
use crate::journal::{JournalError, read_ordinals};

const FILE: &str = "node";
const UNFINISHED_FILE: &str = "node.new";
const TEXT_BYTES_MAX: usize = 64;

/// Reads the folder's node id, or gives a new folder one. A folder with segments but without an id is
/// corrupt: with another id the events in it would seem to come from nowhere.
pub(super) fn node_of(disk: &dyn Disk, dir: &Path) -> Result<NodeId, SpoolError> {
    let path = dir.join(FILE);
    match disk.open(&path, OpenMode::Read) {
        Ok(file) => {
            let mut text = [0; TEXT_BYTES_MAX];
            let read = read_full(file.as_ref(), &mut text, 0).map_err(JournalError::io("read", &path))?;
            let text = std::str::from_utf8(&text[..read]).unwrap_or_default();
            text.trim().parse().map_err(|_| SpoolError::Corrupt { file: path, offset: 0 })
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !read_ordinals(disk, dir)?.is_empty() {
                return Err(SpoolError::Corrupt { file: path, offset: 0 });
            }
            write_new(disk, dir).map_err(SpoolError::from)
        }
        Err(error) => Err(JournalError::io("open", &path)(error).into()),
    }
}

fn write_new(disk: &dyn Disk, dir: &Path) -> Result<NodeId, JournalError> {
    let node = NodeId::mint();
    let (path, unfinished) = (dir.join(FILE), dir.join(UNFINISHED_FILE));
    // Left over from a crash, if it is there.
    let _ = disk.remove(&unfinished);
    let file = disk.open(&unfinished, OpenMode::CreateNew).map_err(JournalError::io("create", &unfinished))?;
    let text = format!("{}\n", node.uuid().hyphenated());
    file.write_all_at(text.as_bytes(), 0).map_err(JournalError::io("write", &unfinished))?;
    file.sync_data().map_err(JournalError::io("sync", &unfinished))?;
    disk.rename(&unfinished, &path).map_err(JournalError::io("rename", &unfinished))?;
    disk.sync_dir(dir).map_err(JournalError::io("sync", dir))?;
    Ok(node)
}
