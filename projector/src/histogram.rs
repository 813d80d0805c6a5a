//! Fixed-bucket histograms: the same rows give the same counts, whatever the order or the batches.
//!
//! A bucket is named by its lower bound. Values below 32 have a bucket each; above, every power of two is cut
//! into 16 buckets of equal width, so a bucket is never wider than 1/16 of its lower bound and the
//! middle of a bucket is off by **at most 1/32 (3.2 %)**. Integers only; histograms of hours add up to days.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Significant bits a lower bound keeps.
const BITS: u32 = 5;
/// Larger values count as this one: 49 days in milliseconds.
pub const VALUE_MAX: u64 = 1 << 32;

/// The lower bound of the bucket a value falls into.
pub const fn bucket_floor(value: u64) -> u64 {
    let value = if value > VALUE_MAX { VALUE_MAX } else { value };
    let bits = u64::BITS - value.leading_zeros();
    if bits <= BITS { value } else { value >> (bits - BITS) << (bits - BITS) }
}

/// How many values share a bucket.
pub const fn bucket_width(floor: u64) -> u64 {
    let bits = u64::BITS - floor.leading_zeros();
    if bits <= BITS { 1 } else { 1 << (bits - BITS) }
}

/// Counts by lower bound. In JSON: `{"320":3,"336":1}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(BTreeMap<u64, u64>);

/// Percentiles as endpoints and models show them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p75: f64,
    pub p90: f64,
    pub p99: f64,
}

impl Histogram {
    /// Adds `count` values of the bucket with this lower bound.
    pub fn add(&mut self, floor: u64, count: u64) {
        *self.0.entry(floor).or_default() += count;
    }

    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(floor, count)| self.add(*floor, *count));
    }

    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().map(|(floor, count)| (*floor, *count))
    }

    /// The middle of the bucket that holds the value of this rank (nearest rank, `percent` of 100).
    pub fn percentile(&self, percent: u64) -> Option<f64> {
        let rank = (self.count().saturating_mul(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let floor = self.0.iter().find_map(|(floor, count)| {
            seen += count;
            (seen >= rank).then_some(*floor)
        })?;
        Some(floor as f64 + (bucket_width(floor) - 1) as f64 / 2.0)
    }

    /// `None` when nothing was counted. `scale` turns the bucket's unit into the shown one.
    pub fn percentiles(&self, scale: f64) -> Option<Percentiles> {
        let at = |percent| self.percentile(percent).map(|value| value * scale);
        Some(Percentiles { p50: at(50)?, p75: at(75)?, p90: at(90)?, p99: at(99)? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_middle_of_a_bucket_is_within_a_thirty_second_of_every_value_in_it(value in 0..VALUE_MAX) {
            let floor = bucket_floor(value);
            prop_assert!(floor <= value && value < floor + bucket_width(floor));
            prop_assert_eq!(bucket_floor(floor), floor);
            let middle = floor as f64 + (bucket_width(floor) - 1) as f64 / 2.0;
            prop_assert!((middle - value as f64).abs() <= value as f64 / 32.0);
        }

        #[test]
        fn percentiles_are_within_the_documented_error(mut values in proptest::collection::vec(1..10_000_000_u64, 1..200)) {
            let mut histogram = Histogram::default();
            values.iter().for_each(|value| histogram.add(bucket_floor(*value), 1));
            values.sort_unstable();
            for percent in [50, 75, 90, 99] {
                let exact = values[(values.len() as u64 * percent).div_ceil(100) as usize - 1] as f64;
                let found = histogram.percentile(percent).unwrap_or(f64::NAN);
                prop_assert!((found - exact).abs() <= exact / 32.0, "{found} is not near {exact}");
            }
        }
    }

    #[test]
    fn an_empty_histogram_has_no_percentiles() {
        assert_eq!(Histogram::default().percentiles(1.0), None);
    }

    #[test]
    fn absurd_values_share_the_last_bucket() {
        assert_eq!(bucket_floor(u64::MAX), VALUE_MAX);
    }
}
