//! The few file operations a log is built from, as a port: real files and a simulated disk with faults.
//!
//! Owns every touch of the file system. Implementations promise what a POSIX disk promises and no more:
//! a write is durable once `sync_data` returned, a name once `sync_dir` returned. Start at [`Disk`].

mod file;
#[cfg(any(test, feature = "testing"))]
mod sim;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use file::FileDisk;
#[cfg(any(test, feature = "testing"))]
pub use sim::{CrashPoint, Loss, SimDisk};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    Read,
    ReadWrite,
    /// Must not exist yet.
    CreateNew,
}

/// A file system, as far as a log needs one.
pub trait Disk: Send + Sync {
    /// Creates a folder and those around it, durably.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// File names (not paths) in a folder, in no order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes an exclusive lock that ends with the returned value or the process.
    /// [`io::ErrorKind::WouldBlock`] when another holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    fn len(&self) -> io::Result<u64>;

    fn is_empty(&self) -> io::Result<bool> {
        self.len().map(|len| len == 0)
    }

    /// May read less than asked for; 0 only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    fn set_len(&self, len: u64) -> io::Result<()>;

    /// `fdatasync`. **An error is final**: what it would have made durable may be gone, and asking again may lie.
    fn sync_data(&self) -> io::Result<()>;
}

/// Reads until the buffer is full or the file ends; answers how much was read.
pub(crate) fn read_full(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
