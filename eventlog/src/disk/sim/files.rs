//! The file operations of the simulated disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::MutexGuard;

use super::contents::{Change, Contents};
use super::{Happens, NameChange, SimDisk, World, crashed};
use crate::disk::{Disk, DiskFile, OpenMode};

impl Disk for SimDisk {
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        if self.has_crashed() { Err(crashed()) } else { Ok(()) }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let world = self.world.lock();
        if world.crashed {
            return Err(crashed());
        }
        let inside = world.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world.lock();
        if world.crashed {
            return Err(crashed());
        }
        let known = world.names.get(path).copied();
        let id = match (known, mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(id), _) => id,
            (None, OpenMode::CreateNew) => {
                let happens = world.change()?;
                let id = world.next_file;
                world.next_file += 1;
                world.files.insert(id, Contents::default());
                if happens != Happens::Half {
                    world.rename_durably_on_sync(NameChange::Set(path.to_owned(), id));
                }
                happens.outcome()?;
                id
            }
            (None, _) => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(SimFile { disk: self.clone(), id, life: world.life }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        let happens = world.change()?;
        if !world.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if happens != Happens::Half {
            world.rename_durably_on_sync(NameChange::Rename(from.to_owned(), to.to_owned()));
        }
        happens.outcome()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        if world.crashed {
            return Err(crashed());
        }
        if !world.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let happens = world.change()?;
        if happens != Happens::Half {
            world.rename_durably_on_sync(NameChange::Remove(path.to_owned()));
        }
        happens.outcome()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut world = self.world.lock();
        let happens = world.change()?;
        if happens != Happens::Half {
            world.durable_names = world.names.clone();
            world.name_changes.clear();
        }
        happens.outcome()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let mut world = self.world.lock();
        if world.crashed {
            return Err(crashed());
        }
        if !world.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned(), life: world.life }))
    }
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    life: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut world = self.disk.world.lock();
        if world.life == self.life {
            world.locks.remove(&self.path);
        }
    }
}

struct SimFile {
    disk: SimDisk,
    id: u64,
    life: u64,
}

impl SimFile {
    /// The world, if the machine this handle belongs to still runs.
    fn world(&self) -> io::Result<MutexGuard<'_, World>> {
        let world = self.disk.world.lock();
        if world.crashed || world.life != self.life { Err(crashed()) } else { Ok(world) }
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        let world = self.world()?;
        Ok(world.files.get(&self.id).map_or(0, |contents| contents.now.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.world()?;
        let Some(contents) = world.files.get(&self.id) else { return Ok(0) };
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(contents.now.len());
        let mut count = buffer.len().min(contents.now.len() - start);
        if world.short_reads && count > 1 {
            count = count / 2 + 1;
        }
        buffer[..count].copy_from_slice(&contents.now[start..start + count]);
        Ok(count)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.world()?;
        let used = world.used_bytes();
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let len = world.files.get(&self.id).map_or(0, |contents| contents.now.len());
        let growth = (offset + bytes.len()).saturating_sub(len) as u64;
        if growth > 0 && world.capacity_bytes.is_some_and(|capacity| used + growth > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let happens = world.change()?;
        let fault = world.fail_next_write.take_if(|(id, _)| *id == self.id);
        let is_half = happens == Happens::Half || fault.is_some();
        let written = if is_half { &bytes[..bytes.len() / 2] } else { bytes };
        if let Some(contents) = world.files.get_mut(&self.id) {
            contents.change(Change::Write { offset, bytes: written.to_vec() });
        }
        fault.map_or_else(|| happens.outcome(), |(_, kind)| Err(kind.into()))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut world = self.world()?;
        let happens = world.change()?;
        if happens != Happens::Half
            && let Some(contents) = world.files.get_mut(&self.id)
        {
            contents.change(Change::Length(usize::try_from(len).unwrap_or(usize::MAX)));
        }
        happens.outcome()
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.world()?;
        let happens = world.change()?;
        let number = world.syncs;
        world.syncs += 1;
        let fails = world.fail_sync_at == Some(number);
        if let Some(contents) = world.files.get_mut(&self.id) {
            if fails {
                // The pages are marked clean and still read as written, but never reach the disk.
                contents.unsynced.clear();
            } else if happens != Happens::Half {
                contents.durable = contents.now.clone();
                contents.unsynced.clear();
            }
        }
        if fails {
            return Err(io::Error::other("simulated input/output error"));
        }
        happens.outcome()
    }
}
