//! Which of a producer's numbered events arrived: a contiguous watermark and the ranges beyond it.
//!
//! Spools count 1, 2, 3 … per partition, so a hole is a lost or late event. Order does not matter and a
//! number may come twice. The watermark is what a spool may delete up to.

/// How many separate ranges beyond the watermark are kept. One producer that lost this many events is
/// not a delay but a fault to look at: applying halts.
pub const SEQUENCE_RANGES_MAX: usize = 10_000;

/// More holes than [`SEQUENCE_RANGES_MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a producer's sequence has more than {SEQUENCE_RANGES_MAX} gaps")]
pub struct TooManyGaps;

/// The numbers seen of one producer in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sequence {
    /// Every number from 1 to this one was seen.
    pub contiguous: u64,
    /// Ranges seen beyond it, ascending, apart by at least one, both ends included.
    pub ahead: Vec<(u64, u64)>,
}

impl Sequence {
    /// Notes a number; answers whether it was new. Zero means "not numbered" and is not noted.
    pub fn note(&mut self, number: u64) -> Result<bool, TooManyGaps> {
        if number <= self.contiguous {
            return Ok(false);
        }
        if number == self.contiguous + 1 {
            self.contiguous = number;
            self.absorb();
            return Ok(true);
        }
        let next = self.ahead.partition_point(|(first, _)| *first <= number);
        let joins_before = next > 0 && self.ahead[next - 1].1 + 1 >= number;
        if joins_before && self.ahead[next - 1].1 >= number {
            return Ok(false);
        }
        let joins_after = next < self.ahead.len() && self.ahead[next].0 == number + 1;
        match (joins_before, joins_after) {
            (true, true) => {
                self.ahead[next - 1].1 = self.ahead[next].1;
                self.ahead.remove(next);
            }
            (true, false) => self.ahead[next - 1].1 = number,
            (false, true) => self.ahead[next].0 = number,
            (false, false) if self.ahead.len() >= SEQUENCE_RANGES_MAX => return Err(TooManyGaps),
            (false, false) => self.ahead.insert(next, (number, number)),
        }
        Ok(true)
    }

    /// The numbers missing between what was seen, both ends included.
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let mut from = self.contiguous + 1;
        let mut gaps = Vec::with_capacity(self.ahead.len());
        for (first, last) in &self.ahead {
            gaps.push((from, first - 1));
            from = last + 1;
        }
        gaps
    }

    fn absorb(&mut self) {
        if let Some((first, last)) = self.ahead.first().copied()
            && first == self.contiguous + 1
        {
            self.contiguous = last;
            self.ahead.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]

    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_sequence_is_the_set_of_numbers_it_was_told(numbers in prop::collection::vec(1_u64..60, 0..120)) {
            let mut sequence = Sequence::default();
            let mut seen = BTreeSet::new();
            for number in numbers {
                prop_assert_eq!(sequence.note(number).unwrap(), seen.insert(number));
            }
            let contiguous = (1..).take_while(|number| seen.contains(number)).last().unwrap_or(0);
            prop_assert_eq!(sequence.contiguous, contiguous);
            let missing: Vec<u64> = sequence.gaps().into_iter().flat_map(|(first, last)| first..=last).collect();
            let last = seen.last().copied().unwrap_or(0);
            let expected: Vec<u64> = (1..=last).filter(|number| !seen.contains(number)).collect();
            prop_assert_eq!(missing, expected);
        }
    }

    #[test]
    fn too_many_gaps_are_an_error_and_not_a_growing_list() {
        let mut sequence = Sequence::default();
        for index in 0..SEQUENCE_RANGES_MAX as u64 {
            sequence.note(3 + index * 2).unwrap();
        }
        assert_eq!(sequence.note(1_000_000), Err(TooManyGaps));
        assert_eq!(sequence.note(4), Ok(true), "a number that closes a gap is still taken");
    }
}
