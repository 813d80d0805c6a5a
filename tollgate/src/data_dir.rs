//! The data folder: made private, and used by one process at a time.
//!
//! **Whoever writes to a store holds the lock.** It is the operating system's, so it ends with the process, however
//! that ends; the file itself stays and says who was last.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "lock";
const SOCKET_FILE: &str = "admin.sock";
/// What the operating system takes, without the byte that ends it.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// A folder, not necessarily there yet.
#[derive(Debug, Clone)]
pub struct DataDir {
    path: PathBuf,
}

/// The right to write to the folder's stores; given back when dropped.
#[derive(Debug)]
pub struct LockedDataDir {
    dir: DataDir,
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    #[error("data folder {} is in use by process {holder}", .path.display())]
    InUse { path: PathBuf, holder: String },
    #[error("there is no data folder {}; `tollgate serve` makes it, --config and TOLLGATE_DATA_DIR choose another", .path.display())]
    Missing { path: PathBuf },
    #[error("data folder {} cannot be used", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("data folder {} has too long a path: {} bytes with the name of its socket, and a socket has at most {SOCKET_PATH_BYTES_MAX}", .path.display(), .bytes)]
    TooLong { path: PathBuf, bytes: usize },
}

impl DataDir {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a running deployment takes administration requests from its own machine.
    pub fn socket(&self) -> PathBuf {
        self.path.join(SOCKET_FILE)
    }

    /// Makes the folder, readable by its owner only, and takes its lock.
    pub fn create_and_lock(&self) -> Result<LockedDataDir, DataDirError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.path).map_err(|source| self.io(source))?;
        self.make_private();
        self.lock()
    }

    /// A folder that was there may be open to others; one that is not ours stays as it is.
    #[cfg(unix)]
    fn make_private(&self) {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(metadata) = fs::metadata(&self.path) else { return };
        if metadata.permissions().mode() & 0o077 != 0
            && let Err(error) = fs::set_permissions(&self.path, fs::Permissions::from_mode(0o700))
        {
            let path = self.path.display();
            tracing::warn!(error = &error as &dyn std::error::Error, %path, "the data folder is open to others, and cannot be closed");
        }
    }

    #[cfg(not(unix))]
    fn make_private(&self) {}

    /// Takes the lock of a folder that is there.
    pub fn lock(&self) -> Result<LockedDataDir, DataDirError> {
        if !self.path.is_dir() {
            return Err(DataDirError::Missing { path: self.path.clone() });
        }
        let bytes = self.socket().as_os_str().len();
        if bytes > SOCKET_PATH_BYTES_MAX {
            return Err(DataDirError::TooLong { path: self.path.clone(), bytes });
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(self.path.join(LOCK_FILE)).map_err(|source| self.io(source))?;
        match file.try_lock() {
            Ok(()) => {
                let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
                written.map_err(|source| self.io(source))?;
                Ok(LockedDataDir { dir: self.clone(), _lock: file })
            }
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse { path: self.path.clone(), holder: holder(&mut file) }),
            Err(TryLockError::Error(source)) => Err(self.io(source)),
        }
    }

    fn io(&self, source: io::Error) -> DataDirError {
        DataDirError::Io { path: self.path.clone(), source }
    }
}

impl LockedDataDir {
    pub fn dir(&self) -> &DataDir {
        &self.dir
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A socket left by a process that was killed; nobody else can be listening while the lock is ours.
    pub fn remove_stale_socket(&self) -> Result<(), DataDirError> {
        match fs::remove_file(self.dir.socket()) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(self.dir.io(source)),
            _ => Ok(()),
        }
    }
}

/// The process id in the lock file, for the message only.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(32).read_to_string(&mut text));
    let id = text.trim();
    if read.is_ok() && !id.is_empty() { id.to_owned() } else { "unknown".to_owned() }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use super::*;

    #[test]
    fn a_second_process_is_told_who_has_the_folder_and_gets_it_afterwards() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::new(parent.path().join("data"));
        let lock = dir.create_and_lock().unwrap();
        let refused = dir.lock().unwrap_err().to_string();
        assert!(refused.ends_with(&format!("is in use by process {}", std::process::id())), "{refused}");
        drop(lock);
        assert!(dir.lock().is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let locked = DataDir::new(parent.path().join("a/b")).create_and_lock().unwrap();
        assert_eq!(fs::metadata(locked.path()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn looking_does_not_make_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let dir = DataDir::new(parent.path().join("data"));
        assert!(matches!(dir.lock(), Err(DataDirError::Missing { .. })));
        assert!(!dir.path().exists());
    }

    #[test]
    fn a_socket_left_behind_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let locked = DataDir::new(parent.path()).create_and_lock().unwrap();
        fs::write(locked.dir().socket(), "").unwrap();
        locked.remove_stale_socket().unwrap();
        locked.remove_stale_socket().unwrap();
        assert!(!locked.dir().socket().exists());
    }
}
