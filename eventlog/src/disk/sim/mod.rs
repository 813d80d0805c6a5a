//! A simulated disk: everything a real one does to a log at its worst, from a seed.
//!
//! Keeps for every file what is durable and what was written since, and for every name likewise. A *crash*
//! ends everything at a chosen change (before it, after it, or torn in its middle); a *restart* then decides,
//! sector by sector, what of the unsynced survived. Faults: full disk, failing writes (half of which are done),
//! failing syncs (which also drop what they should have synced, as kernels do), flipped bits, short reads.

mod contents;
mod files;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use self::contents::{Chance, Contents};

pub use self::contents::Loss;

/// What becomes of the change at which the disk crashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrashPoint {
    Before,
    /// A write is cut at half its length; anything else does not happen.
    Torn,
    After,
}

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    files: HashMap<u64, Contents>,
    next_file: u64,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// Since the last folder sync, oldest first.
    name_changes: Vec<NameChange>,
    locks: HashSet<PathBuf>,
    /// Raised by a restart: handles from before it are dead.
    life: u64,
    changes: u64,
    crash_at: Option<(u64, CrashPoint)>,
    crashed: bool,
    syncs: u64,
    fail_sync_at: Option<u64>,
    fail_next_write: Option<(u64, io::ErrorKind)>,
    capacity_bytes: Option<u64>,
    short_reads: bool,
}

#[derive(Clone)]
enum NameChange {
    Set(PathBuf, u64),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

impl SimDisk {
    pub fn new() -> Self {
        Self::default()
    }

    /// How many changes were made: writes, lengths, syncs, creations, renames, removals.
    pub fn changes(&self) -> u64 {
        self.world.lock().changes
    }

    /// Crashes at the change with this number, counted from 0 over the disk's life.
    pub fn crash_at(&self, change: u64, point: CrashPoint) {
        self.world.lock().crash_at = Some((change, point));
    }

    pub fn has_crashed(&self) -> bool {
        self.world.lock().crashed
    }

    /// Ends every open handle and lock, and loses what is to be lost.
    pub fn restart(&self, loss: Loss) {
        let mut world = self.world.lock();
        world.life += 1;
        world.locks.clear();
        (world.crashed, world.crash_at) = (false, None);
        if loss == Loss::Process {
            return;
        }
        let mut chance = Chance::new(loss);
        let kept_changes = chance.up_to(world.name_changes.len());
        let changes: Vec<NameChange> = world.name_changes.drain(..).take(kept_changes).collect();
        let mut names = std::mem::take(&mut world.durable_names);
        changes.into_iter().for_each(|change| change.apply(&mut names));
        world.names.clone_from(&names);
        world.durable_names = names;
        // In a fixed order, so that one seed is one outcome.
        let mut ids: Vec<u64> = world.files.keys().copied().collect();
        ids.sort_unstable();
        for id in ids {
            if let Some(contents) = world.files.get_mut(&id) {
                contents.lose(&mut chance);
            }
        }
    }

    /// Lets this many more syncs succeed and makes the next one fail; what it should have made durable is dropped.
    /// Counted from now, not from the disk's first, because a journal's thread syncs at moments of its own.
    pub fn fail_sync_after(&self, successes: u64) {
        let mut world = self.world.lock();
        world.fail_sync_at = Some(world.syncs + successes);
    }

    pub fn syncs(&self) -> u64 {
        self.world.lock().syncs
    }

    /// Makes the next write to a file do half of its work and fail in this way.
    pub fn fail_next_write(&self, path: &Path, kind: io::ErrorKind) {
        let mut world = self.world.lock();
        world.fail_next_write = world.names.get(path).map(|id| (*id, kind));
    }

    /// Writes that would make files longer than this in total fail as on a full disk.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.world.lock().capacity_bytes = bytes;
    }

    /// Lets every read return a part of what was asked for.
    pub fn set_short_reads(&self, short: bool) {
        self.world.lock().short_reads = short;
    }

    /// Flips one bit of a file, durably.
    pub fn flip_bit(&self, path: &Path, byte: u64, bit: u8) {
        let mut world = self.world.lock();
        let Some(id) = world.names.get(path).copied() else { return };
        if let Some(contents) = world.files.get_mut(&id) {
            let at = usize::try_from(byte).unwrap_or(usize::MAX);
            for bytes in [&mut contents.now, &mut contents.durable] {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (bit % 8);
                }
            }
        }
    }

    /// What a file holds now; empty if there is none.
    pub fn contents(&self, path: &Path) -> Vec<u8> {
        let world = self.world.lock();
        let contents = world.names.get(path).and_then(|id| world.files.get(id));
        contents.map_or_else(Vec::new, |contents| contents.now.clone())
    }

    /// A second disk that holds the same at this moment.
    pub fn copy(&self) -> Self {
        let world = self.world.lock();
        let copy = World {
            files: world.files.clone(),
            next_file: world.next_file,
            names: world.names.clone(),
            durable_names: world.durable_names.clone(),
            name_changes: world.name_changes.clone(),
            ..World::default()
        };
        Self { world: Arc::new(Mutex::new(copy)) }
    }
}

impl World {
    /// Counts a change and says how much of it happens.
    fn change(&mut self) -> io::Result<Happens> {
        if self.crashed {
            return Err(crashed());
        }
        let number = self.changes;
        self.changes += 1;
        match self.crash_at {
            Some((at, point)) if at == number => {
                self.crashed = true;
                match point {
                    CrashPoint::Before => Err(crashed()),
                    CrashPoint::Torn => Ok(Happens::Half),
                    CrashPoint::After => Ok(Happens::ThenCrash),
                }
            }
            _ => Ok(Happens::Whole),
        }
    }

    fn rename_durably_on_sync(&mut self, change: NameChange) {
        change.clone().apply(&mut self.names);
        self.name_changes.push(change);
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().filter_map(|id| self.files.get(id)).map(|contents| contents.now.len() as u64).sum()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Happens {
    Whole,
    Half,
    ThenCrash,
}

impl Happens {
    fn outcome(self) -> io::Result<()> {
        if self == Self::Whole { Ok(()) } else { Err(crashed()) }
    }
}

fn crashed() -> io::Error {
    io::Error::other("the simulated machine has crashed")
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Set(path, id) => {
                names.insert(path, id);
            }
            Self::Rename(from, to) => {
                if let Some(id) = names.remove(&from) {
                    names.insert(to, id);
                }
            }
            Self::Remove(path) => {
                names.remove(&path);
            }
        }
    }
}
