//! Durations by the thousand in little memory: buckets within 0.4 % of the truth.

use std::time::Duration;

use serde::Serialize;

const SUB_BITS: u32 = 8;
const SUB_BUCKETS: u64 = 1 << SUB_BITS;

#[derive(Debug, Clone, Default)]
pub struct Histogram {
    counts: Vec<u32>,
    total: u64,
    sum_nanos: u128,
    max_nanos: u64,
}

/// Microseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Percentiles {
    pub count: u64,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

impl Histogram {
    pub fn add(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket_of(nanos);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(1);
        }
        self.total += 1;
        self.sum_nanos += u128::from(nanos);
        self.max_nanos = self.max_nanos.max(nanos);
    }

    pub fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine = mine.saturating_add(*theirs);
        }
        self.total += other.total;
        self.sum_nanos += other.sum_nanos;
        self.max_nanos = self.max_nanos.max(other.max_nanos);
    }

    /// None when nothing was added.
    pub fn percentiles(&self) -> Option<Percentiles> {
        (self.total > 0).then(|| Percentiles {
            count: self.total,
            mean: micros(self.sum_nanos as f64 / self.total as f64),
            p50: self.at(0.50),
            p90: self.at(0.90),
            p99: self.at(0.99),
            max: micros(self.max_nanos as f64),
        })
    }

    fn at(&self, share: f64) -> f64 {
        let rank = (share * self.total as f64).ceil() as u64;
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= rank
        });
        micros(bucket.map_or(0, middle_of) as f64)
    }
}

fn micros(nanos: f64) -> f64 {
    (nanos / 10.0).round() / 100.0
}

/// Exact up to 2 × 256 ns, then 256 buckets for every doubling.
fn bucket_of(nanos: u64) -> usize {
    let shift = (u64::BITS - nanos.leading_zeros()).saturating_sub(SUB_BITS + 1);
    (u64::from(shift) * SUB_BUCKETS + (nanos >> shift)) as usize
}

fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * SUB_BUCKETS {
        return bucket;
    }
    let shift = bucket / SUB_BUCKETS - 1;
    ((bucket - shift * SUB_BUCKETS) << shift) + (1 << shift) / 2
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests assert by panicking")]
    use super::*;

    #[test]
    fn every_duration_is_found_again_within_half_a_percent() {
        for nanos in [0, 1, 255, 256, 511, 512, 513, 1_000, 123_456, 9_999_999, 60_000_000_000, u64::MAX / 2] {
            let found = middle_of(bucket_of(nanos));
            assert!(found.abs_diff(nanos) as f64 <= nanos as f64 * 0.004, "{nanos} became {found}");
        }
    }

    #[test]
    fn percentiles_of_a_known_run() {
        let (mut low, mut high) = (Histogram::default(), Histogram::default());
        for micros in 1..=50 {
            low.add(Duration::from_micros(micros));
            high.add(Duration::from_micros(micros + 50));
        }
        low.merge(&high);
        let all = low.percentiles().unwrap();
        assert!((all.p50 - 50.0).abs() < 0.3 && (all.p99 - 99.0).abs() < 0.5 && (all.max - 100.0).abs() < 0.01, "{all:?}");
        assert!(Histogram::default().percentiles().is_none());
    }
}
