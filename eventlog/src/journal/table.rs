//! Which segment holds which lsns, and a sparse index into each: where to begin reading.

use std::collections::VecDeque;

use super::segment::RECORDS_START;

/// One indexed place for that many bytes of records: 16 bytes of memory per 64 KiB of file.
const POINT_EVERY_BYTES: u64 = 64 * 1024;

/// What is known of one segment.
#[derive(Debug, Clone)]
pub(crate) struct SegmentInfo {
    pub ordinal: u64,
    /// The lsn its first record has or will have.
    pub first_lsn: u64,
    /// `first_lsn − 1` while it is empty.
    pub last_lsn: u64,
    /// Where the last record ends.
    pub end: u64,
    /// Some records' `(lsn, offset)`, ascending.
    points: Vec<(u64, u64)>,
}

impl SegmentInfo {
    pub(crate) fn empty(ordinal: u64, first_lsn: u64) -> Self {
        Self { ordinal, first_lsn, last_lsn: first_lsn.saturating_sub(1), end: RECORDS_START, points: Vec::new() }
    }

    /// Remembers where a record begins, if no remembered one is near.
    pub(crate) fn learn(&mut self, lsn: u64, offset: u64) {
        if offset >= self.points.last().map_or(RECORDS_START, |point| point.1) + POINT_EVERY_BYTES {
            self.points.push((lsn, offset));
        }
    }
}

/// Where a wanted record can be found: at or after `offset`, whose record has `lsn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub ordinal: u64,
    pub lsn: u64,
    pub offset: u64,
    /// Where the segment's records end, as far as known.
    pub end: u64,
    /// The segment's last lsn, as far as known.
    pub last_lsn: u64,
}

/// All segments of a journal, oldest first. Never empty while a journal is open for writing.
#[derive(Debug, Default, Clone)]
pub(crate) struct SegmentTable {
    segments: VecDeque<SegmentInfo>,
}

impl SegmentTable {
    pub(crate) fn push(&mut self, segment: SegmentInfo) {
        self.segments.push_back(segment);
    }

    pub(crate) fn remove_oldest(&mut self) -> Option<SegmentInfo> {
        self.segments.pop_front()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SegmentInfo> {
        self.segments.iter()
    }

    pub(crate) fn newest(&self) -> Option<&SegmentInfo> {
        self.segments.back()
    }

    pub(crate) fn newest_mut(&mut self) -> Option<&mut SegmentInfo> {
        self.segments.back_mut()
    }

    pub(crate) fn find_mut(&mut self, ordinal: u64) -> Option<&mut SegmentInfo> {
        let at = self.segments.binary_search_by_key(&ordinal, |segment| segment.ordinal).ok()?;
        self.segments.get_mut(at)
    }

    pub(crate) fn first_lsn(&self) -> Option<u64> {
        self.segments.front().map(|segment| segment.first_lsn)
    }

    /// Where to begin reading for this lsn, or for the oldest one there is if that is newer.
    pub(crate) fn locate(&self, lsn: u64) -> Option<Place> {
        let after = self.segments.partition_point(|segment| segment.first_lsn <= lsn);
        // An empty segment shares its first lsn with its successor-to-be; the last of them is the one in use.
        let segment = self.segments.get(after.saturating_sub(1))?;
        let point = match segment.points.partition_point(|point| point.0 <= lsn) {
            0 => (segment.first_lsn, RECORDS_START),
            known => segment.points[known - 1],
        };
        Some(Place { ordinal: segment.ordinal, lsn: point.0, offset: point.1, end: segment.end, last_lsn: segment.last_lsn })
    }
}
