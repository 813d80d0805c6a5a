//! What a simulated file holds, on the disk and in the operating system, and what chance keeps of it.

/// What survives a torn write, or does not, as a whole.
const SECTOR_BYTES: usize = 512;

/// What a restart keeps of what was never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The process died, the operating system did not: everything is kept, and what was unsynced still is.
    Process,
    /// The power failed: nothing unsynced is kept.
    PowerAll,
    /// The power failed: every sector written since the last sync, and every change of a length, is kept or lost by
    /// chance; names are kept up to a point.
    PowerSome { seed: u64 },
}

/// One file.
#[derive(Default, Clone)]
pub(super) struct Contents {
    pub now: Vec<u8>,
    pub durable: Vec<u8>,
    pub unsynced: Vec<Change>,
}

#[derive(Clone)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

impl Contents {
    fn apply(bytes: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Length(len) => bytes.resize(*len, 0),
            Change::Write { offset, bytes: written } => {
                let end = offset + written.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[*offset..end].copy_from_slice(written);
            }
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        Self::apply(&mut self.now, &change);
        self.unsynced.push(change);
    }

    pub(super) fn lose(&mut self, chance: &mut Chance) {
        let mut kept = std::mem::take(&mut self.durable);
        for change in self.unsynced.drain(..) {
            match change {
                Change::Length(_) if chance.keeps() => Self::apply(&mut kept, &change),
                Change::Length(_) => {}
                Change::Write { offset, bytes } => {
                    let mut at = 0;
                    while at < bytes.len() {
                        let sector_end = ((offset + at) / SECTOR_BYTES + 1) * SECTOR_BYTES - offset;
                        let end = sector_end.min(bytes.len());
                        if chance.keeps() {
                            Self::apply(&mut kept, &Change::Write { offset: offset + at, bytes: bytes[at..end].to_vec() });
                        }
                        at = end;
                    }
                }
            }
        }
        self.now.clone_from(&kept);
        self.durable = kept;
    }
}

/// Draws what survives.
pub(super) struct Chance {
    loss: Loss,
    state: u64,
}

impl Chance {
    pub(super) fn new(loss: Loss) -> Self {
        let state = if let Loss::PowerSome { seed } = loss { seed } else { 0 };
        Self { loss, state }
    }

    fn keeps(&mut self) -> bool {
        matches!(self.loss, Loss::PowerSome { .. }) && self.draw() & 1 == 1
    }

    pub(super) fn up_to(&mut self, count: usize) -> usize {
        match self.loss {
            Loss::PowerSome { .. } => usize::try_from(self.draw() % (count as u64 + 1)).unwrap_or(0),
            Loss::Process | Loss::PowerAll => 0,
        }
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
