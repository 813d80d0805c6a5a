//! What reads ended with, so that the next one finds out whether the log still has it.
//!
//! **A position says nothing about what stands there**: a log that lost its end grows past it again, with other events.

use std::collections::VecDeque;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::log::Entry;

/// Ends that are kept, of all readers in this process. A reader that falls this far behind the others is not checked once.
const MARKS_MAX: usize = 1_024;

pub(super) type Digest = [u8; 32];

#[derive(Default)]
pub(super) struct Marks(Mutex<VecDeque<(u64, Digest)>>);

impl Marks {
    pub fn of(&self, position: u64) -> Option<Digest> {
        self.0.lock().iter().rev().find(|(marked, _)| *marked == position).map(|(_, digest)| *digest)
    }

    pub fn note(&self, last: &Entry) {
        let mut marks = self.0.lock();
        if marks.len() == MARKS_MAX {
            marks.pop_front();
        }
        marks.push_back((last.position, digest(&last.payload)));
    }
}

pub(super) fn digest(payload: &[u8]) -> Digest {
    Sha256::digest(payload).into()
}
